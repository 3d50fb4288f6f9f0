/* layernorm: y = act((x - mean(x)) / sqrt(var(x) + eps) * gain + bias), over the columns of each row.
 *   x [n, R, C]    gain, bias [1, 1, C] f32    ->    y [n, R, C], attr.type or like x
 * attr: eps, act, type. Statistics in f32, two passes (not E[x^2] - E[x]^2: it cancels). The variance is over C. */
#include "shape.h"

static const char *infer(const tensor *in, const op_attr *a, tensor *out)
{
    const char *wrong = check_float_batch(in, 1);
    if (wrong)
        return wrong;
    if (!is_row_f32(&in[1], in[0].cols) || !is_row_f32(&in[2], in[0].cols))
        return "gain and bias must be [1, 1, C] f32 with x's C";
    out[0] = shaped(type_or(a, in[0].type), in[0].n, in[0].rows, in[0].cols);
    return NULL;
}

static op_cost cost(const tensor *in, const tensor *out, const op_attr *a)
{
    (void)a;
    return cost_of(in, 3, out, 1, 8);
}

const op_def op_layernorm = {.name = "layernorm", .n_in = 3, .n_out = 1, .infer = infer, .cost = cost};
