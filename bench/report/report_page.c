/* report_page.c - see report_page.h. Figures are in tables and SVG as they are written; the only script sorts tables. */
#include "report_page.h"

#include "csv.h"
#include "report_html.h"
#include "report_parts.h"
#include "svg_plot.h"
#include "text_out.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

enum { MAX_PLOTS = 12, MAX_CURVES = 6, MAX_OPEN_ROWS = 40 };

static const char style[] =
    ":root{color-scheme:light dark;--back:#fff;--text:#1c1c1c;--soft:#666;--line:#ddd;--bad:#b3261e;--good:#1b7f3b}"
    "@media(prefers-color-scheme:dark){:root{--back:#161616;--text:#eaeaea;--soft:#aaa;--line:#3a3a3a;--bad:#ff8a80;"
    "--good:#7ddc9a}}"
    "body{background:var(--back);color:var(--text);font:15px/1.45 system-ui,sans-serif;margin:0 auto;max-width:1100px;"
    "padding:0 16px 60px}h1{font-size:1.5em}h2{font-size:1.15em;margin-top:2.2em;border-bottom:1px solid var(--line)}"
    ".scroll{overflow-x:auto}table{border-collapse:collapse;font-variant-numeric:tabular-nums;font-size:.88em}"
    "th,td{padding:4px 9px;text-align:right;border-bottom:1px solid var(--line);white-space:nowrap}"
    "th{cursor:pointer;user-select:none;position:sticky;top:0;background:var(--back)}th[data-up]:after{content:' \\25B2'}"
    "th[data-down]:after{content:' \\25BC'}td.l,th.l{text-align:left}.bad{color:var(--bad);font-weight:600}"
    ".good{color:var(--good)}.soft{color:var(--soft)}"
    "svg{max-width:100%;height:auto}.plots,.worst{display:flex;flex-wrap:wrap;gap:14px}figure{margin:0;max-width:330px}"
    "figure img{width:100%;border-radius:4px}figcaption{font-size:.82em;color:var(--soft);overflow-wrap:anywhere}"
    ".cards{display:flex;flex-wrap:wrap;gap:12px;margin:1em 0}.card{border:1px solid var(--line);border-radius:8px;"
    "padding:10px 14px;display:flex;flex-direction:column;gap:2px;flex:1 1 250px}.card>b{font-size:1.1em}"
    ".best{font-weight:700}details{margin:.6em 0}summary{cursor:pointer}";

static const char script[] =
    "document.querySelectorAll('table.sort').forEach(function(t){t.querySelectorAll('th').forEach(function(h,c){"
    "h.addEventListener('click',function(){var up=h.hasAttribute('data-down')||!h.hasAttribute('data-up');"
    "t.querySelectorAll('th').forEach(function(o){o.removeAttribute('data-up');o.removeAttribute('data-down')});"
    "h.setAttribute(up?'data-up':'data-down','');var b=t.tBodies[0];Array.from(b.rows).sort(function(p,q){"
    "var x=p.cells[c].textContent,y=q.cells[c].textContent,m=parseFloat(x),n=parseFloat(y),"
    "d=isNaN(m)||isNaN(n)?(isNaN(m)?isNaN(n)?x.localeCompare(y):1:-1):m-n;return up?d:-d}).forEach(function(r){"
    "b.appendChild(r)})})})});";

/* ---- sections ---- */

static void write_machines(FILE *to, const results_data *d)
{
    fprintf(to, "<h2>Machines</h2>\n");
    for (int i = 0; i < d->n_folders; i++) {
        const char *key, *separator = "";
        json_t *value;
        if (!d->machines[i])
            continue;
        fprintf(to, "<p><b>");
        text_html(to, d->folders[i]);
        fprintf(to, "</b> <span class=\"soft\">");
        json_object_foreach(d->machines[i], key, value)
        {
            const char *text = json_string_value(value);
            if (text && !*text)
                continue;
            fprintf(to, "%s", separator);
            separator = " &middot; ";
            text_html(to, key);
            fprintf(to, " ");
            if (text)
                text_html(to, text);
            else
                fprintf(to, "%.0f", json_number_value(value));
        }
        fprintf(to, "</span></p>\n");
    }
}

/* Positions of the groups that are best of all models at something; -1: none. Scores of two metrics have no best. */
typedef struct winners {
    int score, speed, memory;
} winners;

