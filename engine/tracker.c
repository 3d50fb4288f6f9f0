/* Tracking, as facebookresearch/sam2 sam2_video_predictor.py behaves with its default options: each object is alone with
 * its own memory; prompted frames are predicted without memory, corrections and tracked frames with it.
 *
 * One difference: a prompt on a frame that was prompted before always refines that frame. The official code, once such
 * a frame has been tracked through, predicts from it and then forgets the correction. */
#include "session.h"

#include "components.h"
#include "resolve_overlap.h"

#include <math.h>
#include <string.h>
#include <time.h>

#define HOLE_VALUE 0.1f
#define SPECK_VALUE (-0.1f)
#define PROMPT_LOGIT_LIMIT 32.0f /* of previous logits given back as a prompt */
#define MASK_SCALE 20.0f         /* a mask prompt m becomes the logits 20 m - 10 */
#define MASK_BIAS (-10.0f)
#define MODE_MULTIMASK 1
#define MODE_GATE 2

static double now_ms(void)
{
    struct timespec t;
    clock_gettime(CLOCK_MONOTONIC, &t);
    return (double)t.tv_sec * 1e3 + (double)t.tv_nsec * 1e-6;
}

static void run(sam_session *s, graph_id id, int n_objects, double *ms)
{
    double start = now_ms();
    program_run(&s->programs[id], n_objects, s->tap.see ? &s->tap : NULL);
    if (ms)
        *ms += now_ms() - start;
}

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

static int object_index(const sam_session *s, const object *o)
{
    return (int)(o - s->objects);
}

sam_status sam_remove_object(sam_session *s, int32_t id, sam_error *err)
{
    object *o = find_object(s, id);
    if (!o)
        return fail(err, SAM_E_ARG, "object %d is not being tracked", (int)id);
    o->in_use = o->has_result = 0;
    return SAM_OK;
}

/* Kept logits of a bank slot. */
static float *slot_logits(const sam_session *s, const object *o, int slot)
{
    size_t at = (size_t)object_index(s, o) * (size_t)s->m->size.bank_slots + (size_t)slot;
    return s->logits_bank + at * low_res_count(s);
}

static uint16_t *slot_memory(const sam_session *s, const object *o, int slot)
{
    size_t at = (size_t)object_index(s, o) * (size_t)s->m->size.bank_slots + (size_t)slot;
    return s->st.bank + at * (size_t)s->m->size.memory_tokens * (size_t)s->m->config.mem_dim;
}

static float *slot_pointer(const sam_session *s, const object *o, int pointer_slot)
{
    size_t at = (size_t)object_index(s, o) * (size_t)s->m->size.pointer_slots + (size_t)pointer_slot;
    return s->st.pointer_bank + at * (size_t)s->m->config.d_model;
}

/* ---- frames ------------------------------------------------------------------------------------------------------- */

sam_status sam_push_frame(sam_session *s, const sam_frame *f, sam_error *err)
{
    if (!f || !f->rgb || f->row_bytes < 3 * (size_t)s->opt.width_px)
        return fail(err, SAM_E_ARG, "frame: expected %d x %d RGB pixels, rows of at least %zu bytes", s->opt.width_px,
                    s->opt.height_px, 3 * (size_t)s->opt.width_px);
    if (f->index < 0 || (s->opt.n_frames && f->index >= s->opt.n_frames))
        return fail(err, SAM_E_ARG, "frame %lld: the video has %d frames", (long long)f->index, s->opt.n_frames);
    s->stats.encode_ms = s->stats.memory_attention_ms = s->stats.mask_decoder_ms = 0;
    s->stats.memory_encoder_ms = s->stats.post_ms = 0;
    double start = now_ms();
    resample_rgb_normalised(s->to_image, f->rgb, f->row_bytes, s->st.image, s->m->options.n_threads);
    s->stats.encode_ms = now_ms() - start;
    run(s, GRAPH_ENCODE, 1, &s->stats.encode_ms);
    s->frame = f->index;
    s->has_frame = 1;
    for (int i = 0; i < s->opt.max_objects; i++)
        s->objects[i].has_result = 0;
    return SAM_OK;
}

/* ---- steps of a prediction; `batch` is the place of an object in the per-object states --------------------------- */

