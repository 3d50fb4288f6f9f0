/* mlp: two products with an activation between them, y = w2 act(w1 norm(x) + b1) + b2 + residual: a transformer's MLP
 * whole, for widths of which a tile of rows fits a multiprocessor; the hidden values never leave it.
 *   x [n, R, C]    w1 [1, H, C]    b1? [1, 1, H] f32    w2 [1, C, H]    b2? [1, 1, C] f32
 *   gain?, bias? [1, 1, C] f32: norm is layernorm (layernorm.c) with them and attr.eps, else nothing
 *   residual? [n, R, C]
 *   ->    [n, R, C] of x's type
 * x, w1, w2 and residual all bf16 or all f16 (in f32, and on the CPU, two linears do as well); sums in f32, norm(x) and
 * the hidden values rounded to x's type. C and H are multiples of 8, C at most 224.   attr: act, eps. */
#include "shape.h"

static const char *infer(const tensor *in, const op_attr *a, tensor *out)
{
    const tensor *x = &in[0], *w1 = &in[1], *b1 = &in[2], *w2 = &in[3], *b2 = &in[4], *residual = &in[7];
    (void)a;
    if ((x->type != DT_BF16 && x->type != DT_F16) || w1->type != x->type || w2->type != x->type ||
        (residual->type != DT_NONE && residual->type != x->type))
        return "x, w1, w2 and residual must all be bf16 or all f16";
    if (x->cols % 8 || w1->rows % 8 || x->cols > 224)
        return "C and H must be multiples of 8, C at most 224";
    if (w1->n != 1 || w2->n != 1 || w1->cols != x->cols || w2->cols != w1->rows || w2->rows != x->cols)
        return "w1 must be [1, H, C], w2 [1, C, H]";
    if ((b1->type != DT_NONE && !is_row_f32(b1, w1->rows)) || (b2->type != DT_NONE && !is_row_f32(b2, x->cols)))
        return "b1 must be [1, 1, H] f32, b2 [1, 1, C] f32";
    if ((in[5].type == DT_NONE) != (in[6].type == DT_NONE) ||
        (in[5].type != DT_NONE && (!is_row_f32(&in[5], x->cols) || !is_row_f32(&in[6], x->cols))))
        return "gain and bias come together, [1, 1, C] f32";
    if (residual->type != DT_NONE && (!same_grid(residual, x) || residual->n != x->n))
        return "residual must be [n, R, C]";
    out[0] = shaped(x->type, x->n, x->rows, x->cols);
    return NULL;
}

static op_cost cost(const tensor *in, const tensor *out, const op_attr *a)
{
    (void)a;
    op_cost c = cost_of(in, 8, out, 1, 4.0 * in[1].rows + (in[5].type != DT_NONE ? 8 : 0));
    if (in[7].data && in[7].data == in[0].data)
        c.bytes_read -= (double)tensor_bytes(&in[7]);
    return c;
}

const op_def op_mlp = {.name = "mlp",
                       .n_in = 8,
                       .n_out = 1,
                       .optional = 1u << 2 | 1u << 4 | 1u << 5 | 1u << 6 | 1u << 7,
                       .infer = infer,
                       .cost = cost};
