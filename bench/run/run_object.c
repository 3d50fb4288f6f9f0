/* run_object.c - see run_object.h. */
#include "run_object.h"

#include "clock.h"
#include "contact_sheet.h"
#include "folders.h"
#include "frames_ahead.h"
#include "index_mask.h"
#include "overlay.h"
#include "process_memory.h"
#include "prompts.h"
#include "text_out.h"

#include <limits.h>
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum { OBJECT_ID = 1, PATH_BYTES = 4096 };

/* The job while it runs. */
typedef struct state {
    const run_job *job;
    const dataset_video *video;
    const dataset_object *object;
    frame_source *frames;
    frames_ahead ahead;
    int width, height;
    int clip_end;    /* one beyond the last frame of the clip           */
    int n_annotated; /* annotations of the object within the clip       */
    int prompt;      /* which of them is the prompt                     */
    int next;        /* the one that is looked at next                  */
    int before;      /* annotations of the video before the object's first (index masks) */
    image shown;     /* the annotation that is the prompt */
    image truth;     /* the one scored last               */
    sam_point point;
    sam_box box;
    uint8_t *bytes;  /* [height, width] the model's mask, once a file needs it as bytes */
    uint8_t *canvas; /* [height, width, 3] for the overlay */
    overlay *overlay;
    follower *follower; /* of a baseline; it has taken the prompt */
    metric_scratch scratch;
    object_score score;
    int n_frames, n_tracked;
    double tracked_ms, total_ms, decode_ms; /* sums; total: waiting for frames, prompt and tracking */
    sam_stats stages;                       /* sums over tracked frames */
    text_out record;                        /* frames/...csv; record.to NULL: none is written */
    char record_path[PATH_BYTES];
    double frame_ms, frame_j, frame_f; /* of the frame at hand; NaN: not timed, not scored */
    sheet *worst;                      /* the scored frame with the lowest J    */
    double worst_j;
    int output_failed;
} state;

/* A frame's mask. */
typedef struct found {
    sam_mask mask;        /* the model's; words NULL: it is a baseline's     */
    const uint8_t *bytes; /* [height, width]; NULL: nobody has asked for them */
} found;

/* ---- before the first frame ---- */

static int clip_end_of(const run_options *o, int64_t n_frames, int first)
{
    int64_t end = n_frames < INT_MAX ? n_frames : INT_MAX;
    if (o->max_clip_frames && first + (int64_t)o->max_clip_frames < end)
        end = first + (int64_t)o->max_clip_frames;
    return (int)end;
}

int run_job_planned(const run_options *o, const dataset_video *v, const dataset_object *object)
{
    int n = clip_end_of(o, v->video_file ? o->max_clip_frames : v->frames.n, object->annotated[0]);
    return n > object->annotated[0] ? n - object->annotated[0] : 0;
}

static sam_status read_annotation(const state *s, int annotation, int width, int height, image *out, sam_error *err)
{
    const run_job *job = s->job;
    return dataset_read_mask(job->set, job->video, job->object, s->object->annotated[annotation], width, height, out,
                             err);
}

/* The first annotation that shows the object is what it is prompted with; it stays in s->shown. */
static sam_status find_prompt(state *s, sam_error *err)
{
    const dataset_object *o = s->object;
    for (s->prompt = 0; s->prompt < o->n_annotated; s->prompt++) {
        TRY(read_annotation(s, s->prompt, 0, 0, &s->shown, err));
        if (image_mask_area(&s->shown))
            return SAM_OK;
    }
    return fail(err, SAM_E_FORMAT,
                "%s, object %s: all %d annotated masks are empty, so there is nothing to prompt with", s->video->name,
                o->name, o->n_annotated);
}

