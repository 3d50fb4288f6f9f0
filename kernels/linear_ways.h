/* linear_ways.h - whether a product goes through cuBLASLt or one of our kernel's tiles; what linear_cuda.cu has on the host.
 *
 * cuBLASLt takes what its epilogues express: one type of x and w, y of that type or f32, a residual like y, and no
 * activation but ReLU, that without a residual, which the library would add before it; neither turns nor groups. Its GELU is
 * the tanh approximation, ours is exact, so products with GELU stay with our kernel. Half types need rows of whole 16-byte
 * chunks. */
#ifndef LINEAR_WAYS_H
#define LINEAR_WAYS_H

#include "op_ways.h"

#ifdef __cplusplus
extern "C" {
#endif

/* 1, 2: the depth is split, 16 and 32 rows; 3 to 6: 64 x 64, 128 x 128, 128 x 96, 128 x 64 of y */
enum { LINEAR_TILES = 6 };

extern const op_ways linear_ways;

/* 1: cuBLASLt is there and may be asked for this product, which then finds its bias in y's type in c->packed. Reads types,
 * rows and columns only. */
int linear_ways_rounds_bias(const op_call *c);

#ifdef __cplusplus
}
#endif

#endif
