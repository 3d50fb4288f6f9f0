/* profile_files.c - see profile_files.h. */
#include "profile_files.h"

#include "csv_layout.h"
#include "history.h"
#include "json_build.h"
#include "json_out.h"
#include "listing.h"

#include <math.h>
#include <stddef.h>
#include <stdlib.h>
#include <string.h>

static const char *stage_name(int k)
{
    return k == PROFILE_FRAME ? "frame" : k == PROFILE_READ ? "frame_decode" : sam_stage_name(k - PROFILE_STAGE);
}

/* What both tables begin with. */
typedef struct profile_names {
    const char *model, *precision, *backend, *device;
    int imgsz;
} profile_names;

typedef struct stage_row {
    profile_names names;
    const char *stage;
    int n;
    double mean, median, p95, p99, stddev, min, max, share;
} stage_row;

typedef struct operator_row {
    profile_names names;
    const char *graph, *op, *roof;
    double calls, ms, share, max_call_ms, gflop, mb, gflop_s, gb_s, intensity, share_of_roof, peak_gflop_s, peak_gb_s;
} operator_row;

#define STAGE(field)    offsetof(stage_row, field)
#define OPERATOR(field) offsetof(operator_row, field)

static const csv_field stage_fields[] = {{"model", CSV_TEXT, STAGE(names.model)},
                                         {"imgsz", CSV_INT, STAGE(names.imgsz)},
                                         {"precision", CSV_TEXT, STAGE(names.precision)},
                                         {"backend", CSV_TEXT, STAGE(names.backend)},
                                         {"device", CSV_TEXT, STAGE(names.device)},
                                         {"stage", CSV_TEXT, STAGE(stage)},
                                         {"n", CSV_INT, STAGE(n)},
                                         {"mean_ms", CSV_NUMBER + 4, STAGE(mean)},
                                         {"median_ms", CSV_NUMBER + 4, STAGE(median)},
                                         {"p95_ms", CSV_NUMBER + 4, STAGE(p95)},
                                         {"p99_ms", CSV_NUMBER + 4, STAGE(p99)},
                                         {"stddev_ms", CSV_NUMBER + 4, STAGE(stddev)},
                                         {"min_ms", CSV_NUMBER + 4, STAGE(min)},
                                         {"max_ms", CSV_NUMBER + 4, STAGE(max)},
                                         {"share", CSV_NUMBER + 4, STAGE(share)}};

static const csv_field operator_fields[] = {{"model", CSV_TEXT, OPERATOR(names.model)},
                                            {"imgsz", CSV_INT, OPERATOR(names.imgsz)},
                                            {"precision", CSV_TEXT, OPERATOR(names.precision)},
                                            {"backend", CSV_TEXT, OPERATOR(names.backend)},
                                            {"device", CSV_TEXT, OPERATOR(names.device)},
                                            {"graph", CSV_TEXT, OPERATOR(graph)},
                                            {"op", CSV_TEXT, OPERATOR(op)},
                                            {"calls", CSV_NUMBER + 2, OPERATOR(calls)},
                                            {"ms", CSV_NUMBER + 5, OPERATOR(ms)},
                                            {"share", CSV_NUMBER + 5, OPERATOR(share)},
                                            {"max_call_ms", CSV_NUMBER + 5, OPERATOR(max_call_ms)},
                                            {"GFLOP", CSV_NUMBER + 6, OPERATOR(gflop)},
                                            {"MB", CSV_NUMBER + 6, OPERATOR(mb)},
                                            {"GFLOP_s", CSV_NUMBER + 3, OPERATOR(gflop_s)},
                                            {"GB_s", CSV_NUMBER + 3, OPERATOR(gb_s)},
                                            {"FLOP_per_byte", CSV_NUMBER + 3, OPERATOR(intensity)},
                                            {"roof", CSV_TEXT, OPERATOR(roof)},
                                            {"share_of_roof", CSV_NUMBER + 4, OPERATOR(share_of_roof)},
                                            {"peak_GFLOP_s", CSV_NUMBER + 1, OPERATOR(peak_gflop_s)},
                                            {"peak_GB_s", CSV_NUMBER + 2, OPERATOR(peak_gb_s)}};

static const csv_layout stage_layout = {stage_fields, sizeof stage_fields / sizeof *stage_fields, sizeof(stage_row)};
static const csv_layout operator_layout = {operator_fields, sizeof operator_fields / sizeof *operator_fields,
                                           sizeof(operator_row)};

static sam_status open_table(csv_table *t, const char *folder, const char *name, const csv_layout *layout,
                             sam_error *err)
{
    char *path = NULL;
    TRY(path_join(&path, folder, name, err));
    sam_status status = csv_open_layout(t, path, layout, 0, err);
    free(path);
    return status;
}

sam_status profile_files_open(profile_files *f, const char *out_dir, sam_error *err)
{
    f->out_dir = out_dir;
    f->stats = json_pack("{s:{}}", "models");
    if (!f->stats)
        return fail(err, SAM_E_MEMORY, "out of memory: statistics");
    TRY(profile_runs_open(&f->runs, out_dir, err));
    TRY(open_table(&f->summary, out_dir, "profile_summary.csv", &stage_layout, err));
    return open_table(&f->roofline, out_dir, "profile_roofline.csv", &operator_layout, err);
}

