/* Tracking, as facebookresearch/sam2 sam2_video_predictor.py behaves with its default options: each object is alone with
 * its own memory. A prompt on a frame that its object has not been tracked through makes it a conditioning frame, predicted
 * without memory; on any other it is a correction, predicted with memory. Tracked frames keep nothing but their latest
 * result; conditioning frames keep theirs, also when they are corrected. */
#include "distractor.h"
#include "result_check.h"
#include "steps.h"

#include <math.h>
#include <string.h>

/* ---- objects ------------------------------------------------------------------------------------------------------ */

static object *find_object(const sam_session *s, int32_t id)
{
    for (int i = 0; i < s->opt.max_objects; i++)
        if (s->objects[i].in_use && s->objects[i].id == id)
            return &s->objects[i];
    return NULL;
}

static object *free_object(const sam_session *s)
{
    for (int i = 0; i < s->opt.max_objects; i++)
        if (!s->objects[i].in_use)
            return &s->objects[i];
    return NULL;
}

sam_status sam_remove_object(sam_session *s, int32_t id, sam_error *err)
{
    TRY(check_session(s, SAM_VIDEO, "sam_remove_object", err));
    object *o = find_object(s, id);
    if (!o)
        return fail(err, SAM_E_ARG, "object %d is not being tracked", (int)id);
    o->in_use = o->has_result = 0;
    return SAM_OK;
}

int sam_session_objects(const sam_session *s, int32_t *ids, int n)
{
    int count = 0;
    for (int i = 0; s && i < s->opt.max_objects; i++) {
        if (!s->objects[i].in_use)
            continue;
        if (ids && count < n)
            ids[count] = s->objects[i].id;
        count++;
    }
    return count;
}

static void show_entry(object *o, const bank_entry *e)
{
    o->has_result = 1;
    o->prompted = e->prompted;
    o->incomplete = e->incomplete;
    o->iou = e->iou;
    o->score = e->score;
}

/* ---- prompts ------------------------------------------------------------------------------------------------------ */

/* The record of this frame's prompts, or NULL. */
static prompt_record *find_record(const sam_session *s, const object *o)
{
    for (int k = 0; k < s->n_records; k++)
        if (o->prompts[k].in_use && o->prompts[k].frame == s->frame)
            return &o->prompts[k];
    return NULL;
}

/* An empty record for this frame: when all are in use, that of the correction furthest away makes room. There are more of
 * them than conditioning frames. */
static prompt_record *new_record(const sam_session *s, object *o)
{
    prompt_record *best = NULL;
    for (int k = 0; k < s->n_records; k++) {
        prompt_record *r = &o->prompts[k];
        const bank_entry *e = r->in_use ? bank_latest(&o->bank, r->frame) : NULL;
        if (!r->in_use) {
            best = r;
            break;
        }
        if (!(e && e->prompted) && (!best || frames_apart(r->frame, s->frame) > frames_apart(best->frame, s->frame)))
            best = r;
    }
    if (best->in_use)
        runs_add(&o->lost_clicks, best->frame, 0);
    best->in_use = 1;
    best->frame = s->frame;
    best->n_points = 0;
    return best;
}

/* Logits of an earlier result on this frame as a mask prompt: cleaned and limited. */
static sam_status prompt_with_logits(sam_session *s, const float *kept, sam_error *err)
{
    TRY(fetch(s, s->plane, kept, low_res_count(s) * sizeof(float), err));
    clean_low_res(s, s->plane);
    for (size_t i = 0; i < low_res_count(s); i++)
        s->plane[i] = fminf(fmaxf(s->plane[i], -PROMPT_LOGIT_LIMIT), PROMPT_LOGIT_LIMIT);
    return put(s, s->st.mask_prompt, s->plane, low_res_count(s) * sizeof(float), err);
}

/* Masks of n objects, and for each the one that is the answer. */
static sam_status decode_and_choose(sam_session *s, step_id decoder, int n, sam_error *err)
{
    TRY(step(s, decoder, n, err));
    if (s->policy->by_motion)
        TRY(step(s, STEP_FOLLOW, n, err));
    return step(s, STEP_CHOOSE, n, err);
}

