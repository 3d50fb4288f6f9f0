/* edge_table.c - the table of `edge`, and the summary in JSON. */
#include "edge.h"

#include "csv_row.h"
#include "json_out.h"
#include "machine.h"
#include "resume.h"
#include "samples.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

static const char *const columns[] = {"video",
                                      "object",
                                      "model",
                                      "imgsz",
                                      "precision",
                                      "frames",
                                      "fps",
                                      "latency_ms",
                                      "latency_p50_ms",
                                      "latency_p95_ms",
                                      "latency_p99_ms",
                                      "latency_stddev_ms",
                                      "prompt_frame_ms",
                                      "e2e_fps",
                                      "encode_ms",
                                      "memory_attention_ms",
                                      "mask_decoder_ms",
                                      "memory_encoder_ms",
                                      "post_ms",
                                      "memory_kind",
                                      "cpu_peak_rss_MiB",
                                      "gpu_peak_alloc_MiB",
                                      "pool_peak_MiB",
                                      "planned_MiB",
                                      "model_load_ms",
                                      "session_ms",
                                      "setup_ms",
                                      "prepared_frames",
                                      "backend",
                                      "device",
                                      "status"};
enum { N_COLUMNS = sizeof columns / sizeof *columns };

sam_status edge_table_open(const edge_options *o, csv_table *t, sam_error *err)
{
    char path[4096];
    TRY(edge_out(o, EDGE_SUMMARY, path, sizeof path, err));
    return csv_open(t, path, columns, N_COLUMNS, 1, err);
}

sam_status edge_table_add_failed(csv_table *t, const edge_options *o, const char *video, const char *object,
                                 const char *model, const char *status, sam_error *err)
{
    csv_row r = {.n = 0};
    row_text(&r, video);
    row_text(&r, object);
    row_text(&r, model);
    row_int(&r, o->w.model.image_px);
    row_text(&r, model_precision(&o->w.model));
    while (r.n < N_COLUMNS - 1)
        row_text(&r, NULL);
    row_text(&r, status);
    return csv_add(t, r.values, err);
}

sam_status edge_table_begin(const edge_options *o, int *n_kept, sam_error *err)
{
    char px[16], clip[16], threads[16];
    csv_table t = {0};
    int renamed;
    snprintf(px, sizeof px, "%d", o->w.model.image_px);
    snprintf(clip, sizeof clip, "%d", o->w.max_clip_frames);
    snprintf(threads, sizeof threads, "%d", model_threads(&o->w.model));
    const setting settings[] = {{"split_dir", o->w.test_mode ? "(test_mode)" : o->w.split_dir},
                                {"split_name", o->w.split_name ? o->w.split_name : "sav_val"},
                                {"imgsz", px},
                                {"precision", model_precision(&o->w.model)},
                                {"device", o->w.model.device ? o->w.model.device : "auto"},
                                {"threads", threads},
                                {"max_clip_frames", clip},
                                {"preprocess_frames", o->preprocess_frames ? "on" : "off"},
                                {"overlap", o->w.model.overlap ? "on" : "off"},
                                {"frame_format", model_frame_format(&o->w.model)}};
    const resume_table files = {.folder = o->w.out_dir,
                                .file = EDGE_SUMMARY,
                                .settings_file = EDGE_SETTINGS,
                                .previous = EDGE_PREVIOUS,
                                .columns = columns,
                                .n_columns = N_COLUMNS,
                                .settings = settings,
                                .n_settings = sizeof settings / sizeof *settings};
    sam_status status = resume_open(&files, o->resume, &t, &renamed, err);
    *n_kept = t.n_rows;
    if (status == SAM_OK && renamed)
        fprintf(stderr, "sambench edge: the table of an earlier run is now %s/%s; --resume would have continued it\n",
                o->w.out_dir, EDGE_PREVIOUS);
    csv_close(&t);
    return status;
}

/* ---- summary ---- */

static double cell_number(const csv_table *t, int row, const char *column)
{
    return strtod(csv_cell(t, row, csv_column(t, column)), NULL);
}

static const char *cell(const csv_table *t, int row, const char *column)
{
    return csv_cell(t, row, csv_column(t, column));
}

