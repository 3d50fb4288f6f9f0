/* eval_video.c - see eval_video.h. */
#include "eval_video.h"

#include "listing.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum { MAX_VALUES = 256, VOID_VALUE = 255 };

/* What one video's scoring works with. */
typedef struct video_eval {
    metric_kind metric;
    int skip_first_last;
    const char *video;
    image gt, pred; /* the current frame */
    pred_masks reader;
    metric_scratch scratch;
    eval_results *out;
} video_eval;

void eval_results_free(eval_results *r)
{
    for (int i = 0; i < r->n; i++) {
        free(r->objects[i].name);
        object_score_free(&r->objects[i].frames);
    }
    free(r->objects);
    *r = (eval_results){0};
}

/* Adds an object to the results and takes over `frames`, also on failure. */
static sam_status add_object(video_eval *v, const char *object, object_score *frames, sam_error *err)
{
    eval_results *r = v->out;
    char *name;
    sam_status status = path_join(&name, v->video, object, err);
    if (status == SAM_OK && r->n == r->capacity) {
        int capacity = r->capacity ? 2 * r->capacity : 32;
        eval_object *objects = realloc(r->objects, (size_t)capacity * sizeof *objects);
        if (objects) {
            r->objects = objects;
            r->capacity = capacity;
        } else {
            free(name);
            status = fail(err, SAM_E_MEMORY, "out of memory: %d objects", capacity);
        }
    }
    if (status != SAM_OK) {
        object_score_free(frames);
        return status;
    }
    eval_object *o = &r->objects[r->n++];
    *o = (eval_object){.name = name, .frames = *frames};
    object_score_conclude(frames, &o->result);
    *frames = (object_score){0};
    return SAM_OK;
}

/* ---- frames ---- */

static sam_status read_pair_at(video_eval *v, const char *object, const char *gt_path, const char *frame,
                               sam_error *err)
{
    TRY(object ? pred_object(&v->reader, object, frame, &v->pred, err)
               : pred_picture(&v->reader, frame, &v->pred, err));
    TRY(image_read_mask(gt_path, object ? MASK_OBJECT : MASK_IDS, &v->gt, err));
    if (v->gt.width == v->pred.width && v->gt.height == v->pred.height)
        return SAM_OK;
    return fail(err, SAM_E_FORMAT, "%s%s%s%s%s: is %d x %d, expected %d x %d as its annotation %s", v->reader.folder,
                strcmp(v->reader.folder + strlen(v->reader.folder) - 1, "/") ? "/" : "", object ? object : "",
                object ? "/" : "", frame, v->pred.width, v->pred.height, v->gt.width, v->gt.height, gt_path);
}

/* Reads annotation and prediction of one frame into v->gt and v->pred; object NULL: of all objects. */
static sam_status read_pair(video_eval *v, const char *object, const char *gt_folder, const char *frame, sam_error *err)
{
    char *gt_path;
    TRY(path_join(&gt_path, gt_folder, frame, err));
    sam_status status = read_pair_at(v, object, gt_path, frame, err);
    free(gt_path);
    return status;
}

/* Marks the values that occur in an image. */
static void mark_values(const image *im, unsigned char present[MAX_VALUES])
{
    size_t n = (size_t)im->width * im->height;
    for (size_t i = 0; i < n; i++)
        present[im->data[i]] = 1;
}

static sam_status score_value(video_eval *v, int value, object_score *s, sam_error *err)
{
    size_t row_bytes = (size_t)v->gt.width;
    const mask_view gt = {.px = v->gt.data, .row_bytes = row_bytes, .value = value};
    const mask_view pred = {.px = v->pred.data, .row_bytes = row_bytes, .value = value};
    frame_score score;
    TRY(metric_frame(v->metric, &gt, &pred, v->gt.width, v->gt.height, &v->scratch, &score, err));
    return object_score_add(s, &score, err);
}

/* ---- SA-V layout ---- */

