/* cublaslt.h - matrix products by NVIDIA's cuBLASLt, which is loaded when the program runs: building needs neither the
 * library nor its header. Row-major arrays are what the library, column-major, calls their transposes; y^T = w x^T. */
#ifndef CUBLASLT_H
#define CUBLASLT_H

#include "ways.h"

#ifdef __cplusplus
extern "C" {
#endif

typedef struct cublaslt cublaslt;
typedef struct lt_bound lt_bound;

/* y [batches, rows, n_out] = relu(x [batches, rows, n_in] w^T [n_in, n_out] + bias [n_out] + residual [.., rows, n_out]),
 * f32 sums; relu, bias and residual if asked for. */
typedef struct lt_product {
    dtype type, y_type; /* of x and w; of y, bias and residual: `type` or f32 */
    int64_t rows;
    int n_in, n_out, batches;
    int x_shared, residual_shared; /* 1: the same for all batches */
    int bias, residual, relu;
} lt_product;

/* Pointers into device memory, at multiples of 16 bytes (bias: of 256). */
typedef struct lt_operands {
    const void *x, *w, *residual;
    void *y, *workspace; /* at a multiple of 256 */
    void *stream;
} lt_operands;

/* file NULL: under the names that NVIDIA installs it. NULL, with the reason, if it is not there. Needs no device. */
cublaslt *cublaslt_open(const char *file, char *why, size_t n_why);
void cublaslt_close(cublaslt *lt);                /* NULL is a no-op */
const char *cublaslt_version(const cublaslt *lt); /* "13.1.0"; lives as long as lt */
/* Before everything below: takes the calling thread's device. NULL, or why not. */
const char *cublaslt_start(cublaslt *lt);

/* The library's algorithms for `p`, best guess first, at most `max` and within the workspace of `l`; 0: it has none. */
int cublaslt_ways(const cublaslt *lt, const lt_product *p, const op_libraries *l, way *to, int max);

/* What running `p` needs on the host. NULL: the library refuses it. */
lt_bound *cublaslt_bind(const cublaslt *lt, const lt_product *p, const void *bias);
void cublaslt_unbind(lt_bound *b); /* NULL is a no-op */
/* Enqueues; NULL, or what went wrong (a constant). */
const char *cublaslt_run(const lt_bound *b, const way *w, const lt_operands *o);

#ifdef __cplusplus
}
#endif

#endif