static sam_status open_frames(state *s, sam_error *err)
{
    const run_options *o = s->job->options;
    int first = s->object->annotated[s->prompt];
    int needs_rgb = o->save_overlays || o->save_frames || s->job->entry->follows != BASELINE_NONE;
    const frames_options options = {.start = first,
                                    .max_frames = o->max_clip_frames,
                                    .prefetch = o->max_frames_in_mem,
                                    .pixels = model_frames(&o->model, needs_rgb)};
    const char *path = s->video->video_file ? s->video->video_file : s->video->frames_dir;
    TRY(frames_open(path, &options, &s->frames, err));
    frames_size(s->frames, &s->width, &s->height);
    int64_t n = frames_count(s->frames);
    if (first >= n)
        return fail(err, SAM_E_FORMAT, "%s: has %lld frames, but object %s is first annotated on frame %d", path,
                    (long long)n, s->object->name, first);
    s->clip_end = clip_end_of(o, n, first);
    while (s->n_annotated < s->object->n_annotated && s->object->annotated[s->n_annotated] < s->clip_end)
        s->n_annotated++;
    if (s->shown.width == s->width && s->shown.height == s->height)
        return SAM_OK;
    return fail(err, SAM_E_FORMAT, "%s/%s: the annotation is %dx%d, the frames are %dx%d", s->video->masks_dir,
                s->object->files.names[s->prompt], s->shown.width, s->shown.height, s->width, s->height);
}

/* A file name from names of the data set, which have no slashes. */
static sam_status open_overlay(state *s, result_row *row, sam_error *err)
{
    const run_options *o = s->job->options;
    char path[PATH_BYTES];
    int n = snprintf(row->overlay, sizeof row->overlay, "overlays/%s__obj%s__%s.mp4", s->video->name, s->object->name,
                     s->job->entry->name);
    int n_path = snprintf(path, sizeof path, "%s/%s", o->out_dir, row->overlay);
    if (n >= (int)sizeof row->overlay || n_path >= (int)sizeof path)
        return fail(err, SAM_E_ARG, "%.200s: the overlay's path is too long", path);
    s->canvas = malloc(3 * (size_t)s->width * (size_t)s->height);
    if (!s->canvas)
        return fail(err, SAM_E_MEMORY, "%s: out of memory for a frame of %dx%d", path, s->width, s->height);
    s->output_failed = 1;
    TRY(folders_make_for(path, err));
    const overlay_options options = {.width = s->width, .height = s->height, .fps = frames_rate(s->frames)};
    TRY(overlay_open(path, &options, &s->overlay, err));
    s->output_failed = 0;
    return SAM_OK;
}

/* ---- what is done with a mask ---- */

static mask_view view_of(const state *s, const found *m)
{
    return m->mask.words ? (mask_view){.words = m->mask.words}
                         : (mask_view){.px = m->bytes, .row_bytes = (size_t)s->width};
}

static sam_status need_bytes(state *s, found *m, sam_error *err)
{
    if (m->bytes)
        return SAM_OK;
    if (!s->bytes)
        s->bytes = malloc((size_t)s->width * (size_t)s->height);
    if (!s->bytes)
        return fail(err, SAM_E_MEMORY, "out of memory: a mask of %dx%d", s->width, s->height);
    sam_mask_bytes(&m->mask, s->bytes, (size_t)s->width);
    m->bytes = s->bytes;
    return SAM_OK;
}

/* SA-V has a folder of masks for each object, the other sets one picture for all. */
static sam_status write_mask(state *s, const char *frame_name, const uint8_t *bytes, sam_error *err)
{
    size_t row_bytes = (size_t)s->width;
    char path[PATH_BYTES];
    int by_object = dataset_masks_by_object(s->job->set);
    int n = snprintf(path, sizeof path, "%s/masks/%s/%s/%s%s%s.png", s->job->options->out_dir, s->job->entry->name,
                     s->video->name, by_object ? s->object->name : "", by_object ? "/" : "", frame_name);
    if (n >= (int)sizeof path)
        return fail(err, SAM_E_ARG, "%.200s...: the mask's path is too long", path);
    s->output_failed = 1;
    TRY(folders_make_for(path, err));
    TRY(by_object ? image_write_mask(path, bytes, row_bytes, s->width, s->height, 0, err)
                  : index_mask_put(path, s->object->value, bytes, row_bytes, s->width, s->height, err));
    s->output_failed = 0;
    return SAM_OK;
}

