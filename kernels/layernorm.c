/* layernorm: y = act((x - mean(x)) / sqrt(var(x) + eps) * gain + bias), over the columns of each row.
 *   x [n, R, C]    gain, bias [1, 1, C] f32    plus? [n|1, R, C]
 *   ->    y [n, R, C], attr.type or like x;    with plus also y + plus, of y's shape and type
 * attr: eps, act, type. Statistics in f32, two passes (not E[x^2] - E[x]^2: it cancels). The variance is over C. */
#include "operands.h"
#include "shape.h"

static const char *infer(const tensor *in, const op_attr *a, tensor *out)
{
    const char *wrong = all_float(in, 4) ? NULL : "inputs must be f32, bf16 or f16";
    if (wrong)
        return wrong;
    if (in[LAYERNORM_PLUS].type != DT_NONE &&
        (!same_grid(&in[LAYERNORM_PLUS], &in[LAYERNORM_X]) ||
         (in[LAYERNORM_PLUS].n != 1 && in[LAYERNORM_PLUS].n != in[LAYERNORM_X].n)))
        return "plus must be [n or 1, R, C] with x's R and C";
    if (!is_row_f32(&in[LAYERNORM_GAIN], in[LAYERNORM_X].cols) ||
        !is_row_f32(&in[LAYERNORM_BIAS], in[LAYERNORM_X].cols))
        return "gain and bias must be [1, 1, C] f32 with x's C";
    out[LAYERNORM_Y] =
        shaped(type_or(a, in[LAYERNORM_X].type), in[LAYERNORM_X].n, in[LAYERNORM_X].rows, in[LAYERNORM_X].cols);
    if (in[LAYERNORM_PLUS].type != DT_NONE)
        out[LAYERNORM_SUM] = out[LAYERNORM_Y];
    return NULL;
}

static op_cost cost(const tensor *in, const tensor *out, const op_attr *a)
{
    (void)a;
    return cost_of(in, LAYERNORM_INPUTS, out, 2, 8);
}

const op_def op_layernorm = {.name = "layernorm",
                             .n_in = LAYERNORM_INPUTS,
                             .n_out = LAYERNORM_OUTPUTS,
                             .optional = 1u << LAYERNORM_PLUS,
                             .infer = infer,
                             .cost = cost};
