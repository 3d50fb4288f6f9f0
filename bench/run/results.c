/* results.c - see results.h. */
#include "results.h"

#include "fnv1a.h"
#include "pass_time.h"
#include "run_sweep.h"

#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define AT(field) offsetof(result_row, field)

/* The first 21 are what tools that read these tables rely on; others are only ever added at the end. */
static const csv_field fields[] = {{"video", CSV_TEXT, AT(video)},
                                   {"object", CSV_TEXT, AT(object)},
                                   {"model", CSV_TEXT, AT(model)},
                                   {"imgsz", CSV_INT, AT(imgsz)},
                                   {"precision", CSV_TEXT, AT(precision)},
                                   {"frames", CSV_INT, AT(frames)},
                                   {"processed_end_frame", CSV_INT, AT(end_frame)},
                                   {"fps", CSV_NUMBER + 4, AT(fps)},
                                   {"latency_ms", CSV_NUMBER + 3, AT(latency_ms)},
                                   {"gpu_peak_alloc_MiB", CSV_NUMBER + 1, AT(gpu_peak_mib)},
                                   /* nothing is reserved beyond what is taken */
                                   {"gpu_peak_reserved_MiB", CSV_NUMBER + 1, AT(gpu_peak_mib)},
                                   {"cpu_peak_rss_MiB", CSV_NUMBER + 1, AT(peak_rss_mib)},
                                   {"J", CSV_NUMBER + 6, AT(j)},
                                   {"F", CSV_NUMBER + 6, AT(f)},
                                   {"JandF", CSV_NUMBER + 6, AT(j_and_f)},
                                   {"overlay", CSV_CHARS, AT(overlay)},
                                   {"input_H", CSV_INT, AT(input_h)},
                                   {"input_W", CSV_INT, AT(input_w)},
                                   {"infer_H", CSV_INT, AT(infer_px)},
                                   {"infer_W", CSV_INT, AT(infer_px)},
                                   {"setup_ms", CSV_NUMBER + 2, AT(setup_ms)},
                                   {"e2e_fps", CSV_NUMBER + 4, AT(e2e_fps)},
                                   {"decode_ms", CSV_NUMBER + 3, AT(decode_ms)},
                                   STAGE_COLUMNS(AT(stage_ms)),
                                   {"backend", CSV_CHARS, AT(backend)},
                                   {"device", CSV_CHARS, AT(device)},
                                   {"metric", CSV_TEXT, AT(metric)},
                                   {"status", CSV_CHARS, AT(status)},
                                   {"latency_stddev_ms", CSV_NUMBER + 3, AT(stddev_ms)},
                                   {"host_ms", CSV_NUMBER + 3, AT(host_ms)},
                                   {"device_ms", CSV_NUMBER + 3, AT(device_ms)},
                                   {"cold_start_ms", CSV_NUMBER + 0, AT(cold_ms)}};

static const csv_layout layout = {fields, sizeof fields / sizeof *fields, sizeof(result_row)};

void results_clear_row(result_row *row)
{
    csv_clear_row(&layout, row);
}

sam_status results_add(results *r, const result_row *row, sam_error *err)
{
    return csv_add_row(&r->table, &layout, row, err);
}

/* ---- reading ---- */

int results_is_ok(const results *r, int row)
{
    return status_is_ok(csv_text(&r->table, row, "status"));
}

double results_number(const results *r, int row, const char *column)
{
    return strtod(csv_cell(&r->table, row, csv_column(&r->table, column)), NULL);
}

/* File systems take 255; a temporary file beside it has its process and a count in its name. */
enum { MAX_NAME_BYTES = 200 };

int results_row_file(char *path, size_t n_path, const char *folder, const char *kind, const char *video,
                     const char *object, const char *model, const char *suffix)
{
    char name[1024];
    int n = snprintf(name, sizeof name, "%s__obj%s__%s", video, object, model);
    if (n >= (int)sizeof name)
        return 0;
    if (n > MAX_NAME_BYTES) { /* then a part of it and a hash of all */
        uint64_t hash = fnv1a(fnv1a(fnv1a(FNV1A_BEGIN, video), object), model);
        for (n = MAX_NAME_BYTES - 17; n > 0 && (name[n] & 0xc0) == 0x80; n--) /* no character in two */
            ;
        snprintf(name + n, sizeof name - (size_t)n, "~%016llx", (unsigned long long)hash);
    }
    return snprintf(path, n_path, "%s/%s/%s.%s", folder, kind, name, suffix) < (int)n_path;
}

int results_has(const results *r, const char *video, const char *object, const model_entry *e)
{
    char px[16] = "";
    const char *keys[] = {video, object, e->name, px, e->precision ? e->precision : ""};
    int n_px = run_sweep_px(e);
    if (n_px)
        snprintf(px, sizeof px, "%d", n_px);
    if (n_px || !e->checkpoint) {
        int row = csv_find(&r->table, keys, 5);
        return row >= 0 && results_is_ok(r, row);
    }
    for (int row = 0; row < r->table.n_rows; row++) { /* only its file says the size */
        int same = results_is_ok(r, row);
        for (int c = 0; c < 5 && same; c++)
            same = c == 3 || !strcmp(csv_cell(&r->table, row, c), keys[c]);
        if (same)
            return 1;
    }
    return 0;
}

/* ---- the table ---- */

sam_status results_open(results *r, const char *out_dir, const setting *settings, int n_settings,
                        const setting *weights, int n_weights, int resume, int *renamed, sam_error *err)
{
    const resume_table files = {.folder = out_dir,
                                .file = RESULTS_FILE,
                                .settings_file = RESULTS_SETTINGS,
                                .layout = &layout,
                                .settings = settings,
                                .n_settings = n_settings,
                                .weights = weights,
                                .n_weights = n_weights};
    r->folder = out_dir; /* results_close needs it after a failure too: an earlier table may have to be put back */
    TRY(resume_open(&files, resume, &r->table, &r->kept_earlier, err));
    *renamed = r->kept_earlier;
    r->n_kept = r->table.n_rows;
    return SAM_OK;
}

void results_close(results *r)
{
    if (r->kept_earlier && !r->table.n_rows)
        resume_abandon(r->folder, RESULTS_FILE, RESULTS_SETTINGS);
    csv_close(&r->table);
    *r = (results){0};
}
