/* Memory attention (SAM 2 paper, section 4): facebookresearch/sam2 modeling/memory_attention.py.
 *
 * Pre-norm layers: the frame attends to itself, then to the memory bank, then an MLP. One head; queries and spatial keys
 * are rotated by their position (RoPE); object pointers, the last tokens, are not. Keys see memory + position, values
 * memory alone. EdgeTAM differs in its memory tokens: of each frame's 512 only the last 256, which lie on a 16 x 16
 * grid, are rotated (RoPEAttentionv2). */
#include "blocks.h"

#include "position.h"

#include <math.h>

#define EPS 1e-5f

static val rope(builder *b, val x, val turns, val n_rotated, int period, int start)
{
    return apply(b, OP_rope, (val[]){x, turns, n_rotated}, 3, (op_attr){.period = period, .start = start});
}

static val self_attention(builder *b, val x, int side, scope w)
{
    int c = shape_of(b, x).cols;
    val turns = rope_table(b, side, c);
    val q = rope(b, linear(b, x, c, at(w, "q_proj")), turns, no_val(), 0, 0);
    val k = rope(b, linear(b, x, c, at(w, "k_proj")), turns, no_val(), 0, 0);
    val v = linear(b, x, c, at(w, "v_proj"));
    return linear(b, attention(b, q, k, v, no_val(), 1), c, at(w, "out_proj"));
}

static val cross_attention(builder *b, val x, int side, memory_tokens m, int grid, scope w)
{
    int c = shape_of(b, x).cols;
    val q = rope(b, linear(b, x, c, at(w, "q_proj")), rope_table(b, side, c), no_val(), 0, 0);
    val k = linear(b, m.key, c, at(w, "k_proj"));
    k = rope(b, k, rope_table(b, grid, c), m.n_rotated, m.tokens_per_frame, m.tokens_per_frame - grid * grid);
    val v = linear(b, m.mem, c, at(w, "v_proj"));
    return linear(b, attention(b, q, k, v, m.n_keys, 1), c, at(w, "out_proj"));
}

static val layer(builder *b, const sam2_config *c, val x, int side, memory_tokens m, int grid, scope w)
{
    val h = layernorm(b, x, EPS, at(w, "norm1"));
    x = add(b, x, self_attention(b, h, side, at(w, "self_attn")));

    h = layernorm(b, x, EPS, at(w, "norm2"));
    x = add(b, x, cross_attention(b, h, side, m, grid, at(w, "cross_attn_image")));

    h = layernorm(b, x, EPS, at(w, "norm3"));
    h = activation(b, linear(b, h, c->memory_mlp, at(w, "linear1")), ACT_RELU);
    return add(b, x, linear(b, h, c->d_model, at(w, "linear2")));
}

val memory_attention(builder *b, const sam2_config *c, val x, int side, memory_tokens m, scope w)
{
    /* Side of the grid on which a memory frame's rotated tokens lie. */
    int grid = c->latents_2d ? (int)lround(sqrt(c->latents_2d)) : side;
    x = add_scaled(b, x, sine_position(b, side, c->d_model), 0.1f);
    for (int i = 0; i < c->memory_layers; i++)
        x = layer(b, c, x, side, m, grid, at_index(at(w, "layers"), i));
    return layernorm(b, x, EPS, at(w, "norm"));
}
