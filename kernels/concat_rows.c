/* concat_rows: the rows of a, then the rows of b.
 *   a [n|1, A, C]    b [n|1, B, C]    ->    [n, A+B, C], attr.type or like a.    attr: type. */
#include "operands.h"
#include "shape.h"

static const char *infer(const tensor *in, const op_attr *a, tensor *out)
{
    const char *wrong = check_float_batch(in, 2);
    if (wrong)
        return wrong;
    if (in[CONCAT_A].cols != in[CONCAT_B].cols)
        return "a and b must have the same columns";
    out[0] = shaped(type_or(a, in[CONCAT_A].type), batch_of(in, 2), in[CONCAT_A].rows + in[CONCAT_B].rows,
                    in[CONCAT_A].cols);
    return NULL;
}

static op_cost cost(const tensor *in, const tensor *out, const op_attr *a)
{
    (void)a;
    return cost_of(in, 2, out, 1, 0);
}

const op_def op_concat_rows = {.name = "concat_rows", .n_in = CONCAT_INPUTS, .n_out = 1, .infer = infer, .cost = cost};
