/* report_page.c - see report_page.h. Figures are in tables and SVG as they are written; the only script sorts tables. */
#include "report_page.h"

#include "csv.h"
#include "svg_plot.h"
#include "text_out.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

enum { MAX_PLOTS = 12, MAX_CURVES = 6 };

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
    "details{margin:.6em 0}summary{cursor:pointer}";

static const char script[] =
    "document.querySelectorAll('table.sort').forEach(function(t){t.querySelectorAll('th').forEach(function(h,c){"
    "h.addEventListener('click',function(){var up=h.hasAttribute('data-down')||!h.hasAttribute('data-up');"
    "t.querySelectorAll('th').forEach(function(o){o.removeAttribute('data-up');o.removeAttribute('data-down')});"
    "h.setAttribute(up?'data-up':'data-down','');var b=t.tBodies[0];Array.from(b.rows).sort(function(p,q){"
    "var x=p.cells[c].textContent,y=q.cells[c].textContent,m=parseFloat(x),n=parseFloat(y),"
    "d=isNaN(m)||isNaN(n)?(isNaN(m)?isNaN(n)?x.localeCompare(y):1:-1):m-n;return up?d:-d}).forEach(function(r){"
    "b.appendChild(r)})})})});";

/* ---- pieces ---- */

static void words(FILE *to, const char *text)
{
    fprintf(to, "<td class=\"l\">");
    text_html(to, text);
    fprintf(to, "</td>");
}

static void figure(FILE *to, int decimals, double x)
{
    if (isnan(x))
        fprintf(to, "<td></td>");
    else
        fprintf(to, "<td>%.*f</td>", decimals, x);
}

/* A header from names parted by '|'; a '<' before one: left aligned. */
static void table_begin(FILE *to, const char *names)
{
    fprintf(to, "<div class=\"scroll\"><table class=\"sort\"><thead><tr>");
    while (*names) {
        size_t n = strcspn(names, "|");
        int left = *names == '<';
        fprintf(to, left ? "<th class=\"l\">" : "<th>");
        fprintf(to, "%.*s</th>", (int)n - left, names + left);
        names += n + (names[n] == '|');
    }
    fprintf(to, "</tr></thead><tbody>\n");
}

static void table_end(FILE *to)
{
    fprintf(to, "</tbody></table></div>\n");
}

static void group_name(const results_data *d, const report_group *g, char *text, size_t n_text)
{
    const char *slash = strrchr(g->folder, '/'), *folder = slash && slash[1] ? slash + 1 : g->folder;
    int n = snprintf(text, n_text, "%s", g->model);
    if (g->imgsz && (size_t)n < n_text)
        n += snprintf(text + n, n_text - (size_t)n, " %d %s", g->imgsz, g->precision);
    if (d->n_folders > 1 && (size_t)n < n_text)
        snprintf(text + n, n_text - (size_t)n, " (%s)", folder);
}

/* ---- sections ---- */

