/* conv2d: y = act(convolution(x, w) + b) + residual, zero padding, accumulated in f32.
 *   x [n, h*w, I] f32|bf16, channels last    w [1, O, (I/groups)*k*k] f32|bf16|f16, the order of a PyTorch weight
 *   [O, I/groups, k, k]    b? [1, 1, O] f32    residual? [n|1, H'*W', O] any float
 *   ->  [n, H'*W', O] of attr.type, or like x;  H' = (h + 2 pad - k) / stride + 1, W' likewise
 * attr: h, w, kernel, stride, pad, groups (0: 1), act, type. With x f32, w and y of one 16-bit type, x may be rounded to
 * that type first. */
#include "op.h"

static const char *infer(const tensor *in, const op_attr *a, tensor *out)
{
    const tensor *x = &in[0], *w = &in[1], *b = &in[2], *residual = &in[3];
    int groups = a->groups ? a->groups : 1;
    if (a->kernel < 1 || a->stride < 1 || a->pad < 0 || x->rows != a->h * a->w)
        return "conv2d: x must have h*w rows; kernel and stride at least 1";
    if (a->h + 2 * a->pad < a->kernel || a->w + 2 * a->pad < a->kernel)
        return "conv2d: the kernel is larger than the padded input";
    if (x->cols % groups || w->rows % groups || w->n != 1 || w->cols != x->cols / groups * a->kernel * a->kernel)
        return "conv2d: w must be [1, O, (I/groups)*kernel*kernel]";
    if (b->type != DT_NONE && (b->type != DT_F32 || b->n != 1 || b->rows != 1 || b->cols != w->rows))
        return "conv2d: b must be [1, 1, O] f32";
    if (x->type == DT_I32 || w->type == DT_I32 || residual->type == DT_I32)
        return "conv2d: integers are not supported";
    int rows_y = (a->h + 2 * a->pad - a->kernel) / a->stride + 1;
    int rows_x = (a->w + 2 * a->pad - a->kernel) / a->stride + 1;
    dtype type = a->type == DT_NONE ? x->type : a->type;
    *out = (tensor){.type = type, .n = batch_of(in, 4), .rows = rows_y * rows_x, .cols = w->rows};
    if (residual->type != DT_NONE && (residual->rows != out->rows || residual->cols != out->cols))
        return "conv2d: residual must be [n or 1, H'*W', O]";
    return NULL;
}

static op_cost cost(const tensor *in, const tensor *out, const op_attr *a)
{
    (void)a;
    op_cost k = {.flops = 2.0 * (double)tensor_count(out) * in[1].cols, .bytes_written = (double)tensor_bytes(out)};
    for (int i = 0; i < 4; i++)
        k.bytes_read += (double)tensor_bytes(&in[i]);
    return k;
}

const op_def op_conv2d = {
    .name = "conv2d", .n_in = 4, .n_out = 1, .optional = 1u << 2 | 1u << 3, .infer = infer, .cost = cost};