/* Masks of one object. */
static sam_status decode(sam_session *s, step_id decoder, sam_error *err)
{
    TRY(mark(s, s->stream, MARK_ATTENDED, err));
    TRY(decode_and_choose(s, decoder, 1, err));
    return mark(s, s->stream, MARK_DECODED, err);
}

/* The object's filter takes a step on this frame; returns 1 if it begins anew, because the frame does not lie ahead. A prompt
 * has no direction: the filter takes that of the pass that follows. */
static int filter_restarts(sam_session *s, object *o, tracked_way way)
{
    tracked_way was = o->filter_way;
    int ahead = was == TRACKED_REVERSE || (was == NOT_TRACKED && way == TRACKED_REVERSE) ? s->frame < o->filter_frame
                                                                                         : s->frame > o->filter_frame;
    int goes_on = o->filter_began && ahead && (was == NOT_TRACKED || way == NOT_TRACKED || was == way);
    o->filter_began = 1;
    o->filter_frame = s->frame;
    o->filter_way = way != NOT_TRACKED ? way : goes_on ? was : NOT_TRACKED;
    return !goes_on;
}

/* Clicks and boxes: sam2_video_predictor.py, add_new_points_or_box. `before`: the latest result on this frame, whose logits
 * go in too. *incomplete is set if the official predictor has more to go by. */
static sam_status predict_points(sam_session *s, object *o, const prompt_record *r, const bank_entry *before,
                                 int correction, int single_mask, int *incomplete, sam_error *err)
{
    int again = before && before->slot >= 0, several = r->n_points <= 1 && !single_mask;
    set_points(s, 0, r->points, r->n_points, PADDED);
    set_choice(s, 0, o, several, several && filter_restarts(s, o, NOT_TRACKED));
    if (correction) {
        *incomplete |= set_memories(s, 0, o, bank_tracked(&o->bank, s->frame) == TRACKED_REVERSE);
        *incomplete |= !again || before->incomplete;
        TRY(write_controls(s, err));
        TRY(mark(s, s->stream, MARK_ATTEND, err));
        TRY(step(s, STEP_ATTEND, 1, err));
        TRY(mark(s, s->stream, MARK_ATTENDED, err));
    } else {
        TRY(write_controls(s, err));
        TRY(step(s, STEP_ALONE, 1, err));
    }
    if (again)
        TRY(prompt_with_logits(s, slot_logits(s, o, before->slot), err));
    return decode(s, again ? STEP_DECODE_MASKED : STEP_DECODE, err);
}

/* A mask is taken as the output; the decoder only makes its pointer: sam2_base.py, _use_mask_as_output. What is written
 * stays as it is until the wait: a device reads it when its turn comes. */
static sam_status predict_mask(sam_session *s, const object *o, const sam_prompt_set *p, sam_error *err)
{
    size_t side = (size_t)s->m->size.side_px, low_res = low_res_count(s);
    int any;
    TRY(resize_mask(s, p, &any, err));
    float score = any ? MASK_SCALE + MASK_BIAS : MASK_BIAS, iou = 1;
    mask_to_logits(s, s->plane);
    set_points(s, 0, NULL, 0, NO_CLICKS);
    set_choice(s, 0, o, 0, 0);
    TRY(write_controls(s, err));
    TRY(put(s, s->st.mask_image, s->mask_image, side * side * sizeof(float), err));
    TRY(step(s, STEP_MASK, 1, err));
    TRY(decode(s, STEP_DECODE_MASKED, err));
    if (!any)
        TRY(put(s, s->st.pointer, s->m->absent_pointer, (size_t)s->m->size.pointer_width * sizeof(float), err));
    TRY(put(s, s->st.score, &score, sizeof score, err));
    TRY(put(s, s->st.iou, &iou, sizeof iou, err));
    TRY(put(s, s->st.low_res, s->plane, low_res * sizeof(float), err));
    return wait_for_all(s, "mask prompt", err); /* score and iou above are on the stack */
}