/* 0: there is none. */
static void print_number(int width, int decimals, double x)
{
    if (x > 0)
        printf(" %*.*f", width, decimals, x);
    else
        printf(" %*s", width, "-");
}

/* One model over all its rows. */
static json_t *sum_up(const csv_table *t, const char *model)
{
    samples fps = {0}, p95 = {0};
    double rss = 0, pool = 0, gpu = 0;
    int n_ok = 0, n_failed = 0, is_shared = 0;
    for (int r = 0; r < t->n_rows; r++) {
        if (strcmp(cell(t, r, "model"), model))
            continue;
        int ok = status_is_ok(cell(t, r, "status"));
        n_ok += ok;
        n_failed += !ok;
        if (!ok || !cell(t, r, "fps")[0])
            continue;
        samples_add(&fps, cell_number(t, r, "fps"), NULL);
        samples_add(&p95, cell_number(t, r, "latency_p95_ms"), NULL);
        double x = cell_number(t, r, "cpu_peak_rss_MiB");
        rss = x > rss ? x : rss;
        is_shared |= !strcmp(cell(t, r, "memory_kind"), "unified");
        x = cell_number(t, r, "pool_peak_MiB");
        pool = x > pool ? x : pool;
        x = cell_number(t, r, "gpu_peak_alloc_MiB");
        gpu = x > gpu ? x : gpu;
    }
    double median = fps.n ? samples_quantile(&fps, 0, 0.5) : 0, worst = p95.n ? samples_quantile(&p95, 0, 1) : 0;
    printf("%-22s %4d %7d", model, n_ok, n_failed);
    print_number(9, 2, median);
    print_number(12, 1, worst);
    print_number(10, 1, rss);
    print_number(10, 1, gpu);
    print_number(10, 1, is_shared ? pool : 0); /* elsewhere it is full of other programs */
    printf("\n");
    samples_free(&fps);
    samples_free(&p95);
    return json_pack("{s:i,s:i,s:f,s:f,s:f,s:f,s:f}", "ok", n_ok, "failed", n_failed, "fps_median", median,
                     "latency_p95_ms_worst", worst, "cpu_peak_rss_MiB", rss, "gpu_peak_alloc_MiB", gpu, "pool_peak_MiB",
                     pool);
}

static json_t *rows_of(const csv_table *t)
{
    json_t *rows = json_array();
    for (int r = 0; r < t->n_rows; r++) {
        json_t *row = json_object();
        for (int c = 0; c < t->n_columns; c++) {
            char *rest;
            const char *text = csv_cell(t, r, c);
            double x = strtod(text, &rest);
            int is_number = text[0] && !*rest && c > 2;
            if (text[0])
                json_object_set_new(row, t->columns[c], is_number ? json_real(x) : json_string(text));
        }
        json_array_append_new(rows, row);
    }
    return rows;
}

sam_status edge_sum_up(const edge_options *o, const model_list *list, int *n_failed, sam_error *err)
{
    csv_table t = {0};
    char path[4096];
    json_t *metadata = NULL, *models = json_object();
    TRY(edge_out(o, EDGE_SUMMARY_JSON, path, sizeof path, err));
    TRY(edge_table_open(o, &t, err));
    printf("%-22s %4s %7s %9s %12s %10s %10s %10s\n", "model", "ok", "failed", "fps (med)", "worst p95 ms", "RSS MiB",
           "GPU MiB", "pool MiB");
    for (int i = 0; i < list->n; i++)
        json_object_set_new(models, list->entries[i].name, sum_up(&t, list->entries[i].name));
    for (int r = 0; r < t.n_rows; r++)
        *n_failed += !status_is_ok(cell(&t, r, "status"));
    sam_status status = edge_metadata_read(o, &metadata, err);
    if (status == SAM_OK)
        status = json_out(path,
                          json_pack("{s:O,s:O,s:o,s:o,s:o}", "settings", json_object_get(metadata, "settings"),
                                    "setup_ms", json_object_get(metadata, "setup_ms"), "machine", machine_json(),
                                    "models", models, "rows", rows_of(&t)),
                          err);
    else
        json_decref(models);
    json_decref(metadata);
    csv_close(&t);
    return status;
}
