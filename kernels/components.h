/* components.h - connected components of masks, and the clean-up of mask logits built on them.
 *
 * Neighbours are the eight pixels around one; components touching the border count like others. Planes are [h,w],
 * row-major. Nothing is allocated. */
#ifndef COMPONENTS_H
#define COMPONENTS_H

#include <stddef.h>
#include <stdint.h>

/* mask [h,w] u8 of 0 and 1. labels [h,w] i32: 0 where mask is 0, else 1..n in the order in which components begin (row by row). Returns n.
 * Labels are not those of the official CUDA code, the partition is. */
int components_label(const uint8_t *mask, int h, int w, int32_t *labels);

/* Bytes that the functions below need in `scratch` (aligned for int32_t). */
size_t components_scratch_bytes(int h, int w);

/* Background (logit <= 0) components of at most max_area pixels become `value`. Source: sam2 utils/misc.py
 * fill_holes_in_mask_scores, with value 0.1 and max_area 8 in the video predictor. A NaN is not background.
 * Returns the number of pixels changed; max_area 0 changes nothing. */
size_t fill_holes(float *logits, int h, int w, int max_area, float value, void *scratch);

/* Object (logit > 0) components of at most max_area pixels become `value`. A NaN is not object. */
size_t remove_specks(float *logits, int h, int w, int max_area, float value, void *scratch);

/* Both at once, both judged on the logits as they came: a speck that a filled hole would join is still removed.
 * Source: sam2 utils/transforms.py SAM2Transforms.postprocess_masks (image predictor, mask threshold 0), whose values
 * are hole_value 10 and speck_value -10; both areas are 0 there by default. */
size_t clean_logits(float *logits, int h, int w, int max_hole_area, float hole_value, int max_speck_area,
                    float speck_value, void *scratch);

#endif
