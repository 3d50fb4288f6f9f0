/* gate_present: a choice per object by whether it is in the frame.
 *   x [n|1, R, C]    y [n|1, R|1, C]    score [n, 1, 1] f32    least_score? like score    ->    [n, R, C], attr.type or like x
 *   present: score > least_score, which is 0 where there is none
 *   attr.first = 0:  present ? x : y          attr.first = 1:  present ? x : x + y          attr: first, type
 * What is not chosen does not matter, even NaN. A NaN score means absent. Source: no_obj_ptr (first 0) and
 * no_obj_embed_spatial (first 1) in sam2 modeling/sam2_base.py. */
#include "operands.h"
#include "shape.h"

static const char *infer(const tensor *in, const op_attr *a, tensor *out)
{
    if (!all_float(in, 3))
        return "inputs must be f32, bf16 or f16";
    if (!batches_agree(in, GATE_INPUTS))
        return "inputs have different batch sizes";
    if (!broadcasts(&in[GATE_Y], &in[GATE_X]))
        return "y must have x's columns, and x's rows or one";
    if (!is_count(&in[GATE_SCORE], DT_F32, 1) ||
        (in[GATE_LEAST_SCORE].type != DT_NONE && !is_count(&in[GATE_LEAST_SCORE], DT_F32, 1)))
        return "score and least_score must be [n, 1, 1] f32";
    if (a->first != 0 && a->first != 1)
        return "first must be 0 or 1";
    out[0] = shaped(type_or(a, in[GATE_X].type), batch_of(in, GATE_INPUTS), in[GATE_X].rows, in[GATE_X].cols);
    return NULL;
}

static op_cost cost(const tensor *in, const tensor *out, const op_attr *a)
{
    return cost_of(in, GATE_INPUTS, out, 1, a->first);
}

const op_def op_gate_present = {.name = "gate_present",
                                .n_in = GATE_INPUTS,
                                .n_out = 1,
                                .optional = 1u << GATE_LEAST_SCORE,
                                .infer = infer,
                                .cost = cost};
