/* conv2d_ways.h - whether a convolution goes through cuDNN; what conv2d_cuda.cu has on the host.
 *
 * Of a model's cost real convolutions (not depthwise, not 1x1) are about a hundredth (docs/performance.md), so cuDNN, which
 * takes memory when it is first used, is only used for what the tuner found it to be faster at. It takes one group, one
 * half type for everything, a bias, and no activation but ReLU. */
#ifndef CONV2D_WAYS_H
#define CONV2D_WAYS_H

#include "op_ways.h"

#ifdef __cplusplus
extern "C" {
#endif

extern const op_ways conv2d_ways;

/* What cuDNN finds at the start of c->packed, before our kernel's own weights: weights [out, kernel, kernel, in], and bias
 * [out] at a multiple of 256 bytes, both in x's type. All 0 where it will not be asked. Reads types, rows and columns. */
typedef struct conv2d_library_data {
    size_t bias, end; /* bytes; end: a multiple of 256, too */
} conv2d_library_data;
conv2d_library_data conv2d_for_library(const op_call *c);

#ifdef __cplusplus
}
#endif

#endif
