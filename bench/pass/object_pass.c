/* object_pass.c - see object_pass.h. */
#include "object_pass.h"

#include "clock.h"
#include "frames_ahead.h"
#include "give_prompt.h"
#include "process_age.h"
#include "prompts.h"

#include <limits.h>
#include <stdlib.h>

enum { OBJECT_ID = 1 };

/* The pass while it runs. */
typedef struct state {
    const object_pass *p;
    pass_clip clip;
    pass_result *r;
    frame_source *frames; /* NULL: they come from the store */
    frames_ahead ahead;
    follower *follower; /* of a baseline; it has taken the prompt */
    uint8_t *bytes;     /* [height, width] once a mask is asked for as bytes */
    int n_seen;         /* frames tracked or dropped */
    pass_mask last;     /* of the last tracked frame, valid until the next one */
} state;

/* ---- before the first frame ---- */

sam_status object_pass_prompt(const dataset *set, int video, int object, int *annotation, image *mask, sam_error *err)
{
    const dataset_video *v = &set->videos[video];
    const dataset_object *o = &v->objects[object];
    for (*annotation = 0; *annotation < o->n_annotated; ++*annotation) {
        TRY(dataset_read_mask(set, video, object, o->annotated[*annotation], 0, 0, mask, err));
        if (image_mask_area(mask))
            return SAM_OK;
    }
    return fail(err, SAM_E_FORMAT,
                "%s, object %s: all %d annotated masks are empty, so there is nothing to prompt with", v->name, o->name,
                o->n_annotated);
}

static int clip_end(int max_clip_frames, int64_t n_frames, int first)
{
    int64_t end = n_frames < INT_MAX ? n_frames : INT_MAX;
    if (max_clip_frames && first + (int64_t)max_clip_frames < end)
        end = first + (int64_t)max_clip_frames;
    return (int)end;
}

int object_pass_planned(const dataset_video *v, const dataset_object *o, int max_clip_frames)
{
    int n = clip_end(max_clip_frames, v->video_file ? max_clip_frames : v->frames.n, o->annotated[0]);
    return n > o->annotated[0] ? n - o->annotated[0] : 0;
}

static sam_status make_prompts(pass_clip *c, sam_error *err)
{
    const uint8_t *mask = c->shown.data;
    size_t row_bytes = (size_t)c->width;
    if (c->entry->ask == ASK_POINTS) {
        TRY(prompt_point_from_mask(mask, row_bytes, c->width, c->height, &c->point, err));
        c->prompts = (sam_prompt_set){.points = &c->point, .n_points = 1};
    } else if (c->entry->ask == ASK_BBOX) {
        TRY(prompt_box_from_mask(mask, row_bytes, c->width, c->height, &c->box, err));
        c->prompts = (sam_prompt_set){.box = &c->box};
    } else {
        c->prompts = (sam_prompt_set){.mask = mask, .mask_row_bytes = row_bytes};
    }
    return SAM_OK;
}

static sam_status open_decoder(state *s, const char *path, sam_error *err)
{
    const object_pass *p = s->p;
    int needs_rgb = p->entry->follows != BASELINE_NONE;
    for (int i = 0; i < p->n_observers; i++)
        needs_rgb |= p->observers[i].wants_rgb;
    const frames_options options = {.start = s->clip.first,
                                    .max_frames = p->max_clip_frames,
                                    .prefetch = p->prefetch,
                                    .pixels = model_frames(&p->model->choice, needs_rgb)};
    TRY(frames_open(path, &options, &s->frames, err));
    s->clip.fps = frames_rate(s->frames);
    return SAM_OK;
}

