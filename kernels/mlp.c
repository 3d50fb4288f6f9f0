/* mlp: two products with an activation between them, y = w2 act(w1 u + b1) + b2 + residual: a transformer's MLP whole, or
 * a RepViT block, for widths of which a tile of rows fits a multiprocessor; the hidden values never leave it.
 *   x [n, R, C]    w1 [1, H, C]    b1? [1, 1, H] f32    w2 [1, C, H]    b2? [1, 1, C] f32
 *   gain?, bias? [1, 1, C] f32: u is layernorm (layernorm.c) of x with them and attr.eps, else x
 *   residual? [n, R, C]
 *   taps? [1, C, 9], tap_bias? [1, 1, C] f32, gate? [n, 1, C]: instead, u is gate * (depthwise 3x3 of x + tap_bias) with
 *   zero padding, taps in the order of a PyTorch weight, and u is the residual too
 *   ->    [n, R, C] of x's type
 * x, w1, w2, residual, taps and gate all bf16 or all f16 (in f32, and on the CPU, two linears do as well); sums in f32, u
 * and the hidden values rounded to x's type. C and H are multiples of 8, C at most 224.
 * attr: act, eps; with taps h, w, R = h * w. */
#include "operands.h"
#include "shape.h"

static const char *check_taps(const tensor *in, const op_attr *a)
{
    const tensor *x = &in[MLP_X], *taps = &in[MLP_TAPS], *bias = &in[MLP_TAP_BIAS], *gate = &in[MLP_GATE];
    if (taps->type == DT_NONE)
        return bias->type != DT_NONE || gate->type != DT_NONE ? "tap_bias and gate come with taps" : NULL;
    if (in[MLP_GAIN].type != DT_NONE || in[MLP_RESIDUAL].type != DT_NONE)
        return "taps leave no place for a norm or a residual";
    if (a->h < 1 || a->w < 1 || a->h != x->rows / a->w || x->rows % a->w)
        return "with taps x must have h*w rows";
    if (taps->type != x->type || taps->n != 1 || taps->rows != x->cols || taps->cols != 9)
        return "taps must be [1, C, 9] of x's type";
    if (bias->type != DT_NONE && !is_row_f32(bias, x->cols))
        return "tap_bias must be [1, 1, C] f32";
    if (gate->type != DT_NONE && (gate->type != x->type || gate->n != x->n || gate->rows != 1 || gate->cols != x->cols))
        return "gate must be [n, 1, C] of x's type";
    return NULL;
}

static const char *infer(const tensor *in, const op_attr *a, tensor *out)
{
    const tensor *x = &in[MLP_X], *w1 = &in[MLP_W1], *b1 = &in[MLP_BIAS1], *w2 = &in[MLP_W2], *b2 = &in[MLP_BIAS2],
                 *residual = &in[MLP_RESIDUAL];
    if ((x->type != DT_BF16 && x->type != DT_F16) || w1->type != x->type || w2->type != x->type ||
        (residual->type != DT_NONE && residual->type != x->type))
        return "x, w1, w2 and residual must all be bf16 or all f16";
    if (x->cols % 8 || w1->rows % 8 || x->cols > 224)
        return "C and H must be multiples of 8, C at most 224";
    if (w1->n != 1 || w2->n != 1 || w1->cols != x->cols || w2->cols != w1->rows || w2->rows != x->cols)
        return "w1 must be [1, H, C], w2 [1, C, H]";
    if ((b1->type != DT_NONE && !is_row_f32(b1, w1->rows)) || (b2->type != DT_NONE && !is_row_f32(b2, x->cols)))
        return "b1 must be [1, 1, H] f32, b2 [1, 1, C] f32";
    if ((in[MLP_GAIN].type == DT_NONE) != (in[MLP_NORM_BIAS].type == DT_NONE) ||
        (in[MLP_GAIN].type != DT_NONE &&
         (!is_row_f32(&in[MLP_GAIN], x->cols) || !is_row_f32(&in[MLP_NORM_BIAS], x->cols))))
        return "gain and bias come together, [1, 1, C] f32";
    if (residual->type != DT_NONE && (!same_grid(residual, x) || residual->n != x->n))
        return "residual must be [n, R, C]";
    const char *wrong = check_taps(in, a);
    if (wrong)
        return wrong;
    out[0] = shaped(x->type, x->n, x->rows, x->cols);
    return NULL;
}

static op_cost cost(const tensor *in, const tensor *out, const op_attr *a)
{
    (void)a;
    double first = in[MLP_GAIN].type != DT_NONE ? 8 : in[MLP_TAPS].type != DT_NONE ? 18 : 0;
    op_cost c = cost_of(in, MLP_INPUTS, out, 1, 4.0 * in[MLP_W1].rows + first);
    if (in[MLP_RESIDUAL].data && in[MLP_RESIDUAL].data == in[MLP_X].data)
        c.bytes_read -= (double)tensor_bytes(&in[MLP_RESIDUAL]);
    return c;
}

const op_def op_mlp = {.name = "mlp",
                       .n_in = MLP_INPUTS,
                       .n_out = 1,
                       .optional = 1u << MLP_BIAS1 | 1u << MLP_BIAS2 | 1u << MLP_GAIN | 1u << MLP_NORM_BIAS |
                                   1u << MLP_RESIDUAL | 1u << MLP_TAPS | 1u << MLP_TAP_BIAS | 1u << MLP_GATE,
                       .infer = infer,
                       .cost = cost};
