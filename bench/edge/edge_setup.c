/* edge_setup.c - phase A of `edge`: everything that is not inference, in a process that then ends and gives all its memory
 * back. What it finds is metadata.json. */
#include "edge.h"

#include "clip.h"
#include "clock.h"
#include "folders.h"
#include "frame_store.h"
#include "interrupt.h"
#include "json_build.h"
#include "json_out.h"
#include "object_pass.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum { WARM_PX = 256, TUNING_FRAMES = 3 };

/* ---- the data set ---- */

/* Whether the object can be prompted with, and where. */
static json_t *check_object(edge_options *o, int video, int object, int *valid)
{
    const dataset_object *d = &o->w.set.videos[video].objects[object];
    const char *name = d->name;
    image mask = {0};
    sam_error why;
    int prompt;
    *valid = object_pass_prompt(&o->w.set, video, object, &prompt, &mask, &why) == SAM_OK;
    json_t *json = *valid ? json_pack("{s:s,s:b,s:i,s:I,s:i,s:i}", "name", name, "valid", 1, "prompt_frame",
                                      d->annotated[prompt], "mask_pixels", (json_int_t)image_mask_area(&mask), "width",
                                      mask.width, "height", mask.height)
                          : json_pack("{s:s,s:b,s:s}", "name", name, "valid", 0, "why", why.text);
    if (!*valid)
        fprintf(stderr, "sambench edge: %s/%s is left out: %s\n", o->w.set.videos[video].name, name, why.text);
    image_free(&mask);
    return json;
}

static json_t *check_video(edge_options *o, int video, int *n_valid, int *n_objects)
{
    sam_error why;
    const dataset_video *v = &o->w.set.videos[video];
    json_t *objects = json_array(), *name = json_text(v->name), *exact = json_string(v->name);
    sam_status status = dataset_find_objects(&o->w.set, video, &why);
    if (!exact) /* phase B finds the video by this name */
        status = fail(&why, SAM_E_FORMAT, "the name is not UTF-8, as the metadata must be: rename the video");
    json_decref(exact);
    if (status != SAM_OK) {
        fprintf(stderr, "sambench edge: %s is left out: %s\n", v->name, why.text);
        return json_pack("{s:o,s:s,s:o}", "name", name, "why", why.text, "objects", objects);
    }
    for (int i = 0; i < v->n_objects; i++) {
        int valid;
        json_add(&objects, check_object(o, video, i, &valid));
        *n_valid += valid;
        ++*n_objects;
    }
    return json_pack("{s:o,s:i,s:o}", "name", name, "frames", v->frames.n, "objects", objects);
}

/* ---- warming up and tuning ---- */

/* One frame of 256 x 256 through every part of the model. */
static sam_status one_small_frame(sam_session *s, int index, double *ms, sam_error *err)
{
    static const sam_point middle = {WARM_PX / 2, WARM_PX / 2, 1};
    size_t bytes = 3 * WARM_PX * WARM_PX;
    uint8_t *rgb = malloc(bytes);
    if (!rgb)
        return fail(err, SAM_E_MEMORY, "no memory for a frame");
    for (size_t i = 0; i < bytes; i++)
        rgb[i] = (uint8_t)(i * 2654435761u >> 24);
    const sam_frame frame = {.rgb = rgb, .row_bytes = 3 * WARM_PX, .index = index};
    double start = clock_ms();
    sam_status status = sam_push_frame(s, &frame, err);
    if (status == SAM_OK)
        status = index ? sam_track(s, SAM_FORWARD, err)
                       : sam_prompt(s, 1, &(sam_prompt_set){.points = &middle, .n_points = 1}, err);
    *ms = clock_ms() - start;
    free(rgb);
    return status;
}

static const sam_session_options small_session = {.width_px = WARM_PX, .height_px = WARM_PX};

/* Best of a few tracked frames with so many threads. */
static sam_status time_threads(const model_choice *choice, int n_threads, double *best_ms, size_t *scratch,
                               sam_error *err)
{
    sam_model *m = NULL;
    sam_session *s = NULL;
    sam_stats stats;
    model_choice c = *choice;
    c.n_threads = n_threads;
    c.device = "cpu";
    sam_status status = model_open("edge", &c, 0, 0, &m, err);
    if (status == SAM_OK)
        status = sam_session_open(m, &small_session, &s, err);
    *best_ms = 0;
    for (int i = 0; i <= TUNING_FRAMES && status == SAM_OK; i++) {
        double ms;
        status = one_small_frame(s, i, &ms, err);
        if (i && (i == 1 || ms < *best_ms))
            *best_ms = ms;
    }
    if (status == SAM_OK)
        status = sam_get_stats(s, &stats, err);
    *scratch = status == SAM_OK ? stats.scratch_bytes : 0;
    sam_session_close(s);
    sam_model_close(m);
    return status;
}