static void clean_low_res(const sam_session *s, float *logits)
{
    int side = 4 * s->m->size.side;
    if (s->opt.fill_hole_area > 0)
        fill_holes(logits, side, side, s->opt.fill_hole_area, HOLE_VALUE, s->components_scratch);
    if (s->opt.remove_speck_area > 0)
        remove_specks(logits, side, side, s->opt.remove_speck_area, SPECK_VALUE, s->components_scratch);
}

/* Clicks into the token states, in pixels of the network's input, and padding points after them: the official code adds
 * PADDED to clicks and box corners, NO_CLICKS where the video predictor has none, nothing where the image predictor has
 * none. */
enum { PADDED = 1, NO_CLICKS = 2 };

static void set_points(sam_session *s, int batch, const sam_point *points, int n, int padding)
{
    const model_size *z = &s->m->size;
    float *xy = s->st.points + (size_t)batch * (size_t)z->max_prompt_tokens * 2;
    int32_t *label = s->st.labels + (size_t)batch * (size_t)z->max_prompt_tokens;
    float w = (float)s->opt.width_px, h = (float)s->opt.height_px, side = (float)z->side_px;
    int count = 0;
    for (; count < n; count++) {
        xy[2 * count] = points[count].x_px / w * side;
        xy[2 * count + 1] = points[count].y_px / h * side;
        label[count] = points[count].label;
    }
    for (; padding > 0; padding--, count++) {
        xy[2 * count] = xy[2 * count + 1] = 0;
        label[count] = -1;
    }
    s->st.n_tokens[batch] = 6 + count;
    for (; count < z->max_prompt_tokens; count++) {
        xy[2 * count] = xy[2 * count + 1] = 0;
        label[count] = -2;
    }
}

static void select_memories(sam_session *s, int batch, const object *o, int reverse)
{
    const model_size *z = &s->m->size;
    size_t at_frames = (size_t)batch * (size_t)z->max_frames, at_pointers = (size_t)batch * (size_t)z->max_pointers;
    bank_selection pick = {.slots = s->st.memory_slots + at_frames,
                           .ages = s->st.memory_ages + at_frames,
                           .pointer_slots = s->st.pointer_slots + at_pointers,
                           .pointer_ages = s->st.pointer_ages + at_pointers};
    bank_select(&o->bank, s->frame, reverse, s->opt.n_frames, &pick);
    for (int i = 0; i < pick.n_memories; i++)
        pick.slots[i] += object_index(s, o) * z->bank_slots;
    for (int i = 0; i < pick.n_pointers; i++)
        pick.pointer_slots[i] += object_index(s, o) * z->pointer_slots;
    s->st.n_memories[batch] = pick.n_memories;
    s->st.n_pointers[batch] = pick.n_pointers;
}

/* What the decoder gave for place `batch` becomes the result and the bank entry of `o` on the current frame. */
static void keep_result(sam_session *s, object *o, bank_entry *e, int batch, const float *low_res, const float *pointer)
{
    memcpy(slot_logits(s, o, e->slot), low_res, low_res_count(s) * sizeof(float));
    memcpy(slot_pointer(s, o, e->pointer_slot), pointer, (size_t)s->m->config.d_model * sizeof(float));
    e->score = s->st.score[batch];
    e->iou = s->st.iou[batch];
}

static void show_entry(object *o, const bank_entry *e)
{
    o->has_result = 1;
    o->prompted = e->prompted;
    o->slot = e->slot;
    o->pointer_slot = e->pointer_slot;
    o->iou = e->iou;
    o->score = e->score;
}

/* Memory of place `batch` from its logits; prompted frames: cleaned and binarised, tracked ones as they are. */
static void set_memory_input(sam_session *s, int batch, const float *logits, float score, int prompted)
{
    float *to = s->st.memory_logits + (size_t)batch * low_res_count(s);
    memcpy(to, logits, low_res_count(s) * sizeof *to);
    if (prompted)
        clean_low_res(s, to);
    s->st.binarise[batch] = prompted;
    if (s->st.memory_score)
        s->st.memory_score[batch] = score;
}

static void store_memory(sam_session *s, const object *o, int slot, int batch)
{
    size_t n = (size_t)s->m->size.memory_tokens * (size_t)s->m->config.mem_dim;
    memcpy(slot_memory(s, o, slot), s->st.memory + (size_t)batch * n, n * sizeof(uint16_t));
}

