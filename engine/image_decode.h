/* image_decode.h - between image mode (image.c) and the automatic mask generator (amg.c): prompt sets through the decoder. What
 * becomes of one set is sam2_image_predictor.py, _predict, or predictor.py of segment_anything, predict_torch. */
#ifndef IMAGE_DECODE_H
#define IMAGE_DECODE_H

#include "session.h"

enum { IMAGE_MASKS = 3 }; /* of an ambiguous set */

static inline int n_masks_of(const sam_prompt_set *p)
{
    return p->single_mask ? 1 : IMAGE_MASKS;
}

/* Enqueues n sets that have been checked, 1 to max_objects. */
sam_status decode_sets(sam_session *s, const sam_prompt_set *p, int n, sam_error *err);
/* Set i's first mask as the decoder left it, [L, L] f32 in the backend's memory; its others follow. */
const float *first_logits(const sam_session *s, int i, const sam_prompt_set *p);

/* Enqueues the reading of scores; after wait_for_all predicted_iou has mask k of set i. */
sam_status read_ious(sam_session *s, int n, sam_error *err);
float predicted_iou(const sam_session *s, int i, const sam_prompt_set *p, int k);
/* Those, and logits, limited as the official predictor returns them: mask k of set i at s->plane + (3 i + k) L L. Waits. */
sam_status read_sets(sam_session *s, const sam_prompt_set *p, int n, sam_error *err);

#endif