/* On the CPU what can be chosen is the number of threads: all, all but one, half. On CUDA warming up has tuned. */
static json_t *tune(const edge_options *o, const model_choice *choice, int *best_threads)
{
    int all = model_threads(choice), tried = 0;
    double best = 0;
    json_t *candidates = json_array();
    *best_threads = 0;
    if (!o->tune || (choice->device && !strcmp(choice->device, "cuda")))
        return candidates;
    const int counts[] = {all, all - 1, (all + 1) / 2};
    for (int i = 0; i < 3; i++) {
        double ms;
        size_t scratch;
        sam_error why;
        if (counts[i] < 1 || counts[i] == tried)
            continue;
        tried = counts[i];
        if (time_threads(choice, counts[i], &ms, &scratch, &why) != SAM_OK)
            continue;
        int fits = scratch <= (size_t)o->w.model.workspace_mb << 20;
        json_add(&candidates, json_pack("{s:i,s:f,s:I,s:b}", "threads", counts[i], "ms", ms, "scratch_bytes",
                                        (json_int_t)scratch, "fits_workspace", fits));
        if (fits && (!*best_threads || ms < best)) {
            best = ms;
            *best_threads = counts[i];
        }
    }
    return candidates;
}

/* Whether both frames' masks were empty: it runs, but finds nothing in noise, and perhaps nothing at all. */
static int finds_nothing(sam_session *s)
{
    sam_mask mask;
    return sam_get_mask(s, 1, &mask, NULL) == SAM_OK && !mask.area_px;
}

/* "ok", "ok: the mask is empty", "load-only" (it opens, but the frame failed) or "failed". libraries: what a device used, "" for
 * none. */
static const char *warm_up(const model_choice *choice, const char *checkpoint, double *ms, char *libraries,
                           size_t n_libraries, sam_error *why)
{
    warm_model m = {0};
    double start = clock_ms(), frame_ms;
    sam_status loaded = warm_open(&m, "edge", choice, checkpoint, why), ran = loaded;
    if (loaded == SAM_OK)
        ran = warm_session(&m, WARM_PX, WARM_PX, 0x7fffffff, 0, why);
    int is_empty = 1;
    for (int i = 0; i < 2 && ran == SAM_OK; i++) {
        ran = one_small_frame(m.session, i, &frame_ms, why);
        is_empty = is_empty && ran == SAM_OK && finds_nothing(m.session);
    }
    *ms = clock_ms() - start;
    snprintf(libraries, n_libraries, "%s", loaded == SAM_OK ? sam_model_libraries(m.model) : "");
    warm_close(&m);
    if (ran == SAM_OK && is_empty)
        snprintf(why->text, sizeof why->text, "noise and a click gave none; the rows say whether the clips do");
    if (ran == SAM_OK)
        return is_empty ? "ok: the mask is empty" : "ok";
    return loaded == SAM_OK ? "load-only" : "failed";
}

/* Whether an earlier setup was killed at it. */
static int is_cold(const edge_options *o, const char *name)
{
    size_t n = strlen(name);
    for (const char *at = o->cold; at && *at; at += strcspn(at, "|"), at += *at == '|')
        if (!strncmp(at, name, n) && (!at[n] || at[n] == '|'))
            return 1;
    return 0;
}

static json_t *prepare_model(const edge_options *o, const model_entry *e)
{
    model_choice choice = o->w.model;
    sam_error why = {0};
    double ms = 0;
    int threads = 0;
    char libraries[1024] = "";
    choice.weights = workload_weights(&o->w, e);
    choice.tune |= o->tune;
    const char *state = "killed";
    json_t *candidates = NULL;
    if (is_cold(o, e->name)) {
        snprintf(why.text, sizeof why.text, "the setup's process was killed while it warmed up or tuned this model");
        candidates = json_array();
    } else {
        state = warm_up(&choice, model_entry_holds(e), &ms, libraries, sizeof libraries, &why);
        if (strcmp(state, "ok"))
            fprintf(stderr, "sambench edge: %s: warm-up %s: %s\n", e->name, state, why.text);
        candidates = tune(o, &choice, &threads);
    }
    return json_pack("{s:s,s:s,s:s,s:s,s:f,s:s,s:i,s:s,s:o}", "name", e->name, "checkpoint", e->checkpoint, "weights",
                     choice.weights, "warmup", state, "warmup_ms", ms, "why", why.text, "threads", threads, "libraries",
                     libraries, "tuning", candidates);
}

/* ---- prepared frames ---- */

