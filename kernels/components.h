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

/* Bytes that clean_logits needs in `scratch` (aligned for int32_t). */
size_t components_scratch_bytes(int h, int w);

/* Background (logit <= 0) components of at most max_hole_area pixels become hole_value, object (logit > 0) components of at
 * most max_speck_area pixels speck_value; a NaN is neither. Both are judged on the logits as they came: a speck that a filled
 * hole would join is still removed. Returns the number of pixels changed; an area of 0 changes nothing.
 * Sources: sam2 utils/misc.py fill_holes_in_mask_scores (video predictor: area 8, value 0.1, no specks) and
 * utils/transforms.py SAM2Transforms.postprocess_masks (image predictor: areas 0, values 10 and -10). */
size_t clean_logits(float *logits, int h, int w, int max_hole_area, float hole_value, int max_speck_area,
                    float speck_value, void *scratch);

/* The tracker's: that of the video predictor, and its mirror image; and those of the image predictor. */
#define HOLE_VALUE        0.1f
#define SPECK_VALUE       (-0.1f)
#define IMAGE_HOLE_VALUE  10.0f
#define IMAGE_SPECK_VALUE (-10.0f)

#endif
