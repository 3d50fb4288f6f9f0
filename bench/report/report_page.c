/* report_page.c - see report_page.h. Figures are in tables and SVG as they are written; the script only helps to look at them. */
#include "report_page.h"

#include "report_head.h"
#include "report_history.h"
#include "report_html.h"
#include "report_matrix.h"
#include "report_parts.h"
#include "report_plots.h"
#include "svg_plot.h"
#include "text_out.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

enum { MAX_OPEN_ROWS = 40 };

static const char style[] =
    ":root{color-scheme:light dark;--back:#fff;--text:#1c1c1c;--soft:#666;--line:#ddd;--bad:#b3261e;--good:#1b7f3b;"
    "--mark:#d8f0dd}"
    "@media screen and (prefers-color-scheme:dark){:root{--back:#161616;--text:#eaeaea;--soft:#aaa;--line:#3a3a3a;"
    "--bad:#ff8a80;--good:#7ddc9a;--mark:#1d4a2b}}"
    "body{background:var(--back);color:var(--text);font:15px/1.45 system-ui,sans-serif;margin:0 auto;max-width:1240px;"
    "padding:0 16px 60px}h1{font-size:1.5em;margin:.6em 0 .2em}h2{font-size:1.15em;margin-top:2.2em;border-bottom:1px "
    "solid var(--line)}p{margin:.5em 0}"
    ".scroll{overflow-x:auto}table{border-collapse:separate;border-spacing:0;font-variant-numeric:tabular-nums;font-size:.88em}"
    "th,td{padding:4px 9px;text-align:right;border-bottom:1px solid var(--line);white-space:nowrap}"
    ".sort th{cursor:pointer;user-select:none}th{background:var(--back)}th[data-up]:after{content:' \\25B2'}"
    "th[data-down]:after{content:' \\25BC'}td.l,th.l{text-align:left}.bad{color:var(--bad);font-weight:600}"
    "td:first-child,th:first-child{position:sticky;left:0;background:var(--back);z-index:1}"
    ".good{color:var(--good)}.soft{color:var(--soft)}.head{font-size:.82em;margin:.4em 0;padding-left:1.2em}"
    ".hint{display:none;color:var(--soft);font-size:.8em;margin:0}.cut>.hint{display:block}"
    ".cut>.scroll{border-right:3px solid var(--line)}"
    ".matrix{width:100%}.matrix th,.matrix td{text-align:left;vertical-align:top;white-space:normal;font-weight:400}"
    ".matrix thead th{font-weight:600;vertical-align:bottom}.cell span{display:inline-block;min-width:5.6em;"
    "white-space:nowrap;padding:0 3px}.none{color:var(--soft)}.pick{font-weight:700!important}"
    "#min_fps{width:3.4em;font:inherit;padding:0 2px}.picked{outline:2px solid var(--good);outline-offset:-2px}"
    ".best{font-weight:700;background:var(--mark);border-radius:4px}"
    "svg{max-width:100%;height:auto}svg .text{paint-order:stroke;stroke:var(--back);stroke-width:3px}"
    ".key{vertical-align:-2px;margin-right:4px;font-size:0}.plain{color:var(--soft);stroke:var(--soft)}"
    ".legend span{display:inline-block;margin-right:1em;white-space:nowrap;font-size:.88em}"
    ".plots,.worst{display:flex;flex-wrap:wrap;gap:14px}figure{margin:0;max-width:330px}"
    "figure img{width:100%;border-radius:4px}figcaption{font-size:.82em;color:var(--soft);overflow-wrap:anywhere}"
    "details{margin:.6em 0}summary{cursor:pointer}"
    "@media(max-width:600px){body{padding:0 10px 40px}.matrix{font-size:.78em}.matrix th,.matrix td{padding:3px 4px}"
    ".matrix .key{float:left}"
    ".cell span{display:block;min-width:0}}"
    "@media print{body{max-width:none;padding:0;font-size:11px}.scroll{overflow:visible}table{font-size:8px}"
    ".matrix{font-size:10px}th,td{padding:2px 4px;white-space:normal;overflow-wrap:anywhere}"
    "td:first-child,th:first-child{position:static}.hint{display:none!important}#min_fps{border:0;width:2.5em}"
    ".plots>svg{max-width:48%}svg,figure,tr{break-inside:avoid}h2{break-after:avoid}figure{max-width:220px}}";

