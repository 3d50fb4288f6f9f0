#include "clip.h"

#include "clock.h"
#include "give_prompt.h"
#include "image_io.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

/* ---- before anything runs ----------------------------------------------------------------------------------------- */

sam_status clip_start(const prompt_file *p, int start_flag, int n_frames, int reverse, int resumes, const char *input,
                      int *start, sam_error *err)
{
    int first = -1;
    for (int i = 0; i < p->n_objects; i++)
        for (int k = 0; k < p->objects[i].n_prompts; k++) {
            const prompt *q = &p->objects[i].prompts[k];
            if (q->frame >= n_frames)
                return fail(err, SAM_E_ARG,
                            "object %d has a prompt on frame %d, but the clip %s has the frames 0 to %d",
                            (int)p->objects[i].id, q->frame, input, n_frames - 1);
            int frame = q->image_path ? 0 : q->frame; /* a picture comes before frame 0 */
            if (q->when == PROMPT_BEFORE && (first < 0 || frame < first))
                first = frame;
        }
    if (first < 0 && start_flag >= 0 && resumes)
        first = start_flag;
    if (first < 0 && resumes)
        return fail(err, SAM_E_ARG, "where does the state go on? give --start_frame, the frame after the last tracked");
    if (first < 0)
        return fail(err, SAM_E_ARG,
                    "every prompt is a correction (\"when\": \"tracked\"); tracking needs one before it");
    *start = start_flag >= 0 ? start_flag : p->start_frame >= 0 ? p->start_frame : first;
    if (*start >= n_frames)
        return fail(err, SAM_E_ARG, "start_frame %d, but the clip %s has the frames 0 to %d", *start, input,
                    n_frames - 1);
    if (reverse && *start == 0)
        return fail(err, SAM_E_ARG, "tracking in reverse from frame 0 has nowhere to go; give --start_frame");
    return SAM_OK;
}

sam_status clip_check_masks(const prompt_file *p, int *n_empty, sam_error *err)
{
    image mask = {0};
    sam_status status = SAM_OK;
    *n_empty = 0;
    for (int i = 0; status == SAM_OK && i < p->n_objects; i++)
        for (int k = 0; status == SAM_OK && k < p->objects[i].n_prompts; k++) {
            const prompt *q = &p->objects[i].prompts[k];
            if (!prompt_has_mask(q))
                continue;
            status = prompt_read_mask(q, &mask, err);
            *n_empty += status == SAM_OK && !image_mask_area(&mask);
        }
    image_free(&mask);
    return status;
}

/* Objects that the session has already, of a saved state. */
static void note_started(clip *c)
{
    enum { MOST = 1024 };
    int32_t ids[MOST];
    int n = sam_session_objects(c->session, ids, MOST);
    for (int i = 0; i < c->prompts->n_objects; i++)
        for (int k = 0; k < n; k++)
            c->started[i] |= c->prompts->objects[i].id == ids[k];
}

sam_status clip_open(clip *c, sam_error *err)
{
    c->current = -1;
    c->n_tracked = 0;
    c->ahead = (frames_ahead){.frames = c->frames, .overlap = c->overlap, .end = c->n_frames};
    frames_size(c->frames, &c->ahead.width, &c->ahead.height);
    c->started = calloc((size_t)c->prompts->n_objects + 1, 1);
    if (!c->started)
        return fail(err, SAM_E_MEMORY, "no memory for a clip");
    note_started(c);
    return SAM_OK;
}

void clip_close(clip *c)
{
    ahead_close(&c->ahead);
    free(c->started);
    c->started = NULL;
}

/* ---- frames and prompts ------------------------------------------------------------------------------------------- */

static sam_status push(clip *c, const frame *f, sam_error *err)
{
    TRY(sam_push_frame(c->session, &f->input, err));
    c->current = f->index;
    return SAM_OK;
}

/* Gives what `p` asks of object i on the session's frame, or on a picture. */
static sam_status give(clip *c, int i, const prompt *p, sam_error *err)
{
    prompt_target to = {.model = c->model, .session = c->session};
    frames_size(c->frames, &to.width, &to.height);
    c->current = p->image_path ? -1 : c->current;
    TRY(give_prompt(&to, c->prompts->objects[i].id, p, c->prompts->multimask, err));
    c->started[i] = 1;
    return SAM_OK;
}

/* All prompts of one frame and moment. */
static sam_status give_all(clip *c, int frame, prompt_when when, sam_error *err)
{
    for (int i = 0; i < c->prompts->n_objects; i++)
        for (int k = 0; k < c->prompts->objects[i].n_prompts; k++) {
            const prompt *p = &c->prompts->objects[i].prompts[k];
            if (!p->image_path && p->frame == frame && p->when == when)
                TRY(give(c, i, p, err));
        }
    return SAM_OK;
}

/* The first frame after `frame` (-1: of all) with a prompt given before tracking; -1: there is none. */
static int next_prompted(const clip *c, int frame)
{
    int next = -1;
    for (int i = 0; i < c->prompts->n_objects; i++)
        for (int k = 0; k < c->prompts->objects[i].n_prompts; k++) {
            const prompt *p = &c->prompts->objects[i].prompts[k];
            if (p->when == PROMPT_BEFORE && !p->image_path && p->frame > frame && (next < 0 || p->frame < next))
                next = p->frame;
        }
    return next;
}

