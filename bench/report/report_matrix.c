#include "report_matrix.h"

#include "report_html.h"
#include "svg_plot.h"
#include "text_out.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

enum { MAX_LINES = 1000, MAX_BOARDS = 100 };

/* ---- boards ---- */

/* Where `end` is what a name ends in, the name ends before it. */
static void cut_end(char *name, const char *end)
{
    size_t n = strlen(name), n_end = strlen(end);
    if (n > n_end && !strcmp(name + n - n_end, end))
        name[n - n_end] = 0;
}

/* "Intel(R) Xeon(R) CPU E5-2680 v4 @ 2.40GHz": what tells it from others is "Intel Xeon E5-2680 v4". */
static void shorten(char *name)
{
    static const char *const idle[] = {"(R)", "(r)", "(TM)", "(tm)", " CPU", " Developer Kit"};
    for (size_t i = 0; i < sizeof idle / sizeof *idle; i++)
        for (char *at; (at = strstr(name, idle[i]));)
            memmove(at, at + strlen(idle[i]), strlen(at + strlen(idle[i])) + 1);
    name[strcspn(name, "@")] = 0;
    cut_end(name, " ");
    cut_end(name, " Processor");
    char *cores = strstr(name, "-Core"); /* "AMD EPYC 7763 64-Core" */
    while (cores && cores > name && cores[-1] != ' ')
        cores--;
    if (cores && cores > name + 1)
        cores[-1] = 0;
}

/* The backend of a baseline's group is not told: it is where the other models of its folder ran. */
static const report_group *with_backend(const results_data *d, const report_group *g)
{
    for (int i = 0; !g->backend[0] && i < d->n_groups; i++)
        if (d->groups[i].run == g->run && d->groups[i].backend[0])
            return &d->groups[i];
    return g;
}

void matrix_board_name(const results_data *d, const report_group *of, char name[BOARD_NAME_BYTES])
{
    const report_group *g = with_backend(d, of);
    const json_t *machine = d->machines[g->run];
    const char *board = member_text(machine, "board"), *cpu = member_text(machine, "cpu");
    int is_gpu = g->backend[0] && strcmp(g->backend, "cpu");
    if (board[0])
        snprintf(name, BOARD_NAME_BYTES, is_gpu ? "%s" : "%s, CPU", board);
    else if (is_gpu && g->device[0])
        snprintf(name, BOARD_NAME_BYTES, "%s", g->device);
    else
        snprintf(name, BOARD_NAME_BYTES, "%s", !is_gpu && cpu[0] ? cpu : html_folder(d, g->run));
    shorten(name);
}

/* ---- lines ---- */

int matrix_same_line(const report_group *a, const report_group *b)
{
    return a->imgsz == b->imgsz && !strcmp(a->model, b->model) && !strcmp(a->precision, b->precision);
}

void matrix_line_name(const results_data *d, const report_group *g, char *name, size_t n_name)
{
    int sizes = 0, types = 0;
    for (int i = 0; i < d->n_groups; i++) {
        const report_group *other = &d->groups[i];
        sizes |= other->imgsz && other->imgsz != g->imgsz;
        types |= other->imgsz && strcmp(other->precision, g->precision);
    }
    int n = snprintf(name, n_name, "%s", g->model);
    if (g->imgsz && sizes && (size_t)n < n_name)
        n += snprintf(name + n, n_name - (size_t)n, " %d", g->imgsz);
    if (g->imgsz && types && (size_t)n < n_name)
        snprintf(name + n, n_name - (size_t)n, " %s", g->precision);
}

static void find_lines(report_matrix *m, const results_data *d)
{
    for (int baselines = 0; baselines < 2; baselines++)
        for (int g = 0; g < d->n_groups; g++) {
            int at = 0;
            if (baselines != !d->groups[g].imgsz)
                continue;
            while (at < m->n_lines && !matrix_same_line(&d->groups[m->lines[at].group], &d->groups[g]))
                at++;
            if (at == m->n_lines) {
                m->lines[m->n_lines] = (report_line){.group = g, .is_baseline = baselines};
                matrix_line_name(d, &d->groups[g], m->lines[m->n_lines++].name, sizeof m->lines->name);
            }
            m->line_of[g] = at;
        }
}

