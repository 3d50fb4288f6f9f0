/* edge_infer.c - phase B of `edge`: in a fresh process, every valid object through every model, one video at a time, with a
 * row written after each. What is being worked on is in edge_progress.json, for the parent if this process is killed. */
#include "edge.h"

#include "figures.h"
#include "progress.h"

#include "interrupt.h"
#include "object_pass.h"
#include "pass_overlay.h"
#include "pass_record.h"
#include "pass_score.h"
#include "pass_time.h"
#include "process_memory.h"
#include "spread.h"
#include "unified.h"

#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

/* One object while it runs. */
typedef struct job {
    edge_options *o;
    const model_entry *entry;
    warm_model *model;
    memory_kind kind;
    pass_time times;
    pass_score score;
    pass_record record;
    pass_overlay overlay;
    double available_before, least_available, peak_rss_mib;
    progress bar; /* of this object */
} job;

/* ---- one object ---- */

static sam_status memory_begin(void *user, const pass_clip *c, sam_error *err)
{
    job *j = user;
    (void)c;
    (void)err;
    /* From here on only inference counts. */
    process_peak_restart();
    j->least_available = memory_available_mib("");
    return SAM_OK;
}

static sam_status memory_frame(void *user, const pass_frame *f, sam_error *err)
{
    job *j = user;
    double available = memory_available_mib("");
    (void)f;
    (void)err;
    double peak = (double)process_peak_bytes() / 0x1p20;
    j->least_available = available < j->least_available ? available : j->least_available;
    j->peak_rss_mib = peak > j->peak_rss_mib ? peak : j->peak_rss_mib;
    return SAM_OK;
}

/* What scoring and recording took for the moment does not count. */
static sam_status memory_again(void *user, const pass_frame *f, sam_error *err)
{
    (void)user;
    (void)f;
    (void)err;
    process_peak_restart();
    return SAM_OK;
}

static int on_frame(void *user, int n_done, int n_total)
{
    job *j = user;
    (void)n_total;
    progress_update(&j->bar, n_done);
    return interrupt_requested();
}

static void fill_memory(edge_row *r, const job *j, const sam_stats *s)
{
    double pool = j->available_before - j->least_available;
    r->memory_kind = memory_kind_name(j->kind);
    r->peak_rss_mib = j->peak_rss_mib;
    r->gpu_peak_mib = (double)s->device_bytes / 0x1p20;
    if (j->kind != MEMORY_DISCRETE)
        r->pool_peak_mib = pool > 0 ? pool : 0;
    r->planned_mib = (double)sam_stats_bytes(s) / 0x1p20;
}

static void fill_speed(edge_row *r, const pass_time *t)
{
    spread ms = spread_of(&t->ms, 0);
    r->prompt_ms = t->prompt_ms;
    if (!ms.n)
        return;
    r->fps = 1e3 / ms.mean;
    r->latency_ms = ms.mean;
    r->p50_ms = ms.median;
    r->p95_ms = ms.p95;
    r->p99_ms = ms.p99;
    r->stddev_ms = ms.stddev;
    r->max_ms = ms.max;
    r->host_ms = spread_of(&t->host, 0).mean;
    r->device_ms = spread_of(&t->device, 0).mean;
    for (int k = 0; k < SAM_N_STAGES; k++)
        r->stage_ms[k] = spread_of(&t->stages[k], 0).mean;
}

static void fill_score(edge_row *r, const job *j)
{
    object_result s;
    if (!j->o->score)
        return;
    r->nonempty = j->score.n_nonempty;
    object_score_conclude(&j->score.score, &s);
    if (!s.scored)
        return;
    r->j = s.j;
    r->f = s.f;
    r->j_and_f = s.j_and_f;
}

static void fill_pace(edge_row *r, const pass_result *p)
{
    if (p->pace.fps <= 0)
        return;
    r->paced_fps = p->pace.fps;
    r->late = p->pace.n_late;
    r->dropped = p->pace.n_dropped;
    r->on_time = pace_share(&p->pace);
}

static sam_status add_row(csv_table *t, const job *j, const edge_object *at, const pass_result *p, sam_error *err)
{
    edge_row r;
    edge_row_begin(&r, j->o, at->video, at->object, j->entry->name);
    r.frames = p->n_frames;
    fill_speed(&r, &j->times);
    fill_memory(&r, j, &p->stats);
    if (p->total_ms > 0)
        r.e2e_fps = 1e3 * p->n_frames / p->total_ms;
    r.model_ms = j->model->model_ms;
    r.session_ms = j->model->session_ms;
    r.setup_ms = p->setup_ms + j->model->model_ms;
    if (!j->o->has_begun++)
        r.cold_ms = p->cold_ms;
    fill_pace(&r, p);
    r.prepared = at->prepared != NULL;
    r.backend = p->stats.backend;
    r.device = p->stats.device;
    fill_score(&r, j);
    r.status = p->stopped ? "interrupted" : j->o->score && !j->score.n_nonempty ? "ok: every mask is empty" : "ok";
    return edge_table_add(t, &r, err);
}

