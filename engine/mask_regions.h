/* mask_regions.h - small holes and islands of finished masks: segment_anything utils/amg.py, remove_small_regions, by OpenCV. Not the
 * clean-up of low-res logits (kernels/components.h). */
#ifndef MASK_REGIONS_H
#define MASK_REGIONS_H

#include <stddef.h>
#include <stdint.h>

/* mask [h, w] u8 of 0 and 1, in place; neighbours are eight. First holes of fewer than `area` pixels are filled, then islands of fewer
 * are removed; where all islands are, the largest stays (of equal ones the first). Returns 1 if anything changed. scratch:
 * mask_regions_bytes, aligned for int32_t. */
int mask_regions_clean(uint8_t *mask, int h, int w, int area, void *scratch);
size_t mask_regions_bytes(int h, int w);

#endif
