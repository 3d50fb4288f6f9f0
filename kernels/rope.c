/* rope: rotary position encoding with a table of angles.
 *   x [n, R, C]    table [1, P, C] f32    n_rotated? [n|1, 1, 1] i32    ->    [n, R, C], attr.type or like x
 * Row r uses i = r mod period: copied if i < start or r >= n_rotated, else turned by table row i - start, whose columns
 * are (cos, sin) of each pair:  y[2c] = x[2c] cos - x[2c+1] sin,  y[2c+1] = x[2c] sin + x[2c+1] cos.
 * attr: period (0: R), start, type; P = period - start. Source: sam2 modeling/position_encoding.py apply_rotary_enc. */
#include "operands.h"
#include "shape.h"

static const char *infer(const tensor *in, const op_attr *a, tensor *out)
{
    const char *wrong = check_float_batch(in, 1);
    int period = a->period ? a->period : in[ROPE_X].rows;
    if (wrong)
        return wrong;
    if (in[ROPE_X].cols % 2)
        return "x must have an even number of columns";
    if (a->start < 0 || period <= a->start)
        return "start must lie within the period";
    if (in[ROPE_TABLE].type != DT_F32 || in[ROPE_TABLE].n != 1 || in[ROPE_TABLE].rows != period - a->start ||
        in[ROPE_TABLE].cols != in[ROPE_X].cols)
        return "table must be [1, period - start, C] f32";
    if (in[ROPE_N_ROTATED].type != DT_NONE && !is_count(&in[ROPE_N_ROTATED], DT_I32, 1))
        return "n_rotated must be [n, 1, 1] i32";
    if (!batches_agree(in, 3))
        return "inputs have different batch sizes";
    out[0] = shaped(type_or(a, in[ROPE_X].type), batch_of(in, ROPE_INPUTS), in[ROPE_X].rows, in[ROPE_X].cols);
    return NULL;
}

static op_cost cost(const tensor *in, const tensor *out, const op_attr *a)
{
    (void)a;
    return cost_of(in, ROPE_INPUTS, out, 1, 3);
}

const op_def op_rope = {
    .name = "rope", .n_in = ROPE_INPUTS, .n_out = 1, .optional = 1u << ROPE_N_ROTATED, .infer = infer, .cost = cost};
