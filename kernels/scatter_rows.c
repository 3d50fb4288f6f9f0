/* scatter_rows: each batch into its slot of a pool; the other slots stay as they are.
 *   x [n, R, C]  slot [n, 1, 1] i32    ->    pool [1, S*R, C] in attr.type or like x.    attr: count = S, type.
 * Batch i becomes rows slot[i]*R .. of the pool. Slots differ from each other (asserted on the CPU: within the pool). */
#include "operands.h"
#include "shape.h"

static const char *infer(const tensor *in, const op_attr *a, tensor *out)
{
    if (!is_float(in[SCATTER_X].type))
        return "x must be f32, bf16 or f16";
    if (!is_count(&in[SCATTER_SLOT], DT_I32, 1) || (in[SCATTER_SLOT].n != in[SCATTER_X].n && in[SCATTER_SLOT].n != 1))
        return "slot must be [n, 1, 1] i32";
    if (a->count < 1 || a->count > INT32_MAX / in[SCATTER_X].rows)
        return "count must be the number of slots";
    out[0] = shaped(type_or(a, in[SCATTER_X].type), 1, a->count * in[SCATTER_X].rows, in[SCATTER_X].cols);
    return NULL;
}

/* Writes only the slots named. */
static op_cost cost(const tensor *in, const tensor *out, const op_attr *a)
{
    (void)a;
    double n = (double)tensor_count(&in[SCATTER_X]);
    return (op_cost){.bytes_read = (double)tensor_bytes(&in[SCATTER_X]),
                     .bytes_written = n * (double)dtype_bytes(out[0].type)};
}

const op_def op_scatter_rows = {
    .name = "scatter_rows", .n_in = SCATTER_INPUTS, .n_out = 1, .infer = infer, .cost = cost};
