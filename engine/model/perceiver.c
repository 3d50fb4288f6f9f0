/* EdgeTAM's 2D spatial perceiver: facebookresearch/EdgeTAM sam2/modeling/perceiver.py.
 *
 * A frame's [side*side, mem_dim] memory becomes `latents` global tokens followed by `latents_2d` tokens of a grid of
 * windows. Both pass the same layers: cross-attention to the memory, MLP, self-attention, MLP, each with a residual. */
#include "blocks.h"

#include "position.h"

#include <math.h>

#define EPS 1e-5f

static val feed_forward(builder *b, val x, scope w)
{
    int c = shape_of(b, x).cols;
    val h = layernorm(b, x, EPS, at_index(w, 0));
    h = activation(b, linear_no_bias(b, h, 4 * c, at_index(w, 1)), ACT_GELU);
    return add(b, x, linear_no_bias(b, h, c, at_index(w, 3)));
}

/* to_kv holds the keys' rows, then the values'. */
static val keys(builder *b, val x, scope w)
{
    int c = shape_of(b, x).cols;
    return linear_rows(b, x, 0, c, 2 * c, at(w, "to_kv"));
}
static val values(builder *b, val x, scope w)
{
    int c = shape_of(b, x).cols;
    return linear_rows(b, x, c, c, 2 * c, at(w, "to_kv"));
}

/* Latents see the whole memory; its position is added to keys and values after their projection. */
static val global_cross_attention(builder *b, val latents, val memory, val position, scope w)
{
    int c = shape_of(b, latents).cols;
    val x = layernorm(b, memory, EPS, at(w, "norm_x"));
    val q = linear_no_bias(b, layernorm(b, latents, EPS, at(w, "norm_latents")), c, at(w, "to_q"));
    val k = add(b, keys(b, x, w), position), v = add(b, values(b, x, w), position);
    return linear_no_bias(b, attention(b, q, k, v, no_val(), 1), c, at(w, "to_out"));
}

/* Latent i sees window i of the memory; `windows` has the rows window after window. */
static val window_cross_attention(builder *b, val latents, val windows, int n_windows, scope w)
{
    int c = shape_of(b, latents).cols;
    val x = layernorm(b, windows, EPS, at(w, "norm_x"));
    val q = linear_no_bias(b, layernorm(b, latents, EPS, at(w, "norm_latents")), c, at(w, "to_q"));
    val y = attention_groups(b, q, keys(b, x, w), values(b, x, w), 1, n_windows);
    return linear_no_bias(b, y, c, at(w, "to_out"));
}

static val self_attention(builder *b, val latents, scope w)
{
    int c = shape_of(b, latents).cols;
    val x = layernorm(b, latents, EPS, at(w, "norm"));
    val y = attention(b, linear_no_bias(b, x, c, at(w, "to_q")), keys(b, x, w), values(b, x, w), no_val(), 1);
    return linear_no_bias(b, y, c, at(w, "to_out"));
}

/* Each window latent is a sequence of its own, of length 1: attention to itself is its value. */
static val lone_self_attention(builder *b, val latents, scope w)
{
    int c = shape_of(b, latents).cols;
    val x = layernorm(b, latents, EPS, at(w, "norm"));
    return linear_no_bias(b, values(b, x, w), c, at(w, "to_out"));
}

static val global_layer(builder *b, val latents, val memory, val position, scope w)
{
    latents = add(b, latents, global_cross_attention(b, latents, memory, position, at(w, "attn")));
    latents = feed_forward(b, latents, at(w, "ff"));
    latents = add(b, latents, self_attention(b, latents, at(w, "self_attn")));
    return feed_forward(b, latents, at(w, "self_ff"));
}

static val window_layer(builder *b, val latents, val windows, int n_windows, scope w)
{
    latents = add(b, latents, window_cross_attention(b, latents, windows, n_windows, at(w, "attn")));
    latents = feed_forward(b, latents, at(w, "ff"));
    latents = add(b, latents, lone_self_attention(b, latents, at(w, "self_attn")));
    return feed_forward(b, latents, at(w, "self_ff"));
}

val perceiver(builder *b, const sam2_config *c, val memory, int side, scope w)
{
    int grid = (int)lround(sqrt(c->latents_2d));
    val position = sine_position(b, side, c->mem_dim);
    val global = cast(b, weight_rows(b, w, "latents", c->latents, c->mem_dim), b->act);
    val local = cast(b, weight_rows(b, w, "latents_2d", c->latents_2d, c->mem_dim), b->act);
    val windows = apply(b, OP_window_partition, &memory, 1, (op_attr){.h = side, .w = side, .window = side / grid});
    for (int i = 0; i < c->perceiver_depth; i++) {
        scope at_layer = at_index(at(w, "layers"), i);
        global = global_layer(b, global, memory, position, at_layer);
        local = window_layer(b, local, windows, c->latents_2d, at_layer);
    }
    return concat_rows(b, layernorm(b, global, EPS, at(w, "norm")), layernorm(b, local, EPS, at(w, "norm")));
}
