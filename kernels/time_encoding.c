/* time_encoding: sine code of a frame distance.
 *   ages [n, A, 1] f32    ->    [n, A, count], attr.type or f32.    attr: count (even), type
 * half = count / 2, d_i = 10000^(2 floor(i/2) / half):  column i < half is sin(age / d_i), column half + i cos(age / d_i).
 * Source: sam2 modeling/sam2_utils.py get_1d_sine_pe. */
#include "operands.h"
#include "shape.h"

static const char *infer(const tensor *in, const op_attr *a, tensor *out)
{
    if (!is_count(&in[ONLY_X], DT_F32, in[ONLY_X].rows))
        return "ages must be [n, A, 1] f32";
    if (a->count < 2 || a->count % 2)
        return "count must be even";
    out[0] = shaped(type_or(a, DT_F32), in[ONLY_X].n, in[ONLY_X].rows, a->count);
    return is_float(out[0].type) ? NULL : "the output must be a float type";
}

static op_cost cost(const tensor *in, const tensor *out, const op_attr *a)
{
    (void)a;
    return cost_of(in, 1, out, 1, 40);
}

const op_def op_time_encoding = {
    .name = "time_encoding", .n_in = ONLY_INPUTS, .n_out = 1, .infer = infer, .cost = cost};
