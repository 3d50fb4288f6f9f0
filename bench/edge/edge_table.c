/* edge_table.c - the table of `edge`, and the summary in JSON. */
#include "edge.h"

#include "figures.h"
#include "host_share.h"
#include "json_build.h"
#include "json_out.h"
#include "machine.h"
#include "pass_time.h"
#include "resume.h"
#include "samples.h"
#include "summary.h"
#include "weights_mark.h"
#include "weights_search.h"

#include <math.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define AT(field) offsetof(edge_row, field)

static const csv_field fields[] = {{"video", CSV_TEXT, AT(video)},
                                   {"object", CSV_TEXT, AT(object)},
                                   {"model", CSV_TEXT, AT(model)},
                                   {"imgsz", CSV_INT, AT(imgsz)},
                                   {"precision", CSV_TEXT, AT(precision)},
                                   {"frames", CSV_INT, AT(frames)},
                                   {"fps", CSV_NUMBER + 3, AT(fps)},
                                   {"latency_ms", CSV_NUMBER + 3, AT(latency_ms)},
                                   {"latency_p50_ms", CSV_NUMBER + 3, AT(p50_ms)},
                                   {"latency_p95_ms", CSV_NUMBER + 3, AT(p95_ms)},
                                   {"latency_p99_ms", CSV_NUMBER + 3, AT(p99_ms)},
                                   {"latency_stddev_ms", CSV_NUMBER + 3, AT(stddev_ms)},
                                   {"prompt_frame_ms", CSV_NUMBER + 3, AT(prompt_ms)},
                                   {"e2e_fps", CSV_NUMBER + 3, AT(e2e_fps)},
                                   STAGE_COLUMNS(AT(stage_ms)),
                                   {"memory_kind", CSV_TEXT, AT(memory_kind)},
                                   {"cpu_peak_rss_MiB", CSV_NUMBER + 1, AT(peak_rss_mib)},
                                   {"gpu_peak_alloc_MiB", CSV_NUMBER + 1, AT(gpu_peak_mib)},
                                   {"pool_peak_MiB", CSV_NUMBER + 1, AT(pool_peak_mib)},
                                   {"planned_MiB", CSV_NUMBER + 1, AT(planned_mib)},
                                   {"model_load_ms", CSV_NUMBER + 1, AT(model_ms)},
                                   {"session_ms", CSV_NUMBER + 1, AT(session_ms)},
                                   {"setup_ms", CSV_NUMBER + 1, AT(setup_ms)},
                                   {"prepared_frames", CSV_INT, AT(prepared)},
                                   {"backend", CSV_TEXT, AT(backend)},
                                   {"device", CSV_TEXT, AT(device)},
                                   {"status", CSV_TEXT, AT(status)},
                                   {"J", CSV_NUMBER + 6, AT(j)},
                                   {"F", CSV_NUMBER + 6, AT(f)},
                                   {"JandF", CSV_NUMBER + 6, AT(j_and_f)},
                                   {"nonempty_frames", CSV_INT, AT(nonempty)},
                                   {"metric", CSV_TEXT, AT(metric)},
                                   {"latency_max_ms", CSV_NUMBER + 3, AT(max_ms)},
                                   {"host_ms", CSV_NUMBER + 3, AT(host_ms)},
                                   {"device_ms", CSV_NUMBER + 3, AT(device_ms)},
                                   {"cold_start_ms", CSV_NUMBER + 0, AT(cold_ms)},
                                   {"paced_fps", CSV_NUMBER + 2, AT(paced_fps)},
                                   {"on_time", CSV_NUMBER + 4, AT(on_time)},
                                   {"late_frames", CSV_INT, AT(late)},
                                   {"dropped_frames", CSV_INT, AT(dropped)}};

static const csv_layout layout = {fields, sizeof fields / sizeof *fields, sizeof(edge_row)};

sam_status edge_table_open(const edge_options *o, csv_table *t, sam_error *err)
{
    char path[4096];
    TRY(edge_out(o, EDGE_SUMMARY, path, sizeof path, err));
    return csv_open_layout(t, path, &layout, 1, err);
}

