/* results.c - see results.h. */
#include "results.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

/* The first 21 are what tools that read these tables rely on; others are only ever added at the end. */
static const char *const columns[] = {"video",
                                      "object",
                                      "model",
                                      "imgsz",
                                      "precision",
                                      "frames",
                                      "processed_end_frame",
                                      "fps",
                                      "latency_ms",
                                      "gpu_peak_alloc_MiB",
                                      "gpu_peak_reserved_MiB",
                                      "cpu_peak_rss_MiB",
                                      "J",
                                      "F",
                                      "JandF",
                                      "overlay",
                                      "input_H",
                                      "input_W",
                                      "infer_H",
                                      "infer_W",
                                      "setup_ms",
                                      "e2e_fps",
                                      "decode_ms",
                                      "encode_ms",
                                      "memory_attention_ms",
                                      "mask_decoder_ms",
                                      "memory_encoder_ms",
                                      "post_ms",
                                      "backend",
                                      "device",
                                      "metric",
                                      "status"};

enum { N_COLUMNS = sizeof columns / sizeof *columns, STATUS = N_COLUMNS - 1, NUMBER_BYTES = 32 };

/* ---- one row ---- */

typedef struct cells {
    const char *values[N_COLUMNS];
    char text[N_COLUMNS][NUMBER_BYTES];
    int n;
} cells;

static void put(cells *c, const char *text)
{
    c->values[c->n++] = text;
}

static void put_int(cells *c, int present, int value)
{
    snprintf(c->text[c->n], NUMBER_BYTES, "%d", value);
    put(c, present ? c->text[c->n] : NULL);
}

static void put_number(cells *c, int present, int decimals, double value)
{
    snprintf(c->text[c->n], NUMBER_BYTES, "%.*f", decimals, value);
    put(c, present ? c->text[c->n] : NULL);
}

static void fill(cells *c, const result_row *r)
{
    int tracked = r->frames > 0, speed = tracked && r->has_speed, model = r->imgsz > 0;
    put(c, r->video);
    put(c, r->object);
    put(c, r->model);
    put_int(c, model, r->imgsz);
    put(c, r->precision);
    put_int(c, tracked, r->frames);
    put_int(c, tracked, r->end_frame);
    put_number(c, speed, 4, r->fps);
    put_number(c, speed, 3, r->latency_ms);
    put_number(c, tracked, 1, r->gpu_peak_mib);
    put_number(c, tracked, 1, r->gpu_peak_mib); /* nothing is reserved beyond what is taken */
    put_number(c, tracked && r->peak_rss_mib > 0, 1, r->peak_rss_mib);
    put_number(c, r->scored, 6, r->j);
    put_number(c, r->scored, 6, r->f);
    put_number(c, r->scored, 6, r->j_and_f);
    put(c, r->overlay);
    put_int(c, tracked, r->input_h);
    put_int(c, tracked, r->input_w);
    put_int(c, tracked && model, r->imgsz);
    put_int(c, tracked && model, r->imgsz);
    put_number(c, tracked && model, 2, r->setup_ms);
    put_number(c, tracked, 4, r->e2e_fps);
    put_number(c, tracked, 3, r->decode_ms);
    const double stages[] = {r->encode_ms, r->memory_attention_ms, r->mask_decoder_ms, r->memory_encoder_ms,
                             r->post_ms};
    for (int i = 0; i < 5; i++)
        put_number(c, speed && model, 3, stages[i]);
    put(c, r->backend);
    put(c, r->device);
    put(c, r->metric);
    put(c, r->status);
}

sam_status results_add(results *r, const result_row *row, sam_error *err)
{
    cells c = {.n = 0};
    fill(&c, row);
    return csv_add(&r->table, c.values, err);
}

/* ---- reading ---- */

int results_is_ok(const results *r, int row)
{
    return status_is_ok(csv_cell(&r->table, row, STATUS));
}

double results_number(const results *r, int row, const char *column)
{
    return strtod(csv_cell(&r->table, row, csv_column(&r->table, column)), NULL);
}

int results_row_file(char *path, size_t n_path, const char *folder, const char *kind, const char *video,
                     const char *object, const char *model, const char *suffix)
{
    return snprintf(path, n_path, "%s/%s/%s__obj%s__%s.%s", folder, kind, video, object, model, suffix) < (int)n_path;
}

int results_has(const results *r, const char *video, const char *object, const char *model)
{
    int row = csv_find(&r->table, (const char *const[]){video, object, model}, 3);
    return row >= 0 && results_is_ok(r, row);
}

/* ---- the table ---- */

sam_status results_open(results *r, const char *out_dir, const setting *settings, int n_settings, int resume,
                        int *renamed, sam_error *err)
{
    const resume_table files = {.folder = out_dir,
                                .file = RESULTS_FILE,
                                .settings_file = RESULTS_SETTINGS,
                                .previous = RESULTS_PREVIOUS,
                                .columns = columns,
                                .n_columns = N_COLUMNS,
                                .settings = settings,
                                .n_settings = n_settings};
    TRY(resume_open(&files, resume, &r->table, renamed, err));
    r->n_kept = r->table.n_rows;
    return SAM_OK;
}

void results_close(results *r)
{
    csv_close(&r->table);
    r->n_kept = 0;
}
