/* Memory encoder: facebookresearch/sam2 modeling/memory_encoder.py.
 *
 * The frame's mask, brought down to the feature grid by four stride 2 convolutions, is added to the projected features;
 * two ConvNeXt blocks fuse them; 1x1 to mem_dim. */
#include "blocks.h"

static val mask_downsampler(builder *b, const sam2_config *c, val mask, int side, scope w)
{
    scope layers = at(w, "encoder");
    val x = mask;
    for (int i = 0, s = 16 * side, out = 4; i < 4; i++, s /= 2, out *= 4) {
        x = conv2d(b, x, s, s, out, 3, 2, 1, 1, at_index(layers, 3 * i));
        x = activation(b, layernorm(b, x, 1e-6f, at_index(layers, 3 * i + 1)), ACT_GELU);
    }
    return linear(b, x, c->d_model, at_index(layers, 12));
}

static val convnext_block(builder *b, val x, int side, scope w)
{
    int d = shape_of(b, x).cols;
    val h = conv2d(b, x, side, side, d, 7, 1, 3, d, at(w, "dwconv"));
    h = layernorm(b, h, 1e-6f, at(w, "norm"));
    h = activation(b, linear(b, h, 4 * d, at(w, "pwconv1")), ACT_GELU);
    h = linear(b, h, d, at(w, "pwconv2"));
    return add(b, x, mul(b, h, weight_vector(b, w, "gamma", d)));
}

val memory_encoder(builder *b, const sam2_config *c, val features, val mask, int side, scope w)
{
    val m = mask_downsampler(b, c, mask, side, at(w, "mask_downsampler"));
    val x = add(b, m, linear(b, features, c->d_model, at(w, "pix_feat_proj")));
    for (int i = 0; i < 2; i++)
        x = convnext_block(b, x, side, at_index(at(at(w, "fuser"), "layers"), i));
    return linear(b, x, c->mem_dim, at(w, "out_proj"));
}
