/* cudnn_conv.h - convolutions by NVIDIA's cuDNN, which is loaded when the program runs: building needs neither the library
 * nor its headers. Only its implicit product with precomputed indices is used: the one algorithm that the library fuses
 * with a bias and without an activation, and one whose sums have a fixed order. */
#ifndef CUDNN_CONV_H
#define CUDNN_CONV_H

#include "ways.h"

#ifdef __cplusplus
extern "C" {
#endif

typedef struct cudnn cudnn;
typedef struct dnn_bound dnn_bound;

/* y [n, out_h*out_w, out] = relu(conv(x [n, h*w, in], w [out, kernel, kernel, in]) + bias [out] + residual like y), all of one
 * type f16 or bf16, f32 sums; relu and residual if asked for. */
typedef struct dnn_conv {
    dtype type;
    int n, h, w, in, out, kernel, stride, pad, out_h, out_w;
    int residual, relu;
} dnn_conv;

/* Pointers into device memory, at multiples of 16 bytes. */
typedef struct dnn_operands {
    const void *x, *w, *bias, *residual;
    void *y, *workspace;
} dnn_operands;

/* file NULL: under the name that NVIDIA installs it. NULL, with the reason, if it is not there. Needs no device. */
cudnn *cudnn_open(const char *file, char *why, size_t n_why);
void cudnn_close(cudnn *d);                /* NULL is a no-op */
const char *cudnn_version(const cudnn *d); /* "9.19.0"; lives as long as d */

/* The library's way for `p` within the workspace of `l`, at `to`: 0 or 1. */
int cudnn_ways(cudnn *d, const dnn_conv *p, const op_libraries *l, way *to);

/* What running `p` on a stream needs on the host. All that is bound to a stream shares a handle of the library: one thread at a
 * time uses a stream. NULL: the library refuses. May be called from any thread, and so may cudnn_unbind. */
dnn_bound *cudnn_bind(cudnn *d, const dnn_conv *p, void *stream);
void cudnn_unbind(dnn_bound *b); /* NULL is a no-op */
/* Enqueues on that stream; NULL, or what went wrong (a constant). */
const char *cudnn_run(const dnn_bound *b, const way *w, const dnn_operands *o);

#ifdef __cplusplus
}
#endif

#endif