static sam_status prepare_video(edge_options *o, sam_model *m, int video, char *name, size_t n_name, sam_error *err)
{
    const dataset_video *v = &o->w.set.videos[video];
    const char *source = v->video_file ? v->video_file : v->frames_dir;
    frame_source *frames = NULL;
    sam_session *s = NULL;
    char path[4096];
    sam_session_options options = {.prepared_frames = 1, .history = -1};
    int last = 0;
    /* A name may be as long as a file's can be; then there is no room for what is added. */
    if (strlen(v->name) <= 150)
        snprintf(name, n_name, "frames/%s__%d.half", v->name, o->w.model.image_px);
    else
        snprintf(name, n_name, "frames/by_number/%d__%d.half", video, o->w.model.image_px);
    TRY(edge_prepared(o, name, path, sizeof path, err));
    TRY(folders_make_for(path, err));
    /* Where clips are cut short only the frames of the objects' clips are needed. */
    for (int i = 0; i < v->n_objects && o->w.max_clip_frames; i++)
        last = v->objects[i].n_annotated && v->objects[i].annotated[0] > last ? v->objects[i].annotated[0] : last;
    TRY(frames_open(source, &(frames_options){.prefetch = o->w.max_frames_in_mem}, &frames, err));
    frames_size(frames, &options.width_px, &options.height_px);
    sam_status status = sam_session_open(m, &options, &s, err);
    if (status == SAM_OK)
        status = frame_store_write(path, s, sam_model_image_px(m), frames,
                                   o->w.max_clip_frames ? last + o->w.max_clip_frames : 0, err);
    sam_session_close(s);
    frames_close(frames);
    return status;
}

static sam_status prepare_frames(edge_options *o, json_t *videos, sam_error *err)
{
    sam_model *m = NULL;
    model_choice choice = o->w.model;
    choice.weights = workload_weights(&o->w, &o->w.list.entries[0]);
    TRY(model_open("edge", &choice, 0, 0, &m, err));
    sam_status status = SAM_OK;
    for (int v = 0; status == SAM_OK && v < o->w.set.n_videos && !interrupt_requested(); v++) {
        char name[256];
        sam_error why;
        json_t *video = json_array_get(videos, (size_t)v);
        if (json_object_get(video, "why")) /* left out */
            continue;
        sam_status one = prepare_video(o, m, v, name, sizeof name, &why);
        if (one == SAM_OK)
            status = json_object_set_new(video, "prepared", json_text(name))
                         ? fail(err, SAM_E_MEMORY, "out of memory: prepared frames of %s", o->w.set.videos[v].name)
                         : SAM_OK;
        else if (one == SAM_E_IO) /* a full disk would stop all others too */
            status = fail(err, one, "%s", why.text);
        else
            fprintf(stderr, "sambench edge: %s: frames are not prepared: %s\n", o->w.set.videos[v].name, why.text);
    }
    sam_model_close(m);
    return status;
}

/* ---- all of it ---- */

json_t *edge_settings(const edge_options *o, const char *split)
{
    const workload *w = &o->w;
    return json_pack("{s:s,s:s,s:i,s:s,s:i,s:i,s:i,s:b,s:i,s:b}", "split", split, "split_name",
                     w->split_name ? w->split_name : "sav_val", "imgsz", w->model.image_px, "precision",
                     model_precision(&w->model), "limit_videos", w->limit_videos, "limit_objects", w->limit_objects,
                     "max_clip_frames", w->max_clip_frames, "preprocess_frames", o->preprocess_frames, "workspace_mb",
                     w->model.workspace_mb, "enable_cudnn_tuning", o->tune);
}

sam_status edge_setup(edge_options *o, sam_error *err)
{
    int n_valid = 0, n_objects = 0;
    char path[4096];
    double start = clock_ms();
    TRY(workload_open(&o->w, "edge", err));
    TRY(edge_prepared(o, EDGE_METADATA, path, sizeof path, err));
    TRY(folders_make_for(path, err));
    json_t *videos = json_array(), *models = json_array();
    for (int v = 0; v < o->w.set.n_videos; v++)
        json_add(&videos, check_video(o, v, &n_valid, &n_objects));
    double scanned = clock_ms();
    sam_status status = SAM_OK;
    for (int i = 0; i < o->w.list.n && n_valid && status == SAM_OK && !interrupt_requested(); i++) {
        const model_entry *e = &o->w.list.entries[i];
        status = edge_say_where(o, "setup", "", "", e->name, err);
        json_add(&models, prepare_model(o, e));
    }
    double warmed = clock_ms();
    if (status == SAM_OK && o->preprocess_frames && n_valid && !is_cold(o, EDGE_FRAMES)) {
        status = edge_say_where(o, "setup", "", "", EDGE_FRAMES, err);
        if (status == SAM_OK)
            status = prepare_frames(o, videos, err);
    }
    json_t *all =
        json_pack("{s:i,s:s,s:o,s:i,s:i,s:o,s:o,s:{s:f,s:f,s:f}}", "version", 1, "left_out", o->cold ? o->cold : "",
                  "settings", edge_settings(o, o->w.set.root), "n_objects", n_objects, "n_valid_masks", n_valid,
                  "videos", videos, "models", models, "setup_ms", "scan", scanned - start, "warmup_and_tuning",
                  warmed - scanned, "prepare_frames", clock_ms() - warmed);
    if (status == SAM_OK && !interrupt_requested())
        status = json_out(path, all, err);
    else
        json_decref(all);
    if (status == SAM_OK && !n_valid)
        return fail(err, SAM_E_FORMAT, "%s: none of the %d annotated objects has a mask to prompt with (%s says why)",
                    o->w.set.root, n_objects, path);
    return status;
}
