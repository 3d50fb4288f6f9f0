/* linear: y = act(x w^T + b) + residual, accumulated in f32.
 *   x [n, R, I] f32|bf16    w [1, O, I] f32|bf16|f16    b? [1, 1, O] f32    residual? [n|1, R, O] any float
 *   ->  [n, R, O] of attr.type, or like x
 * attr: act, type. */
#include "op.h"

static const char *infer(const tensor *in, const op_attr *a, tensor *out)
{
    const tensor *x = &in[0], *w = &in[1], *b = &in[2], *residual = &in[3];
    if (w->n != 1 || w->cols != x->cols)
        return "linear: w must be [1, O, I] with I the columns of x";
    if (b->type != DT_NONE && (b->type != DT_F32 || b->n != 1 || b->rows != 1 || b->cols != w->rows))
        return "linear: b must be [1, 1, O] f32";
    if (residual->type != DT_NONE && (residual->rows != x->rows || residual->cols != w->rows))
        return "linear: residual must be [n or 1, R, O]";
    if (x->type == DT_I32 || w->type == DT_I32 || residual->type == DT_I32)
        return "linear: integers are not supported";
    dtype type = a->type == DT_NONE ? x->type : a->type;
    *out = (tensor){.type = type, .n = batch_of(in, 4), .rows = x->rows, .cols = w->rows};
    return NULL;
}

static op_cost cost(const tensor *in, const tensor *out, const op_attr *a)
{
    (void)a;
    op_cost k = {.flops = 2.0 * (double)tensor_count(out) * in[0].cols, .bytes_written = (double)tensor_bytes(out)};
    for (int i = 0; i < 4; i++)
        k.bytes_read += (double)tensor_bytes(&in[i]);
    return k;
}

const op_def op_linear = {
    .name = "linear", .n_in = 4, .n_out = 1, .optional = 1u << 2 | 1u << 3, .infer = infer, .cost = cost};
