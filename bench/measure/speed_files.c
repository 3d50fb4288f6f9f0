/* speed_files.c - see speed_files.h. */
#include "speed_files.h"

#include "csv_layout.h"
#include "history.h"
#include "json_build.h"
#include "json_out.h"
#include "spread.h"

#include <math.h>
#include <stddef.h>
#include <stdio.h>
#include <string.h>

typedef struct speed_row {
    const char *model, *precision, *backend, *device, *component, *status;
    int imgsz, objects, n;
    double mean, median, p95, stddev, min, gflop, gflop_s;
    double weights, tables, state, scratch, peak_rss, gpu_peak, setup_ms; /* MiB, ms */
} speed_row;

#define AT(field) offsetof(speed_row, field)

static const csv_field fields[] = {{"model", CSV_TEXT, AT(model)},
                                   {"imgsz", CSV_INT, AT(imgsz)},
                                   {"precision", CSV_TEXT, AT(precision)},
                                   {"objects", CSV_INT, AT(objects)},
                                   {"backend", CSV_TEXT, AT(backend)},
                                   {"device", CSV_TEXT, AT(device)},
                                   {"component", CSV_TEXT, AT(component)},
                                   {"n", CSV_INT, AT(n)},
                                   {"mean_ms", CSV_NUMBER + 4, AT(mean)},
                                   {"median_ms", CSV_NUMBER + 4, AT(median)},
                                   {"p95_ms", CSV_NUMBER + 4, AT(p95)},
                                   {"stddev_ms", CSV_NUMBER + 4, AT(stddev)},
                                   {"min_ms", CSV_NUMBER + 4, AT(min)},
                                   {"GFLOP", CSV_NUMBER + 4, AT(gflop)},
                                   {"GFLOP_s", CSV_NUMBER + 2, AT(gflop_s)},
                                   {"weights_MiB", CSV_NUMBER + 2, AT(weights)},
                                   {"tables_MiB", CSV_NUMBER + 2, AT(tables)},
                                   {"state_MiB", CSV_NUMBER + 2, AT(state)},
                                   {"scratch_MiB", CSV_NUMBER + 2, AT(scratch)},
                                   {"peak_rss_MiB", CSV_NUMBER + 1, AT(peak_rss)},
                                   {"gpu_peak_MiB", CSV_NUMBER + 1, AT(gpu_peak)},
                                   {"setup_ms", CSV_NUMBER + 1, AT(setup_ms)},
                                   {"status", CSV_TEXT, AT(status)}};

static const csv_layout layout = {fields, sizeof fields / sizeof *fields, sizeof(speed_row)};

/* The parts in the order of speed_part. */
static const char *const part_keys[N_SPEED_PARTS] = {
    "frame_ms",  "image_encoder_ms", "prompt_encoder_ms", "mask_decoder_ms", "memory_attention_ms", "memory_encoder_ms",
    "resize_ms", "post_ms"};

static const figures_column columns[] = {{"model", "ms (median)", FIGURES_TEXT, 0, 0},
                                         {"imgsz", "px", 0, 0, 0},
                                         {"precision", "type", FIGURES_TEXT, 0, 0},
                                         {"objects", "objects", 0, 0, 3},
                                         {"frame_ms", "frame", 2, -1, 0},
                                         {"image_encoder_ms", "image", 2, -1, 0},
                                         {"prompt_encoder_ms", "prompt", 2, -1, 6},
                                         {"mask_decoder_ms", "decoder", 2, -1, 0},
                                         {"memory_attention_ms", "attention", 2, -1, 0},
                                         {"memory_encoder_ms", "memory", 2, -1, 0},
                                         {"resize_ms", "resize", 2, -1, 5},
                                         {"post_ms", "post", 2, -1, 4},
                                         {"planned_MiB", "plan MiB", 1, -1, 2}};

sam_status speed_files_open(speed_files *f, const char *csv, const char *json, sam_error *err)
{
    f->json_path = json;
    f->figures = (figures){.columns = columns, .n_columns = sizeof columns / sizeof *columns};
    f->json = json_array();
    if (!f->json)
        return fail(err, SAM_E_MEMORY, "out of memory: results");
    return csv_open_layout(&f->table, csv, &layout, 0, err);
}

