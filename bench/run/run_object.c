/* run_object.c - see run_object.h. */
#include "run_object.h"

#include "object_pass.h"
#include "pass_masks.h"
#include "pass_overlay.h"
#include "pass_record.h"
#include "pass_score.h"
#include "pass_time.h"
#include "process_memory.h"
#include "spread.h"

#include <math.h>
#include <stdio.h>
#include <string.h>

/* What watches the frames of a row go by. */
typedef struct watch {
    pass_score score;
    pass_time times;
    pass_record record;
    pass_masks masks;
    pass_overlay overlay;
    pass_observer all[5];
    int n;
} watch;

static void attach(watch *w, const run_job *job)
{
    const run_options *o = job->options;
    *w = (watch){.score = {.score = {.kind = o->metric_kind}},
                 .record = {.out_dir = o->out_dir, .score = &w->score, .draws_worst = 1},
                 .masks = {.out_dir = o->out_dir, .is_first = job->is_first},
                 .overlay = {.out_dir = o->out_dir, .score = &w->score}};
    w->all[w->n++] = pass_score_observer(&w->score);
    w->all[w->n++] = pass_time_observer(&w->times);
    if (o->save_masks)
        w->all[w->n++] = pass_masks_observer(&w->masks);
    if (o->save_overlays)
        w->all[w->n++] = pass_overlay_observer(&w->overlay);
    if (o->save_frames)
        w->all[w->n++] = pass_record_observer(&w->record);
}

static void release(watch *w)
{
    pass_score_free(&w->score);
    pass_time_free(&w->times);
    pass_record_free(&w->record);
    pass_overlay_free(&w->overlay);
}

/* ---- the row ---- */

static void fill_speed(const watch *w, const pass_result *p, result_row *row)
{
    spread ms = spread_of(&w->times.ms, 0);
    row->e2e_fps = p->total_ms > 0 ? p->n_frames * 1e3 / p->total_ms : 0;
    row->decode_ms = w->times.decode_ms / p->n_frames;
    if (!ms.n)
        return;
    row->latency_ms = ms.mean;
    row->stddev_ms = ms.stddev;
    row->host_ms = spread_of(&w->times.host, 0).mean;
    row->device_ms = spread_of(&w->times.device, 0).mean;
    row->fps = ms.mean > 0 ? 1e3 / ms.mean : 0;
    for (int k = 0; k < SAM_N_STAGES; k++)
        row->stage_ms[k] = spread_of(&w->times.stages[k], 0).mean;
}

static void fill_score(const pass_score *s, result_row *row)
{
    object_result r;
    object_score_conclude(&s->score, &r);
    snprintf(row->status, sizeof row->status, "ok");
    if (r.scored) {
        row->j = r.j;
        row->f = r.f;
        row->j_and_f = r.j_and_f;
    } else {
        snprintf(row->status, sizeof row->status,
                 "ok: not scored, by --metric %s none of the clip's %d annotated frames "
                 "counts",
                 metric_name(s->score.kind), s->before + s->n_annotated);
    }
}

/* What was measured, if a frame was tracked. */
static void fill_row(const warm_model *m, const watch *w, const pass_result *p, result_row *row)
{
    double rss_mib = (double)process_peak_bytes() / (1 << 20);
    if (p->stats.backend) {
        snprintf(row->backend, sizeof row->backend, "%s", p->stats.backend);
        snprintf(row->device, sizeof row->device, "%s", p->stats.device);
    }
    if (!p->n_frames)
        return;
    row->frames = p->n_frames;
    row->end_frame = p->first + p->n_frames;
    row->cold_ms = p->cold_ms;
    row->input_h = p->height;
    row->input_w = p->width;
    row->gpu_peak_mib = (double)p->stats.device_bytes / 0x1p20;
    row->peak_rss_mib = rss_mib > 0 ? rss_mib : NAN;
    if (m->model) {
        row->infer_px = row->imgsz;
        row->setup_ms = m->model_ms + m->session_ms;
    }
    fill_speed(w, p, row);
}

/* The path below out_dir. A longer one is left out. */
static void fill_overlay(const run_options *o, const watch *w, result_row *row)
{
    const char *path = w->overlay.path[0] ? w->overlay.path + strlen(o->out_dir) + 1 : "";
    if (strlen(path) < sizeof row->overlay)
        strcpy(row->overlay, path);
}

sam_status run_object(const run_job *job, result_row *row, int *fatal, sam_error *err)
{
    const dataset_video *v = &job->set->videos[job->video];
    const run_options *options = job->options;
    watch w;
    pass_result result;
    sam_error local;
    err = err ? err : &local;
    results_clear_row(row);
    row->video = v->name;
    row->object = v->objects[job->object].name;
    row->model = job->entry->name;
    row->metric = options->metric;
    if (job->model->model) {
        row->precision = model_precision(&job->model->choice);
        row->imgsz = sam_model_image_px(job->model->model);
    }
    attach(&w, job);
    const object_pass pass = {.set = job->set,
                              .video = job->video,
                              .object = job->object,
                              .entry = job->entry,
                              .model = job->model,
                              .max_clip_frames = options->max_clip_frames,
                              .prefetch = options->max_frames_in_mem,
                              .priors = options->priors,
                              .observers = w.all,
                              .n_observers = w.n,
                              .on_frame = job->on_frame,
                              .user = job->user};
    process_peak_restart();
    sam_status status = object_pass_run(&pass, &result, err);
    fill_row(job->model, &w, &result, row);
    if (status == SAM_OK && !result.stopped) {
        fill_score(&w.score, row);
        fill_overlay(options, &w, row);
    } else {
        snprintf(row->status, sizeof row->status, result.stopped ? "interrupted" : "error: %s", err->text);
        warm_drop_session(job->model);
    }
    *fatal = w.record.output_failed | w.masks.output_failed | w.overlay.output_failed;
    release(&w);
    return status;
}