/* What the policy says of a result, the decoder's for place i, with these logits on the host. */
static void judge(const sam_session *s, object *o, bank_entry *e, int i, const float *logits)
{
    int64_t area = 0;
    e->score = s->host_scores[i];
    e->iou = s->host_scores[s->opt.max_objects + i];
    e->motion = s->policy->by_motion ? s->host_motion[i] : 1;
    if (s->policy->needs_pixels)
        for (size_t k = 0; k < low_res_count(s); k++)
            area += logits[k] > 0;
    e->fit = policy_fit(s->policy, e, area);
    if (e->prompted)
        distractor_begin(&o->distractors, e->frame);
}

/* The decoder's result for place 0 into the bank. A prompted frame's memory is made of the cleaned, binarised mask. */
static sam_status keep_prompted(sam_session *s, object *o, bank_entry *e, sam_error *err)
{
    size_t bytes = low_res_count(s) * sizeof(float);
    set_keep_slots(s, 0, o, e);
    s->controls.binarise[0] = 1;
    TRY(write_controls(s, err));
    TRY(step(s, STEP_KEEP, 1, err));
    TRY(enqueue_scores(s, 1, err));
    TRY(fetch(s, s->plane, s->st.low_res, bytes, err));
    judge(s, o, e, 0, s->plane);
    clean_low_res(s, s->plane);
    TRY(put(s, s->st.low_res, s->plane, bytes, err));
    TRY(mark(s, s->stream, MARK_REMEMBER, err));
    TRY(step(s, STEP_REMEMBER, 1, err));
    return mark(s, s->stream, MARK_REMEMBERED, err);
}

static sam_status place_for_prompt(sam_session *s, int32_t id, object **out, sam_error *err)
{
    object *o = find_object(s, id);
    if (!o) {
        o = free_object(s);
        if (!o)
            return fail(err, SAM_E_FULL, "object %d: the session was opened for %d objects", (int)id,
                        s->opt.max_objects);
        session_forget_object(s, o);
        o->in_use = 1;
        o->id = id;
    }
    *out = o;
    return SAM_OK;
}

/* That one more prompt, with which this frame has n_points points, fits in. */
static sam_status check_room(const sam_session *s, const object *o, int prompted, int n_points, sam_error *err)
{
    const sam_model_options *m = &s->m->options;
    switch (bank_room_for(&o->bank, s->frame, prompted)) {
    case BANK_TOO_MANY_PROMPTED:
        return fail(err, SAM_E_FULL,
                    "object %d has prompts on %d frames already; open the model with a larger max_prompted_frames",
                    (int)o->id, m->max_prompted_frames);
    case BANK_TOO_MANY_PENDING:
        return fail(
            err, SAM_E_FULL,
            "object %d: corrections of %d frames wait for tracking already; track first, or open the session with "
            "a longer history",
            (int)o->id, s->bank.max_pending);
    case BANK_ROOM:
        break;
    }
    if (n_points > m->max_points + 2)
        return fail(err, SAM_E_FULL, "object %d, frame %lld: %d clicks; the model was opened for at most %d",
                    (int)o->id, (long long)s->frame, n_points, m->max_points);
    return SAM_OK;
}

sam_status sam_prompt(sam_session *s, int32_t id, const sam_prompt_set *p, sam_error *err)
{
    object *o = NULL;
    TRY(check_session(s, SAM_VIDEO, "sam_prompt", err));
    TRY(check_prompt(s, p, err));
    if (p->mask && (p->n_points || p->box))
        return fail(err, SAM_E_ARG, "a mask prompt cannot be combined with points or a box");
    if (p->logits)
        return fail(err, SAM_E_ARG,
                    "previous logits are a prompt of image mode; in video mode they are kept by the session");
    TRY(place_for_prompt(s, id, &o, err));
    int is_new = o->bank.n_entries == 0, correction = bank_tracked(&o->bank, s->frame) != NOT_TRACKED;
    prompt_record *r = find_record(s, o);
    int adds = !p->replace && !p->box && !p->mask; /* to the clicks before */
    int kept = r && adds ? r->n_points : 0, incomplete = 0;
    sam_status status = check_room(s, o, !correction, kept + p->n_points + (p->box ? 2 : 0), err);
    if (status != SAM_OK) {
        o->in_use = !is_new;
        return status;
    }
    if (!r) {
        incomplete = adds && runs_find(&o->lost_clicks, s->frame);
        r = new_record(s, o);
    }
    r->n_points = kept + list_points(p, r->points + kept);

    if (p->mask)
        TRY(predict_mask(s, o, p, err));
    else
        TRY(predict_points(s, o, r, bank_latest(&o->bank, s->frame), correction, p->single_mask, &incomplete, err));
    bank_entry *e = bank_propose(&o->bank, s->frame, !correction);
    e->incomplete = incomplete;
    TRY(keep_prompted(s, o, e, err));
    show_entry(o, e);
    TRY(show(s, o, err));
    return check_results(s, err);
}

