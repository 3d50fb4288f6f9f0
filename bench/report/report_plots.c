#include "report_plots.h"

#include "csv.h"
#include "report_html.h"
#include "svg_plot.h"
#include "text_out.h"

#include <math.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

enum { MAX_PLOTS = 24, MAX_CURVES = 6, N_BINS = 30, MAX_LABELS = 8 };

/* ---- quality ---- */

static void legend(FILE *to, const report_matrix *m, const results_data *d)
{
    fprintf(to, "<p class=\"legend\">");
    for (int l = 0; l < m->n_lines; l++) {
        if (!results_is_of_interest(d, m->lines[l].group))
            continue;
        fprintf(to, "<span>");
        svg_key(to, l, 0);
        text_html(to, m->lines[l].name);
        fprintf(to, "</span> ");
    }
    for (int b = 0; b < m->n_boards && m->n_boards > 1; b++) {
        fprintf(to, "<span>");
        svg_key(to, -1, b);
        text_html(to, m->boards[b].name);
        fprintf(to, "</span> ");
    }
    fprintf(to, "</p>\n");
}

/* The points of one plot; returns how many have both figures. */
static int points_of(const report_matrix *m, const results_data *d, int memory, char (*labels)[160], svg_point *points)
{
    int n = 0;
    for (int i = 0; i < d->n_groups; i++) {
        const report_group *g = &d->groups[i];
        const report_line *line = &m->lines[m->line_of[i]];
        const report_board *board = &m->boards[m->board_of[i]];
        double x = memory ? g->memory_mib : g->fps_median;
        if (isnan(g->jandf) || !(x > 0) || !results_is_of_interest(d, i))
            continue;
        snprintf(labels[n], sizeof labels[n], m->n_boards > 1 ? "%.100s, %.50s" : "%.100s", line->name, board->name);
        points[n] = (svg_point){.x = x,
                                .y = g->jandf,
                                .label = labels[n],
                                .series = m->line_of[i],
                                .shape = m->board_of[i],
                                .no_front = line->is_baseline || board->is_earlier};
        n++;
    }
    return n;
}

sam_status plots_write_quality(FILE *to, const report_matrix *m, const results_data *d, sam_error *err)
{
    svg_point *points = calloc((size_t)d->n_groups + 1, sizeof *points);
    char(*labels)[160] = calloc((size_t)d->n_groups + 1, sizeof *labels);
    int all_labelled = m->n_boards == 1, n = 0;
    if (!points || !labels) {
        free(points);
        free(labels);
        return fail(err, SAM_E_MEMORY, "out of memory: plots");
    }
    n = m->cells ? points_of(m, d, 0, labels, points) : 0;
    if (n > 1)
        fprintf(to, "<h2>Quality against speed and memory</h2>\n<div class=\"plots\">\n");
    for (int plot = 0; plot < 2 && n > 1; plot++) {
        const svg_frame f = {.title = plot ? "J&F against memory" : "J&F against speed",
                             .x_label = plot ? "peak memory, MiB" : "fps (median), logarithmic",
                             .y_label = "J&F",
                             .width = 480,
                             .height = 340,
                             .y_span = 0.1,
                             .log_x = !plot,
                             .less_is_better = plot};
        int n_points = points_of(m, d, plot, labels, points);
        if (n_points < 2) /* the tables say it */
            continue;
        all_labelled &= svg_scatter(to, &f, points, n_points, m->n_boards == 1 && n_points <= MAX_LABELS);
    }
    if (n > 1) {
        fprintf(to, "</div>\n");
        if (!all_labelled)
            legend(to, m, d);
        fprintf(to, "<p class=\"soft\">%sThe line joins the models that no other one%s beats in both.</p>\n",
                m->n_boards > 1 ? "Colour: model; shape: board. " : "", m->n_boards > 1 ? " on that board" : "");
    }
    free(points);
    free(labels);
    return SAM_OK;
}

/* ---- latency ---- */

