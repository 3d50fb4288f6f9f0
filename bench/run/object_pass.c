/* object_pass.c - see object_pass.h. */
#include "object_pass.h"

#include "clip.h"
#include "clock.h"
#include "prompts.h"

#include <limits.h>

enum { OBJECT_ID = 1 };

sam_status object_pass_prompt(const object_pass *p, int *at, image *mask, sam_error *err)
{
    const dataset_video *v = &p->set->videos[p->video];
    const dataset_object *o = &v->objects[p->object];
    for (int a = 0; a < o->n_annotated; a++) {
        TRY(dataset_read_mask(p->set, p->video, p->object, o->annotated[a], 0, 0, mask, err));
        if (image_mask_area(mask)) {
            *at = o->annotated[a];
            return SAM_OK;
        }
    }
    return fail(err, SAM_E_FORMAT,
                "%s, object %s: all %d annotated masks are empty, so there is nothing to prompt with", v->name, o->name,
                o->n_annotated);
}

static sam_status give_prompt(const object_pass *p, const image *mask, sam_error *err)
{
    const uint8_t *px = mask->data;
    size_t row_bytes = (size_t)mask->width;
    sam_point point;
    sam_box box;
    sam_prompt_set set = {0};
    if (p->ask == ASK_POINTS) {
        TRY(prompt_point_from_mask(px, row_bytes, mask->width, mask->height, &point, err));
        set.points = &point;
        set.n_points = 1;
    } else if (p->ask == ASK_BBOX) {
        TRY(prompt_box_from_mask(px, row_bytes, mask->width, mask->height, &box, err));
        set.box = &box;
    } else {
        set.mask = px;
        set.mask_row_bytes = row_bytes;
    }
    return sam_prompt(p->model->session, OBJECT_ID, &set, err);
}

/* From pixels, or a stored frame, to the mask. */
static sam_status predict(const object_pass *p, const frame *f, const frames_ahead *ahead, const image *shown,
                          int64_t end, pass_frame *out, sam_mask *mask, sam_error *err)
{
    sam_session *s = p->model->session;
    out->start_ms = clock_ms();
    if (f) {
        TRY(sam_push_frame(s, &f->input, err));
        TRY(ahead_push(ahead, s, err));
    } else {
        TRY(frame_store_push(p->store, s, out->index, err));
        if (p->model->choice.overlap && out->index + 1 < end)
            TRY(frame_store_push_next(p->store, s, out->index + 1, err));
    }
    TRY(out->position ? sam_track(s, SAM_FORWARD, err) : give_prompt(p, shown, err));
    TRY(sam_get_mask(s, OBJECT_ID, mask, err));
    out->ms = clock_ms() - out->start_ms;
    out->mask = mask;
    return sam_get_stats(s, &out->stats, err);
}

static sam_status all_frames(const object_pass *p, frames_ahead *ahead, const image *shown, pass_result *r,
                             sam_error *err)
{
    frame_source *frames = ahead->frames;
    for (int64_t index = r->first; index < r->end && !r->stopped; index++) {
        const frame *f = NULL;
        sam_mask mask;
        pass_frame seen = {.index = index, .position = r->n_frames};
        double start = clock_ms();
        if (frames)
            TRY(ahead_next(ahead, &f, err));
        if (frames && !f)
            break;
        seen.decode_ms = f ? f->decode_ms : 0;
        sam_status status = f && (f->width != r->width || f->height != r->height)
                                ? fail(err, SAM_E_FORMAT, "%s, frame %s: is %dx%d, the first frame is %dx%d",
                                       p->set->videos[p->video].name, f->name, f->width, f->height, r->width, r->height)
                                : predict(p, f, ahead, shown, r->end, &seen, &mask, err);
        if (frames)
            frames_release(frames, f);
        TRY(status);
        r->total_ms += clock_ms() - start;
        r->n_frames++;
        r->stopped = p->on_frame && p->on_frame(p->user, &seen);
    }
    return SAM_OK;
}

/* Length and frame size of the video, from the files or from the store. */
static sam_status open_frames(const object_pass *p, frame_source **frames, pass_result *r, sam_error *err)
{
    const dataset_video *v = &p->set->videos[p->video];
    int64_t n = p->store ? frame_store_count(p->store) : 0;
    if (p->store) {
        frame_store_size(p->store, &r->width, &r->height);
    } else {
        const char *path = v->video_file ? v->video_file : v->frames_dir;
        const frames_options options = {.start = r->first,
                                        .max_frames = p->max_clip_frames,
                                        .prefetch = p->prefetch,
                                        .pixels = model_frames(&p->model->choice, 0)};
        TRY(frames_open(path, &options, frames, err));
        frames_size(*frames, &r->width, &r->height);
        n = frames_count(*frames);
    }
    if (r->first >= n)
        return fail(err, SAM_E_FORMAT, "%s: has %lld frames, but object %s is first annotated on frame %d", v->name,
                    (long long)n, v->objects[p->object].name, r->first);
    int64_t end = p->max_clip_frames && r->first + p->max_clip_frames < n ? r->first + p->max_clip_frames : n;
    r->end = end < INT_MAX ? (int)end : INT_MAX;
    return SAM_OK;
}

static sam_status run(const object_pass *p, frame_source **frames, image *shown, pass_result *r, sam_error *err)
{
    double start = clock_ms();
    TRY(object_pass_prompt(p, &r->first, shown, err));
    TRY(open_frames(p, frames, r, err));
    if (shown->width != r->width || shown->height != r->height)
        return fail(err, SAM_E_FORMAT, "%s, object %s: the annotation is %dx%d, the frames are %dx%d",
                    p->set->videos[p->video].name, p->set->videos[p->video].objects[p->object].name, shown->width,
                    shown->height, r->width, r->height);
    TRY(warm_session(p->model, r->width, r->height, r->end, p->store != NULL, err));
    if (p->on_session)
        p->on_session(p->user, p->model->session);
    r->setup_ms = clock_ms() - start;
    frames_ahead ahead = {
        .frames = *frames, .overlap = p->model->choice.overlap, .width = r->width, .height = r->height, .end = r->end};
    sam_status status = all_frames(p, &ahead, shown, r, err);
    ahead_close(&ahead);
    return status;
}

sam_status object_pass_run(const object_pass *p, pass_result *out, sam_error *err)
{
    frame_source *frames = NULL;
    image shown = {0};
    *out = (pass_result){0};
    sam_status status = run(p, &frames, &shown, out, err);
    if (status != SAM_OK)
        warm_drop_session(p->model);
    frames_close(frames);
    image_free(&shown);
    return status;
}
