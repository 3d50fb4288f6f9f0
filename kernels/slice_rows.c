/* slice_rows: rows first .. first + count - 1 of each batch.
 *   x [n, R, C]    ->    [n, count, C], attr.type or like x.    attr: first, count, type. x may be i32 (copied). */
#include "operands.h"
#include "shape.h"

static const char *infer(const tensor *in, const op_attr *a, tensor *out)
{
    dtype type = type_or(a, in[ONLY_X].type);
    if (!is_float(in[ONLY_X].type) && (in[ONLY_X].type != DT_I32 || type != DT_I32))
        return "x must be f32, bf16 or f16, or i32 and stay so";
    if (a->first < 0 || a->count < 1 || a->count > in[ONLY_X].rows - a->first)
        return "first and count must lie within x's rows";
    out[0] = shaped(type, in[ONLY_X].n, a->count, in[ONLY_X].cols);
    return NULL;
}

/* Reads only what it copies. */
static op_cost cost(const tensor *in, const tensor *out, const op_attr *a)
{
    (void)a;
    double n = (double)tensor_count(&out[0]);
    return (op_cost){.bytes_read = n * (double)dtype_bytes(in[ONLY_X].type),
                     .bytes_written = (double)tensor_bytes(&out[0])};
}

const op_def op_slice_rows = {.name = "slice_rows", .n_in = ONLY_INPUTS, .n_out = 1, .infer = infer, .cost = cost};
