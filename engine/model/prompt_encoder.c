/* Prompt encoder: facebookresearch/sam2 modeling/sam/prompt_encoder.py. */
#include "blocks.h"

/* points [P, 2] in pixels of the network input, labels [P, 1]: 0, 1 clicks, 2, 3 box corners, -1 padding, -2 unused.
 * The caller appends padding points. */
val prompt_tokens(builder *b, int width, val points, val labels, int side_px, scope w)
{
    scope label = at(w, "point_embeddings");
    val in[] = {points,
                labels,
                weight_rows(b, at(w, "pe_layer"), "positional_encoding_gaussian_matrix", 2, width / 2),
                weight_vector(b, at(w, "not_a_point_embed"), "weight", width),
                weight_vector(b, at_index(label, 0), "weight", width),
                weight_vector(b, at_index(label, 1), "weight", width),
                weight_vector(b, at_index(label, 2), "weight", width),
                weight_vector(b, at_index(label, 3), "weight", width)};
    return apply(b, OP_point_tokens, in, 8, (op_attr){.scale = (float)side_px, .type = b->act});
}

/* Two 2x2 stride 2 convolutions with LayerNorm and GELU, then 1x1: logits at 4 x the embedding grid -> the grid. */
val mask_embedding(builder *b, int width, val logits, int side, scope w)
{
    scope layers = at(w, "mask_downscaling");
    val x = conv2d(b, cast(b, logits, b->act), 4 * side, 4 * side, 4, 2, 2, 0, 1, at_index(layers, 0));
    x = activation(b, layernorm(b, x, 1e-6f, at_index(layers, 1)), ACT_GELU);
    x = conv2d(b, x, 2 * side, 2 * side, 16, 2, 2, 0, 1, at_index(layers, 3));
    x = activation(b, layernorm(b, x, 1e-6f, at_index(layers, 4)), ACT_GELU);
    return linear(b, x, width, at_index(layers, 6));
}

/* prompt_encoder.py, forward, and mask_decoder.py, predict_masks: src = image_embeddings + dense_prompt_embeddings. */
val with_dense_prompt(builder *b, val image, val none, val dense, val has_mask)
{
    return add(b, image, apply(b, OP_gate_present, (val[]){dense, none, has_mask}, 3, (op_attr){.first = 0}));
}
