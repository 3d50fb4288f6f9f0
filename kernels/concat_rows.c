/* concat_rows: the rows of a, then the rows of b.
 *   a [n|1, A, C]    b [n|1, B, C]    ->    [n, A+B, C], attr.type or like a.    attr: type. */
#include "shape.h"

static const char *infer(const tensor *in, const op_attr *a, tensor *out)
{
    const char *wrong = check_float_batch(in, 2);
    if (wrong)
        return wrong;
    if (in[0].cols != in[1].cols)
        return "a and b must have the same columns";
    out[0] = shaped(type_or(a, in[0].type), batch_of(in, 2), in[0].rows + in[1].rows, in[0].cols);
    return NULL;
}

static op_cost cost(const tensor *in, const tensor *out, const op_attr *a)
{
    (void)a;
    return cost_of(in, 2, out, 1, 0);
}

const op_def op_concat_rows = {.name = "concat_rows", .n_in = 2, .n_out = 1, .infer = infer, .cost = cost};