static int find_named(const char *name, const dataset *set, int video)
{
    int n = video < 0 ? set->n_videos : set->videos[video].n_objects;
    for (int i = 0; i < n; i++)
        if (!strcmp(name, video < 0 ? set->videos[i].name : set->videos[video].objects[i].name))
            return i;
    return -1;
}

static sam_status measure(job *j, const edge_object *at, const frame_store *store, pass_result *r, sam_error *err)
{
    dataset *set = &j->o->w.set;
    int video = find_named(at->video, set, -1), object = -1;
    if (video >= 0) {
        TRY(dataset_find_objects(set, video, err));
        object = find_named(at->object, set, video);
    }
    if (object < 0)
        return fail(err, SAM_E_FORMAT,
                    "%s, object %s: in " EDGE_METADATA ", but no longer in the data set: set up again", at->video,
                    at->object);
    pass_observer watch[6] = {{.self = j, .begin = memory_begin, .frame = memory_frame}, pass_time_observer(&j->times)};
    int n = 2;
    if (j->o->score)
        watch[n++] = pass_score_observer(&j->score);
    watch[n++] = pass_record_observer(&j->record);
    if (j->o->save_overlays)
        watch[n++] = pass_overlay_observer(&j->overlay);
    watch[n++] = (pass_observer){.frame = memory_again};
    const object_pass pass = {.set = set,
                              .video = video,
                              .object = object,
                              .entry = j->entry,
                              .model = j->model,
                              .max_clip_frames = j->o->w.max_clip_frames,
                              .prefetch = j->o->w.max_frames_in_mem,
                              .store = store,
                              .paced_fps = j->o->paced_fps,
                              .observers = watch,
                              .n_observers = n,
                              .on_frame = on_frame,
                              .user = j};
    char label[64];
    snprintf(label, sizeof label, "%.20s %.12s/%.8s", j->entry->name, at->video, at->object);
    progress_begin(&j->bar, stderr, j->o->w.quiet, label,
                   object_pass_planned(&set->videos[video], &set->videos[video].objects[object], pass.max_clip_frames));
    sam_status status = object_pass_run(&pass, r, err);
    progress_clear(&j->bar);
    return status;
}

static void say_object(const job *j, const edge_object *at, const pass_result *p)
{
    object_result score;
    object_score_conclude(&j->score.score, &score);
    spread ms = spread_of(&j->times.ms, 0);
    FILE *to = figures_format_of(j->o->format) == FIGURES_TABLE ? stdout : stderr; /* --format has stdout for itself */
    fprintf(to, "%s/%s  %s  ", at->video, at->object, j->entry->name);
    if (ms.n)
        fprintf(to, isnan(ms.p95) ? "%.2f fps  at most %.1f ms" : "%.2f fps  p95 %.1f ms", 1e3 / ms.mean,
                isnan(ms.p95) ? ms.max : ms.p95);
    else
        fprintf(to, "no frame to track after the prompted one");
    if (p->pace.fps > 0 && ms.n)
        fprintf(to, "  %.1f %% in time, %d late, %d dropped", 100 * pace_share(&p->pace), p->pace.n_late,
                p->pace.n_dropped);
    fprintf(to, "  %.0f MiB RSS", j->peak_rss_mib);
    if (score.scored)
        fprintf(to, "  J&F %.4f", score.j_and_f);
    if (j->o->score && !j->score.n_nonempty)
        fprintf(to, "  every mask is empty");
    if (p->stats.device_bytes)
        fprintf(to, ", %.0f MiB GPU", (double)p->stats.device_bytes / 0x1p20);
    fprintf(to, "\n");
    fflush(to);
}

/* Returns what stops everything: that the table cannot be written. */
static sam_status one_object(edge_options *o, const model_entry *e, warm_model *m, double available,
                             const edge_object *at, csv_table *t, int *n_failed, sam_error *err)
{
    job j = {.o = o,
             .entry = e,
             .model = m,
             .available_before = available,
             .record = {.out_dir = o->w.out_dir},
             .overlay = {.out_dir = o->w.out_dir, .score = o->score ? &j.score : NULL}};
    frame_store *store = NULL;
    pass_result r = {0};
    sam_error why = {0};
    char path[4096];
    sam_stats planned;
    TRY(edge_say_where(o, "inference", at->video, at->object, e->name, err));
    sam_status status = SAM_OK;
    if (at->prepared) {
        TRY(edge_prepared(o, at->prepared, path, sizeof path, err));
        status = frame_store_open(path, o->w.model.image_px, &store, &why);
    }
    const sam_session_options options = {.width_px = 64, .height_px = 64};
    if (status == SAM_OK && sam_session_plan(m->model, &options, &planned, NULL) == SAM_OK)
        j.kind = memory_kind_of("", strcmp(planned.backend, "cpu") != 0);
    if (status == SAM_OK)
        status = measure(&j, at, store, &r, &why);
    frame_store_close(store);
    if (status == SAM_OK) {
        status = add_row(t, &j, at, &r, err);
        say_object(&j, at, &r);
    } else if (j.record.output_failed || j.overlay.output_failed) {
        status = fail(err, status, "%s", why.text); /* the next object's would fail too */
    } else {
        char text[600];
        ++*n_failed;
        o->device_lost |= status == SAM_E_DEVICE;
        snprintf(text, sizeof text, "error: %s", why.text);
        fprintf(stderr, "sambench edge: %s/%s, %s: %s\n", at->video, at->object, e->name, why.text);
        status = edge_table_add_failed(t, o, at->video, at->object, e->name, text, err);
    }
    pass_time_free(&j.times);
    pass_score_free(&j.score);
    pass_record_free(&j.record);
    pass_overlay_free(&j.overlay);
    return status;
}

