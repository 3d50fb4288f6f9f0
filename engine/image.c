/* Image mode: any number of prompt sets on one encoded image, decoded in one batch. What becomes of one set is
 * sam2_image_predictor.py, _predict: no gating by the object score; masks come from the logits before clamping. */
#include "image_decode.h"
#include "result_check.h"
#include "steps.h"

#include <math.h>

enum { MOST = IMAGE_MASKS };

static sam_status check_sets(const sam_session *s, const sam_prompt_set *p, int n, sam_error *err)
{
    sam_error why;
    TRY(check_prompt(s, p, err));
    if (n < 1 || n > s->opt.max_objects)
        return fail(err, n < 1 ? SAM_E_ARG : SAM_E_FULL,
                    "sam_image_predict: %d prompt sets; the session was opened for 1 to %d at once (max_objects)", n,
                    s->opt.max_objects);
    for (int i = 0; i < n; i++)
        if (check_prompt(s, &p[i], &why) != SAM_OK)
            return n == 1 ? fail(err, why.status, "%s", why.text)
                          : fail(err, why.status, "prompt set %d of %d: %.440s", i + 1, n, why.text);
    return SAM_OK;
}

/* The set's mask or previous logits to its place of mask_prompt. */
static sam_status put_mask_prompt(sam_session *s, int i, const sam_prompt_set *p, sam_error *err)
{
    size_t n = low_res_count(s);
    const float *from = p->logits;
    if (p->mask) {
        float *logits = s->mask_logits + (size_t)i * n;
        int any;
        TRY(resize_mask(s, p, &any, err));
        mask_to_logits(s, logits);
        from = logits;
    }
    return put(s, s->st.mask_prompt + (size_t)i * n, from, n * sizeof *from, err);
}

sam_status decode_sets(sam_session *s, const sam_prompt_set *p, int n, sam_error *err)
{
    int masked = 0;
    for (int i = 0; i < n; i++) {
        sam_point *points = s->objects[i].prompts[0].points;
        int n_points = list_points(&p[i], points), is_masked = p[i].mask || p[i].logits;
        int padded = n_points && !(p[i].box && s->m->p->box_needs_no_padding);
        set_points(s, i, points, n_points, padded ? PADDED : 0);
        s->controls.mode[i] = p[i].single_mask ? 0 : MODE_MULTIMASK;
        if (s->controls.least_score)
            s->controls.least_score[i] = 0;
        if (s->controls.has_mask)
            s->controls.has_mask[i] = (float)is_masked;
        masked |= is_masked;
        if (is_masked)
            TRY(put_mask_prompt(s, i, &p[i], err));
    }
    TRY(write_controls(s, err));
    TRY(mark(s, s->stream, MARK_ATTENDED, err));
    TRY(step(s, masked ? STEP_IMAGE_MASKED : STEP_IMAGE, n, err));
    return mark(s, s->stream, MARK_DECODED, err);
}

const float *first_logits(const sam_session *s, int i, const sam_prompt_set *p)
{
    size_t n = low_res_count(s);
    return p->single_mask ? s->st.low_res + (size_t)i * n : s->st.masks + (4 * (size_t)i + 1) * n;
}

static sam_status render_sets(sam_session *s, const sam_prompt_set *p, int n, sam_error *err)
{
    const float *planes[MOST * SESSION_OBJECTS];
    packed_mask *masks[MOST * SESSION_OBJECTS];
    int count = 0;
    for (int i = 0; i < n; i++)
        for (int k = 0; k < n_masks_of(&p[i]); k++, count++) {
            planes[count] = first_logits(s, i, &p[i]) + (size_t)k * low_res_count(s);
            masks[count] = s->image_masks[MOST * i + k];
        }
    TRY(mark(s, s->stream, MARK_SHOW, err));
    TRY(device_status(s, "masks", s->b->api->render(s->pictures, s->stream, planes, count, masks), err));
    return mark(s, s->stream, MARK_SHOWN, err);
}

sam_status read_ious(sam_session *s, int n, sam_error *err)
{
    float *ious = s->host_scores + 2 * s->opt.max_objects;
    TRY(enqueue_scores(s, n, err));
    return enqueue_read(s, ious, s->st.ious, 4 * (size_t)n * sizeof *ious, err);
}

float predicted_iou(const sam_session *s, int i, const sam_prompt_set *p, int k)
{
    int n = s->opt.max_objects;
    return p->single_mask ? s->host_scores[n + i] : s->host_scores[2 * n + 4 * i + k + 1];
}

sam_status read_sets(sam_session *s, const sam_prompt_set *p, int n, sam_error *err)
{
    size_t plane = low_res_count(s);
    float limit = s->m->p->logit_limit;
    TRY(read_ious(s, n, err));
    for (int i = 0; i < n; i++)
        TRY(enqueue_read(s, s->plane + MOST * (size_t)i * plane, first_logits(s, i, &p[i]),
                         (size_t)n_masks_of(&p[i]) * plane * sizeof(float), err));
    TRY(wait_for_all(s, "masks", err));
    for (int i = 0; i < n; i++) /* limiting would hide it */
        TRY(check_values(s, "the masks are", s->plane + MOST * (size_t)i * plane, (size_t)n_masks_of(&p[i]) * plane,
                         err));
    for (int i = 0; i < n && limit > 0; i++)
        for (size_t k = 0, at = MOST * (size_t)i * plane; k < (size_t)n_masks_of(&p[i]) * plane; k++, at++)
            s->plane[at] = fminf(fmaxf(s->plane[at], -limit), limit);
    return SAM_OK;
}

sam_status sam_image_predict(sam_session *s, const sam_prompt_set *p, int n, sam_mask *masks, int *n_masks,
                             sam_error *err)
{
    TRY(check_session(s, SAM_IMAGE, "sam_image_predict", err));
    if (!p || !masks || !n_masks)
        return fail(err, SAM_E_ARG,
                    p ? "sam_image_predict: nowhere to put the masks" : "a prompt needs points or a box");
    TRY(check_sets(s, p, n, err));
    s->stats.stage_ms[SAM_MASK_DECODER] = s->stats.stage_ms[SAM_POST] = 0;
    TRY(decode_sets(s, p, n, err));
    TRY(render_sets(s, p, n, err));
    TRY(read_sets(s, p, n, err));
    for (int i = 0; i < n; i++) {
        n_masks[i] = n_masks_of(&p[i]);
        for (int k = 0; k < n_masks[i]; k++) {
            sam_mask *m = &masks[MOST * i + k];
            *m = mask_of(s, s->image_masks[MOST * i + k], s->plane + (MOST * (size_t)i + (size_t)k) * low_res_count(s));
            m->iou = predicted_iou(s, i, &p[i], k);
            m->presence = s->st.score ? s->host_scores[i] : 0;
        }
    }
    return SAM_OK;
}