/* Pictures of an earlier run would stay in those that objects are put into. */
static sam_status begin_masks(state *s, sam_error *err)
{
    char path[PATH_BYTES];
    const run_options *o = s->job->options;
    if (!o->save_masks || !s->job->is_first || dataset_masks_by_object(s->job->set))
        return SAM_OK;
    if (snprintf(path, sizeof path, "%s/masks/%s/%s", o->out_dir, s->job->entry->name, s->video->name) >=
        (int)sizeof path)
        return fail(err, SAM_E_ARG, "%.200s...: the masks' path is too long", path);
    return index_mask_clear(path, err);
}

static int is_scored(const state *s, int annotation)
{
    return metric_counts_frame(metric_skips_first_last(s->job->options->metric_kind), s->before + s->n_annotated,
                               s->before + annotation);
}

/* Scores a mask against annotation s->next and goes on to the one after. */
static sam_status score_annotated(state *s, const mask_view *mask, sam_error *err)
{
    int annotation = s->next++;
    if (!is_scored(s, annotation))
        return SAM_OK;
    TRY(read_annotation(s, annotation, s->width, s->height, &s->truth, err));
    const mask_view truth = {.px = s->truth.data, .row_bytes = (size_t)s->width};
    frame_score score;
    TRY(metric_frame(s->score.kind, &truth, mask, s->width, s->height, &s->scratch, &score, err));
    s->frame_j = score.j;
    s->frame_f = score.f;
    return object_score_add(&s->score, &score, err);
}

/* Annotated frames before the prompt, all without the object: the prediction there is an empty mask. */
static sam_status settle_before_prompt(state *s, sam_error *err)
{
    if (!s->prompt)
        return SAM_OK;
    uint8_t *empty = calloc((size_t)s->width, (size_t)s->height);
    const mask_view nothing = {.px = empty, .row_bytes = (size_t)s->width};
    if (!empty)
        return fail(err, SAM_E_MEMORY, "out of memory: a mask of %dx%d", s->width, s->height);
    sam_status status = SAM_OK;
    while (status == SAM_OK && s->next < s->prompt) {
        const char *file = s->object->files.names[s->next];
        char name[256];
        snprintf(name, sizeof name, "%.*s", (int)stem_length(file), file);
        if (s->job->options->save_masks)
            status = write_mask(s, name, empty, err);
        if (status == SAM_OK)
            status = score_annotated(s, &nothing, err);
    }
    free(empty);
    return status;
}

static sam_status write_overlay(state *s, const frame *f, found *mask, sam_error *err)
{
    size_t row_bytes = 3 * (size_t)s->width;
    ask_kind ask = s->job->entry->ask;
    int shows_prompt = f->index == s->object->annotated[s->prompt];
    TRY(need_bytes(s, mask, err));
    memcpy(s->canvas, f->rgb, row_bytes * (size_t)s->height);
    const overlay_object object = {.id = s->job->object + 1,
                                   .mask = mask->bytes,
                                   .mask_row_bytes = (size_t)s->width,
                                   .points = &s->point,
                                   .n_points = shows_prompt && ask == ASK_POINTS,
                                   .box = shows_prompt && ask == ASK_BBOX ? &s->box : NULL};
    overlay_draw(&(canvas){s->canvas, s->width, s->height, row_bytes}, &object, 1, f->index);
    s->output_failed = 1;
    TRY(overlay_write(s->overlay, s->canvas, row_bytes, err));
    s->output_failed = 0;
    return SAM_OK;
}

/* OUT_DIR/<kind>/VIDEO__objOBJECT__MODEL.<suffix>, as for overlays. */
static sam_status path_beside(const state *s, const char *kind, const char *suffix, char *path, sam_error *err)
{
    return results_row_file(path, PATH_BYTES, s->job->options->out_dir, kind, s->video->name, s->object->name,
                            s->job->entry->name, suffix)
               ? folders_make_for(path, err)
               : fail(err, SAM_E_ARG, "%.200s...: the path is too long", path);
}

