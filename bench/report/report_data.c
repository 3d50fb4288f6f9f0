/* report_data.c - see report_data.h. */
#include "report_data.h"

#include "csv.h"
#include "listing.h"
#include "machine.h"
#include "results.h"
#include "text_start.h"

#include <limits.h>
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <time.h>

static const char *const tables[] = {"sav_benchmark_summary.csv", "jetson_benchmark_summary.csv"};
static const char *const settings_files[] = {"sav_benchmark_settings.json", "jetson_benchmark_settings.json"};

static char *copy(const char *text)
{
    size_t n = strlen(text) + 1;
    char *to = malloc(n);
    return to ? memcpy(to, text, n) : NULL;
}

/* ---- reading ---- */

static int find_group(results_data *d, const csv_table *t, int row, sam_error *err)
{
    const char *model = csv_text(t, row, "model"), *precision = csv_text(t, row, "precision");
    int run = d->n_folders - 1, imgsz;
    double side = csv_number(t, row, "imgsz");
    imgsz = side > 0 && side < INT_MAX ? (int)side : 0;
    for (int g = 0; g < d->n_groups; g++) {
        const report_group *p = &d->groups[g];
        if (p->run == run && p->imgsz == imgsz && !strcmp(p->model, model) && !strcmp(p->precision, precision) &&
            !strcmp(p->metric, csv_text(t, row, "metric")))
            return g;
    }
    report_group *more = realloc(d->groups, (size_t)(d->n_groups + 1) * sizeof *more);
    if (!more) {
        fail(err, SAM_E_MEMORY, "out of memory: %d groups", d->n_groups);
        return -1;
    }
    d->groups = more;
    more[d->n_groups] = (report_group){.folder = copy(d->folders[run]),
                                       .model = copy(model),
                                       .precision = copy(precision),
                                       .backend = copy(csv_text(t, row, "backend")),
                                       .device = copy(csv_text(t, row, "device")),
                                       .metric = copy(csv_text(t, row, "metric")),
                                       .run = run,
                                       .imgsz = imgsz};
    report_group *g = &more[d->n_groups++];
    if (g->folder && g->model && g->precision && g->backend && g->device && g->metric)
        return d->n_groups - 1;
    fail(err, SAM_E_MEMORY, "out of memory");
    return -1;
}

/* Where the files of a table's rows can be: its folder and, of a merged table, its shards; those alone that have such files,
 * so that a row without them costs nothing. */
typedef struct row_files {
    listing frames, worst;
} row_files;

static sam_status add_place(listing *to, const char *place, const char *kind, sam_error *err)
{
    char *path = NULL;
    TRY(path_join(&path, place, kind, err));
    int is_there = path_is_folder(path);
    free(path);
    return is_there ? listing_add(to, place, strlen(place), err) : SAM_OK;
}

static sam_status add_both(row_files *f, const char *place, sam_error *err)
{
    TRY(add_place(&f->frames, place, "frames", err));
    return add_place(&f->worst, place, "worst", err);
}

static sam_status find_places(const char *folder, row_files *f, sam_error *err)
{
    listing below = {0};
    TRY(add_both(f, folder, err));
    sam_status status = listing_scan(folder, NULL, &below, err);
    for (int i = 0; i < below.n && status == SAM_OK; i++) {
        char *shard = NULL;
        if (strncmp(below.names[i], "shard_", 6))
            continue;
        status = path_join(&shard, folder, below.names[i], err);
        if (status == SAM_OK)
            status = add_both(f, shard, err);
        free(shard);
    }
    listing_free(&below);
    return status;
}

/* MODEL of a row's files; in a comparison of sizes and precisions they are part of it. */
static void file_model(const csv_table *t, int row, int compared, char *name, size_t n_name)
{
    if (compared)
        snprintf(name, n_name, "%s_%s_%s", csv_text(t, row, "model"), csv_text(t, row, "imgsz"),
                 csv_text(t, row, "precision"));
    else
        snprintf(name, n_name, "%s", csv_text(t, row, "model"));
}

/* PLACE/<kind>/VIDEO__objOBJECT__MODEL.<suffix> of the first place that has it; NULL: none. */
static char *beside(const listing *places, const csv_table *t, int row, const char *kind, const char *suffix)
{
    char path[4096], model[200];
    for (int compared = places->n > 0; compared >= 0; compared--) {
        file_model(t, row, compared, model, sizeof model);
        for (int i = 0; i < places->n; i++)
            if (results_row_file(path, sizeof path, places->names[i], kind, csv_text(t, row, "video"),
                                 csv_text(t, row, "object"), model, suffix) &&
                path_is_file(path))
                return copy(path);
    }
    return NULL;
}

/* A figure; what is none, or infinite, is NaN. */
static double figure(const csv_table *t, int row, const char *column)
{
    double x = csv_number(t, row, column);
    return isfinite(x) ? x : NAN;
}

