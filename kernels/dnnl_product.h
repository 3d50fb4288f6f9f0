/* dnnl_product.h - linear and conv2d are one thing to oneDNN: weights in a layout of its choice, a primitive with
 * bias, activation and residual fused where it can, run once per object. dnnl_product.c makes them; run lives here, so
 * that the loops around the primitive are compiled for each instruction set.
 *
 * Ladder of what is fused: products in bf16 if x and w are and the library has fast code for it, else f32 (x converted
 * into scratch); with activation and residual as post-ops, else the residual added after, else both, from an f32
 * result in scratch. */
#ifndef DNNL_PRODUCT_H
#define DNNL_PRODUCT_H

#include "cpu_math.h"
#include "op.h"

#include <omp.h>
#include <oneapi/dnnl/dnnl.h>
#include <stdbool.h>

enum { PRODUCT_X, PRODUCT_W, PRODUCT_B, PRODUCT_RESIDUAL, PRODUCT_N_IN };

typedef struct product {
    dnnl_engine_t engine;
    dnnl_stream_t stream;
    dnnl_primitive_t primitive;
    dnnl_memory_t x, w, bias, residual, out, scratchpad;
    dtype x_type, out_type;         /* of the primitive; others than the tensors' go through scratch  */
    bool act_after, residual_after; /* what the primitive does not do                                 */
    size_t x_at, out_at;            /* bytes into scratch; the library's own scratchpad is at 0       */
    void *own_scratchpad;           /* when packed weights need more than .scratch_bytes could know   */
} product;

size_t product_scratch_bytes(const op_call *c, bool is_conv);
void *product_pack(const op_call *c, size_t *bytes, bool is_conv);
void product_unpack(void *packed);
void *product_bind(const op_call *c, bool is_conv);
void product_unbind(void *bound);

/* n elements from any type to any. Rows may be of three channels: blocks are not rows. */
static inline void product_convert(void *to, dtype to_type, const void *from, dtype from_type, size_t n, int n_threads)
{
    enum { CHUNK = 4096 };
#pragma omp parallel for num_threads(n_threads)
    for (size_t i = 0; i < n; i += CHUNK)
        convert_row((char *)to + i * dtype_bytes(to_type), to_type, (const char *)from + i * dtype_bytes(from_type),
                    from_type, n - i < CHUNK ? n - i : CHUNK);
}

/* act(y) + residual, in place, y f32 [rows, cols]. */
static inline void product_finish(float *y, const product *p, act kind, const void *residual, dtype residual_type,
                                  size_t rows, size_t cols, int n_threads)
{
    const uint16_t *half = residual;
    const float *full = residual;
#pragma omp parallel for num_threads(n_threads)
    for (size_t r = 0; r < rows; r++) {
        float *row = y + r * cols;
        if (p->act_after)
            act_row(kind, row, cols);
        if (!p->residual_after)
            continue;
        if (residual_type == DT_F32)
            for (size_t i = 0; i < cols; i++)
                row[i] += full[r * cols + i];
        else if (residual_type == DT_BF16)
            for (size_t i = 0; i < cols; i++)
                row[i] += bf16_to_f32(half[r * cols + i]);
        else
            for (size_t i = 0; i < cols; i++)
                row[i] += f16_to_f32(half[r * cols + i]);
    }
}

static inline void product_run(const op_call *c)
{
    const product *p = c->bound;
    const tensor *x = &c->in[PRODUCT_X], *b = &c->in[PRODUCT_B], *residual = &c->in[PRODUCT_RESIDUAL], *out = c->out;
    bool after = p->act_after || p->residual_after || p->out_type != out->type;
    char *scratch = c->scratch;
    /* The library takes its thread count from here; the setting belongs to this thread only. */
    int threads_before = omp_get_max_threads();
    omp_set_num_threads(c->n_threads);
    if (p->scratchpad)
        dnnl_memory_set_data_handle(p->scratchpad, p->own_scratchpad ? p->own_scratchpad : scratch);
    if (p->bias)
        dnnl_memory_set_data_handle(p->bias, b->data);
    for (int i = 0; i < out->n; i++) {
        void *xi = tensor_at(x, i), *yi = tensor_at(out, i);
        void *ri = residual->type == DT_NONE ? NULL : tensor_at(residual, i);
        if (p->x_type != x->type) {
            product_convert(scratch + p->x_at, p->x_type, xi, x->type, (size_t)x->rows * (size_t)x->cols, c->n_threads);
            xi = scratch + p->x_at;
        }
        float *y = after && out->type != DT_F32 ? (float *)(scratch + p->out_at) : yi;
        dnnl_memory_set_data_handle(p->x, xi);
        dnnl_memory_set_data_handle(p->out, y);
        dnnl_exec_arg_t args[6] = {{DNNL_ARG_SRC, p->x}, {DNNL_ARG_WEIGHTS, p->w}, {DNNL_ARG_DST, p->out}};
        int n_args = 3;
        if (p->bias)
            args[n_args++] = (dnnl_exec_arg_t){DNNL_ARG_BIAS, p->bias};
        if (p->scratchpad)
            args[n_args++] = (dnnl_exec_arg_t){DNNL_ARG_SCRATCHPAD, p->scratchpad};
        if (p->residual) {
            int index = c->attr->act == ACT_NONE ? 0 : 1;
            dnnl_memory_set_data_handle(p->residual, ri);
            args[n_args++] = (dnnl_exec_arg_t){DNNL_ARG_ATTR_MULTIPLE_POST_OP(index) | DNNL_ARG_SRC_1, p->residual};
        }
        dnnl_primitive_execute(p->primitive, p->stream, n_args, args);
        dnnl_stream_wait(p->stream);
        if (p->act_after || p->residual_after)
            product_finish(y, p, c->attr->act, ri, residual->type, (size_t)out->rows, (size_t)out->cols, c->n_threads);
        if (p->out_type != out->type)
            product_convert(yi, out->type, y, DT_F32, (size_t)out->rows * (size_t)out->cols, c->n_threads);
    }
    omp_set_num_threads(threads_before);
}

#endif