void edge_row_begin(edge_row *r, const edge_options *o, const char *video, const char *object, const char *model)
{
    csv_clear_row(&layout, r);
    r->video = video;
    r->object = object;
    r->model = model;
    r->imgsz = o->w.model.image_px;
    r->precision = model_precision(&o->w.model);
    r->metric = o->score ? o->metric : NULL;
}

sam_status edge_table_add(csv_table *t, const edge_row *r, sam_error *err)
{
    return csv_add_row(t, &layout, r, err);
}

sam_status edge_table_add_failed(csv_table *t, const edge_options *o, const char *video, const char *object,
                                 const char *model, const char *status, sam_error *err)
{
    edge_row r;
    edge_row_begin(&r, o, video, object, model);
    r.status = status;
    return edge_table_add(t, &r, err);
}

/* Weights that are not found are for phase B to tell of. */
static int mark_weights(const edge_options *o, const model_list *list, setting *weights,
                        char (*marks)[WEIGHTS_MARK_BYTES], int max)
{
    int n = 0;
    for (int i = 0; i < list->n && n < max; i++) {
        char *path = NULL;
        const char *name = list->entries[i].checkpoint;
        int known = 0;
        for (int k = 0; k < n; k++)
            known |= !strcmp(weights[k].name, name);
        if (known || (o->w.test_mode && !o->w.weights_dir)) /* those of test mode are made */
            continue;
        if (weights_find_entry(o->w.weights_dir, &list->entries[i], &path, NULL) == SAM_OK &&
            weights_mark(path, marks[n], NULL) == SAM_OK) {
            weights[n] = (setting){name, marks[n]};
            n++;
        }
        free(path);
    }
    return n;
}

sam_status edge_table_begin(edge_options *o, const model_list *list, int *n_kept, sam_error *err)
{
    enum { MAX_WEIGHTS = 64 };
    setting weights[MAX_WEIGHTS];
    char marks[MAX_WEIGHTS][WEIGHTS_MARK_BYTES];
    char px[16], clip[16], threads[16], fps[32];
    csv_table t = {0};
    snprintf(fps, sizeof fps, "%g", o->paced_fps);
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
                                {"fps", fps},
                                {"metric", o->score ? o->metric : "none"},
                                {"frame_format", model_frame_format(&o->w.model)},
                                {"tracker", model_tracker(&o->w.model)}};
    const resume_table files = {.folder = o->w.out_dir,
                                .file = EDGE_SUMMARY,
                                .settings_file = EDGE_SETTINGS,
                                .layout = &layout,
                                .settings = settings,
                                .n_settings = sizeof settings / sizeof *settings,
                                .weights = weights,
                                .n_weights = mark_weights(o, list, weights, marks, MAX_WEIGHTS)};
    sam_status status = resume_open(&files, o->resume, &t, &o->kept_earlier, err);
    *n_kept = t.n_rows;
    /* The processes that measure read it from disk: failed rows there would pass for what is done. */
    if (status == SAM_OK && o->resume && !t.n_rows)
        status = csv_save(&t, err);
    if (status == SAM_OK && o->kept_earlier)
        fprintf(stderr, "sambench edge: the table of an earlier run is now %s/%s; --resume would have continued it\n",
                o->w.out_dir, EDGE_PREVIOUS);
    csv_close(&t);
    return status;
}

/* ---- summary ---- */

/* An empty cell is 0. */
static double cell_number(const csv_table *t, int row, const char *column)
{
    return strtod(csv_text(t, row, column), NULL);
}

static const figures_column columns[] = {{"model", "model", FIGURES_TEXT, 0, 0},
                                         {"ok", "rows", 0, 0, 0},
                                         {"failed", "failed", 0, 0, 0},
                                         {"JandF", "J&F", 4, 1, 0},
                                         {"fps_median", "fps", 2, 1, 0},
                                         {"latency_p95_ms_worst", "worst p95 ms", 1, -1, 0},
                                         {"latency_max_ms", "most ms", 1, -1, 4},
                                         {"on_time", "in time", 4, 1, 0},
                                         {"dropped_frames", "dropped", 0, -1, 0},
                                         {"cold_start_ms", "cold ms", 0, 0, 3},
                                         {"cpu_peak_rss_MiB", "RSS MiB", 0, -1, 0},
                                         {"gpu_peak_alloc_MiB", "GPU MiB", 0, -1, 0},
                                         {"pool_peak_MiB", "pool MiB", 0, -1, 0},
                                         {"host_ms", "host ms", 2, 0, 6},
                                         {"device_ms", "device ms", 2, 0, 6}};

