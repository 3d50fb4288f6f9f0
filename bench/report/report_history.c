#include "report_history.h"

#include "report_html.h"
#include "report_matrix.h"
#include "svg_plot.h"
#include "text_out.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

enum { N_MEASURES = 3, DATE_BYTES = 32 };

/* A run: a folder of results. */
typedef struct dated_run {
    char date[DATE_BYTES];
    int run;
} dated_run;

typedef struct history {
    const results_data *d;
    dated_run *runs;                  /* [d->n_folders] by date       */
    char (*boards)[BOARD_NAME_BYTES]; /* [d->n_groups] of each group  */
    double *y;                        /* [SVG_SERIES, n_folders]      */
    const char **names;               /* [n_folders] below the x axis */
    int *at;                          /* [n_folders] place on the x axis of the board at hand; -1: not there */
    int n_at;
    double x[]; /* [n_folders] 0, 1, ... */
} history;

/* ISO dates sort as text; what has none comes first, in the order given. */
static int by_date(const void *a, const void *b)
{
    const dated_run *p = a, *q = b;
    int order = strcmp(p->date, q->date);
    return order ? order : p->run - q->run;
}

static double figure_of(const report_group *g, int measure)
{
    if (measure == 0)
        return g->fps_median;
    if (measure == 1)
        return g->memory_mib > 0 ? g->memory_mib : NAN;
    return g->jandf;
}

/* One line of a plot: model, size, type, and how it is scored. */
static int same_series(const report_group *a, const report_group *b)
{
    return matrix_same_line(a, b) && (!a->metric[0] || !b->metric[0] || !strcmp(a->metric, b->metric));
}

/* The first group of a run on the same board with the same line; NULL: it was not run. */
static const report_group *in_run(const history *h, int group, int run)
{
    for (int g = 0; g < h->d->n_groups; g++)
        if (h->d->groups[g].run == run && !strcmp(h->boards[g], h->boards[group]) &&
            same_series(&h->d->groups[g], &h->d->groups[group]))
            return &h->d->groups[g];
    return NULL;
}

/* Whether no group before it is of its line, or of its board. */
static int is_first(const history *h, int group, int of_board)
{
    for (int g = 0; g < group; g++)
        if (!strcmp(h->boards[g], h->boards[group]) &&
            (of_board || same_series(&h->d->groups[g], &h->d->groups[group])))
            return 0;
    return 1;
}

/* The runs of a board and their names: the day, or with the time where a day has several. */
static void name_runs(history *h, int group, char (*text)[DATE_BYTES])
{
    int n = 0, days = 1, last = -1;
    for (int i = 0; i < h->d->n_folders; i++) {
        int there = 0;
        for (int g = 0; g < h->d->n_groups && !there; g++)
            there = h->d->groups[g].run == h->runs[i].run && !strcmp(h->boards[g], h->boards[group]);
        h->at[i] = there ? n++ : -1;
        if (there && last >= 0)
            days &= strncmp(h->runs[i].date, h->runs[last].date, 10) != 0;
        last = there ? i : last;
    }
    for (int i = 0; i < h->d->n_folders; i++) {
        const char *date = h->runs[i].date;
        if (h->at[i] < 0)
            continue;
        if (strlen(date) < 16)
            snprintf(text[h->at[i]], DATE_BYTES, "%d", h->at[i] + 1);
        else
            snprintf(text[h->at[i]], DATE_BYTES, "%.*s", days ? 5 : 11, date + 5); /* 11-28, or 11-28 14:05 */
        h->names[h->at[i]] = text[h->at[i]];
    }
    h->n_at = n;
}

/* The models from `group` on that are first of their line, as many as have colours; returns the one to go on with. */
static int draw_some(FILE *to, history *h, int group, int board, int measure)
{
    static const char *const titles[N_MEASURES] = {"Speed", "Peak memory", "J&F"};
    static const char *const units[N_MEASURES] = {"fps (median)", "MiB", "mean over objects"};
    svg_series series[SVG_SERIES];
    char labels[SVG_SERIES][160];
    int n = 0, n_values = 0;
    for (; group < h->d->n_groups && n < SVG_SERIES; group++) {
        if (strcmp(h->boards[group], h->boards[board]) || !is_first(h, group, 0) ||
            !results_is_of_interest(h->d, group))
            continue;
        double *y = h->y + (size_t)n * (size_t)h->d->n_folders;
        for (int i = 0; i < h->d->n_folders; i++) {
            if (h->at[i] < 0)
                continue;
            const report_group *g = in_run(h, group, h->runs[i].run);
            y[h->at[i]] = g ? figure_of(g, measure) : NAN;
            n_values += isfinite(y[h->at[i]]) != 0;
        }
        matrix_line_name(h->d, &h->d->groups[group], labels[n], sizeof labels[n]);
        series[n] = (svg_series){labels[n], h->x, y, h->n_at};
        n++;
    }
    const svg_frame f = {.title = titles[measure],
                         .x_label = "date of the run",
                         .y_label = units[measure],
                         .width = 390,
                         .height = 280,
                         .y_from_zero = measure != 2,
                         .y_span = measure == 2 ? 0.1 : 0,
                         .x_names = h->names,
                         .n_x_names = h->n_at};
    if (n_values > 1)
        svg_lines(to, &f, series, n, 0);
    return group;
}

