/* resolve_overlap.h - masks of several objects that do not overlap. */
#ifndef RESOLVE_OVERLAP_H
#define RESOLVE_OVERLAP_H

#include "packed_mask.h"

/* logits: k planes [h, w] f32 -> the rows of k masks, not their headers: 1 where the object has the highest logit of all and
 * it is > 0. Of equal logits the first object's wins; a NaN counts as highest, as in torch.argmax, and is no object. One
 * object keeps all it has. Source: sam2 sam2_base.py _apply_non_overlapping_constraints at video resolution, where the
 * losers' logits become at most -10, followed by the threshold at 0. */
void resolve_overlap(const float *const *logits, packed_mask *const *masks, int k, int w, int h, int n_threads);

#endif