/* Length and frame size of the video, from the files or from the store. */
static sam_status open_frames(state *s, sam_error *err)
{
    pass_clip *c = &s->clip;
    const char *path = c->v->video_file ? c->v->video_file : c->v->frames_dir;
    int64_t n;
    if (s->p->store) {
        frame_store_size(s->p->store, &c->width, &c->height);
        n = frame_store_count(s->p->store);
    } else {
        TRY(open_decoder(s, path, err));
        frames_size(s->frames, &c->width, &c->height);
        n = frames_count(s->frames);
    }
    s->r->width = c->width;
    s->r->height = c->height;
    if (c->first >= n)
        return fail(err, SAM_E_FORMAT, "%s: has %lld frames, but object %s is first annotated on frame %d", path,
                    (long long)n, c->o->name, c->first);
    s->r->end = c->end = clip_end(s->p->max_clip_frames, n, c->first);
    if (c->shown.width == c->width && c->shown.height == c->height)
        return SAM_OK;
    return fail(err, SAM_E_FORMAT, "%s/%s: the annotation is %dx%d, the frames are %dx%d", c->v->masks_dir,
                c->o->files.names[c->prompt], c->shown.width, c->shown.height, c->width, c->height);
}

static sam_status prepare(state *s, sam_error *err)
{
    const object_pass *p = s->p;
    pass_clip *c = &s->clip;
    double start = clock_ms();
    TRY(object_pass_prompt(p->set, p->video, p->object, &c->prompt, &c->shown, err));
    s->r->first = c->first = c->o->annotated[c->prompt];
    TRY(open_frames(s, err));
    TRY(make_prompts(c, err));
    if (!p->entry->follows) {
        TRY(warm_session(p->model, c->width, c->height, c->end, p->store || p->priors, err));
        c->session = p->model->session;
        if (p->priors)
            TRY(give_priors(&(prompt_target){p->model->model, c->session, c->width, c->height}, p->priors, c->v->name,
                            c->o->name, OBJECT_ID, err));
        TRY(sam_get_stats(c->session, &s->r->stats, err));
    }
    s->r->setup_ms = clock_ms() - start;
    for (int i = 0; i < p->n_observers; i++)
        if (p->observers[i].begin)
            TRY(p->observers[i].begin(p->observers[i].self, c, err));
    return SAM_OK;
}

/* ---- a frame ---- */

sam_status pass_mask_bytes(const pass_frame *f, const uint8_t **out, sam_error *err)
{
    pass_mask *m = f->mask;
    size_t width = (size_t)f->clip->width, height = (size_t)f->clip->height;
    if (!m->bytes && !*m->room)
        *m->room = malloc(width * height);
    if (!m->bytes && !*m->room)
        return fail(err, SAM_E_MEMORY, "out of memory: a mask of %dx%d", f->clip->width, f->clip->height);
    if (!m->bytes) {
        sam_mask_bytes(&m->model, *m->room, width);
        m->bytes = *m->room;
    }
    *out = m->bytes;
    return SAM_OK;
}

/* What a baseline makes of a frame. */
static sam_status follow(state *s, const frame *f, pass_mask *mask, sam_error *err)
{
    if (s->follower)
        follower_track(s->follower, f->rgb);
    else
        TRY(follower_open(s->p->entry->follows, f->rgb, s->clip.shown.data, f->width, f->height, &s->follower, err));
    mask->bytes = follower_mask(s->follower);
    return SAM_OK;
}

static sam_status segment(state *s, const pass_frame *now, sam_error *err)
{
    sam_session *session = s->clip.session;
    const frame_store *store = s->p->store;
    /* A session counts the frames that it sees: one that was dropped leaves no gap in its memory. */
    int64_t number = now->index - s->r->pace.n_dropped;
    if (store) {
        TRY(frame_store_push(store, session, now->index, number, err));
        if (s->p->model->choice.overlap && now->index + 1 < s->clip.end)
            TRY(frame_store_push_next(store, session, now->index + 1, err));
    } else {
        sam_frame input = now->pixels->input;
        input.index = number;
        TRY(sam_push_frame(session, &input, err));
        TRY(ahead_push(&s->ahead, session, err));
    }
    TRY(now->position ? sam_track(session, SAM_FORWARD, err) : sam_prompt(session, OBJECT_ID, &s->clip.prompts, err));
    return sam_get_mask(session, OBJECT_ID, &now->mask->model, err);
}