/* The number of the object's next picture that is no frame: below 0, nearest first. */
static int64_t next_picture(const sam_session *s, int32_t id)
{
    const object *o = find_object(s, id);
    int64_t number = -1;
    while (o && bank_latest(&o->bank, number))
        number--;
    return number;
}

sam_status sam_prompt_prior(sam_session *s, int32_t id, const sam_frame *image, const sam_prompt_set *p, sam_error *err)
{
    TRY(check_session(s, SAM_VIDEO, "sam_prompt_prior", err));
    TRY(push_picture(s, image, next_picture(s, id), err));
    sam_status status = sam_prompt(s, id, p, err);
    s->has_frame = 0; /* nothing is tracked on it */
    return status;
}

/* ---- tracking ----------------------------------------------------------------------------------------------------- */

/* Attention to memory, decoder, bank and memory encoder of n objects. The host writes nothing in between. */
static sam_status track_work(sam_session *s, int n, sam_error *err)
{
    void *to = s->stream;
    TRY(write_controls(s, err));
    TRY(mark(s, to, MARK_ATTEND, err));
    TRY(step(s, STEP_ATTEND, n, err));
    TRY(mark(s, to, MARK_ATTENDED, err));
    TRY(decode_and_choose(s, STEP_DECODE, n, err));
    TRY(step(s, STEP_KEEP, n, err));
    TRY(mark(s, to, MARK_DECODED, err));
    TRY(mark(s, to, MARK_REMEMBER, err));
    TRY(step(s, STEP_REMEMBER, n, err));
    return mark(s, to, MARK_REMEMBERED, err);
}

static tracked_way way_of(sam_direction direction)
{
    return direction == SAM_REVERSE ? TRACKED_REVERSE : TRACKED_FORWARD;
}

/* Every object of `batch` on the current frame: sam2_video_predictor.py, propagate_in_video. */
static sam_status track_batch(sam_session *s, object **batch, int n, sam_direction direction, sam_error *err)
{
    for (int i = 0; i < n; i++) {
        int incomplete = set_memories(s, i, batch[i], direction == SAM_REVERSE);
        set_points(s, i, NULL, 0, NO_CLICKS);
        set_choice(s, i, batch[i], 1, filter_restarts(s, batch[i], way_of(direction)));
        s->controls.binarise[i] = 0;
        bank_entry *e = bank_track(&batch[i]->bank, s->frame, way_of(direction));
        e->incomplete = incomplete;
        set_keep_slots(s, i, batch[i], e);
    }
    /* A recording makes these marks too. */
    s->marked |=
        1u << MARK_ATTEND | 1u << MARK_ATTENDED | 1u << MARK_DECODED | 1u << MARK_REMEMBER | 1u << MARK_REMEMBERED;
    return enqueue_recorded(s, s->stream, KEY_TRACK + n, track_work, n, err);
}

/* The decoder's other masks, where the policy looks at them: read with everything else, in the frame's one wait. */
static sam_status enqueue_other_masks(sam_session *s, int n, sam_error *err)
{
    size_t n_masks = 4 * (size_t)n;
    if (!s->policy->takes_anchors)
        return SAM_OK;
    TRY(enqueue_read(s, s->host_scores + 2 * s->opt.max_objects, s->st.ious, n_masks * sizeof(float), err));
    return s->other_masks
               ? enqueue_read(s, s->other_masks, s->st.masks, n_masks * low_res_count(s) * sizeof(float), err)
               : SAM_OK;
}

