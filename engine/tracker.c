/* Tracking, as facebookresearch/sam2 sam2_video_predictor.py behaves with its default options: each object is alone with
 * its own memory; prompted frames are predicted without memory, corrections and tracked frames with it.
 *
 * One difference: a prompt on a frame that was prompted before always refines that frame. The official code, once such
 * a frame has been tracked through, predicts from it and then forgets the correction. */
#include "steps.h"

#include <math.h>
#include <string.h>

#define MASK_SCALE 20.0f /* a mask prompt m becomes the logits 20 m - 10 */
#define MASK_BIAS  (-10.0f)

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

static void show_entry(object *o, const bank_entry *e)
{
    o->has_result = 1;
    o->prompted = e->prompted;
    o->iou = e->iou;
    o->score = e->score;
}

/* ---- prompts ------------------------------------------------------------------------------------------------------ */

static sam_status check_point(const sam_session *s, float x, float y, const char *what, sam_error *err)
{
    if (!(x >= 0 && y >= 0 && x <= (float)s->opt.width_px && y <= (float)s->opt.height_px))
        return fail(err, SAM_E_ARG, "%s (%g, %g) is outside the %d x %d frame", what, (double)x, (double)y,
                    s->opt.width_px, s->opt.height_px);
    return SAM_OK;
}

static sam_status check_prompt(const sam_session *s, const sam_prompt_set *p, sam_error *err)
{
    if (!s->has_frame)
        return fail(err, SAM_E_STATE, "prompt before any frame: call sam_push_frame first");
    if (!p || (!p->n_points && !p->box && !p->mask && !p->logits))
        return fail(err, SAM_E_ARG, "a prompt needs points, a box or a mask");
    if (p->mask && (p->n_points || p->box))
        return fail(err, SAM_E_ARG, "a mask prompt cannot be combined with points or a box");
    if (p->n_points < 0 || (p->n_points && !p->points))
        return fail(err, SAM_E_ARG, "%d points: expected 0 or more, and where they are", p->n_points);
    if (p->mask && p->mask_row_bytes && p->mask_row_bytes < (size_t)s->opt.width_px)
        return fail(err, SAM_E_ARG, "mask: rows of %zu bytes, expected at least %d", p->mask_row_bytes,
                    s->opt.width_px);
    if (p->n_points > s->m->options.max_points)
        return fail(err, SAM_E_FULL, "%d points: the model was opened for at most %d", p->n_points,
                    s->m->options.max_points);
    for (int i = 0; i < p->n_points; i++) {
        TRY(check_point(s, p->points[i].x_px, p->points[i].y_px, "point", err));
        if (p->points[i].label != 0 && p->points[i].label != 1)
            return fail(err, SAM_E_ARG, "label %d: expected 1 (object) or 0 (background)", (int)p->points[i].label);
    }
    if (p->box) {
        TRY(check_point(s, p->box->x0_px, p->box->y0_px, "box corner", err));
        TRY(check_point(s, p->box->x1_px, p->box->y1_px, "box corner", err));
        if (p->box->x1_px < p->box->x0_px || p->box->y1_px < p->box->y0_px)
            return fail(err, SAM_E_ARG, "box (%g, %g, %g, %g): expected x0 <= x1 and y0 <= y1", (double)p->box->x0_px,
                        (double)p->box->y0_px, (double)p->box->x1_px, (double)p->box->y1_px);
    }
    return SAM_OK;
}

/* Box corners, then points, as the official predictors order them. Returns how many. */
static int list_points(const sam_prompt_set *p, sam_point *to)
{
    int n = 0;
    if (p->box) {
        to[n++] = (sam_point){p->box->x0_px, p->box->y0_px, 2};
        to[n++] = (sam_point){p->box->x1_px, p->box->y1_px, 3};
    }
    for (int i = 0; i < p->n_points; i++)
        to[n++] = p->points[i];
    return n;
}

/* The record to use for this frame's prompts, which may still hold another frame's: when all are in use, the oldest
 * correction of a tracked frame makes room. NULL: all belong to prompted frames. */
static prompt_record *record_for(const sam_session *s, const object *o)
{
    prompt_record *spare = NULL;
    int spare_used = 1;
    for (int k = 0; k < s->m->options.max_prompted_frames; k++) {
        prompt_record *r = &o->prompts[k];
        if (r->in_use && r->frame == s->frame)
            return r;
        const bank_entry *e = r->in_use ? bank_find(&o->bank, r->frame) : NULL;
        if (!r->in_use && spare_used) {
            spare = r;
            spare_used = 0;
        } else if (spare_used && (!e || !e->prompted) && (!spare || r->frame < spare->frame)) {
            spare = r;
        }
    }
    return spare;
}