/* The range of all plots, one for each group of two frames or more; returns how many there are. */
static int latency_range(const results_data *d, double *low, double *high)
{
    int n = 0;
    *low = INFINITY;
    *high = 0;
    for (int i = 0; i < d->n_groups && n < MAX_PLOTS; i++) {
        const samples *ms = &d->groups[i].frame_ms;
        if (ms->n < 2)
            continue;
        n++;
        for (size_t k = 0; k < ms->n; k++) {
            *low = ms->x[k] > 0 && ms->x[k] < *low ? ms->x[k] : *low;
            *high = ms->x[k] > *high ? ms->x[k] : *high;
        }
    }
    return n;
}

void plots_write_latency(FILE *to, const results_data *d)
{
    double low, high;
    if (!latency_range(d, &low, &high))
        return;
    int is_log = high > 4 * low;
    fprintf(to, "<h2>Latency of tracked frames</h2>\n<div class=\"plots\">\n");
    for (int i = 0, n = 0; i < d->n_groups && n < MAX_PLOTS; i++) {
        const report_group *g = &d->groups[i];
        char title[160];
        html_group(d, g, title, sizeof title);
        const svg_frame f = {.title = title,
                             .x_label = "ms",
                             .y_label = "frames",
                             .width = 345,
                             .height = 230,
                             .log_x = is_log,
                             .x0 = is_log ? low : 0,
                             .x1 = high};
        if (g->frame_ms.n > 1 && ++n)
            svg_histogram(to, &f, g->frame_ms.x, (int)g->frame_ms.n, N_BINS);
    }
    fprintf(to, "</div>\n");
}

/* ---- J by frame ---- */

/* Frame and J of a row's scored frames. */
static int read_curve(const char *path, double **x, double **y)
{
    csv_table t = {0};
    int n = 0;
    *x = *y = NULL;
    if (!path || csv_read(&t, path, NULL) != SAM_OK)
        return 0;
    int frame = csv_column(&t, "frame"), j = csv_column(&t, "J");
    *x = malloc((size_t)t.n_rows * sizeof **x + 1);
    *y = malloc((size_t)t.n_rows * sizeof **y + 1);
    for (int r = 0; *x && *y && frame >= 0 && j >= 0 && r < t.n_rows; r++) {
        if (!csv_cell(&t, r, j)[0])
            continue;
        (*x)[n] = strtod(csv_cell(&t, r, frame), NULL);
        (*y)[n++] = strtod(csv_cell(&t, r, j), NULL);
    }
    csv_close(&t);
    return n;
}

/* The first plot has the heading before it. Of an object that was scored once there is no curve. */
static int write_curves_of(FILE *to, const results_data *d, int group, const int *order, int first)
{
    svg_series series[MAX_CURVES];
    char names[MAX_CURVES][80], title[160];
    int n = 0;
    for (int k = 0; k < d->n_rows && n < MAX_CURVES; k++) {
        const report_row *r = &d->rows[order[k]];
        double *x = NULL, *y = NULL;
        int count = r->group == group ? read_curve(r->frames, &x, &y) : 0;
        if (count < 2) {
            free(x);
            free(y);
            continue;
        }
        snprintf(names[n], sizeof names[n], "%.40s/%.20s", r->video, r->object);
        series[n] = (svg_series){names[n], x, y, count};
        n++;
    }
    html_group(d, &d->groups[group], title, sizeof title);
    const svg_frame f = {
        .title = title, .x_label = "frame", .y_label = "J", .width = 520, .height = 260, .y_from_zero = 1};
    if (n && first)
        fprintf(to, "<h2>J by frame</h2>\n<p class=\"soft\">The objects with the lowest J of each model.</p>\n<div "
                    "class=\"plots\">\n");
    if (n)
        svg_lines(to, &f, series, n, 0);
    for (int i = 0; i < n; i++) {
        free((double *)(uintptr_t)series[i].x);
        free((double *)(uintptr_t)series[i].y);
    }
    return n > 0;
}

void plots_write_curves(FILE *to, const results_data *d, const int *order)
{
    int n = 0;
    for (int g = 0; g < d->n_groups && n < MAX_PLOTS; g++)
        n += results_is_of_interest(d, g) && write_curves_of(to, d, g, order, n == 0);
    if (n)
        fprintf(to, "</div>\n");
}