/* What was tracked, place i of the batch, is judged. */
static void judge_tracked(sam_session *s, object *o, int i)
{
    bank_entry *e = bank_find(&o->bank, s->frame);
    const float *masks = s->other_masks ? s->other_masks : s->st.masks;
    judge(s, o, e, i, o->logits);
    if (s->policy->takes_anchors)
        e->anchor = distractor_seen(&o->distractors, s->frame, s->host_scores + 2 * s->opt.max_objects + 4 * i,
                                    masks + 4 * (size_t)i * low_res_count(s), o->logits, s->m->size.low_px,
                                    s->distractor_scratch);
    show_entry(o, e);
}

sam_status sam_track(sam_session *s, sam_direction direction, sam_error *err)
{
    object *batch[SESSION_OBJECTS];
    int n = 0, any = 0;
    TRY(check_session(s, SAM_VIDEO, "sam_track", err));
    if (direction != SAM_FORWARD && direction != SAM_REVERSE)
        return fail(err, SAM_E_ARG, "direction %d: expected SAM_FORWARD or SAM_REVERSE", (int)direction);
    if (!s->has_frame)
        return fail(err, SAM_E_STATE, "sam_track before any frame: call sam_push_frame first");
    for (int i = 0; i < s->opt.max_objects; i++) {
        object *o = &s->objects[i];
        if (!o->in_use)
            continue;
        any = 1;
        bank_commit(&o->bank);
        const bank_entry *e = bank_find(&o->bank, s->frame);
        if (e && e->prompted)
            show_entry(o, bank_track(&o->bank, s->frame, way_of(direction))); /* prompted frames keep their result */
        else
            batch[n++] = o;
    }
    if (!any)
        return fail(err, SAM_E_STATE, "sam_track before any prompt: call sam_prompt first");
    if (n) {
        TRY(track_batch(s, batch, n, direction, err));
        TRY(enqueue_scores(s, n, err));
        TRY(enqueue_other_masks(s, n, err));
    }
    for (int i = 0; i < n; i++)
        batch[i]->has_result = 1;
    TRY(show(s, NULL, err)); /* the one wait of a frame */
    for (int i = 0; i < n; i++)
        judge_tracked(s, batch[i], i);
    return check_results(s, err);
}

/* ---- results ------------------------------------------------------------------------------------------------------ */

sam_mask mask_of(const sam_session *s, const packed_mask *m, const float *logits)
{
    const int32_t *box = m->box;
    return (sam_mask){.words = mask_rows_of(m),
                      .row_words = mask_row_words(s->opt.width_px),
                      .width_px = s->opt.width_px,
                      .height_px = s->opt.height_px,
                      .area_px = m->area,
                      .box = {(float)box[0], (float)box[1], (float)box[2], (float)box[3]},
                      .logits = logits,
                      .logits_px = s->m->size.low_px};
}

sam_status sam_get_mask(sam_session *s, int32_t id, sam_mask *out, sam_error *err)
{
    TRY(check_session(s, SAM_VIDEO, "sam_get_mask", err));
    const object *o = find_object(s, id);
    if (!out)
        return fail(err, SAM_E_ARG, "sam_get_mask: nowhere to put the mask");
    if (!o)
        return fail(err, SAM_E_ARG, "object %d is not being tracked", (int)id);
    if (!o->has_result)
        return fail(err, SAM_E_STATE, "object %d has no mask on frame %lld yet: call sam_prompt or sam_track", (int)id,
                    (long long)s->frame);
    *out = mask_of(s, o->mask, o->logits);
    out->n_pointer = s->m->size.pointer_width;
    out->pointer = o->pointer;
    out->iou = o->iou;
    out->presence = o->score;
    out->prompted = o->prompted;
    out->incomplete = o->incomplete;
    return SAM_OK;
}

void sam_mask_bytes(const sam_mask *m, uint8_t *to, size_t row_bytes)
{
    if (!m || !m->words || !to)
        return;
    for (size_t y = 0; y < (size_t)m->height_px; y++)
        mask_unpack(m->words + y * m->row_words, (size_t)m->width_px, to + y * row_bytes);
}
