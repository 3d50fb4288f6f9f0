/* results.c - see results.h. */
#include "results.h"

#include "atomic_file.h"
#include "listing.h"

#include <errno.h>
#include <jansson.h>
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
    put_number(c, tracked, 1, 0); /* the CPU backend takes no memory of a GPU */
    put_number(c, tracked, 1, 0);
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

static int is_ok(const char *status)
{
    return !strcmp(status, "ok") || !strncmp(status, "ok:", 3);
}

int results_is_ok(const results *r, int row)
{
    return is_ok(csv_cell(&r->table, row, STATUS));
}

double results_number(const results *r, int row, const char *column)
{
    return strtod(csv_cell(&r->table, row, csv_column(&r->table, column)), NULL);
}

int results_has(const results *r, const char *video, const char *object, const char *model)
{
    int row = csv_find(&r->table, (const char *const[]){video, object, model}, 3);
    return row >= 0 && results_is_ok(r, row);
}

/* ---- the settings beside the table ---- */

static sam_status write_settings(const char *path, const result_setting *settings, int n, sam_error *err)
{
    json_t *json = json_object();
    int broken = !json;
    for (int i = 0; i < n && !broken; i++)
        broken = json_object_set_new(json, settings[i].name, json_string(settings[i].value));
    char *text = broken ? NULL : json_dumps(json, JSON_INDENT(1));
    json_decref(json);
    if (!text)
        return fail(err, SAM_E_MEMORY, "%s: out of memory, or a path that is not UTF-8", path);
    sam_status status = atomic_file_write(path, text, strlen(text), err);
    free(text);
    return status;
}

static sam_status compare_settings(const char *path, const result_setting *settings, int n, sam_error *err)
{
    json_error_t why;
    json_t *json = json_load_file(path, 0, &why);
    if (!json)
        return fail(err, SAM_E_FORMAT, "%s: %s; without it --resume cannot tell how the table was made", path,
                    why.text);
    sam_status status = SAM_OK;
    for (int i = 0; i < n && status == SAM_OK; i++) {
        const char *old = json_string_value(json_object_get(json, settings[i].name));
        if (!old || strcmp(old, settings[i].value))
            status = fail(err, SAM_E_ARG,
                          "--resume: the table was made with --%s %s, now it is %s: give the old value, or another "
                          "--out_dir",
                          settings[i].name, old ? old : "(not set)", settings[i].value);
    }
    json_decref(json);
    return status;
}

/* ---- the table ---- */

/* Copies the finished rows of the table on disk into the new one in memory. */
static sam_status take_over(results *r, const char *path, sam_error *err)
{
    csv_table old = {0};
    TRY(csv_open(&old, path, columns, N_COLUMNS, 1, err));
    sam_status status = SAM_OK;
    for (int row = 0; status == SAM_OK && row < old.n_rows; row++) {
        const char *values[N_COLUMNS];
        for (int c = 0; c < N_COLUMNS; c++)
            values[c] = csv_cell(&old, row, c);
        if (is_ok(values[STATUS]))
            status = csv_append(&r->table, values, err);
    }
    csv_close(&old);
    r->n_kept = r->table.n_rows;
    return status;
}

static sam_status open_at(results *r, const char *path, const char *settings_path, const char *previous,
                          const result_setting *settings, int n_settings, int resume, int *renamed, sam_error *err)
{
    int exists = path_is_file(path);
    if (exists && resume)
        TRY(compare_settings(settings_path, settings, n_settings, err));
    if (exists && !resume) {
        if (rename(path, previous))
            return fail(err, SAM_E_IO, "%s: cannot be renamed to %s: %s", path, previous, strerror(errno));
        *renamed = 1;
    }
    TRY(csv_open(&r->table, path, columns, N_COLUMNS, 0, err));
    if (exists && resume)
        TRY(take_over(r, path, err));
    TRY(write_settings(settings_path, settings, n_settings, err));
    return csv_save(&r->table, err); /* an unwritable folder is found out before hours of work */
}

sam_status results_open(results *r, const char *out_dir, const result_setting *settings, int n_settings, int resume,
                        int *renamed, sam_error *err)
{
    char *path = NULL, *settings_path = NULL, *previous = NULL;
    *renamed = 0;
    sam_status status = path_join(&path, out_dir, RESULTS_FILE, err);
    if (status == SAM_OK)
        status = path_join(&settings_path, out_dir, RESULTS_SETTINGS, err);
    if (status == SAM_OK)
        status = path_join(&previous, out_dir, RESULTS_PREVIOUS, err);
    if (status == SAM_OK)
        status = open_at(r, path, settings_path, previous, settings, n_settings, resume, renamed, err);
    free(path);
    free(settings_path);
    free(previous);
    return status;
}

void results_close(results *r)
{
    csv_close(&r->table);
    r->n_kept = 0;
}