static sam_status add_row(results_data *d, const csv_table *t, int row, const row_files *files, sam_error *err)
{
    int group = find_group(d, t, row, err);
    if (group < 0)
        return SAM_E_MEMORY;
    if (d->n_rows == d->row_capacity) {
        int capacity = d->row_capacity ? 2 * d->row_capacity : 256;
        report_row *more = realloc(d->rows, (size_t)capacity * sizeof *more);
        if (!more)
            return fail(err, SAM_E_MEMORY, "out of memory: %d rows", capacity);
        d->rows = more;
        d->row_capacity = capacity;
    }
    const char *status = csv_text(t, row, "status");
    report_row *r = &d->rows[d->n_rows++];
    *r = (report_row){.video = copy(csv_text(t, row, "video")),
                      .object = copy(csv_text(t, row, "object")),
                      .status = copy(status),
                      .frames = beside(&files->frames, t, row, "frames", "csv"),
                      .worst = beside(&files->worst, t, row, "worst", "png"),
                      .group = group,
                      .ok = status_is_ok(status),
                      .fps = figure(t, row, "fps"),
                      .latency_ms = figure(t, row, "latency_ms"),
                      .j = figure(t, row, "J"),
                      .f = figure(t, row, "F"),
                      .jandf = figure(t, row, "JandF"),
                      .rss_mib = figure(t, row, "cpu_peak_rss_MiB"),
                      .gpu_mib = figure(t, row, "gpu_peak_alloc_MiB"),
                      .pool_mib =
                          strcmp(csv_text(t, row, "memory_kind"), "unified") ? NAN : figure(t, row, "pool_peak_MiB")};
    return r->video && r->object && r->status ? SAM_OK : fail(err, SAM_E_MEMORY, "out of memory");
}

/* NULL: there is none. */
static sam_status read_json(json_t **json, const char *folder, const char *name, sam_error *err)
{
    char *path = NULL;
    TRY(path_join(&path, folder, name, err));
    *json = json_read_file(path, 0, NULL);
    free(path);
    return SAM_OK;
}

static sam_status add_folder(results_data *d, const char *folder, sam_error *err)
{
    char **names = realloc(d->folders, (size_t)(d->n_folders + 1) * sizeof *names);
    d->folders = names ? names : d->folders;
    json_t **machines = realloc(d->machines, (size_t)(d->n_folders + 1) * sizeof *machines);
    d->machines = machines ? machines : d->machines;
    json_t **settings = realloc(d->settings, (size_t)(d->n_folders + 1) * sizeof *settings);
    d->settings = settings ? settings : d->settings;
    report_extra *extras = realloc(d->extras, (size_t)(d->n_folders + 1) * sizeof *extras);
    d->extras = extras ? extras : d->extras;
    char *name = copy(folder);
    if (!names || !machines || !settings || !extras || !name) {
        free(name);
        return fail(err, SAM_E_MEMORY, "out of memory");
    }
    for (size_t n = strlen(name); n > 1 && name[n - 1] == '/'; n--)
        name[n - 1] = 0;
    names[d->n_folders] = name;
    machines[d->n_folders] = settings[d->n_folders] = NULL;
    extras[d->n_folders++] = (report_extra){0};
    TRY(read_json(&machines[d->n_folders - 1], folder, MACHINE_FILE, err));
    for (int i = 0; i < 2 && !settings[d->n_folders - 1]; i++)
        TRY(read_json(&settings[d->n_folders - 1], folder, settings_files[i], err));
    TRY(path_expect_folder("", folder, err));
    return extra_read(&extras[d->n_folders - 1], folder, err);
}

static sam_status no_results(const char *folder, sam_error *err)
{
    listing below = {0};
    int n_shards = 0;
    if (listing_scan(folder, NULL, &below, NULL) == SAM_OK)
        for (int i = 0; i < below.n; i++)
            n_shards += !strncmp(below.names[i], "shard_", 6);
    listing_free(&below);
    if (n_shards)
        return fail(err, SAM_E_IO, "%s: holds shards that are not merged; run `sambench merge %s` first", folder,
                    folder);
    return fail(
        err, SAM_E_IO,
        "%s: no results here: expected %s (run), %s (edge), %s (profile), %s (speed), or a file of `track --json`",
        folder, tables[0], tables[1], extra_files[EXTRA_PROFILE], extra_files[EXTRA_SPEED]);
}

/* *n_tables counts it if it is there. */
static sam_status add_table(results_data *d, const char *folder, const char *name, const row_files *files,
                            int *n_tables, sam_error *err)
{
    csv_table t = {0};
    char *path = NULL;
    TRY(path_join(&path, folder, name, err));
    int there = path_is_file(path);
    *n_tables += there;
    sam_status status = there ? csv_read(&t, path, err) : SAM_OK;
    free(path);
    for (int r = 0; status == SAM_OK && there && r < t.n_rows; r++)
        status = add_row(d, &t, r, files, err);
    csv_close(&t);
    return status;
}