/* From pixels, or a stored frame, to the mask: this is what is timed. */
static sam_status predict(state *s, pass_frame *now, sam_error *err)
{
    const frame *f = now->pixels;
    const pass_clip *c = &s->clip;
    if (f && (f->width != c->width || f->height != c->height))
        return fail(err, SAM_E_FORMAT, "%s, frame %s: is %dx%d, the first frame is %dx%d", c->v->name, f->name,
                    f->width, f->height, c->width, c->height);
    now->start_ms = clock_ms();
    TRY(c->session ? segment(s, now, err) : follow(s, f, now->mask, err));
    now->ms = clock_ms() - now->start_ms;
    s->r->total_ms += now->ms;
    if (!s->r->n_frames++)
        s->r->cold_ms = process_age_ms();
    if (!c->session)
        return SAM_OK;
    TRY(sam_get_stats(c->session, &now->stats, err));
    s->r->stats = now->stats;
    return SAM_OK;
}

static sam_status one_frame(state *s, const frame *f, int is_last, sam_error *err)
{
    const object_pass *p = s->p;
    pass_mask mask = {.room = &s->bytes};
    pass_frame now = {.clip = &s->clip,
                      .pixels = f,
                      .index = f ? f->index : s->clip.first + s->n_seen,
                      .position = s->n_seen,
                      .dropped = s->p->paced_fps > 0 && s->n_seen && !pace_wait(&s->r->pace, s->n_seen, is_last),
                      .decode_ms = f ? f->decode_ms : 0,
                      .mask = &mask};
    s->n_seen++;
    if (now.dropped)
        mask = s->last;
    else
        TRY(predict(s, &now, err));
    if (p->paced_fps > 0 && now.position && !now.dropped)
        pace_done(&s->r->pace, now.position);
    for (int i = 0; i < p->n_observers; i++)
        if (p->observers[i].frame)
            TRY(p->observers[i].frame(p->observers[i].self, &now, err));
    s->last = mask;
    if (!now.position && p->paced_fps > 0)
        pace_begin(&s->r->pace);
    return SAM_OK;
}

/* ---- all frames ---- */

static sam_status all_frames(state *s, sam_error *err)
{
    const object_pass *p = s->p;
    const pass_clip *c = &s->clip;
    for (int64_t index = c->first; index < c->end && !s->r->stopped; index++) {
        const frame *f = NULL;
        double start = clock_ms();
        if (s->frames)
            TRY(ahead_next(&s->ahead, &f, err));
        s->r->total_ms += clock_ms() - start;
        if (s->frames && !f)
            break;
        sam_status status = one_frame(s, f, index + 1 == c->end, err);
        if (f)
            frames_release(s->frames, f);
        TRY(status);
        s->r->stopped = p->on_frame && p->on_frame(p->user, s->n_seen, c->end - c->first);
    }
    for (int i = 0; i < p->n_observers && !s->r->stopped; i++)
        if (p->observers[i].end)
            TRY(p->observers[i].end(p->observers[i].self, c, err));
    return SAM_OK;
}

sam_status object_pass_run(const object_pass *p, pass_result *out, sam_error *err)
{
    const dataset_video *v = &p->set->videos[p->video];
    state s = {.p = p, .r = out};
    s.clip = (pass_clip){
        .set = p->set, .video = p->video, .object = p->object, .v = v, .o = &v->objects[p->object], .entry = p->entry};
    *out = (pass_result){.pace = {.fps = p->paced_fps}};
    sam_status status = prepare(&s, err);
    if (status == SAM_OK) {
        s.ahead = (frames_ahead){.frames = s.frames,
                                 .overlap = p->model->choice.overlap,
                                 .width = s.clip.width,
                                 .height = s.clip.height,
                                 .end = s.clip.end};
        status = all_frames(&s, err);
    }
    if (status != SAM_OK)
        warm_drop_session(p->model);
    ahead_close(&s.ahead);
    frames_close(s.frames);
    follower_close(s.follower);
    image_free(&s.clip.shown);
    free(s.bytes);
    return status;
}
