/* report_parts.c - see report_parts.h. The tables of profile and speed have a row for each part of a frame; here the parts
 * stand side by side. */
#include "report_parts.h"

#include "report_html.h"
#include "text_out.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

enum { MAX_PARTS = 16, HEADER_BYTES = 1024 };

static const struct {
    const char *title, *says, *part; /* part: the column that names it */
} sections[N_EXTRA_TABLES] = {
    {"Where a frame's time goes", "Stages of a tracked frame, median ms, from sambench profile.", "stage"},
    {"Components", "Each timed apart, median ms, from sambench speed.", "component"},
};

/* Names of the parts over all folders, in their order. */
static int part_names(const results_data *d, int which, const char *names[MAX_PARTS])
{
    int n = 0;
    for (int run = 0; run < d->n_folders; run++) {
        const csv_table *t = &d->extras[run].tables[which];
        for (int row = 0; row < t->n_rows; row++) {
            const char *name = csv_text(t, row, sections[which].part);
            int known = !*name || n == MAX_PARTS;
            for (int i = 0; i < n; i++)
                known |= !strcmp(names[i], name);
            if (!known)
                names[n++] = name;
        }
    }
    return n;
}

static int same_configuration(const csv_table *t, int a, int b)
{
    static const char *const keys[] = {"model", "imgsz", "precision", "objects", "backend", "device"};
    for (int i = 0; i < 6; i++)
        if (strcmp(csv_text(t, a, keys[i]), csv_text(t, b, keys[i])))
            return 0;
    return 1;
}

static void configurations(FILE *to, const results_data *d, int which, int run, const char *const *names, int n)
{
    const csv_table *t = &d->extras[run].tables[which];
    for (int row = 0, next; row < t->n_rows; row = next) {
        double ms[MAX_PARTS];
        for (int i = 0; i < n; i++)
            ms[i] = NAN;
        for (next = row; next < t->n_rows && same_configuration(t, row, next); next++)
            for (int i = 0; i < n; i++)
                if (!strcmp(csv_text(t, next, sections[which].part), names[i]))
                    ms[i] = csv_number(t, next, "median_ms");
        fprintf(to, "<tr>");
        html_words(to, csv_text(t, row, "model"));
        html_figure(to, 0, csv_number(t, row, "imgsz"));
        html_words(to, csv_text(t, row, "precision"));
        if (which == EXTRA_SPEED)
            html_figure(to, 0, csv_number(t, row, "objects"));
        html_words(to, csv_text(t, row, "backend"));
        html_words(to, html_folder(d, run));
        for (int i = 0; i < n; i++)
            html_figure(to, 2, ms[i]);
        if (which == EXTRA_SPEED)
            html_words(to, csv_text(t, row, "status"));
        fprintf(to, "</tr>\n");
    }
}

static void parts_section(FILE *to, const results_data *d, int which)
{
    const char *names[MAX_PARTS];
    char header[HEADER_BYTES];
    int n = part_names(d, which, names), at;
    if (!n)
        return;
    fprintf(to, "<h2>%s</h2>\n<p class=\"soft\">%s</p>\n", sections[which].title, sections[which].says);
    at = snprintf(header, sizeof header, "<model|px|<type|%s<backend|<folder", which == EXTRA_SPEED ? "objects|" : "");
    for (int i = 0; i < n && at < HEADER_BYTES; i++)
        at += snprintf(header + at, sizeof header - (size_t)at, "|%.40s", names[i]);
    if (which == EXTRA_SPEED && at < HEADER_BYTES)
        snprintf(header + at, sizeof header - (size_t)at, "|<status");
    html_table_begin(to, header);
    for (int run = 0; run < d->n_folders; run++)
        configurations(to, d, which, run, names, n);
    html_table_end(to);
}

/* ---- clips that were tracked by hand ---- */

static double field(const json_t *json, const char *key)
{
    const json_t *value = json_object_get(json, key);
    return json_is_number(value) ? json_number_value(value) : NAN;
}

static void text_field(FILE *to, const json_t *json, const char *key)
{
    const char *text = json_string_value(json_object_get(json, key));
    html_words(to, text ? text : "");
}

static void track_row(FILE *to, const json_t *j, const char *folder)
{
    const json_t *steady = json_object_get(j, "steady");
    fprintf(to, "<tr>");
    text_field(to, j, "input");
    text_field(to, j, "model");
    html_figure(to, 0, field(j, "imgsz"));
    text_field(to, j, "precision");
    text_field(to, j, "backend");
    html_words(to, folder);
    html_figure(to, 0, field(j, "frames"));
    html_figure(to, 0, field(j, "objects"));
    html_figure(to, 1, field(steady, "ms_per_frame"));
    html_figure(to, 1, field(steady, "p90"));
    html_figure(to, 1, field(steady, "p99"));
    html_figure(to, 2, field(j, "end_to_end_fps"));
    html_figure(to, 0, field(j, "rss_peak_bytes") / 0x1p20);
    html_figure(to, 0, field(json_object_get(j, "peak_bytes"), "device") / 0x1p20);
    fprintf(to, "</tr>\n");
}

static void tracks_section(FILE *to, const results_data *d)
{
    size_t n = 0;
    for (int run = 0; run < d->n_folders; run++)
        n += json_object_size(d->extras[run].tracks);
    if (!n)
        return;
    fprintf(to,
            "<h2>Clips</h2>\n<p class=\"soft\">Tracked with given prompts and not scored, from sambench track; ms of a "
            "frame with all its objects.</p>\n");
    html_table_begin(to,
                     "<clip|<model|px|<type|<backend|<folder|frames|objects|ms (median)|p90 ms|p99 ms|fps (end to end)|"
                     "RSS MiB|GPU MiB");
    for (int run = 0; run < d->n_folders; run++) {
        const char *name;
        json_t *j;
        json_object_foreach(d->extras[run].tracks, name, j) track_row(to, j, html_folder(d, run));
    }
    html_table_end(to);
}

void report_parts(FILE *to, const results_data *d)
{
    for (int which = 0; which < N_EXTRA_TABLES; which++)
        parts_section(to, d, which);
    tracks_section(to, d);
}