static int in_range(frame_range r, int64_t frame)
{
    return frame >= r.from && frame <= r.to;
}

static int was_tracked(const object *o, int64_t frame)
{
    return in_range(o->tracked[SAM_FORWARD], frame) || in_range(o->tracked[SAM_REVERSE], frame);
}

/* A correction looks back the way its frame was tracked; the latest way, if it was passed over both ways. */
static int tracked_in_reverse(const object *o, int64_t frame)
{
    sam_direction other = o->direction == SAM_FORWARD ? SAM_REVERSE : SAM_FORWARD;
    return (in_range(o->tracked[o->direction], frame) ? o->direction : other) == SAM_REVERSE;
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

/* Masks of one object. */
static sam_status decode(sam_session *s, step_id decoder, sam_error *err)
{
    TRY(mark(s, s->stream, MARK_ATTENDED, err));
    TRY(step(s, decoder, 1, err));
    return mark(s, s->stream, MARK_DECODED, err);
}

/* Clicks and boxes: sam2_video_predictor.py, add_new_points_or_box. */
static sam_status predict_points(sam_session *s, const object *o, const prompt_record *r, const bank_entry *before,
                                 int correction, int single_mask, sam_error *err)
{
    set_points(s, 0, r->points, r->n_points, PADDED);
    s->controls.mode[0] = MODE_GATE | (r->n_points <= 1 && !single_mask ? MODE_MULTIMASK : 0);
    if (correction) {
        set_memories(s, 0, o, tracked_in_reverse(o, s->frame));
        TRY(write_controls(s, err));
        TRY(mark(s, s->stream, MARK_ATTEND, err));
        TRY(step(s, STEP_ATTEND, 1, err));
        TRY(mark(s, s->stream, MARK_ATTENDED, err));
    } else {
        TRY(write_controls(s, err));
        TRY(step(s, STEP_ALONE, 1, err));
    }
    int again = before && before->slot >= 0;
    if (again)
        TRY(prompt_with_logits(s, slot_logits(s, o, before->slot), err));
    return decode(s, again ? STEP_DECODE_MASKED : STEP_DECODE, err);
}

/* The user's mask at the network's size, 0 or 1, in s->mask_image; returns 1 if anything is inside. */
static int resize_mask(sam_session *s, const sam_prompt_set *p)
{
    size_t side = (size_t)s->m->size.side_px, w = (size_t)s->opt.width_px, h = (size_t)s->opt.height_px;
    size_t row_bytes = p->mask_row_bytes ? p->mask_row_bytes : w;
    int any = 0;
    for (size_t y = 0; y < h; y++)
        for (size_t x = 0; x < w; x++)
            s->video_mask[y * w + x] = p->mask[y * row_bytes + x] != 0;
    if (w == side && h == side)
        memcpy(s->mask_image, s->video_mask, side * side * sizeof *s->mask_image);
    else
        resample_plane(s->mask_to_image, s->video_mask, s->mask_image, s->m->options.n_threads);
    for (size_t i = 0; i < side * side; i++) {
        s->mask_image[i] = s->mask_image[i] >= 0.5f;
        any |= s->mask_image[i] > 0;
    }
    return any;
}

/* The mask in s->mask_image as low-res logits in s->plane. */
static void mask_to_logits(sam_session *s)
{
    size_t n = (size_t)s->m->size.side_px * (size_t)s->m->size.side_px;
    for (size_t i = 0; i < n; i++)
        s->mask_image[i] = s->mask_image[i] * MASK_SCALE + MASK_BIAS;
    resample_plane(s->mask_to_low_res, s->mask_image, s->plane, s->m->options.n_threads);
    for (size_t i = 0; i < n; i++)
        s->mask_image[i] = s->mask_image[i] > 0;
}

/* A mask is taken as the output; the decoder only makes its pointer: sam2_base.py, _use_mask_as_output. What is written
 * stays as it is until the wait: a device reads it when its turn comes. */
static sam_status predict_mask(sam_session *s, const sam_prompt_set *p, sam_error *err)
{
    size_t side = (size_t)s->m->size.side_px, low_res = low_res_count(s);
    int any = resize_mask(s, p);
    float score = any ? MASK_SCALE + MASK_BIAS : MASK_BIAS, iou = 1;
    mask_to_logits(s);
    set_points(s, 0, NULL, 0, NO_CLICKS);
    s->controls.mode[0] = MODE_GATE;
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
    e->score = s->host_scores[0];
    e->iou = s->host_scores[s->opt.max_objects];
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

sam_status sam_prompt(sam_session *s, int32_t id, const sam_prompt_set *p, sam_error *err)
{
    object *o = NULL;
    TRY(check_session(s, SAM_VIDEO, "sam_prompt", err));
    TRY(check_prompt(s, p, err));
    if (p->logits)
        return fail(err, SAM_E_ARG,
                    "previous logits are a prompt of image mode; in video mode they are kept by the session");
    TRY(place_for_prompt(s, id, &o, err));
    int is_new = o->bank.n_entries == 0;
    bank_entry *before = bank_find(&o->bank, s->frame);
    int correction = was_tracked(o, s->frame) && !(before && before->prompted) && bank_prompted(&o->bank) > 0;
    prompt_record *r = record_for(s, o);
    int full =
        !correction && !(before && before->prompted) && bank_prompted(&o->bank) >= s->m->options.max_prompted_frames;
    int kept = r && r->in_use && r->frame == s->frame && !p->replace && !p->box && !p->mask ? r->n_points : 0;
    int n_new = p->n_points + (p->box ? 2 : 0);
    if (!r || full || kept + n_new > s->m->options.max_points + 2) {
        o->in_use = !is_new;
        return full || !r
                   ? fail(
                         err, SAM_E_FULL,
                         "object %d has prompts on %d frames already; open the model with a larger max_prompted_frames",
                         (int)id, s->m->options.max_prompted_frames)
                   : fail(err, SAM_E_FULL, "object %d, frame %lld: %d clicks; the model was opened for at most %d",
                          (int)id, (long long)s->frame, kept + n_new, s->m->options.max_points);
    }
    r->in_use = 1;
    r->frame = s->frame;
    r->n_points = kept + list_points(p, r->points + kept);

    if (p->mask)
        TRY(predict_mask(s, p, err));
    else
        TRY(predict_points(s, o, r, before, correction, p->single_mask, err));
    bank_entry *e = bank_store(&o->bank, s->frame, !correction);
    TRY(keep_prompted(s, o, e, err));
    show_entry(o, e);
    return show(s, o, err);
}

/* ---- tracking ----------------------------------------------------------------------------------------------------- */

static void mark_tracked(object *o, int64_t frame, sam_direction direction)
{
    frame_range *r = &o->tracked[direction];
    if (r->from > r->to) {
        r->from = r->to = frame;
    } else {
        r->from = frame < r->from ? frame : r->from;
        r->to = frame > r->to ? frame : r->to;
    }
    o->direction = direction;
}

/* Attention to memory, decoder, bank and memory encoder of n objects. The host writes nothing in between. */
static sam_status track_work(sam_session *s, int n, sam_error *err)
{
    void *to = s->stream;
    TRY(write_controls(s, err));
    TRY(mark(s, to, MARK_ATTEND, err));
    TRY(step(s, STEP_ATTEND, n, err));
    TRY(mark(s, to, MARK_ATTENDED, err));
    TRY(step(s, STEP_DECODE, n, err));
    TRY(step(s, STEP_KEEP, n, err));
    TRY(mark(s, to, MARK_DECODED, err));
    TRY(mark(s, to, MARK_REMEMBER, err));
    TRY(step(s, STEP_REMEMBER, n, err));
    return mark(s, to, MARK_REMEMBERED, err);
}

/* Every object of `batch` on the current frame: sam2_video_predictor.py, propagate_in_video. */
static sam_status track_batch(sam_session *s, object **batch, int n, sam_direction direction, sam_error *err)
{
    for (int i = 0; i < n; i++) {
        set_memories(s, i, batch[i], direction == SAM_REVERSE);
        set_points(s, i, NULL, 0, NO_CLICKS);
        s->controls.mode[i] = s->m->p->memories->track_mode;
        s->controls.binarise[i] = 0;
        set_keep_slots(s, i, batch[i], bank_store(&batch[i]->bank, s->frame, 0));
    }
    /* A recording makes these marks too. */
    s->marked |=
        1u << MARK_ATTEND | 1u << MARK_ATTENDED | 1u << MARK_DECODED | 1u << MARK_REMEMBER | 1u << MARK_REMEMBERED;
    return enqueue_recorded(s, s->stream, KEY_TRACK + n, track_work, n, err);
}

sam_status sam_track(sam_session *s, sam_direction direction, sam_error *err)
{
    object *batch[1024];
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
        mark_tracked(o, s->frame, direction);
        const bank_entry *e = bank_find(&o->bank, s->frame);
        if (e && e->prompted)
            show_entry(o, e); /* prompted frames keep their result */
        else
            batch[n++] = o;
    }
    if (!any)
        return fail(err, SAM_E_STATE, "sam_track before any prompt: call sam_prompt first");
    if (n) {
        TRY(track_batch(s, batch, n, direction, err));
        TRY(enqueue_scores(s, n, err));
    }
    for (int i = 0; i < n; i++)
        batch[i]->has_result = 1;
    TRY(show(s, NULL, err)); /* the one wait of a frame */
    for (int i = 0; i < n; i++) {
        bank_entry *e = bank_find(&batch[i]->bank, s->frame);
        e->score = s->host_scores[i];
        e->iou = s->host_scores[s->opt.max_objects + i];
        show_entry(batch[i], e);
    }
    return SAM_OK;
}

/* ---- results ------------------------------------------------------------------------------------------------------ */

static sam_mask mask_of(const sam_session *s, const packed_mask *m, const float *logits)
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
    return SAM_OK;
}

