/* cast: the same numbers in another type; bf16 and f16 rounded to nearest even, NaN stays NaN, overflow is infinite.
 *   x [n, R, C] f32|bf16|f16    ->    [n, R, C] of attr.type (required, a float type). */
#include "operands.h"
#include "shape.h"

static const char *infer(const tensor *in, const op_attr *a, tensor *out)
{
    if (!is_float(in[ONLY_X].type) || !is_float(a->type))
        return "both types must be f32, bf16 or f16";
    out[0] = shaped(a->type, in[ONLY_X].n, in[ONLY_X].rows, in[ONLY_X].cols);
    return NULL;
}

static op_cost cost(const tensor *in, const tensor *out, const op_attr *a)
{
    (void)a;
    return cost_of(in, 1, out, 1, 0);
}

const op_def op_cast = {.name = "cast", .n_in = ONLY_INPUTS, .n_out = 1, .infer = infer, .cost = cost};
