/* Hiera (Ryali et al. 2023) as SAM 2 uses it: facebookresearch/sam2 modeling/backbones/hieradet.py.
 *
 * Four stages of blocks; the first block of stages 2 to 4 doubles the channels and halves the grid by pooling its
 * queries. Attention is within windows, except in a few global blocks. */
#include "blocks.h"

#include "position.h"

#include <math.h>
#include <stdio.h>

#define EPS 1e-6f

static val window_attention(builder *b, val x, int side, int heads, int width, int window, int pool, scope w)
{
    val qkv = linear(b, x, 3 * width, at(w, "qkv"));
    val bias = weight_vector(b, at(w, "qkv"), "bias", 3 * width); /* the padding tokens' q, k and v */
    op_attr a = {.h = side, .w = side, .window = window, .heads = heads, .pool = pool};
    a.scale = (float)(1 / sqrt((double)width / heads));
    val y = apply(b, OP_window_attention, (val[]){qkv, bias}, 2, a);
    return linear(b, y, width, at(w, "proj"));
}

static val feed_forward(builder *b, val x, int width, scope w)
{
    val h = layernorm(b, x, EPS, at(w, "norm2"));
    return add(b, x, mlp(b, h, 4 * width, width, 2, ACT_GELU, at(w, "mlp")));
}

static val plain_block(builder *b, val x, int side, int heads, int width, int window, scope w)
{
    val h = layernorm(b, x, EPS, at(w, "norm1"));
    x = add(b, x, window_attention(b, h, side, heads, width, window, 0, at(w, "attn")));
    return feed_forward(b, x, width, w);
}

/* First block of a stage: wider, and with a quarter of the tokens. Its shortcut is pool(proj(norm1(x))). */
static val pooling_block(builder *b, val x, int side, int heads, int width, int window, scope w)
{
    val h = layernorm(b, x, EPS, at(w, "norm1"));
    val shortcut = linear(b, h, width, at(w, "proj"));
    shortcut = apply(b, OP_max_pool, &shortcut, 1, (op_attr){.h = side, .w = side});
    x = add(b, shortcut, window_attention(b, h, side, heads, width, window, 1, at(w, "attn")));
    return feed_forward(b, x, width, w);
}

/* First block of a stage beyond q_pool: wider only. */
static val widening_block(builder *b, val x, int side, int heads, int width, int window, scope w)
{
    val h = layernorm(b, x, EPS, at(w, "norm1"));
    val shortcut = linear(b, h, width, at(w, "proj"));
    x = add(b, shortcut, window_attention(b, h, side, heads, width, window, 0, at(w, "attn")));
    return feed_forward(b, x, width, w);
}

static int is_global(const sam2_config *c, int block)
{
    for (int i = 0; i < c->n_global; i++)
        if (c->global_blocks[i] == block)
            return 1;
    return 0;
}

void hiera(builder *b, const sam2_config *c, val image, int side_px, val stage[4], scope w)
{
    int side = side_px / 4, width = c->embed_dim, heads = c->num_heads, block = 0;
    val x = conv2d(b, image, side_px, side_px, width, 7, 4, 3, 1, at(at(w, "patch_embed"), "proj"));
    x = add(b, x, hiera_position(b, side, width, c->background, c->window_spec[0], w));
    x = named(b, x, "trunk.embed");

    for (int s = 0; s < 4; s++) {
        for (int i = 0; i < c->stages[s]; i++, block++) {
            scope at_block = at_index(at(w, "blocks"), block);
            /* The first block of a stage still has the window of the stage before. */
            int window = is_global(c, block) ? 0 : c->window_spec[i == 0 && s > 0 ? s - 1 : s];
            if (i > 0 || s == 0) {
                x = plain_block(b, x, side, heads, width, window, at_block);
                continue;
            }
            width *= 2;
            heads *= 2;
            if (s <= c->q_pool) {
                x = pooling_block(b, x, side, heads, width, window, at_block);
                side /= 2;
            } else {
                x = widening_block(b, x, side, heads, width, window, at_block);
            }
        }
        static const char *const names[4] = {"trunk.stage_0", "trunk.stage_1", "trunk.stage_2", "trunk.stage_3"};
        stage[s] = named(b, x, names[s]);
    }
}
