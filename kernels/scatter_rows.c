/* scatter_rows: each batch into its slot of a pool; the other slots stay as they are.
 *   x [n, R, C]  slot [n, 1, 1] i32    ->    pool [1, S*R, C] in attr.type or like x.    attr: count = S, type.
 * Batch i becomes rows slot[i]*R .. of the pool. Slots differ from each other (asserted on the CPU: within the pool). */
#include "shape.h"

static const char *infer(const tensor *in, const op_attr *a, tensor *out)
{
    if (!is_float(in[0].type))
        return "x must be f32, bf16 or f16";
    if (!is_count(&in[1], DT_I32, 1) || (in[1].n != in[0].n && in[1].n != 1))
        return "slot must be [n, 1, 1] i32";
    if (a->count < 1 || a->count > INT32_MAX / in[0].rows)
        return "count must be the number of slots";
    out[0] = shaped(type_or(a, in[0].type), 1, a->count * in[0].rows, in[0].cols);
    return NULL;
}

/* Writes only the slots named. */
static op_cost cost(const tensor *in, const tensor *out, const op_attr *a)
{
    (void)a;
    double n = (double)tensor_count(&in[0]);
    return (op_cost){.bytes_read = (double)tensor_bytes(&in[0]), .bytes_written = n * (double)dtype_bytes(out[0].type)};
}

const op_def op_scatter_rows = {.name = "scatter_rows", .n_in = 2, .n_out = 1, .infer = infer, .cost = cost};