static void draw_board(FILE *to, history *h, int board, char (*text)[DATE_BYTES])
{
    name_runs(h, board, text);
    fprintf(to, "<h2>");
    text_html(to, h->boards[board]);
    fprintf(to, "</h2>\n");
    if (h->n_at < 2) {
        fprintf(to, "<p class=\"soft\">One run: there is nothing to draw yet.</p>\n");
        return;
    }
    fprintf(to, "<div class=\"plots\">\n");
    for (int from = board, next; from < h->d->n_groups; from = next) {
        next = h->d->n_groups;
        for (int measure = 0; measure < N_MEASURES; measure++)
            next = draw_some(to, h, from, board, measure);
    }
    fprintf(to, "</div>\n");
}

/* ---- the table ---- */

/* A cell with a figure, and one with its change since the run before. */
static void put_figure(FILE *to, const report_group *g, const report_group *before, int measure)
{
    static const int decimals[N_MEASURES] = {2, 0, 4};
    double now = figure_of(g, measure), then = before ? figure_of(before, measure) : NAN;
    html_figure(to, decimals[measure], now);
    if (!isfinite(now) || !isfinite(then) || !(then > 0))
        fprintf(to, "<td></td>");
    else if (measure == 2)
        fprintf(to, "<td>%+.4f</td>", now - then);
    else
        fprintf(to, "<td>%+.1f %%</td>", 100 * (now / then - 1));
}

static void write_table(FILE *to, const history *h)
{
    fprintf(to, "<h2>Runs</h2>\n<p class=\"soft\">Each change is since the run before on the same board.</p>\n");
    html_table_begin(
        to, "<date|<folder|<version|<board|<model|fps (median)|change|memory MiB|change|J&amp;F|change|<metric");
    for (int i = h->d->n_folders - 1; i >= 0; i--)
        for (int k = 0; k < h->d->n_groups; k++) {
            const report_group *g = &h->d->groups[k], *before = NULL;
            char name[160];
            if (g->run != h->runs[i].run)
                continue;
            for (int p = i - 1; p >= 0 && !before; p--)
                before = in_run(h, k, h->runs[p].run);
            matrix_line_name(h->d, g, name, sizeof name);
            fprintf(to, "<tr>");
            html_words(to, h->runs[i].date);
            html_words(to, html_folder(h->d, g->run));
            html_words(to, member_text(h->d->machines[g->run], "sambench"));
            html_words(to, h->boards[k]);
            html_words(to, name);
            for (int measure = 0; measure < N_MEASURES; measure++)
                put_figure(to, g, before, measure);
            html_words(to, g->metric);
            fprintf(to, "</tr>\n");
        }
    html_table_end(to);
}

sam_status history_write(FILE *to, const results_data *d, sam_error *err)
{
    size_t n = (size_t)d->n_folders, n_groups = (size_t)d->n_groups;
    history *h = calloc(1, sizeof *h + n * sizeof *h->x);
    char(*text)[DATE_BYTES] = calloc(n + 1, sizeof *text);
    sam_status status = h && text ? SAM_OK : fail(err, SAM_E_MEMORY, "out of memory: %d runs", d->n_folders);
    if (h) {
        h->d = d;
        h->runs = calloc(n + 1, sizeof *h->runs);
        h->boards = calloc(n_groups + 1, sizeof *h->boards);
        h->y = calloc(SVG_SERIES * n + 1, sizeof *h->y);
        h->names = calloc(n + 1, sizeof *h->names);
        h->at = calloc(n + 1, sizeof *h->at);
        if (status == SAM_OK && (!h->runs || !h->boards || !h->y || !h->names || !h->at))
            status = fail(err, SAM_E_MEMORY, "out of memory: %d runs", d->n_folders);
    }
    if (status == SAM_OK) {
        for (int i = 0; i < d->n_folders; i++) {
            h->x[i] = i;
            h->runs[i].run = i;
            results_date(d, i, h->runs[i].date);
        }
        qsort(h->runs, n, sizeof *h->runs, by_date);
        for (int g = 0; g < d->n_groups; g++)
            matrix_board_name(d, &d->groups[g], h->boards[g]);
        for (int g = 0; g < d->n_groups; g++)
            if (is_first(h, g, 1))
                draw_board(to, h, g, text);
        write_table(to, h);
    }
    if (h) {
        free(h->runs);
        free(h->boards);
        free(h->y);
        free(h->names);
        free(h->at);
    }
    free(h);
    free(text);
    return status;
}