static sam_status score_object_frames(video_eval *v, const char *gt_folder, const char *object, const listing *frames,
                                      object_score *s, sam_error *err)
{
    for (int i = 0; i < frames->n; i++) {
        if (!metric_counts_frame(v->skip_first_last, frames->n, i))
            continue;
        /* As the assertion of SA-V's evaluator: a file of one object has one value and the background. */
        TRY(read_pair(v, object, gt_folder, frames->names[i], err));
        TRY(score_value(v, 0, s, err));
    }
    object_result result;
    object_score_conclude(s, &result);
    if (!result.scored && v->metric != METRIC_VOS_BENCHMARK)
        return fail(err, SAM_E_FORMAT,
                    "%s: %d annotated frames, none of those scored shows the object, so it has no %s score; keep first "
                    "and last with --no-skip_first_last, or leave such objects out with --metric vos_benchmark",
                    gt_folder, frames->n, metric_name(v->metric));
    return SAM_OK;
}

static sam_status score_object_folder(video_eval *v, const char *gt_video, const char *object, sam_error *err)
{
    char *gt_folder;
    listing frames = {0};
    object_score s = {.kind = v->metric};
    TRY(path_join(&gt_folder, gt_video, object, err));
    sam_status status = listing_read(gt_folder, "png", &frames, err);
    if (status == SAM_OK && !frames.n)
        status = fail(err, SAM_E_FORMAT, "%s: holds no .png annotation", gt_folder);
    if (status == SAM_OK)
        status = listing_check_order(&frames, gt_folder, err);
    if (status == SAM_OK)
        status = score_object_frames(v, gt_folder, object, &frames, &s, err);
    if (status == SAM_OK)
        status = add_object(v, object, &s, err);
    object_score_free(&s);
    listing_free(&frames);
    free(gt_folder);
    return status;
}

/* ---- DAVIS layout ---- */

/* Reads the first annotation and says which ids are objects from the start: 1..max without void for davis
 * (davis2017-evaluation, davis2017/davis.py, get_all_masks). */
static sam_status davis_objects(video_eval *v, const char *gt_folder, const char *first, int *n_objects, sam_error *err)
{
    char *path;
    TRY(path_join(&path, gt_folder, first, err));
    sam_status status = image_read_mask(path, MASK_IDS, &v->gt, err);
    free(path);
    TRY(status);
    unsigned char present[MAX_VALUES] = {0};
    mark_values(&v->gt, present);
    *n_objects = 0;
    for (int i = 1; i < VOID_VALUE; i++)
        if (present[i])
            *n_objects = i;
    return SAM_OK;
}

/* Which ids the current frame adds to those being scored. */
static sam_status update_tracked(video_eval *v, int n_davis, const char *frame, unsigned char tracked[MAX_VALUES],
                                 sam_error *err)
{
    unsigned char in_pred[MAX_VALUES] = {0};
    mark_values(&v->pred, in_pred);
    switch (v->metric) {
    case METRIC_DAVIS:
        for (int i = n_davis + 1; i < MAX_VALUES; i++)
            if (in_pred[i])
                return fail(err, SAM_E_FORMAT,
                            "%s/%s: holds id %d, but the video's first annotation has objects 1 to %d; davis counts "
                            "only those, remove the id or use --metric vos_benchmark",
                            v->reader.folder, frame, i, n_davis);
        break;
    case METRIC_SAV:
    case METRIC_VOS_BENCHMARK:
        mark_values(&v->gt, tracked);
        mark_values(&v->pred, tracked);
        break;
    case METRIC_SEED:
        mark_values(&v->gt, tracked);
        break;
    }
    tracked[0] = 0;
    return SAM_OK;
}

static sam_status score_index_frames(video_eval *v, const char *gt_folder, const listing *frames,
                                     object_score scores[MAX_VALUES], unsigned char tracked[MAX_VALUES], sam_error *err)
{
    int n_davis = 0;
    if (v->metric == METRIC_DAVIS)
        TRY(davis_objects(v, gt_folder, frames->names[0], &n_davis, err));
    for (int i = 1; i <= n_davis; i++)
        tracked[i] = 1;
    for (int i = 0; i < frames->n; i++) {
        if (!metric_counts_frame(v->skip_first_last, frames->n, i))
            continue;
        TRY(read_pair(v, NULL, gt_folder, frames->names[i], err));
        TRY(update_tracked(v, n_davis, frames->names[i], tracked, err));
        for (int value = 1; value < MAX_VALUES; value++) {
            /* davis: void pixels are background, and no object has that value. */
            if (tracked[value])
                TRY(score_value(v, value, &scores[value], err));
        }
    }
    return SAM_OK;
}