const figures_column *edge_columns(int *n)
{
    *n = sizeof columns / sizeof *columns;
    return columns;
}

/* 0: there is none. */
static void put(figures *f, const char *key, double x)
{
    figures_number(f, key, x > 0 ? x : NAN);
}

/* What the rows of a model come to. 0 or NaN: there is none. */
typedef struct model_sum {
    samples fps, p95;
    int n_ok, n_failed, n_scored, n_paced, is_shared;
    double score, rss, pool, gpu, max_ms, host_ms, device_ms, cold_ms, on_time, dropped;
} model_sum;

static void keep_most(double *most, double x)
{
    *most = x > *most ? x : *most;
}

/* A finished row that was timed. 0: no memory. */
static int add_times(model_sum *m, const csv_table *t, int r)
{
    keep_most(&m->rss, cell_number(t, r, "cpu_peak_rss_MiB"));
    keep_most(&m->pool, cell_number(t, r, "pool_peak_MiB"));
    keep_most(&m->gpu, cell_number(t, r, "gpu_peak_alloc_MiB"));
    keep_most(&m->max_ms, cell_number(t, r, "latency_max_ms"));
    keep_most(&m->cold_ms, cell_number(t, r, "cold_start_ms"));
    m->is_shared |= !strcmp(csv_text(t, r, "memory_kind"), "unified");
    m->host_ms += cell_number(t, r, "host_ms");
    m->device_ms += cell_number(t, r, "device_ms");
    if (csv_text(t, r, "on_time")[0]) {
        m->n_paced++;
        m->on_time += cell_number(t, r, "on_time");
        m->dropped += cell_number(t, r, "dropped_frames");
    }
    if (csv_text(t, r, "latency_p95_ms")[0] &&
        samples_add(&m->p95, cell_number(t, r, "latency_p95_ms"), NULL) != SAM_OK)
        return 0;
    return samples_add(&m->fps, cell_number(t, r, "fps"), NULL) == SAM_OK;
}

static int add_rows(model_sum *m, const csv_table *t, const char *model)
{
    int complete = 1;
    for (int r = 0; r < t->n_rows; r++) {
        if (strcmp(csv_text(t, r, "model"), model))
            continue;
        int ok = status_is_ok(csv_text(t, r, "status"));
        m->n_ok += ok;
        m->n_failed += !ok;
        if (ok && csv_text(t, r, "JandF")[0]) {
            m->score += cell_number(t, r, "JandF");
            m->n_scored++;
        }
        if (ok && csv_text(t, r, "fps")[0])
            complete &= add_times(m, t, r);
    }
    return complete;
}

/* One model over all its rows; NULL: no memory. */
static json_t *sum_up(const csv_table *t, const char *model, figures *f)
{
    model_sum m = {0};
    int complete = add_rows(&m, t, model);
    double median = m.fps.n ? samples_quantile(&m.fps, 0, 0.5) : 0, n = (double)m.fps.n;
    double worst = m.p95.n ? samples_quantile(&m.p95, 0, 1) : 0;
    figures_row(f, 0);
    figures_word(f, "model", model);
    figures_number(f, "ok", m.n_ok);
    figures_number(f, "failed", m.n_failed);
    figures_number(f, "JandF", m.n_scored ? m.score / m.n_scored : NAN);
    put(f, "fps_median", median);
    put(f, "latency_p95_ms_worst", worst);
    put(f, "latency_max_ms", m.max_ms);
    figures_number(f, "on_time", m.n_paced ? m.on_time / m.n_paced : NAN);
    figures_number(f, "dropped_frames", m.n_paced ? m.dropped : NAN);
    put(f, "cpu_peak_rss_MiB", m.rss);
    put(f, "gpu_peak_alloc_MiB", m.gpu);
    put(f, "pool_peak_MiB", m.is_shared ? m.pool : 0); /* elsewhere it is full of other programs */
    put(f, "cold_start_ms", m.cold_ms);
    put(f, "host_ms", m.host_ms / n);
    put(f, "device_ms", m.device_ms / n);
    samples_free(&m.fps);
    samples_free(&m.p95);
    if (!complete)
        return NULL;
    return json_pack("{s:i,s:i,s:f,s:o,s:f,s:f,s:f,s:f}", "ok", m.n_ok, "failed", m.n_failed, "fps_median", median,
                     "latency_p95_ms_worst", json_figure(worst > 0 ? worst : NAN), "latency_max_ms", m.max_ms,
                     "cpu_peak_rss_MiB", m.rss, "gpu_peak_alloc_MiB", m.gpu, "pool_peak_MiB", m.pool);
}

