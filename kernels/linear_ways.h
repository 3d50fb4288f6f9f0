/* linear_ways.h - whether a product goes through cuBLASLt or one of our kernel's tiles; what linear_cuda.cu has on the host.
 *
 * cuBLASLt takes what its epilogues express: one type of x and w, y of that type or f32, a residual like y, and no
 * activation but ReLU, that without a residual, which the library would add before it. Its GELU is the tanh approximation,
 * ours is exact, so products with GELU stay with our kernel. Half types need rows of whole 16-byte chunks. */
#ifndef LINEAR_WAYS_H
#define LINEAR_WAYS_H

#include "op.h"

#ifdef __cplusplus
extern "C" {
#endif

/* Our kernel, in tile 1 .. n_tiles or (0) the one of its own rule. */
typedef const char *linear_own(const op_call *c, int tile);
enum { LINEAR_TILES = 3 };

/* 1: cuBLASLt is there and may be asked for this product, so its bias is wanted in y's type. Reads types, rows and
 * columns only. */
int linear_ways_rounds_bias(const op_call *c);
size_t linear_ways_scratch(const op_call *c);
/* For every number of objects up to that of `c`. `bias`: in y's type, if linear_ways_rounds_bias. */
void *linear_ways_bind(const op_call *c, linear_own *own, const void *bias);
void linear_ways_unbind(void *bound);
const char *linear_ways_run(const op_call *c, linear_own *own);

#ifdef __cplusplus
}
#endif

#endif
