/* profile_files.c - see profile_files.h. */
#include "profile_files.h"

#include "csv_row.h"
#include "json_out.h"
#include "listing.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

static const char *const stage_names[N_PROFILE_STAGES] = {
    "frame", "encode", "memory_attention", "mask_decoder", "memory_encoder", "post", "frame_decode"};

static const char *const summary_columns[] = {"model",  "imgsz",     "precision", "backend",   "device",
                                              "stage",  "n",         "mean_ms",   "median_ms", "p95_ms",
                                              "p99_ms", "stddev_ms", "min_ms",    "max_ms",    "share"};

static const char *const roofline_columns[] = {
    "model", "imgsz",         "precision",    "backend",  "device", "graph",   "op",   "calls",
    "ms",    "share",         "max_call_ms",  "GFLOP",    "MB",     "GFLOP_s", "GB_s", "FLOP_per_byte",
    "roof",  "share_of_roof", "peak_GFLOP_s", "peak_GB_s"};

enum { N_SUMMARY = sizeof summary_columns / sizeof *summary_columns };
enum { N_ROOFLINE = sizeof roofline_columns / sizeof *roofline_columns };

static sam_status open_table(csv_table *t, const char *folder, const char *name, const char *const *columns, int n,
                             sam_error *err)
{
    char *path = NULL;
    TRY(path_join(&path, folder, name, err));
    sam_status status = csv_open(t, path, columns, n, 0, err);
    free(path);
    return status;
}

sam_status profile_files_open(profile_files *f, const char *out_dir, sam_error *err)
{
    f->out_dir = out_dir;
    f->stats = json_pack("{s:{}}", "models");
    if (!f->stats)
        return fail(err, SAM_E_MEMORY, "out of memory: statistics");
    TRY(open_table(&f->summary, out_dir, "profile_summary.csv", summary_columns, N_SUMMARY, err));
    return open_table(&f->roofline, out_dir, "profile_roofline.csv", roofline_columns, N_ROOFLINE, err);
}

void profile_files_close(profile_files *f)
{
    csv_close(&f->summary);
    csv_close(&f->roofline);
    json_decref(f->stats);
    f->stats = NULL;
}

static void begin_row(csv_row *r, const profile_model *m)
{
    r->n = 0;
    row_text(r, m->name);
    row_int(r, m->imgsz);
    row_text(r, m->precision);
    row_text(r, m->backend);
    row_text(r, m->device);
}

static sam_status add_stages(profile_files *f, const profile_model *m, sam_error *err)
{
    double frame_ms = spread_of(&m->stages[PROFILE_FRAME], 0).mean;
    for (int k = 0; k < N_PROFILE_STAGES; k++) {
        spread s = spread_of(&m->stages[k], 0);
        csv_row r;
        begin_row(&r, m);
        row_text(&r, stage_names[k]);
        row_int(&r, (long long)s.n);
        const double values[] = {s.mean, s.median, s.p95, s.p99, s.stddev, s.min, s.max};
        for (size_t i = 0; i < sizeof values / sizeof *values; i++)
            row_number(&r, 4, values[i]);
        row_number(&r, 4, frame_ms > 0 && k != PROFILE_READ ? s.mean / frame_ms : NAN);
        TRY(csv_append(&f->summary, r.values, err));
    }
    return csv_save(&f->summary, err);
}

static sam_status add_operators(profile_files *f, const profile_model *m, const op_sum *sums, int n, sam_error *err)
{
    double all_ms = 0;
    for (int i = 0; i < n; i++)
        all_ms += sums[i].ms;
    for (int i = 0; i < n; i++) {
        const op_sum *s = &sums[i];
        roof at = roof_of(s, &m->peaks);
        csv_row r;
        begin_row(&r, m);
        row_text(&r, s->graph);
        row_text(&r, s->op);
        row_number(&r, 2, s->calls);
        row_number(&r, 5, s->ms);
        row_number(&r, 5, all_ms > 0 ? s->ms / all_ms : 0);
        row_number(&r, 5, s->max_ms);
        row_number(&r, 6, s->flops / 1e9);
        row_number(&r, 6, s->bytes / 1e6);
        row_number(&r, 3, at.gflop_s);
        row_number(&r, 3, at.gb_s);
        row_number(&r, 3, at.intensity);
        row_text(&r, at.by_compute ? "compute" : "memory");
        row_number(&r, 4, at.share);
        row_number(&r, 1, m->peaks.gflop_s);
        row_number(&r, 2, m->peaks.gb_s);
        TRY(csv_append(&f->roofline, r.values, err));
    }
    return csv_save(&f->roofline, err);
}