void profile_files_close(profile_files *f)
{
    profile_runs_close(&f->runs);
    csv_close(&f->summary);
    csv_close(&f->roofline);
    json_decref(f->stats);
    f->stats = NULL;
}

/* With the first rows the table of an earlier run becomes the previous one. */
static sam_status save(const csv_table *t, int *begun, sam_error *err)
{
    int kept;
    if (!(*begun)++)
        TRY(history_keep(t->path, NULL, &kept, err));
    return csv_save(t, err);
}

static profile_names names_of(const profile_model *m)
{
    return (profile_names){m->name, m->precision, m->backend, m->device, m->imgsz};
}

static sam_status add_stages(profile_files *f, const profile_model *m, sam_error *err)
{
    double frame_ms = spread_of(&m->stages[PROFILE_FRAME], 0).mean;
    for (int k = 0; k < N_PROFILE_STAGES; k++) {
        spread s = spread_of(&m->stages[k], 0);
        const stage_row r = {.names = names_of(m),
                             .stage = stage_name(k),
                             .n = (int)s.n,
                             .mean = s.mean,
                             .median = s.median,
                             .p95 = s.p95,
                             .p99 = s.p99,
                             .stddev = s.stddev,
                             .min = s.min,
                             .max = s.max,
                             .share = frame_ms > 0 && k != PROFILE_READ ? s.mean / frame_ms : NAN};
        TRY(csv_append_row(&f->summary, &stage_layout, &r, err));
    }
    return save(&f->summary, &f->begun_summary, err);
}

static sam_status add_operators(profile_files *f, const profile_model *m, const op_sum *sums, int n, sam_error *err)
{
    double all_ms = 0;
    for (int i = 0; i < n; i++)
        all_ms += sums[i].ms;
    for (int i = 0; i < n; i++) {
        const op_sum *s = &sums[i];
        roof at = roof_of(s, &m->peaks);
        const operator_row r = {.names = names_of(m),
                                .graph = s->graph,
                                .op = s->op,
                                .roof = at.by_compute ? "compute" : "memory",
                                .calls = s->calls,
                                .ms = s->ms,
                                .share = all_ms > 0 ? s->ms / all_ms : 0,
                                .max_call_ms = s->max_ms,
                                .gflop = s->flops / 1e9,
                                .mb = s->bytes / 1e6,
                                .gflop_s = at.gflop_s,
                                .gb_s = at.gb_s,
                                .intensity = at.intensity,
                                .share_of_roof = at.share,
                                .peak_gflop_s = m->peaks.gflop_s,
                                .peak_gb_s = m->peaks.gb_s};
        TRY(csv_append_row(&f->roofline, &operator_layout, &r, err));
    }
    return save(&f->roofline, &f->begun_roofline, err);
}

static json_t *stats_of(const profile_model *m, int n_frames)
{
    json_t *stages = json_object();
    for (int k = 0; k < N_PROFILE_STAGES; k++) {
        spread s = spread_of(&m->stages[k], 0);
        json_put(&stages, stage_name(k), spread_json(&s));
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
    TRY(profile_runs_save(&f->runs, err));
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
    int kept;
    status = f->begun_stats++ ? SAM_OK : history_keep(path, NULL, &kept, err);
    if (status == SAM_OK)
        status = json_out(path, json_incref(f->stats), err);
    free(path);
    return status;
}

/* A dash: the frames are too few for it. */
static void print_percentile(double ms)
{
    if (isnan(ms))
        printf(" %9s", "-");
    else
        printf(" %9.3f", ms);
}

sam_status profile_print(const profile_model *m, int n_top, sam_error *err)
{
    op_sum *sums = NULL;
    int n, n_frames;
    TRY(profile_sums(&m->record, m->record_from, &sums, &n, &n_frames, err));
    printf("\n%s, %d px, %s, %s (%s)%s\n", m->name, m->imgsz, m->precision, m->backend, m->device,
           m->full_bank ? "" : "; the clip is too short for a full memory bank");
    printf("%-18s %9s %9s %9s %9s %9s %7s\n", "ms a frame", "mean", "median", "p95", "p99", "stddev", "frames");
    for (int k = 0; k < N_PROFILE_STAGES; k++) {
        spread s = spread_of(&m->stages[k], 0);
        printf("%-18s %9.3f %9.3f", stage_name(k), s.mean, s.median);
        print_percentile(s.p95);
        print_percentile(s.p99);
        printf(" %9.3f %7zu\n", s.stddev, s.n);
    }
    printf("peaks measured here: product %.0f GFLOP/s, copy %.1f GB/s\n", m->peaks.gflop_s, m->peaks.gb_s);
    printf("%-12s %-18s %6s %10s %9s %9s %9s %8s\n", "graph", "operator", "calls", "ms", "GFLOP/s", "GB/s", "roof",
           "of roof");
    for (int i = 0; i < n && i < n_top; i++) {
        roof r = roof_of(&sums[i], &m->peaks);
        printf("%-12s %-18s %6.4g %10.3f %9.1f %9.2f %9s %7.0f%%\n", sums[i].graph, sums[i].op, sums[i].calls,
               sums[i].ms, r.gflop_s, r.gb_s, r.by_compute ? "compute" : "memory", 100 * r.share);
    }
    free(sums);
    return SAM_OK;
}
