/* mean_rows: the mean over the rows of each column.
 *   x [n, R, C]    ->    [n, 1, C], attr.type or like x.    attr: type. Sums in double. */
#include "shape.h"

static const char *infer(const tensor *in, const op_attr *a, tensor *out)
{
    if (!is_float(in[0].type))
        return "x must be f32, bf16 or f16";
    out[0] = shaped(type_or(a, in[0].type), in[0].n, 1, in[0].cols);
    return NULL;
}

static op_cost cost(const tensor *in, const tensor *out, const op_attr *a)
{
    (void)a;
    op_cost c = cost_of(in, 1, out, 1, 0);
    c.flops = (double)tensor_count(&in[0]);
    return c;
}

const op_def op_mean_rows = {.name = "mean_rows", .n_in = 1, .n_out = 1, .infer = infer, .cost = cost};