/* The frame's line for the report, and its picture if it is the worst so far. */
static sam_status record_frame(state *s, const frame *f, found *mask, sam_error *err)
{
    if (!s->record.to)
        return SAM_OK;
    fprintf(s->record.to, "%lld,", (long long)f->index);
    csv_put_field(s->record.to, f->name);
    fprintf(s->record.to, isnan(s->frame_ms) ? "," : ",%.3f", s->frame_ms);
    if (isnan(s->frame_j))
        fprintf(s->record.to, ",,\n");
    else
        fprintf(s->record.to, ",%.6f,%.6f\n", s->frame_j, s->frame_f);
    if (isnan(s->frame_j) || (s->worst && s->frame_j >= s->worst_j))
        return SAM_OK;
    char label[80];
    snprintf(label, sizeof label, "%.40s J %.3f", f->name, s->frame_j);
    sheet_close(s->worst);
    s->worst = NULL;
    s->worst_j = s->frame_j;
    TRY(need_bytes(s, mask, err));
    TRY(sheet_open(1, 1, 0, &s->worst, err));
    const sheet_tile tile = {.rgb = f->rgb,
                             .width = f->width,
                             .height = f->height,
                             .mask = mask->bytes,
                             .truth = s->truth.data,
                             .label = label};
    return sheet_add(s->worst, &tile, err);
}

static sam_status open_record(state *s, sam_error *err)
{
    if (!s->job->options->save_frames)
        return SAM_OK;
    s->output_failed = 1;
    TRY(path_beside(s, "frames", "csv", s->record_path, err));
    TRY(text_open(&s->record, s->record_path, err));
    s->output_failed = 0;
    fprintf(s->record.to, "frame,name,ms,J,F\n");
    return SAM_OK;
}

static sam_status finish_record(state *s, sam_error *err)
{
    char path[PATH_BYTES];
    if (!s->record.to)
        return SAM_OK;
    s->output_failed = 1;
    TRY(text_close(&s->record, err));
    if (s->worst) {
        TRY(path_beside(s, "worst", "png", path, err));
        TRY(sheet_write(s->worst, path, err));
    }
    s->output_failed = 0;
    return SAM_OK;
}

/* Everything that is not timed. */
static sam_status use_mask(state *s, const frame *f, found *mask, sam_error *err)
{
    const mask_view view = view_of(s, mask);
    s->frame_j = s->frame_f = NAN;
    if (s->next < s->n_annotated && s->object->annotated[s->next] == f->index) {
        const char *file = s->object->files.names[s->next];
        size_t n = stem_length(file);
        if (!s->video->video_file && (strncmp(f->name, file, n) || f->name[n]))
            return fail(err, SAM_E_FORMAT,
                        "%s: frame %lld is %s, but by its name mask %s belongs to it: number both alike",
                        s->video->frames_dir, (long long)f->index, f->name, file);
        TRY(score_annotated(s, &view, err));
    }
    TRY(record_frame(s, f, mask, err));
    if (s->job->options->save_masks) {
        TRY(need_bytes(s, mask, err));
        TRY(write_mask(s, f->name, mask->bytes, err));
    }
    return s->overlay ? write_overlay(s, f, mask, err) : SAM_OK;
}

/* ---- frames ---- */

/* What a baseline makes of a frame. */
static sam_status follow(state *s, const frame *f, found *mask, sam_error *err)
{
    if (s->follower)
        follower_track(s->follower, f->rgb);
    else
        TRY(follower_open(s->job->entry->follows, f->rgb, s->shown.data, f->width, f->height, &s->follower, err));
    mask->bytes = follower_mask(s->follower);
    return SAM_OK;
}

static sam_status give_prompt(state *s, sam_error *err)
{
    const uint8_t *mask = s->shown.data;
    size_t row_bytes = (size_t)s->width;
    sam_prompt_set set = {0};
    if (s->job->entry->ask == ASK_POINTS) {
        TRY(prompt_point_from_mask(mask, row_bytes, s->width, s->height, &s->point, err));
        set.points = &s->point;
        set.n_points = 1;
    } else if (s->job->entry->ask == ASK_BBOX) {
        TRY(prompt_box_from_mask(mask, row_bytes, s->width, s->height, &s->box, err));
        set.box = &s->box;
    } else {
        set.mask = mask;
        set.mask_row_bytes = row_bytes;
    }
    return sam_prompt(s->job->model->session, OBJECT_ID, &set, err);
}

static sam_status add_stages(state *s, sam_error *err)
{
    sam_stats now;
    TRY(sam_get_stats(s->job->model->session, &now, err));
    s->stages.encode_ms += now.encode_ms;
    s->stages.memory_attention_ms += now.memory_attention_ms;
    s->stages.mask_decoder_ms += now.mask_decoder_ms;
    s->stages.memory_encoder_ms += now.memory_encoder_ms;
    s->stages.post_ms += now.post_ms;
    return SAM_OK;
}