/* Masks at the size of the frame: of all objects with a result or, where they do not depend on each other, of `only`. */
static void render_masks(sam_session *s, const object *only)
{
    double start = now_ms();
    size_t frame = (size_t)s->opt.width_px * (size_t)s->opt.height_px;
    int n_threads = s->m->options.n_threads, k = 0;
    const float *planes[1024];
    uint8_t *masks[1024];
    for (int i = 0; i < s->opt.max_objects; i++) {
        object *o = &s->objects[i];
        if (!o->in_use || !o->has_result || (only && only != o && !s->opt.no_overlap))
            continue;
        memcpy(s->clean, slot_logits(s, o, o->slot), low_res_count(s) * sizeof *s->clean);
        clean_low_res(s, s->clean);
        if (!s->opt.no_overlap) {
            resample_mask(s->to_video, s->clean, o->bits, n_threads);
            continue;
        }
        float *plane = s->video_plane + (size_t)k * frame;
        resample_plane(s->to_video, s->clean, plane, n_threads);
        planes[k] = plane;
        masks[k++] = o->bits;
    }
    if (k)
        resolve_overlap(planes, masks, k, frame, n_threads);
    s->stats.post_ms += now_ms() - start;
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
        return fail(err, SAM_E_ARG, "mask: rows of %zu bytes, expected at least %d", p->mask_row_bytes, s->opt.width_px);
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

/* Clicks and boxes: sam2_video_predictor.py, add_new_points_or_box. */
static void predict_points(sam_session *s, const object *o, const prompt_record *r, const bank_entry *before,
                           int correction, int single_mask)
{
    if (correction) {
        select_memories(s, 0, o, tracked_in_reverse(o, s->frame));
        run(s, GRAPH_ATTEND, 1, &s->stats.memory_attention_ms);
    } else {
        run(s, GRAPH_FIRST, 1, NULL);
    }
    if (before && before->slot >= 0) {
        float *prompt = s->st.mask_prompt;
        memcpy(prompt, slot_logits(s, o, before->slot), low_res_count(s) * sizeof *prompt);
        clean_low_res(s, prompt);
        for (size_t i = 0; i < low_res_count(s); i++)
            prompt[i] = fminf(fmaxf(prompt[i], -PROMPT_LOGIT_LIMIT), PROMPT_LOGIT_LIMIT);
        run(s, GRAPH_SRC_MASK, 1, &s->stats.mask_decoder_ms);
    } else {
        run(s, GRAPH_SRC, 1, &s->stats.mask_decoder_ms);
    }
    set_points(s, 0, r->points, r->n_points, PADDED);
    s->st.mode[0] = MODE_GATE | (r->n_points <= 1 && !single_mask ? MODE_MULTIMASK : 0);
    run(s, GRAPH_DECODE, 1, &s->stats.mask_decoder_ms);
}

/* A mask is taken as the output; the decoder only makes its pointer: sam2_base.py, _use_mask_as_output. */
static void predict_mask(sam_session *s, const sam_prompt_set *p)
{
    size_t side = (size_t)s->m->size.side_px, row_bytes = p->mask_row_bytes ? p->mask_row_bytes : (size_t)s->opt.width_px;
    int n_threads = s->m->options.n_threads, any = 0;
    float *low_res = s->st.low_res, *image = s->st.mask_image;
    for (int y = 0; y < s->opt.height_px; y++)
        for (int x = 0; x < s->opt.width_px; x++)
            s->video_mask[(size_t)y * (size_t)s->opt.width_px + (size_t)x] = p->mask[(size_t)y * row_bytes + (size_t)x] != 0;
    if (s->opt.width_px == (int)side && s->opt.height_px == (int)side)
        memcpy(image, s->video_mask, side * side * sizeof *image);
    else
        resample_plane(s->mask_to_image, s->video_mask, image, n_threads);
    for (size_t i = 0; i < side * side; i++) {
        image[i] = image[i] >= 0.5f;
        any |= image[i] > 0;
    }
    run(s, GRAPH_MASK_PROMPT, 1, NULL);
    run(s, GRAPH_RAW, 1, NULL);
    run(s, GRAPH_SRC_MASK, 1, &s->stats.mask_decoder_ms);
    set_points(s, 0, NULL, 0, NO_CLICKS);
    s->st.mode[0] = MODE_GATE;
    run(s, GRAPH_DECODE, 1, &s->stats.mask_decoder_ms);
    if (!any)
        memcpy(s->st.pointer, s->m->no_obj_ptr, (size_t)s->m->config.d_model * sizeof(float));
    s->st.score[0] = any ? MASK_SCALE + MASK_BIAS : MASK_BIAS;
    s->st.iou[0] = 1;
    for (size_t i = 0; i < side * side; i++)
        image[i] = image[i] * MASK_SCALE + MASK_BIAS;
    resample_plane(s->mask_to_low_res, image, low_res, n_threads);
}

static sam_status place_for_prompt(sam_session *s, int32_t id, object **out, sam_error *err)
{
    object *o = find_object(s, id);
    if (!o) {
        o = free_object(s);
        if (!o)
            return fail(err, SAM_E_FULL, "object %d: the session was opened for %d objects", (int)id, s->opt.max_objects);
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
    if (s->opt.mode != SAM_VIDEO)
        return fail(err, SAM_E_STATE, "sam_prompt: this session is for images, use sam_image_predict");
    TRY(check_prompt(s, p, err));
    if (p->logits)
        return fail(err, SAM_E_ARG, "previous logits are a prompt of image mode; in video mode they are kept by the session");
    TRY(place_for_prompt(s, id, &o, err));
    int is_new = o->bank.n_entries == 0;
    bank_entry *before = bank_find(&o->bank, s->frame);
    int correction = was_tracked(o, s->frame) && !(before && before->prompted) && bank_prompted(&o->bank) > 0;
    prompt_record *r = record_for(s, o);
    int full = !correction && !(before && before->prompted) &&
               bank_prompted(&o->bank) >= s->m->options.max_prompted_frames;
    int kept = r && r->in_use && r->frame == s->frame && !p->replace && !p->box && !p->mask ? r->n_points : 0;
    int n_new = p->n_points + (p->box ? 2 : 0);
    if (!r || full || kept + n_new > s->m->options.max_points + 2) {
        o->in_use = !is_new;
        return full || !r ? fail(err, SAM_E_FULL, "object %d has prompts on %d frames already; open the model with a larger max_prompted_frames",
                                 (int)id, s->m->options.max_prompted_frames)
                          : fail(err, SAM_E_FULL, "object %d, frame %lld: %d clicks; the model was opened for at most %d",
                                 (int)id, (long long)s->frame, kept + n_new, s->m->options.max_points);
    }
    r->in_use = 1;
    r->frame = s->frame;
    r->n_points = kept + list_points(p, r->points + kept);

    if (p->mask)
        predict_mask(s, p);
    else
        predict_points(s, o, r, before, correction, p->single_mask);
    bank_entry *e = bank_store(&o->bank, s->frame, !correction);
    keep_result(s, o, e, 0, s->st.low_res, s->st.pointer);
    set_memory_input(s, 0, s->st.low_res, e->score, 1);
    run(s, GRAPH_REMEMBER, 1, &s->stats.memory_encoder_ms);
    store_memory(s, o, e->slot, 0);
    show_entry(o, e);
    render_masks(s, o);
    return SAM_OK;
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

/* Every object of `batch` on the current frame: sam2_video_predictor.py, propagate_in_video. */
static void track_batch(sam_session *s, object **batch, int n, sam_direction direction)
{
    size_t low_res = low_res_count(s), d = (size_t)s->m->config.d_model;
    for (int i = 0; i < n; i++) {
        select_memories(s, i, batch[i], direction == SAM_REVERSE);
        set_points(s, i, NULL, 0, NO_CLICKS);
        s->st.mode[i] = MODE_GATE | MODE_MULTIMASK;
    }
    run(s, GRAPH_ATTEND, n, &s->stats.memory_attention_ms);
    run(s, GRAPH_SRC, n, &s->stats.mask_decoder_ms);
    run(s, GRAPH_DECODE, n, &s->stats.mask_decoder_ms);
    for (int i = 0; i < n; i++)
        set_memory_input(s, i, s->st.low_res + (size_t)i * low_res, s->st.score[i], 0);
    run(s, GRAPH_REMEMBER, n, &s->stats.memory_encoder_ms);
    for (int i = 0; i < n; i++) {
        bank_entry *e = bank_store(&batch[i]->bank, s->frame, 0);
        keep_result(s, batch[i], e, i, s->st.low_res + (size_t)i * low_res, s->st.pointer + (size_t)i * d);
        store_memory(s, batch[i], e->slot, i);
        show_entry(batch[i], e);
    }
}

sam_status sam_track(sam_session *s, sam_direction direction, sam_error *err)
{
    object *batch[1024];
    int n = 0, any = 0;
    if (s->opt.mode != SAM_VIDEO)
        return fail(err, SAM_E_STATE, "sam_track: this session is for images");
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
    if (n)
        track_batch(s, batch, n, direction);
    render_masks(s, NULL);
    return SAM_OK;
}

/* ---- results ------------------------------------------------------------------------------------------------------ */

sam_status sam_get_mask(sam_session *s, int32_t id, sam_mask *out, sam_error *err)
{
    const object *o = find_object(s, id);
    if (s->opt.mode != SAM_VIDEO)
        return fail(err, SAM_E_STATE, "sam_get_mask: this session is for images, sam_image_predict returns their masks");
    if (!o)
        return fail(err, SAM_E_ARG, "object %d is not being tracked", (int)id);
    if (!o->has_result)
        return fail(err, SAM_E_STATE, "object %d has no mask on frame %lld yet: call sam_prompt or sam_track", (int)id,
                    (long long)s->frame);
    *out = (sam_mask){.bits = o->bits,
                      .row_bytes = (size_t)s->opt.width_px,
                      .logits = slot_logits(s, o, o->slot),
                      .logits_px = 4 * s->m->size.side,
                      .pointer = slot_pointer(s, o, o->pointer_slot),
                      .iou = o->iou,
                      .presence = o->score,
                      .prompted = o->prompted};
    return SAM_OK;
}

/* sam2_image_predictor.py, _predict: no gating by the object score; masks come from the logits before clamping. */
sam_status sam_image_predict(sam_session *s, const sam_prompt_set *p, sam_mask masks[3], int *n_masks, sam_error *err)
{
    size_t n = low_res_count(s);
    sam_point *points = s->objects[0].prompts[0].points;
    if (s->opt.mode != SAM_IMAGE)
        return fail(err, SAM_E_STATE, "sam_image_predict: this session is for video, use sam_prompt");
    TRY(check_prompt(s, p, err));
    if (p->mask)
        return fail(err, SAM_E_ARG, "image mode takes previous low-res logits, not a mask");
    s->stats.mask_decoder_ms = s->stats.post_ms = 0;
    run(s, GRAPH_FIRST, 1, NULL);
    if (p->logits)
        memcpy(s->st.mask_prompt, p->logits, n * sizeof(float));
    run(s, p->logits ? GRAPH_SRC_MASK : GRAPH_SRC, 1, &s->stats.mask_decoder_ms);
    int n_points = list_points(p, points);
    set_points(s, 0, points, n_points, n_points ? PADDED : 0);
    s->st.mode[0] = p->single_mask ? 0 : MODE_MULTIMASK;
    run(s, GRAPH_DECODE, 1, &s->stats.mask_decoder_ms);

    double start = now_ms();
    *n_masks = p->single_mask ? 1 : 3;
    for (int i = 0; i < *n_masks; i++) {
        const float *logits = p->single_mask ? s->st.low_res : s->st.masks + (size_t)(i + 1) * n;
        float *clamped = s->plane + (size_t)i * n;
        memcpy(s->clean, logits, n * sizeof(float));
        clean_low_res(s, s->clean);
        resample_mask(s->to_video, s->clean, s->image_bits[i], s->m->options.n_threads);
        for (size_t k = 0; k < n; k++)
            clamped[k] = fminf(fmaxf(logits[k], -PROMPT_LOGIT_LIMIT), PROMPT_LOGIT_LIMIT);
        masks[i] = (sam_mask){.bits = s->image_bits[i],
                              .row_bytes = (size_t)s->opt.width_px,
                              .logits = clamped,
                              .logits_px = 4 * s->m->size.side,
                              .iou = p->single_mask ? s->st.iou[0] : s->st.ious[i + 1],
                              .presence = s->st.score[0]};
    }
    s->stats.post_ms = now_ms() - start;
    return SAM_OK;
}
