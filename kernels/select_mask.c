/* select_mask: which of the decoder's four masks is the answer.
 *   masks [n, 4, HW] f32    iou [n, 1, 4] f32    score? [n, 1, 1] f32    tokens [n, 4, C]    mode [n|1, 1, 1] i32
 *   choice? [n, 1, 1] i32: 1..3    least_score? [n, 1, 1] f32
 *   ->  logits [n, 1, HW] f32    iou [n, 1, 1] f32    token [n, 1, C] like tokens    mask index [n, 1, 1] i32
 * mode bit 0 (several masks): the best of masks 1..3 by iou (the first maximum; a NaN counts as the largest), with its
 *   token. Otherwise mask 0, unless its stability #(m > delta) / #(m > -delta) (1 if nothing is counted) is below the
 *   threshold: then mask and iou of the best of 1..3. The token is then token 0 in either case.
 * mode bits 0 and 2 (chosen): mask `choice` instead, made elsewhere (follow_motion).
 * mode bit 1 (gate): unless score > least_score (0 without one), the logits are all -1024. Without a score there is nothing to gate.
 * attr: scale = delta (0.05), bias = threshold (0.98; 0: mask 0 always is stable enough, as in SAM v1).
 * Source: sam2 modeling/sam/mask_decoder.py _dynamic_multimask_via_stability, modeling/sam2_base.py _forward_sam_heads. */
#include "operands.h"
#include "shape.h"

static const char *infer(const tensor *in, const op_attr *a, tensor *out)
{
    const tensor *masks = &in[SELECT_MASKS], *iou = &in[SELECT_IOUS], *tokens = &in[SELECT_TOKENS];
    (void)a;
    if (masks->type != DT_F32 || masks->rows != 4)
        return "masks must be [n, 4, HW] f32";
    if (iou->type != DT_F32 || iou->rows != 1 || iou->cols != 4)
        return "iou must be [n, 1, 4] f32";
    if (!is_float(tokens->type) || tokens->rows != 4)
        return "tokens must be [n, 4, C]";
    if ((in[SELECT_SCORE].type != DT_NONE && !is_count(&in[SELECT_SCORE], DT_F32, 1)) ||
        !is_count(&in[SELECT_MODE], DT_I32, 1))
        return "score must be [n, 1, 1] f32 and mode [n, 1, 1] i32";
    if ((in[SELECT_CHOICE].type != DT_NONE && !is_count(&in[SELECT_CHOICE], DT_I32, 1)) ||
        (in[SELECT_LEAST_SCORE].type != DT_NONE && !is_count(&in[SELECT_LEAST_SCORE], DT_F32, 1)))
        return "choice must be [n, 1, 1] i32 and least_score [n, 1, 1] f32";
    if (!batches_agree(in, SELECT_INPUTS))
        return "inputs have different batch sizes";
    int n = batch_of(in, SELECT_INPUTS);
    out[SELECTED_LOGITS] = shaped(DT_F32, n, 1, masks->cols);
    out[SELECTED_IOU] = shaped(DT_F32, n, 1, 1);
    out[SELECTED_TOKEN] = shaped(tokens->type, n, 1, tokens->cols);
    out[SELECTED_INDEX] = shaped(DT_I32, n, 1, 1);
    return NULL;
}

static op_cost cost(const tensor *in, const tensor *out, const op_attr *a)
{
    (void)a;
    return cost_of(in, SELECT_INPUTS, out, SELECT_OUTPUTS, 4);
}

const op_def op_select_mask = {.name = "select_mask",
                               .n_in = SELECT_INPUTS,
                               .n_out = SELECT_OUTPUTS,
                               .optional = 1u << SELECT_SCORE | 1u << SELECT_CHOICE | 1u << SELECT_LEAST_SCORE,
                               .infer = infer,
                               .cost = cost};
