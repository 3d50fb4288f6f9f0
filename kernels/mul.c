/* mul: out = x * y.
 *   x [n|1, R, C]    y [n|1, R|1, C]    ->    [n, R, C], attr.type or like x
 * Either input may be shared by the objects of the other. In f32, rounded once. attr: type. */
#include "operands.h"
#include "shape.h"

static const char *infer(const tensor *in, const op_attr *a, tensor *out)
{
    const char *wrong = check_float_batch(in, 2);
    if (wrong)
        return wrong;
    if (!broadcasts(&in[SUM_Y], &in[SUM_X]))
        return "y must have x's columns, and x's rows or one";
    out[0] = shaped(type_or(a, in[SUM_X].type), batch_of(in, 2), in[SUM_X].rows, in[SUM_X].cols);
    return NULL;
}

static op_cost cost(const tensor *in, const tensor *out, const op_attr *a)
{
    (void)a;
    return cost_of(in, 2, out, 1, 1);
}

const op_def op_mul = {.name = "mul", .n_in = SUM_INPUTS, .n_out = 1, .infer = infer, .cost = cost};