static void write_machines(FILE *to, const results_data *d)
{
    for (int i = 0; i < d->n_folders; i++) {
        const char *key;
        json_t *value;
        fprintf(to, "<p><b>");
        text_html(to, d->folders[i]);
        fprintf(to, "</b> <span class=\"soft\">");
        if (!d->machines[i])
            fprintf(to, "machine not described");
        json_object_foreach(d->machines[i], key, value)
        {
            const char *text = json_string_value(value);
            if (text && !*text)
                continue;
            fprintf(to, " &middot; ");
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

static void write_groups(FILE *to, const results_data *d)
{
    fprintf(to, "<h2>Models</h2>\n");
    table_begin(
        to,
        "<model|px|<type|<backend|<folder|rows|failed|J&amp;F|J|F|fps (median)|memory MiB|ms (mean)|p50 ms|p95 ms|p99 ms");
    for (int i = 0; i < d->n_groups; i++) {
        const report_group *g = &d->groups[i];
        fprintf(to, "<tr>");
        words(to, g->model);
        figure(to, 0, g->imgsz ? g->imgsz : NAN);
        words(to, g->precision);
        words(to, g->backend);
        words(to, g->folder);
        figure(to, 0, g->n_rows);
        fprintf(to, g->n_rows > g->n_ok ? "<td class=\"bad\">%d</td>" : "<td>%d</td>", g->n_rows - g->n_ok);
        figure(to, 4, g->jandf);
        figure(to, 4, g->j);
        figure(to, 4, g->f);
        figure(to, 2, g->fps_median);
        figure(to, 0, g->memory_mib);
        figure(to, 1, g->latency_ms);
        for (int q = 0; q < 3; q++)
            figure(to, 1, samples_quantile(&g->frame_ms, 0, q == 0 ? 0.5 : q == 1 ? 0.95 : 0.99));
        fprintf(to, "</tr>\n");
    }
    table_end(to);
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
                             .height = 360};
        for (int i = 0; i < d->n_groups; i++) {
            const report_group *g = &d->groups[i];
            group_name(d, g, labels[i], sizeof labels[i]);
            points[i] = (svg_point){plot ? g->memory_mib : g->fps_median, g->jandf, labels[i], i};
        }
        svg_scatter(to, &f, points, d->n_groups);
    }
    fprintf(to, "</div>\n");
    free(points);
    free(labels);
    return SAM_OK;
}

static void write_changes(FILE *to, const report_page *p)
{
    if (!p->before)
        return;
    fprintf(to, "<h2>Changes</h2>\n<p>");
    text_html(to, p->after);
    fprintf(to, " against ");
    text_html(to, p->before);
    fprintf(
        to,
        ", over the rows that both have. Worse: beyond the limit, and by more than twice the standard error.</p>\n");
    table_begin(to, "<model|<measure|rows|before|after|change|standard error|<verdict");
    for (int i = 0; i < p->n_changes; i++) {
        const report_change *c = &p->changes[i];
        int score = !strcmp(c->measure, "J&F");
        fprintf(to, "<tr>");
        words(to, c->model);
        words(to, c->measure);
        figure(to, 0, c->n);
        figure(to, score ? 4 : 2, c->before);
        figure(to, score ? 4 : 2, c->after);
        fprintf(to, score ? "<td>%+.4f</td><td>%.4f</td>" : "<td>%+.1f %%</td><td>%.1f %%</td>",
                score ? c->change : 100 * c->change, score ? c->error : 100 * c->error);
        fprintf(to,
                c->regressed ? "<td class=\"l bad\">worse</td></tr>\n" : "<td class=\"l good\">as good</td></tr>\n");
    }
    table_end(to);
}

static void write_latency(FILE *to, const results_data *d)
{
    int n = 0;
    fprintf(to, "<h2>Latency of tracked frames</h2>\n<div class=\"plots\">\n");
    for (int i = 0; i < d->n_groups && n < MAX_PLOTS; i++) {
        const report_group *g = &d->groups[i];
        char title[160];
        group_name(d, g, title, sizeof title);
        const svg_frame f = {.title = title, .x_label = "ms", .y_label = "frames", .width = 350, .height = 230};
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
    group_name(d, &d->groups[group], title, sizeof title);
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
        n += write_curves_of(to, d, g, order);
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
        FILE *from = r->worst ? fopen(r->worst, "rb") : NULL;
        char name[160], caption[400];
        if (!from)
            continue;
        group_name(d, &d->groups[r->group], name, sizeof name);
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

static void write_rows(FILE *to, const results_data *d)
{
    fprintf(to, "<h2>Objects</h2>\n<details%s><summary>%d rows</summary>\n", d->n_rows <= 40 ? " open" : "", d->n_rows);
    table_begin(to, "<video|<object|<model|J&amp;F|J|F|fps|ms|RSS MiB|GPU MiB|<status");
    for (int i = 0; i < d->n_rows; i++) {
        const report_row *r = &d->rows[i];
        char name[160];
        group_name(d, &d->groups[r->group], name, sizeof name);
        fprintf(to, "<tr>");
        words(to, r->video);
        words(to, r->object);
        words(to, name);
        figure(to, 4, r->jandf);
        figure(to, 4, r->j);
        figure(to, 4, r->f);
        figure(to, 2, r->fps);
        figure(to, 1, r->latency_ms);
        figure(to, 0, r->rss_mib);
        figure(to, 0, r->gpu_mib);
        fprintf(to, r->ok ? "<td class=\"l\">" : "<td class=\"l bad\">");
        text_html(to, r->status);
        fprintf(to, "</td></tr>\n");
    }
    table_end(to);
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
    fprintf(to, "<h2>Videos</h2>\n");
    table_begin(to, "<video|<model|objects|J&amp;F|fps|ms");
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
        group_name(d, &d->groups[d->rows[i].group], name, sizeof name);
        fprintf(to, "<tr>");
        words(to, d->rows[i].video);
        words(to, name);
        figure(to, 0, n);
        figure(to, 4, n_scored ? score / n_scored : NAN);
        figure(to, 2, n_timed ? fps / n_timed : NAN);
        figure(to, 1, n_timed ? ms / n_timed : NAN);
        fprintf(to, "</tr>\n");
    }
    table_end(to);
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
        write_machines(t.to, p->data);
        write_groups(t.to, p->data);
        status = write_scatter(t.to, p->data, err);
        write_changes(t.to, p);
        write_latency(t.to, p->data);
        write_curves(t.to, p->data, order);
        write_worst(t.to, p, order);
        write_videos(t.to, p->data);
        write_rows(t.to, p->data);
        fprintf(t.to, "<script>%s</script>\n</body></html>\n", script);
        sam_status written = text_close(&t, status == SAM_OK ? err : NULL);
        status = status == SAM_OK ? written : status;
    }
    free(order);
    return status;
}
