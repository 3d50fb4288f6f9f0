#include "figures.h"

#include "csv.h"
#include "text_out.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

enum { CELL_BYTES = 128, GAP = 2 };

figures_format figures_format_of(const char *name)
{
    static const char *const names[] = {"table", "md", "json", "csv"};
    for (int i = 0; name && i < 4; i++)
        if (!strcmp(names[i], name))
            return (figures_format)i;
    return FIGURES_TABLE;
}

/* ---- filling ---- */

void figures_row(figures *f, int no_best)
{
    size_t n = (size_t)(f->n_rows + 1) * (size_t)f->n_columns;
    char **words = realloc(f->words, n * sizeof *words);
    f->words = words ? words : f->words;
    double *numbers = realloc(f->numbers, n * sizeof *numbers);
    f->numbers = numbers ? numbers : f->numbers;
    int *flags = realloc(f->no_best, (size_t)(f->n_rows + 1) * sizeof *flags);
    f->no_best = flags ? flags : f->no_best;
    f->failed |= !words || !numbers || !flags;
    if (f->failed)
        return;
    for (size_t i = n - (size_t)f->n_columns; i < n; i++) {
        words[i] = NULL;
        numbers[i] = NAN;
    }
    flags[f->n_rows++] = no_best;
}

/* A cell's place; -1: there is none. */
static int place_of(const figures *f, int row, const char *key)
{
    for (int c = 0; c < f->n_columns && !f->failed && row >= 0 && row < f->n_rows; c++)
        if (!strcmp(f->columns[c].key, key))
            return row * f->n_columns + c;
    return -1;
}

/* The cell of the last row. */
static int cell_of(const figures *f, const char *key)
{
    return place_of(f, f->n_rows - 1, key);
}

double figures_number_of(const figures *f, int row, const char *key)
{
    int at = place_of(f, row, key);
    return at < 0 ? NAN : f->numbers[at];
}

const char *figures_word_of(const figures *f, int row, const char *key)
{
    int at = place_of(f, row, key);
    return at < 0 || !f->words[at] ? "" : f->words[at];
}

void figures_word(figures *f, const char *key, const char *text)
{
    int at = cell_of(f, key);
    size_t n = strlen(text) + 1;
    if (at < 0)
        return;
    char *copy = malloc(n);
    free(f->words[at]);
    f->words[at] = copy ? memcpy(copy, text, n) : NULL;
    f->failed |= !copy;
}

void figures_number(figures *f, const char *key, double x)
{
    int at = cell_of(f, key);
    if (at >= 0)
        f->numbers[at] = isfinite(x) ? x : NAN;
}

void figures_free(figures *f)
{
    for (int i = 0; i < f->n_rows * f->n_columns; i++)
        free(f->words[i]);
    free(f->words);
    free(f->numbers);
    free(f->no_best);
    *f = (figures){0};
}

/* ---- reading ---- */

/* Returns 0 if it is empty. */
static int cell_text(const figures *f, int row, int column, char text[CELL_BYTES])
{
    int at = row * f->n_columns + column;
    const figures_column *c = &f->columns[column];
    text[0] = 0;
    if (c->decimals == FIGURES_TEXT)
        snprintf(text, CELL_BYTES, "%s", f->words[at] ? f->words[at] : "");
    else if (!isnan(f->numbers[at]))
        snprintf(text, CELL_BYTES, "%.*f", c->decimals, f->numbers[at]);
    return text[0] != 0;
}

/* Nothing is the best of one. */
static int is_best(const figures *f, int row, int column)
{
    int sign = f->columns[column].best, n = 0;
    double x = f->numbers[row * f->n_columns + column];
    if (!sign || f->no_best[row] || isnan(x))
        return 0;
    for (int r = 0; r < f->n_rows; r++) {
        double y = f->numbers[r * f->n_columns + column];
        if (f->no_best[r] || isnan(y))
            continue;
        n++;
        if (sign * y > sign * x)
            return 0;
    }
    return n > 1;
}

static int is_empty(const figures *f, int column)
{
    char text[CELL_BYTES];
    for (int r = 0; r < f->n_rows; r++)
        if (cell_text(f, r, column, text))
            return 0;
    return 1;
}

/* ---- text ---- */

/* Widths of the columns, of their head, figures and a mark behind them; 0: it is not shown. Returns the whole. */
static int measure(const figures *f, int *width)
{
    char text[CELL_BYTES];
    int all = -GAP;
    for (int c = 0; c < f->n_columns; c++) {
        width[c] = is_empty(f, c) ? 0 : (int)strlen(f->columns[c].head);
        for (int r = 0; r < f->n_rows && width[c]; r++) {
            cell_text(f, r, c, text);
            int n = (int)strlen(text) + (f->columns[c].best != 0);
            width[c] = n > width[c] ? n : width[c];
        }
        all += width[c] ? width[c] + GAP : 0;
    }
    return all;
}