static winners find_winners(const results_data *d)
{
    winners w = {-1, -1, -1};
    const char *metric = NULL;
    int mixed = 0;
    for (int i = 0; i < d->n_groups; i++) {
        const report_group *g = &d->groups[i];
        if (!g->imgsz) /* a baseline */
            continue;
        if (!isnan(g->jandf)) {
            mixed |= metric && strcmp(metric, g->metric);
            metric = g->metric;
            w.score = w.score < 0 || g->jandf > d->groups[w.score].jandf ? i : w.score;
        }
        if (!isnan(g->fps_median))
            w.speed = w.speed < 0 || g->fps_median > d->groups[w.speed].fps_median ? i : w.speed;
        if (g->memory_mib > 0)
            w.memory = w.memory < 0 || g->memory_mib < d->groups[w.memory].memory_mib ? i : w.memory;
    }
    w.score = mixed ? -1 : w.score;
    return w;
}

static void write_card(FILE *to, const results_data *d, int group, const char *title)
{
    const report_group *g = &d->groups[group];
    char name[160];
    double p95 = samples_quantile(&g->frame_ms, 0, 0.95);
    html_group(d, g, name, sizeof name);
    fprintf(to, "<div class=\"card\"><span class=\"soft\">%s</span><b>", title);
    text_html(to, name);
    fprintf(to, "</b><span>");
    if (!isnan(g->jandf))
        fprintf(to, "J&amp;F&nbsp;<b>%.3f</b> &middot; ", g->jandf);
    if (!isnan(g->fps_median))
        fprintf(to, "<b>%.1f</b>&nbsp;fps &middot; ", g->fps_median);
    if (!isnan(p95))
        fprintf(to, "p95&nbsp;%.1f&nbsp;ms &middot; ", p95);
    fprintf(to, "<b>%.0f</b>&nbsp;MiB</span></div>\n", g->memory_mib);
}

/* The answer: which model, how good, how fast, how much memory. Models that win twice are there once. */
static void write_answer(FILE *to, const results_data *d, const winners *w)
{
    static const char *const titles[] = {"Most accurate", "Fastest", "Least memory"};
    static const char *const later[] = {"", ", fastest", ", least memory"};
    const int best[] = {w->score, w->speed, w->memory};
    fprintf(to, "<div class=\"cards\">\n");
    for (int i = 0; i < 3; i++) {
        char title[64];
        int seen = best[i] < 0;
        for (int k = 0; k < i; k++)
            seen |= best[k] == best[i];
        int n = snprintf(title, sizeof title, "%s", titles[i]);
        for (int k = i + 1; k < 3; k++)
            if (best[k] == best[i])
                n += snprintf(title + n, sizeof title - (size_t)n, "%s", later[k]);
        if (!seen)
            write_card(to, d, best[i], title);
    }
    fprintf(to, "</div>\n");
}

static void write_groups(FILE *to, const results_data *d, const winners *w)
{
    fprintf(to, "<h2>Models</h2>\n");
    int several = d->n_folders > 1;
    char header[256];
    snprintf(header, sizeof header,
             "<model|px|<type|%sJ&amp;F|fps (median)|memory MiB|p95 ms|rows|failed|J|F|ms (mean)|"
             "p50 ms|p99 ms|<metric|<backend",
             several ? "<folder|" : "");
    html_table_begin(to, header);
    for (int i = 0; i < d->n_groups; i++) {
        const report_group *g = &d->groups[i];
        double p[3] = {0.5, 0.95, 0.99};
        for (int q = 0; q < 3; q++)
            p[q] = samples_quantile(&g->frame_ms, 0, p[q]);
        fprintf(to, "<tr>");
        html_words(to, g->model);
        html_figure(to, 0, g->imgsz ? g->imgsz : NAN);
        html_words(to, g->precision);
        if (several)
            html_words(to, html_folder(d, g->run));
        html_best(to, 4, g->jandf, i == w->score);
        html_best(to, 2, g->fps_median, i == w->speed);
        html_best(to, 0, g->memory_mib > 0 ? g->memory_mib : NAN, i == w->memory);
        html_figure(to, 1, p[1]);
        html_figure(to, 0, g->n_rows);
        fprintf(to, g->n_rows > g->n_ok ? "<td class=\"bad\">%d</td>" : "<td>%d</td>", g->n_rows - g->n_ok);
        html_figure(to, 4, g->j);
        html_figure(to, 4, g->f);
        html_figure(to, 1, g->latency_ms);
        html_figure(to, 1, p[0]);
        html_figure(to, 1, p[2]);
        html_words(to, g->metric);
        html_words(to, g->backend);
        fprintf(to, "</tr>\n");
    }
    html_table_end(to);
}