static sam_status segment(state *s, const frame *f, found *mask, sam_error *err)
{
    sam_session *session = s->job->model->session;
    TRY(sam_push_frame(session, &f->input, err));
    TRY(ahead_push(&s->ahead, session, err));
    TRY(s->n_frames ? sam_track(session, SAM_FORWARD, err) : give_prompt(s, err));
    return sam_get_mask(session, OBJECT_ID, &mask->mask, err);
}

/* From a decoded frame to its mask. */
static sam_status predict(state *s, const frame *f, found *mask, sam_error *err)
{
    int is_prompt = s->n_frames == 0, is_baseline = s->job->entry->follows != BASELINE_NONE;
    double start = clock_ms();
    TRY(is_baseline ? follow(s, f, mask, err) : segment(s, f, mask, err));
    double ms = clock_ms() - start;
    s->frame_ms = is_baseline ? NAN : ms; /* a column of speeds is one of models */
    s->n_frames++;
    s->total_ms += ms;
    s->decode_ms += f->decode_ms;
    if (is_prompt || is_baseline)
        return SAM_OK;
    s->n_tracked++;
    s->tracked_ms += ms;
    return add_stages(s, err);
}

static sam_status one_frame(state *s, const frame *f, sam_error *err)
{
    found mask = {.bytes = NULL};
    if (f->width != s->width || f->height != s->height)
        return fail(err, SAM_E_FORMAT, "%s, frame %s: is %dx%d, the first frame is %dx%d", s->video->name, f->name,
                    f->width, f->height, s->width, s->height);
    TRY(predict(s, f, &mask, err));
    return use_mask(s, f, &mask, err);
}

/* `*interrupted` is set when on_frame asked for the end. */
static sam_status all_frames(state *s, int *interrupted, sam_error *err)
{
    const run_job *job = s->job;
    int n_total = s->clip_end - s->object->annotated[s->prompt];
    s->ahead = (frames_ahead){.frames = s->frames,
                              .overlap = job->options->model.overlap,
                              .width = s->width,
                              .height = s->height,
                              .end = s->clip_end};
    for (;;) {
        const frame *f;
        double start = clock_ms();
        TRY(ahead_next(&s->ahead, &f, err));
        s->total_ms += clock_ms() - start;
        if (!f)
            break;
        sam_status status = one_frame(s, f, err);
        frames_release(s->frames, f);
        TRY(status);
        *interrupted = job->on_frame && job->on_frame(job->user, s->n_frames, n_total);
        if (*interrupted)
            return SAM_OK;
    }
    if (s->next < s->n_annotated)
        return fail(err, SAM_E_FORMAT, "%s: ended after frame %d, but %s/%s annotates frame %d", s->video->name,
                    s->object->annotated[s->prompt] + s->n_frames - 1, s->object->name, s->object->files.names[s->next],
                    s->object->annotated[s->next]);
    return SAM_OK;
}

/* ---- the row ---- */

static void fill_speed(const state *s, result_row *row)
{
    double n = s->n_tracked;
    row->has_speed = s->n_tracked > 0;
    row->e2e_fps = s->total_ms > 0 ? s->n_frames * 1e3 / s->total_ms : 0;
    row->decode_ms = s->n_frames ? s->decode_ms / s->n_frames : 0;
    if (!row->has_speed)
        return;
    row->latency_ms = s->tracked_ms / n;
    row->fps = s->tracked_ms > 0 ? n * 1e3 / s->tracked_ms : 0;
    row->encode_ms = s->stages.encode_ms / n;
    row->memory_attention_ms = s->stages.memory_attention_ms / n;
    row->mask_decoder_ms = s->stages.mask_decoder_ms / n;
    row->memory_encoder_ms = s->stages.memory_encoder_ms / n;
    row->post_ms = s->stages.post_ms / n;
}

