/* speed_files.c - see speed_files.h. */
#include "speed_files.h"

#include "csv_row.h"
#include "json_out.h"
#include "spread.h"

#include <math.h>
#include <stdio.h>
#include <string.h>

static const char *const columns[] = {
    "model",      "imgsz",     "precision",   "objects",      "backend",      "device",   "component", "n",
    "mean_ms",    "median_ms", "p95_ms",      "stddev_ms",    "min_ms",       "GFLOP",    "GFLOP_s",   "weights_MiB",
    "tables_MiB", "state_MiB", "scratch_MiB", "peak_rss_MiB", "gpu_peak_MiB", "setup_ms", "status"};
enum { N_COLUMNS = sizeof columns / sizeof *columns };

sam_status speed_files_open(speed_files *f, const char *csv, const char *json, int print, sam_error *err)
{
    f->json_path = json;
    f->print = print;
    f->json = json_array();
    if (!f->json)
        return fail(err, SAM_E_MEMORY, "out of memory: results");
    return csv_open(&f->table, csv, columns, N_COLUMNS, 0, err);
}

void speed_files_close(speed_files *f)
{
    csv_close(&f->table);
    json_decref(f->json);
    f->json = NULL;
}

static double mib(size_t bytes)
{
    return (double)bytes / 0x1p20;
}

static double rate(const speed_run *r, int part, const spread *s)
{
    return r->flops[part] > 0 && s->mean > 0 ? r->flops[part] / s->mean / 1e6 : NAN;
}

static sam_status add_row(speed_files *f, const speed_run *r, int part, const char *status, sam_error *err)
{
    spread s = spread_of(&r->ms[part], 0);
    int measured = s.n > 0;
    csv_row row = {.n = 0};
    row_text(&row, r->name);
    row_int(&row, r->choice.image_px);
    row_text(&row, model_precision(&r->choice));
    row_int(&row, r->n_objects);
    row_text(&row, r->backend);
    row_text(&row, r->device);
    row_text(&row, speed_part_names[part]);
    row_int(&row, (long long)s.n);
    const double ms[] = {s.mean, s.median, s.p95, s.stddev, s.min};
    for (int i = 0; i < 5; i++)
        row_number(&row, 4, measured ? ms[i] : NAN);
    row_number(&row, 4, r->flops[part] > 0 ? r->flops[part] / 1e9 : NAN);
    row_number(&row, 2, rate(r, part, &s));
    const size_t bytes[] = {r->stats.weight_bytes, r->stats.table_bytes, r->stats.state_bytes, r->stats.scratch_bytes};
    for (int i = 0; i < 4; i++)
        row_number(&row, 2, measured ? mib(bytes[i]) : NAN);
    row_number(&row, 1, measured ? r->peak_rss_mib : NAN);
    row_number(&row, 1, measured ? mib(r->stats.device_bytes) : NAN);
    row_number(&row, 1, measured ? r->setup_ms : NAN);
    row_text(&row, status);
    return csv_append(&f->table, row.values, err);
}

static json_t *as_json(const speed_run *r, const char *status)
{
    json_t *parts = json_object();
    for (int k = 0; k < N_SPEED_PARTS; k++) {
        spread s = spread_of(&r->ms[k], 0);
        json_t *part = s.n ? spread_json(&s) : NULL;
        if (part && r->flops[k] > 0)
            json_object_set_new(part, "GFLOP", json_real(r->flops[k] / 1e9));
        if (part)
            json_object_set_new(parts, speed_part_names[k], part);
    }
    return json_pack("{s:s,s:i,s:s,s:i,s:s,s:s,s:s,s:o,s:{s:I,s:I,s:I,s:I},s:f,s:f,s:f}", "model", r->name, "imgsz",
                     r->choice.image_px, "precision", model_precision(&r->choice), "objects", r->n_objects, "backend",
                     r->backend, "device", r->device, "status", status, "ms", parts, "bytes", "weights",
                     (json_int_t)r->stats.weight_bytes, "tables", (json_int_t)r->stats.table_bytes, "state",
                     (json_int_t)r->stats.state_bytes, "scratch", (json_int_t)r->stats.scratch_bytes, "peak_rss_MiB",
                     r->peak_rss_mib, "gpu_peak_MiB", mib(r->stats.device_bytes), "setup_ms", r->setup_ms);
}

static void print(speed_files *f, const speed_run *r)
{
    if (!f->n_printed++) {
        printf("%-16s %5s %5s %3s", "ms (median)", "px", "type", "obj");
        for (int k = 0; k < N_SPEED_PARTS; k++)
            printf(" %*s", (int)strlen(speed_part_names[k]) > 8 ? (int)strlen(speed_part_names[k]) : 8,
                   speed_part_names[k]);
        printf(" %9s\n", "plan MiB");
    }
    const sam_stats *b = &r->stats;
    printf("%-16.16s %5d %5s %3d", r->name, r->choice.image_px, model_precision(&r->choice), r->n_objects);
    for (int k = 0; k < N_SPEED_PARTS; k++)
        printf(" %*.2f", (int)strlen(speed_part_names[k]) > 8 ? (int)strlen(speed_part_names[k]) : 8,
               spread_of(&r->ms[k], 0).median);
    printf(" %9.1f\n", mib(b->weight_bytes + b->table_bytes + b->state_bytes + b->scratch_bytes));
    fflush(stdout);
}

sam_status speed_files_add(speed_files *f, const speed_run *r, const char *status, sam_error *err)
{
    int ok = !strcmp(status, "ok");
    for (int k = 0; k < (ok ? N_SPEED_PARTS : 1); k++)
        TRY(add_row(f, r, k, status, err));
    TRY(csv_save(&f->table, err));
    if (json_array_append_new(f->json, as_json(r, status)))
        return fail(err, SAM_E_MEMORY, "out of memory: results");
    if (f->print && ok)
        print(f, r);
    return f->json_path ? json_out(f->json_path, json_incref(f->json), err) : SAM_OK;
}