/* Tables sort by a click on a head; what is cut says so; the best of each board follows the speed that is asked for. */
static const char script[] =
    "document.querySelectorAll('table.sort').forEach(function(t){t.querySelectorAll('th').forEach(function(h,c){"
    "h.addEventListener('click',function(){var up=h.hasAttribute('data-down')||!h.hasAttribute('data-up');"
    "t.querySelectorAll('th').forEach(function(o){o.removeAttribute('data-up');o.removeAttribute('data-down')});"
    "h.setAttribute(up?'data-up':'data-down','');var b=t.tBodies[0];Array.from(b.rows).sort(function(p,q){"
    "var x=p.cells[c].textContent,y=q.cells[c].textContent,m=parseFloat(x),n=parseFloat(y),"
    "d=isNaN(m)||isNaN(n)?(isNaN(m)?isNaN(n)?x.localeCompare(y):1:-1):m-n;return up?d:-d}).forEach(function(r){"
    "b.appendChild(r)})})})});\n"
    "function cut(){document.querySelectorAll('.wide').forEach(function(w){var s=w.querySelector('.scroll');"
    "w.classList.toggle('cut',s.scrollWidth>s.clientWidth+1)})}addEventListener('resize',cut);cut();"
    "document.querySelectorAll('details').forEach(function(d){d.addEventListener('toggle',cut)});\n"
    "var fps=document.getElementById('min_fps');function pick(){var n=parseFloat(fps.value)||0;"
    "document.querySelectorAll('.pick').forEach(function(p){var best=null,scored=0;"
    "document.querySelectorAll('.cell[data-board=\"'+p.dataset.board+'\"]').forEach(function(c){"
    "c.classList.remove('picked');if(!c.dataset.score)return;scored=1;if(n>0&&!(parseFloat(c.dataset.fps)>=n))return;"
    "if(!best||parseFloat(c.dataset.score)>parseFloat(best.dataset.score))best=c});if(!scored)return;"
    "p.textContent='';(best?best.parentNode.dataset.name:'none is so fast').split(/(?<=_)/).forEach(function(w){"
    "p.append(w,document.createElement('wbr'))});if(best)best.classList.add('picked')})}"
    "if(fps){fps.addEventListener('input',pick);pick()}";

/* ---- sections ---- */

