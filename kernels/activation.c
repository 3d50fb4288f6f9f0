/* activation: y = act(x), element by element.
 *   x [n, R, C]    ->    [n, R, C], attr.type or like x.    attr: act, type. */
#include "operands.h"
#include "shape.h"

static const char *infer(const tensor *in, const op_attr *a, tensor *out)
{
    if (!is_float(in[ONLY_X].type))
        return "x must be f32, bf16 or f16";
    out[0] = shaped(type_or(a, in[ONLY_X].type), in[ONLY_X].n, in[ONLY_X].rows, in[ONLY_X].cols);
    return NULL;
}

static op_cost cost(const tensor *in, const tensor *out, const op_attr *a)
{
    return cost_of(in, 1, out, 1, a->act == ACT_RELU ? 1 : 20);
}

const op_def op_activation = {.name = "activation", .n_in = ONLY_INPUTS, .n_out = 1, .infer = infer, .cost = cost};