/* ---- all objects of a model ---- */

static int has_row(const csv_table *t, const char *video, const char *object, const char *model)
{
    return csv_find(t, (const char *const[]){video, object, model}, 3) >= 0;
}

/* Valid objects of a video that still have no row. */
static int pending(const csv_table *t, const json_t *video, const char *model)
{
    size_t i;
    json_t *object;
    int n = 0;
    const char *name = json_string_value(json_object_get(video, "name"));
    json_array_foreach(json_object_get(video, "objects"), i, object) n +=
        json_is_true(json_object_get(object, "valid")) &&
        !has_row(t, name, json_string_value(json_object_get(object, "name")), model);
    return n;
}

static sam_status one_video(edge_options *o, const model_entry *e, warm_model *m, double available, const json_t *video,
                            csv_table *t, int *n_failed, sam_error *err)
{
    size_t i;
    json_t *object;
    edge_object at = {.video = json_string_value(json_object_get(video, "name")),
                      .prepared = json_string_value(json_object_get(video, "prepared"))};
    json_array_foreach(json_object_get(video, "objects"), i, object)
    {
        at.object = json_string_value(json_object_get(object, "name"));
        if (!json_is_true(json_object_get(object, "valid")) || has_row(t, at.video, at.object, e->name))
            continue;
        if (interrupt_requested() || o->device_lost)
            break;
        TRY(one_object(o, e, m, available, &at, t, n_failed, err));
    }
    warm_drop_session(m); /* nothing of a video is left when the next one begins */
    return SAM_OK;
}

/* What setup found best for this model. */
static void take_tuning(const json_t *metadata, const char *name, model_choice *choice)
{
    size_t i;
    json_t *m;
    json_array_foreach(json_object_get(metadata, "models"), i, m)
    {
        const char *other = json_string_value(json_object_get(m, "name"));
        int threads = (int)json_integer_value(json_object_get(m, "threads"));
        if (other && !strcmp(other, name) && threads > 0 && !choice->n_threads)
            choice->n_threads = threads;
    }
}

static sam_status one_model(edge_options *o, const json_t *metadata, const model_entry *e, csv_table *t, int *n_failed,
                            sam_error *err)
{
    size_t i;
    json_t *video, *videos = json_object_get(metadata, "videos");
    warm_model m = {0};
    model_choice choice = o->w.model;
    sam_error why;
    int n = 0;
    double available = memory_available_mib("");
    json_array_foreach(videos, i, video) n += pending(t, video, e->name);
    if (!n)
        return SAM_OK;
    choice.weights = workload_weights(&o->w, e);
    take_tuning(metadata, e->name, &choice);
    TRY(edge_say_where(o, "inference", "", "", e->name, err));
    if (warm_open(&m, "edge", &choice, model_entry_holds(e), &why) != SAM_OK) {
        char text[600];
        ++*n_failed;
        snprintf(text, sizeof text, "error: %s", why.text);
        fprintf(stderr, "sambench edge: %s: %s\n", e->name, why.text);
        return edge_table_add_failed(t, o, "", "", e->name, text, err);
    }
    sam_status status = SAM_OK;
    json_array_foreach(videos, i, video) if (status == SAM_OK && !interrupt_requested() && !o->device_lost &&
                                             pending(t, video, e->name)) status =
        one_video(o, e, &m, available, video, t, n_failed, err);
    warm_close(&m);
    return status;
}

sam_status edge_infer(edge_options *o, int *n_failed, sam_error *err)
{
    csv_table t = {0};
    json_t *metadata = NULL;
    TRY(workload_open(&o->w, "edge", err));
    TRY(edge_metadata_read(o, &metadata, err));
    sam_status status = edge_table_open(o, &t, err);
    for (int i = 0; status == SAM_OK && i < o->w.list.n && !interrupt_requested() && !o->device_lost; i++)
        if (!has_row(&t, "", "", o->w.list.entries[i].name))
            status = one_model(o, metadata, &o->w.list.entries[i], &t, n_failed, err);
    csv_close(&t);
    json_decref(metadata);
    return status;
}