static void write_machines(FILE *to, const results_data *d)
{
    int n = 0;
    for (int i = 0; i < d->n_folders; i++) {
        const char *key, *separator = "";
        json_t *value;
        if (!d->machines[i])
            continue;
        fprintf(to, n++ ? "<p><b>" : "<h2>Machines</h2>\n<p><b>");
        text_html(to, d->folders[i]);
        fprintf(to, "</b> <span class=\"soft\">");
        json_object_foreach(d->machines[i], key, value)
        {
            const char *text = json_string_value(value);
            if (text ? !*text : !(json_number_value(value) > 0))
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

static void write_groups(FILE *to, const results_data *d, const report_matrix *m)
{
    fprintf(to, "<h2>Models</h2>\n");
    int several = d->n_folders > 1;
    char header[256];
    snprintf(header, sizeof header,
             "<model|px|<type|%sJ&amp;F|fps (median)|memory MiB|p95 ms|frames timed|rows|failed|J|F|ms (mean)|"
             "p50 ms|p99 ms|<metric|<backend",
             several ? "<folder|" : "");
    html_table_begin(to, header);
    for (int i = 0; i < d->n_groups; i++) {
        const report_group *g = &d->groups[i];
        static const int percents[3] = {50, 95, 99};
        double p[3];
        for (int q = 0; q < 3; q++)
            p[q] = samples_percentile(&g->frame_ms, 0, percents[q]);
        fprintf(to, "<tr>");
        html_words(to, g->model);
        html_figure(to, 0, g->imgsz ? g->imgsz : NAN);
        html_words(to, g->precision);
        if (several)
            html_words(to, html_folder(d, g->run));
        html_best(to, 4, g->jandf, matrix_is_best(m, d, i, MATRIX_SCORE));
        html_best(to, 2, g->fps_median, matrix_is_best(m, d, i, MATRIX_SPEED));
        html_best(to, 0, g->memory_mib > 0 ? g->memory_mib : NAN, matrix_is_best(m, d, i, MATRIX_MEMORY));
        html_figure(to, 1, p[1]);
        html_figure(to, 0, g->frame_ms.n ? (double)g->frame_ms.n : NAN);
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
        ", over the rows that both have. Worse: beyond the limit, and by more than twice the standard error.%s</p>\n",
        report_other_machine(p->data, p->data->n_folders - 1, 0)
            ? " <b class=\"bad\">The two were measured on different machines:</b> what differs in speed and memory is theirs, too."
            : "");
    html_table_begin(to, "<model|<measure|rows|not compared|before|after|change|standard error|<verdict");
    for (int i = 0; i < p->changes.n; i++)
        write_change(to, &p->changes.at[i]);
    html_table_end(to);
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

static int has_picture(const results_data *d, const report_row *r)
{
    return r->worst && results_is_of_interest(d, r->group);
}

/* Returns whether it could be shown. */
static int write_picture(FILE *to, const results_data *d, const report_row *r)
{
    FILE *from = fopen(r->worst, "rb");
    char name[160], caption[400];
    if (!from)
        return 0;
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
    return 1;
}

/* The objects with the lowest J, each by all models that ran it, side by side. */
static void write_worst(FILE *to, const report_page *p, const int *order)
{
    const results_data *d = p->data;
    int n = 0;
    for (int i = 0; i < d->n_rows; i++)
        n += has_picture(d, &d->rows[i]);
    char *shown = n && p->n_worst ? calloc((size_t)d->n_rows, 1) : NULL;
    if (!shown)
        return;
    n = 0;
    fprintf(
        to,
        "<h2>Worst frames</h2>\n<p class=\"soft\">The frame with the lowest J of the objects with the lowest J, the "
        "models side by side: result orange, annotation white.</p>\n<div class=\"worst\">\n");
    for (int k = 0; k < d->n_rows && n < p->n_worst; k++) {
        const report_row *first = &d->rows[order[k]];
        if (shown[order[k]] || !has_picture(d, first))
            continue;
        for (int m = k; m < d->n_rows && n < p->n_worst; m++) {
            const report_row *r = &d->rows[order[m]];
            if (shown[order[m]] || !has_picture(d, r) || strcmp(r->video, first->video) != 0 ||
                strcmp(r->object, first->object) != 0)
                continue;
            shown[order[m]] = 1;
            n += write_picture(to, d, r);
        }
    }
    fprintf(to, "</div>\n");
    free(shown);
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

/* A row to be sorted, and its number: equal rows stay in their order. */
typedef struct numbered_row {
    const report_row *row;
    int at;
} numbered_row;

static numbered_row *number_rows(const results_data *d)
{
    numbered_row *rows = malloc((size_t)d->n_rows * sizeof *rows + 1);
    for (int i = 0; rows && i < d->n_rows; i++)
        rows[i] = (numbered_row){&d->rows[i], i};
    return rows;
}

/* By J, worst first; those without J last. */
static int by_score(const void *a, const void *b)
{
    const numbered_row *x = a, *y = b;
    double p = x->row->j, q = y->row->j;
    int order = isnan(p) || isnan(q) ? isnan(p) - isnan(q) : (p > q) - (p < q);
    return order ? order : x->at - y->at;
}

static int by_video(const void *a, const void *b)
{
    const numbered_row *x = a, *y = b;
    int order = (x->row->group > y->row->group) - (x->row->group < y->row->group);
    order = order ? order : strcmp(x->row->video, y->row->video);
    return order ? order : x->at - y->at;
}

/* How many of n rows are of the video of the first. */
static int rows_of_video(const numbered_row *rows, int n)
{
    int same = 1;
    while (same < n && rows[same].row->group == rows->row->group && !strcmp(rows[same].row->video, rows->row->video))
        same++;
    return same;
}

static void write_video(FILE *to, const results_data *d, const numbered_row *rows, int n)
{
    char name[160];
    double score = 0, fps = 0, ms = 0;
    int n_scored = 0, n_timed = 0;
    for (int k = 0; k < n; k++) {
        const report_row *r = rows[k].row;
        n_scored += !isnan(r->jandf);
        n_timed += !isnan(r->fps);
        score += isnan(r->jandf) ? 0 : r->jandf;
        fps += isnan(r->fps) ? 0 : r->fps;
        ms += isnan(r->fps) ? 0 : r->latency_ms;
    }
    html_group(d, &d->groups[rows->row->group], name, sizeof name);
    fprintf(to, "<tr>");
    html_words(to, rows->row->video);
    html_words(to, name);
    html_figure(to, 0, n);
    html_figure(to, 4, n_scored ? score / n_scored : NAN);
    html_figure(to, 2, n_timed ? fps / n_timed : NAN);
    html_figure(to, 1, n_timed ? ms / n_timed : NAN);
    fprintf(to, "</tr>\n");
}

static sam_status write_videos(FILE *to, const results_data *d, sam_error *err)
{
    int n_shown = 0;
    numbered_row *rows = number_rows(d);
    if (!rows)
        return fail(err, SAM_E_MEMORY, "out of memory: table of videos");
    qsort(rows, (size_t)d->n_rows, sizeof *rows, by_video);
    for (int i = 0; i < d->n_rows; i += rows_of_video(rows + i, d->n_rows - i))
        n_shown++;
    details_begin(to, "Videos", n_shown);
    html_table_begin(to, "<video|<model|objects|J&amp;F|fps|ms");
    for (int i = 0, n; i < d->n_rows; i += n) {
        n = rows_of_video(rows + i, d->n_rows - i);
        write_video(to, d, rows + i, n);
    }
    html_table_end(to);
    fprintf(to, "</details>\n");
    free(rows);
    return SAM_OK;
}

/* Numbers of the rows by score. */
static int *order_of(const results_data *d)
{
    int *order = malloc((size_t)d->n_rows * sizeof *order + 1);
    numbered_row *rows = number_rows(d);
    if (order && rows) {
        qsort(rows, (size_t)d->n_rows, sizeof *rows, by_score);
        for (int i = 0; i < d->n_rows; i++)
            order[i] = rows[i].at;
    } else {
        free(order);
        order = NULL;
    }
    free(rows);
    return order;
}

static void write_start(FILE *to, const report_page *p)
{
    fprintf(to, "<!doctype html>\n<html lang=\"en\"><head><meta charset=\"utf-8\"><meta name=\"viewport\" "
                "content=\"width=device-width,initial-scale=1\">\n<title>");
    text_html(to, p->title);
    fprintf(to, "</title>\n<style>%s%s</style></head><body>\n", svg_style, style);
    head_write(to, p->title, p->data, !p->history);
}

/* What comes from tables of rows: first the answer, then what it rests on. */
static sam_status write_results(FILE *to, const report_page *p, const int *order, sam_error *err)
{
    report_matrix m = {0};
    sam_status status = matrix_make(&m, p->data, err);
    if (status == SAM_OK) {
        matrix_write(to, &m, p->data, p->min_fps);
        write_changes(to, p);
        status = plots_write_quality(to, &m, p->data, err);
        write_groups(to, p->data, &m);
        plots_write_latency(to, p->data);
        plots_write_curves(to, p->data, order);
        write_worst(to, p, order);
    }
    matrix_free(&m);
    return status;
}

sam_status report_write(const report_page *p, const char *path, sam_error *err)
{
    text_out t;
    int *order = order_of(p->data);
    if (!order)
        return fail(err, SAM_E_MEMORY, "%s: out of memory", path);
    sam_status status = text_open(&t, path, err);
    if (status == SAM_OK) {
        write_start(t.to, p);
        if (p->history)
            status = history_write(t.to, p->data, err);
        else if (p->data->n_rows)
            status = write_results(t.to, p, order, err);
        if (!p->history)
            report_parts(t.to, p->data);
        if (p->data->n_rows && status == SAM_OK && !p->history)
            status = write_videos(t.to, p->data, err);
        if (p->data->n_rows && !p->history)
            write_rows(t.to, p->data);
        write_machines(t.to, p->data);
        fprintf(t.to, "<script>%s</script>\n</body></html>\n", script);
        sam_status written = text_close(&t, status == SAM_OK ? err : NULL);
        status = status == SAM_OK ? written : status;
    }
    free(order);
    return status;
}
