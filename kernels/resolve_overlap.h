/* resolve_overlap.h - masks of several objects that do not overlap. */
#ifndef RESOLVE_OVERLAP_H
#define RESOLVE_OVERLAP_H

#include <stddef.h>
#include <stdint.h>

/* logits: k planes [n_px] f32 -> masks: k planes [n_px] u8; 1 where the object has the highest logit of all and it is
 * > 0, else 0. Of equal logits the first object's wins; a NaN counts as highest, as in torch.argmax, and is no object.
 * One object keeps all it has. Source: sam2 sam2_base.py _apply_non_overlapping_constraints at video resolution, where
 * the losers' logits become at most -10, followed by the threshold at 0. */
void resolve_overlap(const float *const *logits, uint8_t *const *masks, int k, size_t n_px, int n_threads);

#endif
