/* Feature pyramid neck: facebookresearch/sam2 modeling/backbones/image_encoder.py, FpnNeck with fpn_top_down_levels
 * [2, 3], nearest interpolation, and scalp 1: the deepest level only feeds the one above it. */
#include "blocks.h"

void fpn(builder *b, const sam2_config *c, const val stage[4], int side_px, val level[3], scope w)
{
    scope convs = at(w, "convs"); /* convs.0 belongs to the deepest level */
    int side = side_px / 32;
    val deepest = linear(b, stage[3], c->d_model, at(at_index(convs, 0), "conv"));
    val top = linear(b, stage[2], c->d_model, at(at_index(convs, 1), "conv"));
    level[2] = apply(b, OP_upsample_add, (val[]){top, deepest}, 2, (op_attr){.h = side, .w = side});
    level[1] = linear(b, stage[1], c->d_model, at(at_index(convs, 2), "conv"));
    level[0] = linear(b, stage[0], c->d_model, at(at_index(convs, 3), "conv"));
}