/* Leaves out what can be spared until the table fits; returns how many columns that were. */
static int fit(const figures *f, int *width)
{
    int all = measure(f, width), n_spared = 0;
    while (all > FIGURES_WIDTH) {
        int most = -1;
        for (int c = 0; c < f->n_columns; c++)
            if (width[c] && f->columns[c].spare && (most < 0 || f->columns[c].spare > f->columns[most].spare))
                most = c;
        if (most < 0)
            break;
        all -= width[most] + GAP;
        width[most] = 0;
        n_spared++;
    }
    return n_spared;
}

static void put_text(const figures *f, FILE *to)
{
    int width[FIGURES_MAX_COLUMNS], n_spared = fit(f, width), is_terminal = isatty(fileno(to)), n_marks = 0;
    for (int r = -1; r < f->n_rows; r++) {
        const char *gap = "";
        for (int c = 0; c < f->n_columns; c++) {
            char text[CELL_BYTES];
            int is_words = f->columns[c].decimals == FIGURES_TEXT, best = r >= 0 && is_best(f, r, c);
            if (!width[c])
                continue;
            if (r < 0)
                snprintf(text, sizeof text, "%s", f->columns[c].head);
            else if (!cell_text(f, r, c, text) && !is_words)
                snprintf(text, sizeof text, "-");
            /* The place behind a figure is for its mark. */
            int mark = !is_words && f->columns[c].best, n = width[c] - mark;
            if (r < 0 && !is_words)
                fprintf(to, "%s%*s", gap, width[c], text);
            else if (is_words)
                fprintf(to, "%s%-*s", gap, width[c], text);
            else
                fprintf(to, is_terminal && best ? "%s\033[1m%*s%s\033[0m" : "%s%*s%s", gap, n, text,
                        !mark  ? ""
                        : best ? "*"
                               : " ");
            n_marks += best;
            gap = "  ";
        }
        fprintf(to, "\n");
    }
    if (n_marks)
        fprintf(to, "* best%s\n", n_spared ? "; columns that do not fit 80 are in the file" : "");
    else if (n_spared)
        fprintf(to, "columns that do not fit 80 are in the file\n");
}

/* ---- for programs ---- */

static void put_markdown(const figures *f, FILE *to)
{
    char text[CELL_BYTES];
    for (int r = -2; r < f->n_rows; r++) {
        for (int c = 0; c < f->n_columns; c++) {
            int is_words = f->columns[c].decimals == FIGURES_TEXT;
            if (is_empty(f, c))
                continue;
            fprintf(to, c ? " | " : "| ");
            if (r == -2) {
                fprintf(to, "%s", f->columns[c].head);
            } else if (r == -1) {
                fprintf(to, is_words ? "---" : "---:");
            } else {
                cell_text(f, r, c, text);
                const char *mark = is_best(f, r, c) ? "**" : "";
                fprintf(to, "%s", mark);
                for (const char *at = text; *at; at++)
                    fprintf(to, *at == '|' ? "\\%c" : "%c", *at);
                fprintf(to, "%s", mark);
            }
        }
        fprintf(to, " |\n");
    }
}

static void put_csv(const figures *f, FILE *to)
{
    char text[CELL_BYTES];
    for (int r = -1; r < f->n_rows; r++)
        for (int c = 0; c < f->n_columns; c++) {
            if (r < 0)
                snprintf(text, sizeof text, "%s", f->columns[c].key);
            else
                cell_text(f, r, c, text);
            csv_put_field(to, text);
            fputc(c + 1 < f->n_columns ? ',' : '\n', to);
        }
}

/* Numbers are those of the table, digit by digit; an empty cell is null. */
static void put_json(const figures *f, FILE *to)
{
    char text[CELL_BYTES];
    fprintf(to, "[");
    for (int r = 0; r < f->n_rows; r++) {
        fprintf(to, r ? ",\n {" : "\n {");
        for (int c = 0; c < f->n_columns; c++) {
            fprintf(to, "%s\"%s\": ", c ? ", " : "", f->columns[c].key);
            if (!cell_text(f, r, c, text)) {
                fprintf(to, "null");
            } else if (f->columns[c].decimals == FIGURES_TEXT) {
                fprintf(to, "\"");
                text_json(to, text);
                fprintf(to, "\"");
            } else {
                fprintf(to, "%s", text);
            }
        }
        fprintf(to, "}");
    }
    fprintf(to, f->n_rows ? "\n]\n" : "]\n");
}

static sam_status check(const figures *f, sam_error *err)
{
    return f->failed ? fail(err, SAM_E_MEMORY, "out of memory: a table of %d rows", f->n_rows) : SAM_OK;
}

sam_status figures_write(const figures *f, figures_format format, FILE *to, sam_error *err)
{
    TRY(check(f, err));
    switch (format) {
    case FIGURES_TABLE:
        put_text(f, to);
        break;
    case FIGURES_MD:
        put_markdown(f, to);
        break;
    case FIGURES_JSON:
        put_json(f, to);
        break;
    case FIGURES_CSV:
        put_csv(f, to);
        break;
    }
    fflush(to);
    return SAM_OK;
}

sam_status figures_save(const figures *f, const char *path, sam_error *err)
{
    text_out t;
    TRY(check(f, err));
    TRY(text_open(&t, path, err));
    put_csv(f, t.to);
    return text_close(&t, err);
}
