/* SAM v1's image encoder, a ViT whose blocks attend within windows, but for four global ones (Li et al. 2022, ViTDet):
 * facebookresearch/segment-anything modeling/image_encoder.py. */
#include "vit.h"

#include "blocks.h"
#include "position.h"

#include <math.h>

#define EPS   1e-6f
#define PATCH 16

/* Windows are padded with zeros after the norm, so with the bias of q, k and v; padding takes part. */
static val attend(builder *b, const vit_config *c, val x, int side, int window, scope w)
{
    int width = c->embed_dim, head = width / c->num_heads, at_side = window ? window : side;
    int trained = window ? window : c->trained_side;
    val in[] = {linear(b, x, 3 * width, at(w, "qkv")), weight_vector(b, at(w, "qkv"), "bias", 3 * width),
                relative_position(b, at_side, head, trained, "rel_pos_h", w),
                relative_position(b, at_side, head, trained, "rel_pos_w", w)};
    op_attr a = {.h = side, .w = side, .window = window, .heads = c->num_heads};
    a.scale = (float)(1 / sqrt((double)head));
    return linear(b, apply(b, OP_window_attention, in, 4, a), width, at(w, "proj"));
}

static val block(builder *b, const vit_config *c, val x, int side, int window, scope w)
{
    x = add(b, x, attend(b, c, layernorm(b, x, EPS, at(w, "norm1")), side, window, at(w, "attn")));
    return add(b, x, mlp_block(b, layernorm(b, x, EPS, at(w, "norm2")), 4 * c->embed_dim, ACT_GELU, at(w, "mlp")));
}

/* Convolutions without bias; LayerNorm2d is the norm of a row. */
static val neck(builder *b, const vit_config *c, val x, int side, scope w)
{
    x = layernorm(b, linear_no_bias(b, x, c->d_model, at_index(w, 0)), EPS, at_index(w, 1));
    x = conv2d_no_bias(b, x, side, side, c->d_model, 3, 1, 1, 1, at_index(w, 2));
    return layernorm(b, x, EPS, at_index(w, 3));
}

val vit(builder *b, const vit_config *c, val image, int side_px, scope w)
{
    static const char *const names[MAX_GLOBAL] = {"trunk.global_0", "trunk.global_1", "trunk.global_2",
                                                  "trunk.global_3"};
    int side = side_px / PATCH, n_global = 0;
    val x = conv2d(b, image, side_px, side_px, c->embed_dim, PATCH, PATCH, 0, 1, at(at(w, "patch_embed"), "proj"));
    x = named(b, add(b, x, vit_position(b, side, c->embed_dim, c->trained_side, w)), "trunk.embed");
    for (int i = 0; i < c->depth; i++) {
        int is_global = n_global < c->n_global && c->global_blocks[n_global] == i;
        x = block(b, c, x, side, is_global ? 0 : c->window, at_index(at(w, "blocks"), i));
        if (is_global)
            x = named(b, x, names[n_global++]);
    }
    return neck(b, c, x, side, at(w, "neck"));
}