/* ---- cells ---- */

static int *cell(const report_matrix *m, int line, int board)
{
    return &m->cells[line * m->n_boards + board];
}

/* Whether a group before g has its line on board b. */
static int is_taken(const report_matrix *m, int g, int b, const int *before)
{
    while ((g = before[g]) >= 0)
        if (m->board_of[g] == b)
            return 1;
    return 0;
}

/* The board that a group goes to: the first of its name where no other group has its line. before [n_groups]: the group with
 * the same line before it. */
static int find_board(report_matrix *m, const results_data *d, int g, const int *before)
{
    char name[BOARD_NAME_BYTES];
    int earlier = results_is_earlier(d, d->groups[g].run), b = 0;
    matrix_board_name(d, &d->groups[g], name);
    while (b < m->n_boards &&
           (strcmp(m->boards[b].name, name) || m->boards[b].is_earlier != earlier || is_taken(m, g, b, before)))
        b++;
    if (b == m->n_boards) {
        m->boards[b] = (report_board){.run = d->groups[g].run, .is_earlier = earlier};
        memcpy(m->boards[m->n_boards++].name, name, sizeof name);
    }
    return b;
}

/* What a board is called where several have its name: by its folder too. */
static void tell_apart(report_matrix *m, const results_data *d)
{
    for (int i = 0; i < m->n_boards; i++) {
        const char *folder = html_folder(d, m->boards[i].run);
        int shared = 0;
        for (int k = 0; k < m->n_boards; k++)
            shared |= k != i && !strncmp(m->boards[k].name, m->boards[i].name, strlen(m->boards[i].name));
        size_t n = strlen(m->boards[i].name);
        if (shared && strcmp(m->boards[i].name, folder) && n + 4 < BOARD_NAME_BYTES)
            snprintf(m->boards[i].name + n, BOARD_NAME_BYTES - n, " (%.40s)", folder);
    }
}

static void find_mixed(report_matrix *m, const results_data *d)
{
    for (int b = 0; b < m->n_boards; b++) {
        const char *metric = NULL;
        for (int l = 0; l < m->n_lines; l++) {
            int g = *cell(m, l, b);
            if (g < 0 || m->lines[l].is_baseline || isnan(d->groups[g].jandf))
                continue;
            m->boards[b].is_mixed |= metric && strcmp(metric, d->groups[g].metric);
            metric = d->groups[g].metric;
        }
    }
}

/* For each group the one before it with the same line, -1: none; last [n_groups] is scratch. */
static void chain(const report_matrix *m, const results_data *d, int *before, int *last)
{
    for (int l = 0; l < m->n_lines; l++)
        last[l] = -1;
    for (int g = 0; g < d->n_groups; g++) {
        before[g] = last[m->line_of[g]];
        last[m->line_of[g]] = g;
    }
}

static sam_status make_cells(report_matrix *m, const results_data *d, sam_error *err)
{
    size_t n = (size_t)m->n_lines * (size_t)m->n_boards;
    if (m->n_lines > MAX_LINES || m->n_boards > MAX_BOARDS) /* nobody reads that: cells stay NULL */
        return SAM_OK;
    m->cells = malloc(n * sizeof *m->cells + 1);
    if (!m->cells)
        return fail(err, SAM_E_MEMORY, "out of memory: %zu cells", n);
    for (size_t i = 0; i < n; i++)
        m->cells[i] = -1;
    for (int g = 0; g < d->n_groups; g++)
        *cell(m, m->line_of[g], m->board_of[g]) = g;
    return SAM_OK;
}

