/* follow_motion: which of the decoder's masks 1..3 goes on with an object's motion, and the filter that says so.
 *   masks [n, 4, h*w] f32    ious [n, 1, 4] f32    score [n, 1, 1] f32    least_score [n, 1, 1] f32    mode [n, 1, 1] i32
 *   filters [1, S, 24] f32: motion_filter.h, one a slot    slot [n, 1, 1] i32    restart [n, 1, 1] i32
 *   rule [n, 1, 4] f32: motion_rule
 *   ->  choice [n, 1, 1] i32    motion [n, 1, 1] f32    filter [n, 1, 24] f32
 * Boxes are those of mask > 0 enlarged `kernel` times (bilinear, edges repeated); all empty unless score > least_score. The
 * filter of `slot` (as if it were new where restart is 1) takes one step with them: filter is what it becomes, choice the mask's
 * index 1..3, motion its overlap with the filter's box, or 1 where the filter had no say. Where mode bit 0 is off (one mask was
 * asked for) the filter stays as it is, choice is 0, motion 1.
 * attr: h, w; kernel: the enlargement.
 * Source: yangchris11/samurai sam2/sam2/modeling/sam2_base.py _forward_sam_heads. There one filter serves all objects. */
#include "motion_filter.h"
#include "operands.h"
#include "shape.h"

static const char *infer(const tensor *in, const op_attr *a, tensor *out)
{
    const tensor *masks = &in[FOLLOW_MASKS], *ious = &in[FOLLOW_IOUS], *filters = &in[FOLLOW_FILTERS];
    const tensor *rule = &in[FOLLOW_RULE];
    if (masks->type != DT_F32 || masks->rows != 4 || a->h < 1 || a->w < 1 || masks->cols / a->h != a->w ||
        masks->cols % a->h)
        return "masks must be [n, 4, h * w] f32";
    if (a->kernel < 1 || a->kernel > 64)
        return "kernel must be 1 to 64";
    if (ious->type != DT_F32 || ious->rows != 1 || ious->cols != 4)
        return "ious must be [n, 1, 4] f32";
    if (!is_count(&in[FOLLOW_SCORE], DT_F32, 1) || !is_count(&in[FOLLOW_LEAST_SCORE], DT_F32, 1))
        return "score and least_score must be [n, 1, 1] f32";
    if (!is_count(&in[FOLLOW_MODE], DT_I32, 1) || !is_count(&in[FOLLOW_SLOT], DT_I32, 1) ||
        !is_count(&in[FOLLOW_RESTART], DT_I32, 1))
        return "mode, slot and restart must be [n, 1, 1] i32";
    if (filters->type != DT_F32 || filters->n != 1 || filters->cols != FILTER_FLOATS)
        return "filters must be [1, slots, 24] f32";
    if (rule->type != DT_F32 || rule->rows != 1 || rule->cols != RULE_FLOATS)
        return "rule must be [n, 1, 4] f32";
    if (!batches_agree(in, FOLLOW_INPUTS))
        return "inputs have different batch sizes";
    int n = batch_of(in, FOLLOW_INPUTS);
    out[FOLLOWED_CHOICE] = shaped(DT_I32, n, 1, 1);
    out[FOLLOWED_MOTION] = shaped(DT_F32, n, 1, 1);
    out[FOLLOWED_FILTER] = shaped(DT_F32, n, 1, FILTER_FLOATS);
    return NULL;
}

/* Three of the masks are read; where their edges are, `kernel` squared values are made of four. */
static op_cost cost(const tensor *in, const tensor *out, const op_attr *a)
{
    (void)a;
    op_cost c = cost_of(in + 1, FOLLOW_INPUTS - 1, out, FOLLOW_OUTPUTS, 0);
    c.bytes_read += (double)tensor_bytes(&in[FOLLOW_MASKS]) * 3 / 4;
    c.flops = (double)tensor_count(&in[FOLLOW_MASKS]);
    return c;
}

const op_def op_follow_motion = {
    .name = "follow_motion", .n_in = FOLLOW_INPUTS, .n_out = FOLLOW_OUTPUTS, .infer = infer, .cost = cost};
