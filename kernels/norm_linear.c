/* norm_linear: y = act(u w^T + b), u = layernorm(x) + plus: what a decoder does with a handful of tokens, in one launch.
 *   x [n, R, C]    w [1, O, C]    b? [1, 1, O] f32    gain, bias [1, 1, C] f32    plus? [n|1, R, C]
 *   ->    y [n, R, O], layernorm(x) [n, R, C], both of x's type
 * x, w and plus all bf16 or all f16; u and the norm (layernorm.c) are rounded to x's type once, sums in f32. C is a multiple
 * of 8, at most 512.    attr: act, eps. */
#include "operands.h"
#include "shape.h"

static const char *infer(const tensor *in, const op_attr *a, tensor *out)
{
    const tensor *x = &in[NORM_LINEAR_X], *w = &in[NORM_LINEAR_W], *b = &in[NORM_LINEAR_BIAS],
                 *plus = &in[NORM_LINEAR_PLUS];
    (void)a;
    if ((x->type != DT_BF16 && x->type != DT_F16) || w->type != x->type || (plus->type && plus->type != x->type))
        return "x, w and plus must all be bf16 or all f16";
    if (x->cols % 8 || x->cols > 512 || w->n != 1 || w->cols != x->cols)
        return "w must be [1, O, C] with x's C, a multiple of 8 up to 512";
    if (b->type != DT_NONE && !is_row_f32(b, w->rows))
        return "b must be [1, 1, O] f32";
    if (!is_row_f32(&in[NORM_LINEAR_GAIN], x->cols) || !is_row_f32(&in[NORM_LINEAR_NORM_BIAS], x->cols))
        return "gain and bias must be [1, 1, C] f32 with x's C";
    if (plus->type != DT_NONE && (!same_grid(plus, x) || (plus->n != 1 && plus->n != x->n)))
        return "plus must be [n or 1, R, C] with x's R and C";
    out[NORM_LINEAR_Y] = shaped(x->type, x->n, x->rows, w->rows);
    out[NORM_LINEAR_NORMED] = *x;
    out[NORM_LINEAR_NORMED].data = NULL;
    return NULL;
}

static op_cost cost(const tensor *in, const tensor *out, const op_attr *a)
{
    (void)a;
    op_cost c = cost_of(in, NORM_LINEAR_INPUTS, out, 2, 2.0 * in[NORM_LINEAR_X].cols);
    c.flops += 8 * (double)tensor_count(&in[NORM_LINEAR_X]);
    return c;
}

const op_def op_norm_linear = {.name = "norm_linear",
                               .n_in = NORM_LINEAR_INPUTS,
                               .n_out = NORM_LINEAR_OUTPUTS,
                               .optional = 1u << NORM_LINEAR_BIAS | 1u << NORM_LINEAR_PLUS,
                               .infer = infer,
                               .cost = cost};