sam_status matrix_make(report_matrix *m, const results_data *d, sam_error *err)
{
    size_t n = (size_t)d->n_groups + 1;
    int *before = calloc(n, sizeof *before), *last = calloc(n, sizeof *last);
    m->boards = calloc(n, sizeof *m->boards);
    m->lines = calloc(n, sizeof *m->lines);
    m->line_of = calloc(n, sizeof *m->line_of);
    m->board_of = calloc(n, sizeof *m->board_of);
    int complete = before && last && m->boards && m->lines && m->line_of && m->board_of;
    if (complete) {
        find_lines(m, d);
        chain(m, d, before, last);
        for (int g = 0; g < d->n_groups; g++)
            m->board_of[g] = find_board(m, d, g, before);
    }
    free(before);
    free(last);
    if (!complete)
        return fail(err, SAM_E_MEMORY, "out of memory: %d groups of results", d->n_groups);
    TRY(make_cells(m, d, err));
    if (m->cells) {
        tell_apart(m, d);
        find_mixed(m, d);
    }
    return SAM_OK;
}

void matrix_free(report_matrix *m)
{
    free(m->boards);
    free(m->lines);
    free(m->line_of);
    free(m->board_of);
    free(m->cells);
    *m = (report_matrix){0};
}

/* ---- the best ---- */

/* More is better; NaN: none. */
static double merit(const report_group *g, matrix_measure by)
{
    switch (by) {
    case MATRIX_SCORE:
        return g->jandf;
    case MATRIX_SPEED:
        return g->fps_median;
    case MATRIX_MEMORY:
        return g->memory_mib > 0 ? -g->memory_mib : NAN;
    }
    return NAN;
}

int matrix_best(const report_matrix *m, const results_data *d, int board, matrix_measure by, double min_fps)
{
    int best = -1;
    double most = -INFINITY;
    if (m->boards[board].is_earlier || (by == MATRIX_SCORE && m->boards[board].is_mixed))
        return -1;
    for (int l = 0; l < m->n_lines; l++) {
        int g = *cell(m, l, board);
        if (g < 0 || m->lines[l].is_baseline)
            continue;
        double x = merit(&d->groups[g], by);
        if (by == MATRIX_SCORE && min_fps > 0 && !(d->groups[g].fps_median >= min_fps))
            continue;
        if (x > most) {
            most = x;
            best = l;
        }
    }
    return best;
}

int matrix_is_best(const report_matrix *m, const results_data *d, int group, matrix_measure by)
{
    int board = m->board_of[group], best = m->cells ? matrix_best(m, d, board, by, 0) : -1;
    return best >= 0 && !m->lines[m->line_of[group]].is_baseline &&
           merit(&d->groups[group], by) >= merit(&d->groups[*cell(m, best, board)], by);
}

/* ---- the table ---- */

/* A name that may break after its underscores. */
static void breakable(FILE *to, const char *name)
{
    char piece[160];
    while (*name) {
        size_t n = strcspn(name, "_");
        n += name[n] == '_';
        snprintf(piece, sizeof piece, "%.*s", (int)n, name);
        text_html(to, piece);
        fprintf(to, "<wbr>");
        name += n;
    }
}

/* What was not measured keeps its place, so that figures stand below each other. */
static void figure(FILE *to, int decimals, double x, int is_best, const char *before, const char *after)
{
    if (isnan(x))
        fprintf(to, "<span></span>");
    else
        fprintf(to, "<span%s>%s<b>%.*f</b>%s</span>", is_best ? " class=\"best\"" : "", before, decimals, x, after);
}

