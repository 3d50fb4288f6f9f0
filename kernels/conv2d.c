/* conv2d: y = act(convolution(x, w) + b) + residual, zero padding, accumulated in f32.
 *   x [n, h*w, I] f32|bf16, channels last    w [1, O, (I/groups)*k*k] f32|bf16|f16, the order of a PyTorch weight
 *   [O, I/groups, k, k]    b? [1, 1, O] f32    residual? [n|1, H'*W', O] any float
 *   ->  [n, H'*W', O] of attr.type, or like x;  H' = (h + 2 pad - k) / stride + 1, W' likewise
 * attr: h, w, kernel, stride, pad, groups (0: 1), act, type. With x f32, w and y of one 16-bit type, x may be rounded to
 * that type first. */
#include "op.h"
#include "operands.h"
#include "shape.h"

static const char *infer(const tensor *in, const op_attr *a, tensor *out)
{
    const tensor *x = &in[CONV2D_X], *w = &in[CONV2D_W], *b = &in[CONV2D_BIAS], *residual = &in[CONV2D_RESIDUAL];
    int groups = a->groups ? a->groups : 1;
    if (a->kernel < 1 || a->stride < 1 || a->pad < 0 || x->rows != a->h * a->w)
        return "x must have h*w rows; kernel and stride at least 1";
    if (a->h + 2 * a->pad < a->kernel || a->w + 2 * a->pad < a->kernel)
        return "the kernel is larger than the padded input";
    if (x->cols % groups || w->rows % groups || w->n != 1 || w->cols != x->cols / groups * a->kernel * a->kernel)
        return "w must be [1, O, (I/groups)*kernel*kernel]";
    if (b->type != DT_NONE && !is_row_f32(b, w->rows))
        return "b must be [1, 1, O] f32";
    if (x->type == DT_I32 || w->type == DT_I32 || residual->type == DT_I32)
        return "integers are not supported";
    int rows_y = (a->h + 2 * a->pad - a->kernel) / a->stride + 1;
    int rows_x = (a->w + 2 * a->pad - a->kernel) / a->stride + 1;
    dtype type = a->type == DT_NONE ? x->type : a->type;
    *out = (tensor){.type = type, .n = batch_of(in, CONV2D_INPUTS), .rows = rows_y * rows_x, .cols = w->rows};
    if (residual->type != DT_NONE && (residual->rows != out->rows || residual->cols != out->cols))
        return "residual must be [n or 1, H'*W', O]";
    return NULL;
}

static op_cost cost(const tensor *in, const tensor *out, const op_attr *a)
{
    (void)a;
    op_cost k = {.flops = 2.0 * (double)tensor_count(out) * in[CONV2D_W].cols,
                 .bytes_written = (double)tensor_bytes(out)};
    for (int i = 0; i < 4; i++)
        k.bytes_read += (double)tensor_bytes(&in[i]);
    return k;
}

const op_def op_conv2d = {.name = "conv2d",
                          .n_in = CONV2D_INPUTS,
                          .n_out = 1,
                          .optional = 1u << CONV2D_BIAS | 1u << CONV2D_RESIDUAL,
                          .infer = infer,
                          .cost = cost};
