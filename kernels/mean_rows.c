/* mean_rows: the mean over the rows of each column; with weights, what a squeeze-excite block makes of it:
 *   y = mean    or    sigmoid(w2 relu(w1 mean + b1) + b2)
 *   x [n, R, C]    w1? [1, M, C]    b1? [1, 1, M] f32    w2? [1, C, M]    b2? [1, 1, C] f32: all four or none; M at most 512
 *   taps? [1, C, 9], tap_bias? [1, 1, C] f32: the mean of (depthwise 3x3 of x + tap_bias), zero padding, instead of x's.
 *   A tap multiplies x's sum less those of a first or last line and column, so that nothing is convolved.
 *   ->    [n, 1, C], attr.type or like x.    attr: type; with taps h, w, R = h * w.
 * Sums in double on the CPU, in f32 level by level on a device; between the products f32. With taps, what is not finite in
 * a column of x makes its mean a NaN. */
#include "operands.h"
#include "shape.h"

static const char *check_taps(const tensor *in, const op_attr *a)
{
    const tensor *x = &in[MEAN_X], *taps = &in[MEAN_TAPS], *bias = &in[MEAN_TAP_BIAS];
    if (taps->type == DT_NONE)
        return bias->type != DT_NONE ? "tap_bias comes with taps" : NULL;
    if (a->h < 1 || a->w < 1 || a->h != x->rows / a->w || x->rows % a->w)
        return "with taps x must have h*w rows";
    if (taps->n != 1 || taps->rows != x->cols || taps->cols != 9)
        return "taps must be [1, C, 9]";
    return bias->type == DT_NONE || is_row_f32(bias, x->cols) ? NULL : "tap_bias must be [1, 1, C] f32";
}

static const char *infer(const tensor *in, const op_attr *a, tensor *out)
{
    const tensor *x = &in[MEAN_X], *w1 = &in[MEAN_W1], *w2 = &in[MEAN_W2];
    const char *wrong = check_taps(in, a);
    int given = 0;
    for (int i = 1; i < 5; i++)
        given += in[i].type != DT_NONE;
    if (!all_float(in, 7))
        return "inputs must be f32, bf16 or f16";
    if (wrong)
        return wrong;
    out[0] = shaped(type_or(a, x->type), x->n, 1, x->cols);
    if (!given)
        return NULL;
    if (given != 4 || w1->n != 1 || w1->cols != x->cols || w2->n != 1 || w2->rows != x->cols || w2->cols != w1->rows)
        return "w1 must be [1, M, C], w2 [1, C, M], and both have biases";
    if (w1->rows > 512 || x->cols > 2048)
        return "M must be at most 512, C at most 2048";
    return is_row_f32(&in[MEAN_BIAS1], w1->rows) && is_row_f32(&in[MEAN_BIAS2], x->cols)
               ? NULL
               : "biases must be [1, 1, M] and [1, 1, C] f32";
}

static op_cost cost(const tensor *in, const tensor *out, const op_attr *a)
{
    (void)a;
    op_cost c = cost_of(in, MEAN_INPUTS, out, 1, 0);
    c.flops = (double)tensor_count(&in[MEAN_X]);
    if (in[MEAN_W1].type != DT_NONE)
        c.flops += 4.0 * in[MEAN_X].n * (double)tensor_count(&in[MEAN_W1]);
    return c;
}

const op_def op_mean_rows = {.name = "mean_rows",
                             .n_in = MEAN_INPUTS,
                             .n_out = 1,
                             .optional = 1u << MEAN_W1 | 1u << MEAN_BIAS1 | 1u << MEAN_W2 | 1u << MEAN_BIAS2 |
                                         1u << MEAN_TAPS | 1u << MEAN_TAP_BIAS,
                             .infer = infer,
                             .cost = cost};