sam_status results_add_folder(results_data *d, const char *folder, sam_error *err)
{
    int n_tables = 0;
    row_files files = {0};
    TRY(add_folder(d, folder, err));
    sam_status status = find_places(folder, &files, err);
    for (size_t i = 0; i < sizeof tables / sizeof *tables && status == SAM_OK; i++)
        status = add_table(d, folder, tables[i], &files, &n_tables, err);
    listing_free(&files.frames);
    listing_free(&files.worst);
    TRY(status);
    return n_tables + d->extras[d->n_folders - 1].n ? SAM_OK : no_results(folder, err);
}

void results_data_free(results_data *d)
{
    for (int i = 0; i < d->n_rows; i++) {
        report_row *r = &d->rows[i];
        free(r->video);
        free(r->object);
        free(r->status);
        free(r->frames);
        free(r->worst);
    }
    for (int i = 0; i < d->n_groups; i++) {
        report_group *g = &d->groups[i];
        free(g->folder);
        free(g->model);
        free(g->precision);
        free(g->backend);
        free(g->device);
        free(g->metric);
        samples_free(&g->frame_ms);
    }
    for (int i = 0; i < d->n_folders; i++) {
        free(d->folders[i]);
        json_decref(d->machines[i]);
        json_decref(d->settings[i]);
        extra_free(&d->extras[i]);
    }
    free(d->rows);
    free(d->groups);
    free(d->folders);
    free(d->machines);
    free(d->settings);
    free(d->extras);
    *d = (results_data){0};
}

/* ---- groups ---- */

const char *member_text(const json_t *object, const char *key)
{
    const char *text = json_string_value(json_object_get(object, key));
    return text ? text : "";
}

void results_date(const results_data *d, int run, char text[32])
{
    struct stat info;
    struct tm utc;
    snprintf(text, 32, "%s", member_text(d->machines[run], "date"));
    for (size_t i = 0; i < sizeof tables / sizeof *tables && !text[0]; i++) {
        char *path = NULL;
        if (path_join(&path, d->folders[run], tables[i], NULL) != SAM_OK || stat(path, &info) ||
            !gmtime_r(&info.st_mtime, &utc) || !strftime(text, 32, "%Y-%m-%d %H:%M UTC", &utc))
            text[0] = 0;
        free(path);
    }
}

double results_memory_mib(const report_row *r)
{
    return r->pool_mib > 0 ? r->pool_mib : r->gpu_mib > 0 ? r->gpu_mib : r->rss_mib;
}

/* The report says so and fails. */
static void leave_out(results_data *d, sam_status status, const sam_error *why)
{
    if (status != SAM_OK && !d->n_unreadable++)
        d->unreadable = *why;
}

/* The times of a row's tracked frames. */
static void add_frames(results_data *d, report_group *g, const char *path)
{
    csv_table t = {0};
    sam_error why;
    if (!path)
        return;
    sam_status status = csv_read(&t, path, &why);
    for (int r = 1; status == SAM_OK && r < t.n_rows; r++) { /* the first is the prompted one */
        double ms = csv_number(&t, r, "ms");
        if (!isnan(ms))
            status = samples_add(&g->frame_ms, ms, &why);
    }
    leave_out(d, status, &why);
    csv_close(&t);
}

static void add_to_group(results_data *d, report_group *g, const report_row *r, samples *fps)
{
    sam_error why;
    g->n_rows++;
    if (!r->ok)
        return;
    g->n_ok++;
    if (!isnan(r->jandf)) {
        g->n_scored++;
        g->j += r->j;
        g->f += r->f;
        g->jandf += r->jandf;
    }
    if (!isnan(r->fps)) {
        leave_out(d, samples_add(fps, r->fps, &why), &why);
        g->latency_ms += r->latency_ms;
    }
    double memory = results_memory_mib(r);
    g->memory_mib = memory > g->memory_mib ? memory : g->memory_mib;
    add_frames(d, g, r->frames);
}

int results_is_earlier(const results_data *d, int run)
{
    return run >= d->n_folders - d->n_earlier;
}

int results_is_of_interest(const results_data *d, int group)
{
    int n_models = 0;
    for (int i = 0; i < d->n_groups; i++)
        n_models += d->groups[i].imgsz > 0;
    return !n_models || d->groups[group].imgsz > 0;
}

void results_sum_up(results_data *d)
{
    for (int k = 0; k < d->n_groups; k++) {
        report_group *g = &d->groups[k];
        samples fps = {0};
        for (int i = 0; i < d->n_rows; i++)
            if (d->rows[i].group == k)
                add_to_group(d, g, &d->rows[i], &fps);
        g->j = g->n_scored ? g->j / g->n_scored : NAN;
        g->f = g->n_scored ? g->f / g->n_scored : NAN;
        g->jandf = g->n_scored ? g->jandf / g->n_scored : NAN;
        g->latency_ms = fps.n ? g->latency_ms / (double)fps.n : NAN;
        g->fps_median = fps.n ? samples_quantile(&fps, 0, 0.5) : NAN;
        samples_free(&fps);
    }
}