void speed_files_close(speed_files *f)
{
    csv_close(&f->table);
    figures_free(&f->figures);
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

static void fill_measured(speed_row *row, const speed_run *r, const spread *s)
{
    row->mean = s->mean;
    row->median = s->median;
    row->p95 = s->p95;
    row->stddev = s->stddev;
    row->min = s->min;
    row->weights = mib(r->stats.weight_bytes);
    row->tables = mib(r->stats.table_bytes);
    row->state = mib(r->stats.state_bytes);
    row->scratch = mib(r->stats.scratch_bytes);
    row->peak_rss = r->peak_rss_mib;
    row->gpu_peak = mib(r->stats.device_bytes);
    row->setup_ms = r->setup_ms;
}

static sam_status add_row(speed_files *f, const speed_run *r, int part, const char *status, sam_error *err)
{
    spread s = spread_of(&r->ms[part], 0);
    speed_row row;
    csv_clear_row(&layout, &row);
    row.model = r->name;
    row.imgsz = r->choice.image_px;
    row.precision = model_precision(&r->choice);
    row.objects = r->n_objects;
    row.backend = r->backend;
    row.device = r->device;
    row.component = speed_part_names[part];
    row.n = (int)s.n;
    row.gflop = r->flops[part] > 0 ? r->flops[part] / 1e9 : NAN;
    row.gflop_s = rate(r, part, &s);
    row.status = status;
    if (s.n)
        fill_measured(&row, r, &s);
    return csv_append_row(&f->table, &layout, &row, err);
}

static json_t *as_json(const speed_run *r, const char *status)
{
    json_t *parts = json_object();
    for (int k = 0; k < N_SPEED_PARTS; k++) {
        spread s = spread_of(&r->ms[k], 0);
        json_t *part = s.n ? spread_json(&s) : NULL;
        if (part && r->flops[k] > 0)
            json_put(&part, "GFLOP", json_figure(r->flops[k] / 1e9));
        if (s.n)
            json_put(&parts, speed_part_names[k], part);
    }
    return json_pack("{s:s,s:i,s:s,s:i,s:s,s:s,s:s,s:o,s:{s:I,s:I,s:I,s:I},s:f,s:f,s:f}", "model", r->name, "imgsz",
                     r->choice.image_px, "precision", model_precision(&r->choice), "objects", r->n_objects, "backend",
                     r->backend, "device", r->device, "status", status, "ms", parts, "bytes", "weights",
                     (json_int_t)r->stats.weight_bytes, "tables", (json_int_t)r->stats.table_bytes, "state",
                     (json_int_t)r->stats.state_bytes, "scratch", (json_int_t)r->stats.scratch_bytes, "peak_rss_MiB",
                     r->peak_rss_mib, "gpu_peak_MiB", mib(r->stats.device_bytes), "setup_ms", r->setup_ms);
}

static void add_figures(figures *f, const speed_run *r)
{
    const sam_stats *b = &r->stats;
    figures_row(f, 0);
    figures_word(f, "model", r->name);
    figures_number(f, "imgsz", r->choice.image_px);
    figures_word(f, "precision", model_precision(&r->choice));
    figures_number(f, "objects", r->n_objects);
    for (int k = 0; k < N_SPEED_PARTS; k++) {
        spread s = spread_of(&r->ms[k], 0);
        figures_number(f, part_keys[k], s.n ? s.median : NAN);
    }
    figures_number(f, "planned_MiB", mib(sam_stats_bytes(b)));
}

sam_status speed_files_print(const speed_files *f, figures_format format, sam_error *err)
{
    return f->figures.n_rows ? figures_write(&f->figures, format, stdout, err) : SAM_OK;
}

sam_status speed_files_add(speed_files *f, const speed_run *r, const char *status, sam_error *err)
{
    int ok = !strcmp(status, "ok");
    for (int k = 0; k < (ok ? N_SPEED_PARTS : 1); k++)
        TRY(add_row(f, r, k, status, err));
    int kept;
    if (!f->begun++) {
        TRY(history_keep(f->table.path, NULL, &kept, err));
        if (f->json_path)
            TRY(history_keep(f->json_path, NULL, &kept, err));
    }
    TRY(csv_save(&f->table, err));
    if (json_array_append_new(f->json, as_json(r, status)))
        return fail(err, SAM_E_MEMORY, "out of memory: results");
    if (ok)
        add_figures(&f->figures, r);
    return f->json_path ? json_out(f->json_path, json_incref(f->json), err) : SAM_OK;
}