static json_t *stats_of(const profile_model *m, int n_frames)
{
    json_t *stages = json_object();
    for (int k = 0; k < N_PROFILE_STAGES; k++) {
        spread s = spread_of(&m->stages[k], 0);
        json_object_set_new(stages, stage_names[k], spread_json(&s));
    }
    spread frame = spread_of(&m->stages[PROFILE_FRAME], 0);
    const sam_stats *b = &m->memory;
    return json_pack(
        "{s:s,s:s,s:s,s:i,s:i,s:b,s:i,s:f,s:o,s:{s:I,s:I,s:I,s:I},s:f,s:f,s:{s:f,s:f,s:i,s:I}}", "precision",
        m->precision, "backend", m->backend, "device", m->device, "imgsz", m->imgsz, "profile_runs", m->n_runs,
        "full_bank", m->full_bank, "operator_frames", n_frames, "fps", frame.mean > 0 ? 1e3 / frame.mean : 0.0, "ms",
        stages, "planned_bytes", "weights", (json_int_t)b->weight_bytes, "tables", (json_int_t)b->table_bytes, "state",
        (json_int_t)b->state_bytes, "scratch", (json_int_t)b->scratch_bytes, "peak_rss_MiB", m->peak_rss_mib,
        "gpu_peak_MiB", (double)b->device_bytes / 0x1p20, "peaks", "product_GFLOP_s", m->peaks.gflop_s, "copy_GB_s",
        m->peaks.gb_s, "product_side", m->peaks.side, "copy_bytes", (json_int_t)m->peaks.copy_bytes);
}

static sam_status write_trace(const profile_files *f, const profile_model *m, sam_error *err)
{
    char name[96], *path = NULL;
    snprintf(name, sizeof name, "trace_%.60s.json", m->name);
    TRY(path_join(&path, f->out_dir, name, err));
    sam_status status = profile_write_trace(&m->record, m->name, path, err);
    free(path);
    return status;
}

sam_status profile_files_add(profile_files *f, const profile_model *m, sam_error *err)
{
    op_sum *sums = NULL;
    int n, n_frames;
    char *path = NULL;
    TRY(add_stages(f, m, err));
    TRY(profile_sums(&m->record, m->record_from, &sums, &n, &n_frames, err));
    sam_status status = add_operators(f, m, sums, n, err);
    free(sums);
    TRY(status);
    TRY(write_trace(f, m, err));
    json_t *stats = stats_of(m, n_frames);
    if (!stats || json_object_set_new(json_object_get(f->stats, "models"), m->name, stats))
        return fail(err, SAM_E_MEMORY, "out of memory: statistics");
    TRY(path_join(&path, f->out_dir, "profile_stats.json", err));
    status = json_out(path, json_incref(f->stats), err);
    free(path);
    return status;
}

sam_status profile_print(const profile_model *m, int n_top, sam_error *err)
{
    op_sum *sums = NULL;
    int n, n_frames;
    TRY(profile_sums(&m->record, m->record_from, &sums, &n, &n_frames, err));
    printf("\n%s, %d px, %s, %s (%s)%s\n", m->name, m->imgsz, m->precision, m->backend, m->device,
           m->full_bank ? "" : "; the clip is too short for a full memory bank");
    printf("%-18s %9s %9s %9s %9s %9s\n", "ms a frame", "mean", "median", "p95", "p99", "stddev");
    for (int k = 0; k < N_PROFILE_STAGES; k++) {
        spread s = spread_of(&m->stages[k], 0);
        printf("%-18s %9.3f %9.3f %9.3f %9.3f %9.3f\n", stage_names[k], s.mean, s.median, s.p95, s.p99, s.stddev);
    }
    printf("peaks measured here: product %.0f GFLOP/s, copy %.1f GB/s\n", m->peaks.gflop_s, m->peaks.gb_s);
    printf("%-12s %-18s %6s %10s %9s %9s %9s %8s\n", "graph", "operator", "calls", "ms", "GFLOP/s", "GB/s", "roof",
           "of roof");
    for (int i = 0; i < n && i < n_top; i++) {
        roof r = roof_of(&sums[i], &m->peaks);
        printf("%-12s %-18s %6.1f %10.3f %9.1f %9.2f %9s %7.0f%%\n", sums[i].graph, sums[i].op, sums[i].calls,
               sums[i].ms, r.gflop_s, r.gb_s, r.by_compute ? "compute" : "memory", 100 * r.share);
    }
    free(sums);
    return SAM_OK;
}