static void fill_score(const state *s, result_row *row)
{
    object_result r;
    object_score_conclude(&s->score, &r);
    row->scored = r.scored;
    row->j = r.j;
    row->f = r.f;
    row->j_and_f = r.j_and_f;
    snprintf(row->status, sizeof row->status, "ok");
    if (!r.scored)
        snprintf(row->status, sizeof row->status,
                 "ok: not scored, by --metric %s none of the clip's %d annotated frames "
                 "counts",
                 metric_name(s->score.kind), s->before + s->n_annotated);
}

static void fill_row(const state *s, result_row *row)
{
    const warm_model *m = s->job->model;
    sam_stats stats;
    row->frames = s->n_frames;
    row->end_frame = s->n_frames ? s->object->annotated[s->prompt] + s->n_frames : 0;
    row->input_h = s->height;
    row->input_w = s->width;
    row->setup_ms = m->model_ms + m->session_ms;
    row->peak_rss_mib = (double)process_peak_bytes() / (1 << 20);
    if (m->session && sam_get_stats(m->session, &stats, NULL) == SAM_OK) {
        snprintf(row->backend, sizeof row->backend, "%s", stats.backend);
        snprintf(row->device, sizeof row->device, "%s", stats.device);
        row->gpu_peak_mib = (double)stats.device_bytes / 0x1p20;
    }
    fill_speed(s, row);
}

static sam_status prepare(state *s, result_row *row, sam_error *err)
{
    const run_options *o = s->job->options;
    TRY(find_prompt(s, err));
    TRY(open_frames(s, err));
    if (!s->job->entry->follows)
        TRY(warm_session(s->job->model, s->width, s->height, s->clip_end, 0, err));
    TRY(begin_masks(s, err));
    TRY(settle_before_prompt(s, err));
    TRY(open_record(s, err));
    return o->save_overlays ? open_overlay(s, row, err) : SAM_OK;
}

static sam_status finish_overlay(state *s, sam_error *err)
{
    if (!s->overlay)
        return SAM_OK;
    overlay *o = s->overlay;
    s->overlay = NULL;
    s->output_failed = 1;
    TRY(overlay_close(o, err));
    s->output_failed = 0;
    return SAM_OK;
}

static void release(state *s)
{
    ahead_close(&s->ahead);
    frames_close(s->frames);
    overlay_abandon(s->overlay);
    text_abandon(&s->record);
    sheet_close(s->worst);
    follower_close(s->follower);
    free(s->bytes);
    free(s->canvas);
    image_free(&s->shown);
    image_free(&s->truth);
    metric_scratch_free(&s->scratch);
    object_score_free(&s->score);
}

/* In DAVIS and flat layouts the convention's first frame is the video's, not the object's. */
static int annotations_before(const dataset *set, const dataset_video *v, const dataset_object *o)
{
    return set->layout == DATASET_SAV || v->masks.n < o->n_annotated ? 0 : v->masks.n - o->n_annotated;
}

sam_status run_object(const run_job *job, result_row *row, int *fatal, sam_error *err)
{
    const dataset_video *v = &job->set->videos[job->video];
    const dataset_object *o = &v->objects[job->object];
    const run_options *options = job->options;
    state s = {.job = job, .video = v, .object = o, .score = {.kind = options->metric_kind}};
    s.before = annotations_before(job->set, v, o);
    int interrupted = 0;
    sam_error local;
    err = err ? err : &local;
    *row = (result_row){.video = v->name,
                        .object = o->name,
                        .model = job->entry->name,
                        .precision = job->entry->follows ? "" : model_precision(&options->model),
                        .metric = options->metric};
    if (job->model->model)
        row->imgsz = sam_model_image_px(job->model->model);
    process_peak_restart();
    sam_status status = prepare(&s, row, err);
    if (status == SAM_OK)
        status = all_frames(&s, &interrupted, err);
    if (status == SAM_OK && !interrupted)
        status = finish_overlay(&s, err);
    if (status == SAM_OK && !interrupted)
        status = finish_record(&s, err);
    fill_row(&s, row);
    if (status == SAM_OK && !interrupted) {
        fill_score(&s, row);
    } else {
        snprintf(row->status, sizeof row->status, interrupted ? "interrupted" : "error: %s", err->text);
        row->overlay[0] = 0;
        warm_drop_session(job->model);
    }
    *fatal = s.output_failed;
    release(&s);
    return status;
}