/* A cell as it reads: a whole number stays one. */
static json_t *json_of_cell(const char *text)
{
    char *rest;
    double x = strtod(text, &rest);
    if (*rest)
        return json_text(text);
    return strspn(text, "-0123456789") == strlen(text) && fabs(x) < 1e15 ? json_integer((json_int_t)x) : json_figure(x);
}

static json_t *rows_of(const csv_table *t)
{
    json_t *rows = json_array();
    for (int r = 0; r < t->n_rows; r++) {
        json_t *row = json_object();
        for (int c = 0; c < t->n_columns; c++) {
            const char *text = csv_cell(t, r, c);
            if (text[0])
                json_put(&row, t->columns[c], c > 2 ? json_of_cell(text) : json_text(text));
        }
        json_add(&rows, row);
    }
    return rows;
}

static FILE *words_to(const edge_options *o)
{
    return figures_format_of(o->format) == FIGURES_TABLE ? stdout : stderr;
}

/* What limits a frame, what makes times doubtful, and what --require asks. */
static sam_status say_more(edge_options *o, const csv_table *t, const model_list *list, const figures *f,
                           sam_error *err)
{
    enum { MAX_MODELS = 256 };
    const char *names[MAX_MODELS];
    int n_wide, n_timed = summary_timed(t, &n_wide), n = 0;
    host_share_print(f, words_to(o));
    conditions_end(&o->conditions);
    conditions_add_spread(&o->conditions, n_wide, n_timed);
    conditions_say(&o->conditions, words_to(o));
    for (; n < list->n && n < MAX_MODELS; n++)
        names[n] = list->entries[n].name;
    o->n_missed = require_check(&o->required, f, names, n, stderr);
    return machine_add_conditions(o->w.out_dir, &o->conditions, err);
}

static sam_status save_models(const edge_options *o, const figures *f, sam_error *err)
{
    char path[4096];
    TRY(edge_out(o, EDGE_MODELS, path, sizeof path, err));
    return figures_save(f, path, err);
}

sam_status edge_sum_up(edge_options *o, const model_list *list, int *n_failed, sam_error *err)
{
    csv_table t = {0};
    char path[4096];
    json_t *metadata = NULL;
    figures f = {.columns = columns, .n_columns = sizeof columns / sizeof *columns};
    TRY(edge_out(o, EDGE_SUMMARY_JSON, path, sizeof path, err));
    TRY(edge_table_open(o, &t, err));
    json_t *models = json_object(), *machine = machine_json();
    for (int i = 0; i < list->n; i++)
        json_put(&models, list->entries[i].name, sum_up(&t, list->entries[i].name, &f));
    for (int r = 0; r < t.n_rows; r++)
        *n_failed += !status_is_ok(csv_text(&t, r, "status"));
    sam_status status = figures_write(&f, figures_format_of(o->format), stdout, err);
    if (status == SAM_OK)
        status = save_models(o, &f, err);
    if (status == SAM_OK)
        status = say_more(o, &t, list, &f, err);
    figures_free(&f);
    if (status == SAM_OK)
        status = edge_metadata_read(o, &metadata, err);
    json_put(&machine, "conditions", conditions_json(&o->conditions));
    if (status == SAM_OK)
        status = json_out(path,
                          json_pack("{s:O,s:O,s:o,s:o,s:o}", "settings", json_object_get(metadata, "settings"),
                                    "setup_ms", json_object_get(metadata, "setup_ms"), "machine", machine, "models",
                                    models, "rows", rows_of(&t)),
                          err);
    else {
        json_decref(models);
        json_decref(machine);
    }
    json_decref(metadata);
    csv_close(&t);
    return status;
}
