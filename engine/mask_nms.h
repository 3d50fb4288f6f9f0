/* mask_nms.h - of boxes that overlap the best one stays. torchvision.ops.nms (csrc/ops/cpu/nms_kernel.cpp), which both official mask
 * generators call by batched_nms. */
#ifndef MASK_NMS_H
#define MASK_NMS_H

#include "error.h"

/* A corner is a pixel, as in sam_mask.box; the area is (x1 - x0) (y1 - y0), so that of one row is 0. */
typedef struct nms_box {
    float x0, y0, x1, y1, score;
} nms_box;

/* kept [n] becomes the boxes that stay, highest score first; of equal scores the earlier one. A box goes if its intersection over
 * union with a kept one is above `threshold` (0 / 0 is not). SAM_E_MEMORY. */
sam_status mask_nms(const nms_box *boxes, int n, double threshold, int *kept, int *n_kept, sam_error *err);

#endif