static sam_status prompt_frame(clip *c, int frame_index, sam_error *err)
{
    const frame *f = NULL;
    TRY(frames_read(c->frames, frame_index, &f, err));
    TRY(push(c, f, err));
    return give_all(c, frame_index, PROMPT_BEFORE, err);
}

/* Pictures come first: a frame that is prompted after them stays the session's. */
static sam_status give_pictures(clip *c, sam_error *err)
{
    for (int i = 0; i < c->prompts->n_objects; i++)
        for (int k = 0; k < c->prompts->objects[i].n_prompts; k++)
            if (c->prompts->objects[i].prompts[k].image_path)
                TRY(give(c, i, &c->prompts->objects[i].prompts[k], err));
    return SAM_OK;
}

/* The start comes last, so that the session still holds its features when tracking begins. Prompted frames do not see
 * each other, so their order changes nothing else. */
sam_status clip_prompt(clip *c, sam_error *err)
{
    int at_start = 0;
    TRY(give_pictures(c, err));
    if (frames_are_live(c->frames))
        return SAM_OK;
    for (int t = next_prompted(c, -1); t >= 0; t = next_prompted(c, t)) {
        if (t == c->start)
            at_start = 1;
        else
            TRY(prompt_frame(c, t, err));
    }
    return at_start ? prompt_frame(c, c->start, err) : SAM_OK;
}

/* Objects whose mask on the session's frame says that it lacks memories. */
static int count_incomplete(const clip *c)
{
    int n = 0;
    for (int i = 0; i < c->prompts->n_objects; i++) {
        sam_mask m;
        n += c->started[i] && sam_get_mask(c->session, (int32_t)c->prompts->objects[i].id, &m, NULL) == SAM_OK &&
             m.incomplete;
    }
    return n;
}

int clip_prompts_on(const prompt_file *prompts, int64_t index)
{
    for (int i = 0; i < prompts->n_objects; i++)
        for (int k = 0; k < prompts->objects[i].n_prompts; k++)
            if (!prompts->objects[i].prompts[k].image_path && prompts->objects[i].prompts[k].frame == index)
                return 1;
    return 0;
}

static int any_started(const clip *c)
{
    return memchr(c->started, 1, (size_t)c->prompts->n_objects) != NULL;
}

/* NULL: the clip is over. */
static sam_status next_frame(clip *c, const frame **out, sam_error *err)
{
    int64_t t = c->start + (int64_t)(c->direction == SAM_REVERSE ? -c->n_tracked : c->n_tracked);
    int is_live = frames_are_live(c->frames);
    *out = NULL;
    if (t < 0 || t >= c->n_frames)
        return SAM_OK;
    TRY(ahead_next(&c->ahead, out, err));
    while (is_live && *out && !any_started(c) && !clip_prompts_on(c->prompts, (*out)->index)) {
        frames_release(c->frames, *out);
        TRY(ahead_next(&c->ahead, out, err));
    }
    if (*out && (*out)->index >= c->n_frames) {
        frames_release(c->frames, *out);
        *out = NULL;
    }
    return SAM_OK;
}

/* The frame becomes the session's, with the prompts that had to wait for it. */
static sam_status take_frame(clip *c, const frame *f, clip_result *out, sam_error *err)
{
    out->encoded = f->index != c->current;
    if (!frames_are_live(c->frames) || !clip_prompts_on(c->prompts, f->index))
        return SAM_OK;
    out->encoded = 0;
    TRY(push(c, f, err));
    return give_all(c, (int)f->index, PROMPT_BEFORE, err);
}

sam_status clip_next(clip *c, clip_result *out, sam_error *err)
{
    *out = (clip_result){.position = c->n_tracked, .allocations = {-1, -1}};
    const frame *f = NULL;
    TRY(next_frame(c, &f, err));
    if (!f)
        return SAM_OK;
    sam_status status = take_frame(c, f, out, err);
    if (c->count_allocations)
        alloc_count_begin();
    double start = clock_ms();
    if (status == SAM_OK && out->encoded)
        status = push(c, f, err);
    if (status == SAM_OK)
        status = ahead_push(&c->ahead, c->session, err);
    if (status == SAM_OK)
        status = sam_track(c->session, c->direction, err);
    out->ms = clock_ms() - start;
    if (c->count_allocations)
        out->allocations = alloc_count_end();
    if (status == SAM_OK)
        status = sam_get_stats(c->session, &out->stats, err);
    if (status == SAM_OK)
        status = give_all(c, (int)f->index, PROMPT_TRACKED, err);
    if (status != SAM_OK) {
        frames_release(c->frames, f);
        return status;
    }
    out->n_incomplete = count_incomplete(c); /* reads the masks */
    out->latency_ms = clock_ms() - f->arrived_ms;
    out->frame = f;
    c->n_tracked++;
    return SAM_OK;
}

void clip_release(clip *c, clip_result *r)
{
    frames_release(c->frames, r->frame);
    r->frame = NULL;
}