void sam_mask_bytes(const sam_mask *m, uint8_t *to, size_t row_bytes)
{
    if (!m || !m->words || !to)
        return;
    for (size_t y = 0; y < (size_t)m->height_px; y++)
        mask_unpack(m->words + y * m->row_words, (size_t)m->width_px, to + y * row_bytes);
}

/* sam2_image_predictor.py, _predict: no gating by the object score; masks come from the logits before clamping. */
static sam_status predict_image(sam_session *s, const sam_prompt_set *p, sam_error *err)
{
    sam_point *points = s->objects[0].prompts[0].points;
    int n_points = list_points(p, points);
    set_points(s, 0, points, n_points, n_points && !(p->box && s->m->p->box_needs_no_padding) ? PADDED : 0);
    s->controls.mode[0] = p->single_mask ? 0 : MODE_MULTIMASK;
    if (s->controls.has_mask)
        s->controls.has_mask[0] = p->logits != NULL;
    TRY(write_controls(s, err));
    if (p->logits)
        TRY(put(s, s->st.mask_prompt, p->logits, low_res_count(s) * sizeof(float), err));
    return decode(s, p->logits ? STEP_IMAGE_MASKED : STEP_IMAGE, err);
}

sam_status sam_image_predict(sam_session *s, const sam_prompt_set *p, sam_mask masks[3], int *n_masks, sam_error *err)
{
    TRY(check_session(s, SAM_IMAGE, "sam_image_predict", err));
    size_t n = low_res_count(s);
    float ious[4], *clamped = s->plane;
    if (!masks || !n_masks)
        return fail(err, SAM_E_ARG, "sam_image_predict: nowhere to put the masks");
    TRY(check_prompt(s, p, err));
    if (p->mask)
        return fail(err, SAM_E_ARG, "image mode takes previous low-res logits, not a mask");
    s->stats.mask_decoder_ms = s->stats.post_ms = 0;
    TRY(predict_image(s, p, err));

    const float *first = p->single_mask ? s->st.low_res : s->st.masks + n, *planes[3];
    int count = p->single_mask ? 1 : 3;
    for (int i = 0; i < count; i++)
        planes[i] = first + (size_t)i * n;
    TRY(mark(s, s->stream, MARK_SHOW, err));
    const char *wrong = s->b->api->render(s->pictures, s->stream, planes, count, s->image_masks);
    TRY(device_status(s, "masks", wrong, err));
    TRY(mark(s, s->stream, MARK_SHOWN, err));
    TRY(enqueue_scores(s, 1, err));
    TRY(enqueue_read(s, ious, s->st.ious, sizeof ious, err));
    TRY(fetch(s, clamped, first, (size_t)count * n * sizeof(float), err));
    float limit = s->m->p->logit_limit;
    for (size_t k = 0; limit > 0 && k < (size_t)count * n; k++)
        clamped[k] = fminf(fmaxf(clamped[k], -limit), limit);
    for (int i = 0; i < count; i++) {
        masks[i] = mask_of(s, s->image_masks[i], clamped + (size_t)i * n);
        masks[i].iou = p->single_mask ? s->host_scores[s->opt.max_objects] : ious[i + 1];
        masks[i].presence = s->st.score ? s->host_scores[0] : 0;
    }
    *n_masks = count;
    return SAM_OK;
}
