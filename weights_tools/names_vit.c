/* names_vit.c - SAM v1: see names.h. The text follows the modules of facebookresearch/segment-anything
 * segment_anything/modeling/, in the order their parameters are registered: image_encoder.py for the ViT and its neck. */
#include "names.h"

/* Rows of a table of relative positions along a side of n tokens. */
static int64_t relative_rows(int n)
{
    return 2 * n - 1;
}

static int is_global(const known_model *c, int block)
{
    for (int i = 0; i < 4; i++)
        if (c->global_att_blocks[i] == block)
            return 1;
    return 0;
}

static void vit_block(tensor_set *s, const known_model *c, int block)
{
    const int n = c->embed_dim, head = n / c->num_heads, side = is_global(c, block) ? c->image_px / 16 : c->window;
    tensor_name where = names_at("image_encoder.blocks.%d", block);
    want_norm(s, n, names_at("%s.norm1", where.text).text);
    want(s, 2, SHAPE(relative_rows(side), head), "%s.attn.rel_pos_h", where.text);
    want(s, 2, SHAPE(relative_rows(side), head), "%s.attn.rel_pos_w", where.text);
    want_linear(s, 3 * n, n, names_at("%s.attn.qkv", where.text).text);
    want_linear(s, n, n, names_at("%s.attn.proj", where.text).text);
    want_norm(s, n, names_at("%s.norm2", where.text).text);
    want_linear(s, 4 * n, n, names_at("%s.mlp.lin1", where.text).text);
    want_linear(s, n, 4 * n, names_at("%s.mlp.lin2", where.text).text);
}

/* 1x1, norm, 3x3, norm; the convolutions have no bias. */
static void neck(tensor_set *s, const known_model *c)
{
    const int n = c->embed_dim, d = c->d_model;
    want(s, 4, SHAPE(d, n, 1, 1), "image_encoder.neck.0.weight");
    want_norm(s, d, "image_encoder.neck.1");
    want(s, 4, SHAPE(d, d, 3, 3), "image_encoder.neck.2.weight");
    want_norm(s, d, "image_encoder.neck.3");
}

void names_vit(tensor_set *s, const known_model *c)
{
    const int side = c->image_px / 16;
    want(s, 4, SHAPE(1, side, side, c->embed_dim), "image_encoder.pos_embed");
    want_conv(s, c->embed_dim, 3, 16, "image_encoder.patch_embed.proj");
    for (int block = 0; block < c->depth; block++)
        vit_block(s, c, block);
    neck(s, c);
    names_prompt_encoder(s, c->d_model, "prompt_encoder");
    names_mask_decoder(s, c, "mask_decoder");
}