static sam_status add_index_objects(video_eval *v, object_score scores[MAX_VALUES],
                                    const unsigned char tracked[MAX_VALUES], sam_error *err)
{
    int n = 0;
    for (int i = 1; i < MAX_VALUES; i++)
        n += tracked[i];
    for (int i = 1; i < MAX_VALUES; i++) {
        int is_void = v->metric == METRIC_SEED && i == VOID_VALUE && n > 1;
        int unknown = (v->metric == METRIC_SAV || v->metric == METRIC_VOS_BENCHMARK) && !scores[i].in_gt;
        if (!tracked[i] || is_void || unknown)
            continue;
        char object[12];
        snprintf(object, sizeof object, "%03d", i);
        TRY(add_object(v, object, &scores[i], err));
    }
    return SAM_OK;
}

static sam_status score_index_folder(video_eval *v, const char *gt_folder, const listing *frames, sam_error *err)
{
    unsigned char tracked[MAX_VALUES] = {0};
    object_score scores[MAX_VALUES];
    for (int i = 0; i < MAX_VALUES; i++)
        scores[i] = (object_score){.kind = v->metric};
    sam_status status = score_index_frames(v, gt_folder, frames, scores, tracked, err);
    if (status == SAM_OK)
        status = add_index_objects(v, scores, tracked, err);
    for (int i = 0; i < MAX_VALUES; i++)
        object_score_free(&scores[i]);
    return status;
}

/* ---- a video ---- */

static sam_status score_folders(video_eval *v, const char *gt_folder, const char *pred_folder, pred_form form,
                                const listing *objects, const listing *frames, sam_error *err)
{
    if (!objects->n && !frames->n)
        return fail(err, SAM_E_FORMAT,
                    "%s: holds neither .png annotations nor one folder per object; pass the folder above the videos",
                    gt_folder);
    if (objects->n && frames->n)
        return fail(err, SAM_E_FORMAT, "%s: holds both .png files and folders (%s, %s); keep one layout", gt_folder,
                    frames->names[0], objects->names[0]);
    if (!path_is_folder(pred_folder))
        return fail(err, SAM_E_IO, "%s: no such folder; video %s has no predictions", pred_folder, v->video);
    if (frames->n && v->skip_first_last && frames->n < 3)
        return fail(err, SAM_E_FORMAT,
                    "%s: %d annotated frames, and first and last are not scored; keep them with --no-skip_first_last",
                    gt_folder, frames->n);
    TRY(pred_open(&v->reader, pred_folder, form, frames->n > 0, err));
    if (frames->n)
        return score_index_folder(v, gt_folder, frames, err);
    for (int i = 0; i < objects->n; i++)
        TRY(score_object_folder(v, gt_folder, objects->names[i], err));
    return SAM_OK;
}

sam_status eval_video(metric_kind metric, int skip_first_last, const char *gt_root, const char *pred_root,
                      pred_form form, const char *video, eval_results *out, sam_error *err)
{
    video_eval v = {.metric = metric, .skip_first_last = skip_first_last, .video = video, .out = out};
    char *gt_folder, *pred_folder = NULL;
    listing objects = {0}, frames = {0};
    TRY(path_join(&gt_folder, gt_root, video, err));
    sam_status status = path_join(&pred_folder, pred_root, video, err);
    if (status == SAM_OK)
        status = listing_read(gt_folder, NULL, &objects, err);
    if (status == SAM_OK)
        status = listing_read(gt_folder, "png", &frames, err);
    if (status == SAM_OK)
        status = listing_check_order(&frames, gt_folder, err);
    if (status == SAM_OK)
        status = score_folders(&v, gt_folder, pred_folder, form, &objects, &frames, err);
    listing_free(&objects);
    listing_free(&frames);
    pred_close(&v.reader);
    metric_scratch_free(&v.scratch);
    image_free(&v.gt);
    image_free(&v.pred);
    free(gt_folder);
    free(pred_folder);
    return status;
}