static sam_status write_scatter(FILE *to, const results_data *d, sam_error *err)
{
    svg_point *points = calloc((size_t)d->n_groups + 1, sizeof *points);
    char(*labels)[160] = calloc((size_t)d->n_groups + 1, sizeof *labels);
    if (!points || !labels) {
        free(points);
        free(labels);
        return fail(err, SAM_E_MEMORY, "out of memory: plots");
    }
    fprintf(to, "<h2>Quality against speed and memory</h2>\n<div class=\"plots\">\n");
    for (int plot = 0; plot < 2; plot++) {
        const svg_frame f = {.title = plot ? "J&F against memory" : "J&F against speed",
                             .x_label = plot ? "peak memory, MiB" : "fps (median)",
                             .y_label = "J&F",
                             .width = 520,
                             .height = 360,
                             .y_span = 0.1};
        for (int i = 0; i < d->n_groups; i++) {
            const report_group *g = &d->groups[i];
            html_group(d, g, labels[i], sizeof labels[i]);
            points[i] = (svg_point){plot ? g->memory_mib : g->fps_median, g->jandf, labels[i], i};
        }
        svg_scatter(to, &f, points, d->n_groups);
    }
    fprintf(to, "</div>\n");
    free(points);
    free(labels);
    return SAM_OK;
}

static void write_verdict(FILE *to, const report_page *p)
{
    int n_worse = 0, n_missed = report_not_compared(&p->changes);
    for (int i = 0; i < p->changes.n; i++)
        n_worse += p->changes.at[i].regressed;
    if (!report_compared(&p->changes))
        fprintf(to, "<b class=\"bad\">Nothing to compare:</b> no row in common. ");
    else if (n_worse)
        fprintf(to, "<b class=\"bad\">%d of %d measures are worse.</b> ", n_worse, p->changes.n);
    else if (!n_missed)
        fprintf(to, "<b class=\"good\">Nothing is worse.</b> ");
    if (n_missed)
        fprintf(to, "<b class=\"bad\">%d figures could not be compared</b>: failed, absent, or by another metric. ",
                n_missed);
}

static void write_change(FILE *to, const report_change *c)
{
    int score = !strcmp(c->measure, "J&F");
    fprintf(to, "<tr>");
    html_words(to, c->model);
    html_words(to, !strcmp(c->measure, "memory") ? "memory MiB" : c->measure);
    html_figure(to, 0, c->n);
    html_figure(to, 0, c->n_lost + c->incomparable);
    if (c->n) {
        html_figure(to, score ? 4 : 2, c->before);
        html_figure(to, score ? 4 : 2, c->after);
        fprintf(to, score ? "<td>%+.4f</td><td>%.4f</td>" : "<td>%+.1f %%</td><td>%.1f %%</td>",
                score ? c->change : 100 * c->change, score ? c->error : 100 * c->error);
    } else {
        fprintf(to, "<td></td><td></td><td></td><td></td>");
    }
    const char *verdict = c->regressed      ? "bad\">worse"
                          : c->n_lost       ? "bad\">rows are missing"
                          : c->incomparable ? "soft\">scored by another metric"
                                            : "good\">as good";
    fprintf(to, "<td class=\"l %s</td></tr>\n", verdict);
}

static void write_changes(FILE *to, const report_page *p)
{
    if (!p->before)
        return;
    fprintf(to, "<h2>Changes</h2>\n<p>");
    write_verdict(to, p);
    text_html(to, p->after);
    fprintf(to, " against ");
    text_html(to, p->before);
    fprintf(
        to,
        ", over the rows that both have. Worse: beyond the limit, and by more than twice the standard error.</p>\n");
    html_table_begin(to, "<model|<measure|rows|not compared|before|after|change|standard error|<verdict");
    for (int i = 0; i < p->changes.n; i++)
        write_change(to, &p->changes.at[i]);
    html_table_end(to);
}

static void write_latency(FILE *to, const results_data *d)
{
    int n = 0;
    fprintf(to, "<h2>Latency of tracked frames</h2>\n<div class=\"plots\">\n");
    for (int i = 0; i < d->n_groups && n < MAX_PLOTS; i++) {
        const report_group *g = &d->groups[i];
        char title[160];
        html_group(d, g, title, sizeof title);
        const svg_frame f = {.title = title, .x_label = "ms", .y_label = "frames", .width = 345, .height = 230};
        if (g->frame_ms.n && ++n)
            svg_histogram(to, &f, g->frame_ms.x, (int)g->frame_ms.n, 24);
    }
    if (!n)
        fprintf(to, "<p class=\"soft\">No times of single frames beside these tables.</p>");
    fprintf(to, "</div>\n");
}