static void write_cell(FILE *to, const report_matrix *m, const results_data *d, int line, int board)
{
    int at = *cell(m, line, board);
    if (at < 0) {
        fprintf(to, "<td class=\"cell none\" data-board=\"%d\">not run</td>", board);
        return;
    }
    const report_group *g = &d->groups[at];
    int takes_part = !m->boards[board].is_earlier && !m->lines[line].is_baseline;
    fprintf(to, "<td class=\"cell\" data-board=\"%d\"", board);
    if (takes_part && !isnan(g->fps_median))
        fprintf(to, " data-fps=\"%.17g\"", g->fps_median);
    if (takes_part && !isnan(g->jandf) && !m->boards[board].is_mixed)
        fprintf(to, " data-score=\"%.17g\"", g->jandf);
    fprintf(to, ">");
    if (!g->n_ok)
        fprintf(to, "<span class=\"bad\">failed</span>");
    figure(to,
           g->fps_median < 9.95   ? 2
           : g->fps_median < 99.5 ? 1
                                  : 0,
           g->fps_median, matrix_is_best(m, d, at, MATRIX_SPEED), "", " fps");
    figure(to, 3, g->jandf, matrix_is_best(m, d, at, MATRIX_SCORE), "J&amp;F ", "");
    figure(to, 0, g->memory_mib > 0 ? g->memory_mib : NAN, matrix_is_best(m, d, at, MATRIX_MEMORY), "", " MiB");
    fprintf(to, "</td>");
}

/* What is said of a board in the row of the best; the script of the page says it in the same words. */
static void write_pick(FILE *to, const report_matrix *m, const results_data *d, int board, double min_fps)
{
    int line = matrix_best(m, d, board, MATRIX_SCORE, min_fps),
        is_scored = matrix_best(m, d, board, MATRIX_SCORE, 0) >= 0;
    fprintf(to, "<td class=\"pick\" data-board=\"%d\">", board);
    if (m->boards[board].is_earlier)
        fprintf(to, "an earlier run");
    else if (m->boards[board].is_mixed)
        fprintf(to, "scored by two metrics");
    else if (!is_scored)
        fprintf(to, "not scored");
    else if (line < 0)
        fprintf(to, "none is so fast");
    else
        breakable(to, m->lines[line].name);
    fprintf(to, "</td>");
}

static void write_heads(FILE *to, const report_matrix *m)
{
    fprintf(to, "<thead><tr><th>model</th>");
    for (int b = 0; b < m->n_boards; b++) {
        fprintf(to, "<th>");
        if (m->n_boards > 1)
            svg_key(to, -1, b);
        text_html(to, m->boards[b].name);
        fprintf(to, "</th>");
    }
    fprintf(to, "</tr></thead>\n");
}

void matrix_write(FILE *to, const report_matrix *m, const results_data *d, double min_fps)
{
    if (!m->cells) {
        fprintf(to, "<p>%d models on %d boards are too many for a matrix and plots.</p>\n", m->n_lines, m->n_boards);
        return;
    }
    html_scroll_begin(to);
    fprintf(to, "<table class=\"matrix\">");
    write_heads(to, m);
    fprintf(to,
            "<tbody><tr><th>best J&amp;F at <label>&ge;&nbsp;<input id=\"min_fps\" type=\"number\" min=\"0\" "
            "step=\"any\" value=\"%.6g\">&nbsp;fps</label></th>",
            min_fps);
    for (int b = 0; b < m->n_boards; b++)
        write_pick(to, m, d, b, min_fps);
    fprintf(to, "</tr>\n");
    for (int l = 0; l < m->n_lines; l++) {
        fprintf(to, "<tr data-name=\"");
        text_html(to, m->lines[l].name);
        fprintf(to, "\"><th>");
        svg_key(to, l, 0);
        breakable(to, m->lines[l].name);
        fprintf(to, "</th>");
        for (int b = 0; b < m->n_boards; b++)
            write_cell(to, m, d, l, b);
        fprintf(to, "</tr>\n");
    }
    fprintf(to, "</tbody></table>");
    html_scroll_end(to);
    fprintf(to,
            "<p class=\"soft\">Median fps of tracked frames; mean J&amp;F of objects; peak memory. The best of a board "
            "is marked; baselines and earlier runs are never the best.</p>\n");
}
