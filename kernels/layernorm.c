/* layernorm: y = act((x - mean(x)) / sqrt(var(x) + eps) * gain + bias), over the columns of each row.
 *   x [n, R, C]    gain, bias [1, 1, C] f32    plus? [n|1, R, C]
 *   ->    y [n, R, C], attr.type or like x;    with plus also y + plus, of y's shape and type
 * attr: eps, act, type. Statistics in f32, two passes (not E[x^2] - E[x]^2: it cancels). The variance is over C. */
#include "shape.h"

static const char *infer(const tensor *in, const op_attr *a, tensor *out)
{
    const char *wrong = all_float(in, 4) ? NULL : "inputs must be f32, bf16 or f16";
    if (wrong)
        return wrong;
    if (in[3].type != DT_NONE && (!same_grid(&in[3], &in[0]) || (in[3].n != 1 && in[3].n != in[0].n)))
        return "plus must be [n or 1, R, C] with x's R and C";
    if (!is_row_f32(&in[1], in[0].cols) || !is_row_f32(&in[2], in[0].cols))
        return "gain and bias must be [1, 1, C] f32 with x's C";
    out[0] = shaped(type_or(a, in[0].type), in[0].n, in[0].rows, in[0].cols);
    if (in[3].type != DT_NONE)
        out[1] = out[0];
    return NULL;
}

static op_cost cost(const tensor *in, const tensor *out, const op_attr *a)
{
    (void)a;
    return cost_of(in, 4, out, 2, 8);
}

const op_def op_layernorm = {
    .name = "layernorm", .n_in = 4, .n_out = 2, .optional = 1u << 3, .infer = infer, .cost = cost};
