/* mask_runs.h - masks as runs of pixels down the columns, column after column: 0s, then 1s, then 0s, ..., the first may be 0 long. What
 * COCO calls an uncompressed run-length code: pycocotools, maskApi.h; utils/amg.py, mask_to_rle_pytorch. A few KB for a mask of
 * any size. */
#ifndef MASK_RUNS_H
#define MASK_RUNS_H

#include "error.h"
#include "packed_mask.h"

typedef struct mask_runs {
    uint32_t *runs; /* their sum is width * height of the image */
    size_t n;
} mask_runs;

/* The mask `m`, w pixels wide, of which the top left one is at (x, y) of an image `height` pixels high and `width` wide. *out is
 * released by free(out->runs). SAM_E_MEMORY. */
sam_status mask_runs_of(const packed_mask *m, int w, int x, int y, int width, int height, mask_runs *out,
                        sam_error *err);
/* to [height, row_bytes] u8 becomes 0 or 1. */
void mask_runs_paint(const uint32_t *runs, size_t n, int width, int height, uint8_t *to, size_t row_bytes);
/* Pixels that are 1. */
int32_t mask_runs_area(const uint32_t *runs, size_t n);

#endif