/* Rows by J, worst first; those without J last. */
static int by_score(const results_data *d, int a, int b)
{
    double x = d->rows[a].j, y = d->rows[b].j;
    if (isnan(x) || isnan(y))
        return isnan(x) - isnan(y);
    return (x > y) - (x < y);
}

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

/* What a baseline does worst teaches nothing about the models beside it. */
static int is_of_interest(const results_data *d, int group)
{
    int n_models = 0;
    for (int i = 0; i < d->n_groups; i++)
        n_models += d->groups[i].imgsz > 0;
    return !n_models || d->groups[group].imgsz > 0;
}

static int write_curves_of(FILE *to, const results_data *d, int group, const int *order)
{
    svg_series series[MAX_CURVES];
    char names[MAX_CURVES][80], title[160];
    int n = 0;
    for (int k = 0; k < d->n_rows && n < MAX_CURVES; k++) {
        const report_row *r = &d->rows[order[k]];
        double *x = NULL, *y = NULL;
        int count = r->group == group ? read_curve(r->frames, &x, &y) : 0;
        if (!count) {
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
    if (n)
        svg_lines(to, &f, series, n, 0);
    for (int i = 0; i < n; i++) {
        free((double *)(uintptr_t)series[i].x);
        free((double *)(uintptr_t)series[i].y);
    }
    return n > 0;
}

static void write_curves(FILE *to, const results_data *d, const int *order)
{
    int n = 0;
    fprintf(
        to,
        "<h2>J by frame</h2>\n<p class=\"soft\">The objects with the lowest J of each model.</p>\n<div class=\"plots\">\n");
    for (int g = 0; g < d->n_groups && n < MAX_PLOTS; g++)
        n += is_of_interest(d, g) && write_curves_of(to, d, g, order);
    if (!n)
        fprintf(to, "<p class=\"soft\">No scores of single frames beside these tables.</p>");
    fprintf(to, "</div>\n");
}

/* ---- pictures ---- */

static void base64(FILE *to, FILE *from)
{
    static const char digits[] = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";
    unsigned char b[3];
    for (size_t n; (n = fread(b, 1, 3, from)) > 0;) {
        b[1] = n > 1 ? b[1] : 0;
        b[2] = n > 2 ? b[2] : 0;
        fputc(digits[b[0] >> 2], to);
        fputc(digits[(b[0] & 3) << 4 | b[1] >> 4], to);
        fputc(n > 1 ? digits[(b[1] & 15) << 2 | b[2] >> 6] : '=', to);
        fputc(n > 2 ? digits[b[2] & 63] : '=', to);
    }
}

static void write_worst(FILE *to, const report_page *p, const int *order)
{
    const results_data *d = p->data;
    int n = 0;
    fprintf(
        to,
        "<h2>Worst frames</h2>\n<p class=\"soft\">The frame with the lowest J of the objects with the lowest J: result "
        "orange, ground truth green.</p>\n<div class=\"worst\">\n");
    for (int k = 0; k < d->n_rows && n < p->n_worst; k++) {
        const report_row *r = &d->rows[order[k]];
        FILE *from = r->worst && is_of_interest(d, r->group) ? fopen(r->worst, "rb") : NULL;
        char name[160], caption[400];
        if (!from)
            continue;
        html_group(d, &d->groups[r->group], name, sizeof name);
        snprintf(caption, sizeof caption, "%.80s, object %.40s, %s: J %.3f over all frames", r->video, r->object, name,
                 r->j);
        fprintf(to, "<figure><img loading=\"lazy\" alt=\"");
        text_html(to, caption);
        fprintf(to, "\" src=\"data:image/png;base64,");
        base64(to, from);
        fprintf(to, "\"><figcaption>");
        text_html(to, caption);
        fprintf(to, "</figcaption></figure>\n");
        fclose(from);
        n++;
    }
    if (!n)
        fprintf(to, "<p class=\"soft\">No pictures beside these tables.</p>");
    fprintf(to, "</div>\n");
}

/* ---- tables of everything ---- */

/* A long table is closed until it is asked for. */
static void details_begin(FILE *to, const char *title, int n_rows)
{
    fprintf(to, "<h2>%s</h2>\n<details%s><summary>%d row%s</summary>\n", title, n_rows <= MAX_OPEN_ROWS ? " open" : "",
            n_rows, n_rows == 1 ? "" : "s");
}

static void write_rows(FILE *to, const results_data *d)
{
    details_begin(to, "Objects", d->n_rows);
    html_table_begin(to, "<video|<object|<model|J&amp;F|J|F|fps|ms|RSS MiB|GPU MiB|<status");
    for (int i = 0; i < d->n_rows; i++) {
        const report_row *r = &d->rows[i];
        char name[160];
        html_group(d, &d->groups[r->group], name, sizeof name);
        fprintf(to, "<tr>");
        html_words(to, r->video);
        html_words(to, r->object);
        html_words(to, name);
        html_figure(to, 4, r->jandf);
        html_figure(to, 4, r->j);
        html_figure(to, 4, r->f);
        html_figure(to, 2, r->fps);
        html_figure(to, 1, r->latency_ms);
        html_figure(to, 0, r->rss_mib);
        html_figure(to, 0, r->gpu_mib);
        fprintf(to, r->ok ? "<td class=\"l\">" : "<td class=\"l bad\">");
        text_html(to, r->status);
        fprintf(to, "</td></tr>\n");
    }
    html_table_end(to);
    fprintf(to, "</details>\n");
}

static int first_of_video(const results_data *d, int row)
{
    for (int i = 0; i < row; i++)
        if (d->rows[i].group == d->rows[row].group && !strcmp(d->rows[i].video, d->rows[row].video))
            return 0;
    return 1;
}

static void write_videos(FILE *to, const results_data *d)
{
    int n_shown = 0;
    for (int i = 0; i < d->n_rows; i++)
        n_shown += first_of_video(d, i);
    details_begin(to, "Videos", n_shown);
    html_table_begin(to, "<video|<model|objects|J&amp;F|fps|ms");
    for (int i = 0; i < d->n_rows; i++) {
        char name[160];
        double score = 0, fps = 0, ms = 0;
        int n = 0, n_scored = 0, n_timed = 0;
        if (!first_of_video(d, i))
            continue;
        for (int k = i; k < d->n_rows; k++) {
            const report_row *r = &d->rows[k];
            if (r->group != d->rows[i].group || strcmp(r->video, d->rows[i].video))
                continue;
            n++;
            n_scored += !isnan(r->jandf);
            n_timed += !isnan(r->fps);
            score += isnan(r->jandf) ? 0 : r->jandf;
            fps += isnan(r->fps) ? 0 : r->fps;
            ms += isnan(r->fps) ? 0 : r->latency_ms;
        }
        html_group(d, &d->groups[d->rows[i].group], name, sizeof name);
        fprintf(to, "<tr>");
        html_words(to, d->rows[i].video);
        html_words(to, name);
        html_figure(to, 0, n);
        html_figure(to, 4, n_scored ? score / n_scored : NAN);
        html_figure(to, 2, n_timed ? fps / n_timed : NAN);
        html_figure(to, 1, n_timed ? ms / n_timed : NAN);
        fprintf(to, "</tr>\n");
    }
    html_table_end(to);
    fprintf(to, "</details>\n");
}

/* Insertion sort: a comparison for qsort could not see the data without a global. */
static int *order_of(const results_data *d)
{
    int *order = malloc((size_t)d->n_rows * sizeof *order + 1);
    for (int i = 0; order && i < d->n_rows; i++) {
        int at = i;
        for (; at && by_score(d, i, order[at - 1]) < 0; at--)
            order[at] = order[at - 1];
        order[at] = i;
    }
    return order;
}

sam_status report_write(const report_page *p, const char *path, sam_error *err)
{
    text_out t;
    int *order = order_of(p->data);
    if (!order)
        return fail(err, SAM_E_MEMORY, "%s: out of memory", path);
    sam_status status = text_open(&t, path, err);
    if (status == SAM_OK) {
        fprintf(t.to, "<!doctype html>\n<html lang=\"en\"><head><meta charset=\"utf-8\"><meta name=\"viewport\" "
                      "content=\"width=device-width,initial-scale=1\">\n<title>");
        text_html(t.to, p->title);
        fprintf(t.to, "</title>\n<style>%s%s</style></head><body>\n<h1>", svg_style, style);
        text_html(t.to, p->title);
        fprintf(t.to, "</h1>\n");
        winners w = find_winners(p->data);
        write_answer(t.to, p->data, &w);
        write_changes(t.to, p);
        if (p->data->n_rows) {
            write_groups(t.to, p->data, &w);
            status = write_scatter(t.to, p->data, err);
            write_latency(t.to, p->data);
            write_curves(t.to, p->data, order);
            write_worst(t.to, p, order);
        }
        report_parts(t.to, p->data);
        if (p->data->n_rows) {
            write_videos(t.to, p->data);
            write_rows(t.to, p->data);
        }
        write_machines(t.to, p->data);
        fprintf(t.to, "<script>%s</script>\n</body></html>\n", script);
        sam_status written = text_close(&t, status == SAM_OK ? err : NULL);
        status = status == SAM_OK ? written : status;
    }
    free(order);
    return status;
}
