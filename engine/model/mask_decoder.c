/* Mask decoder: facebookresearch/sam2 modeling/sam/mask_decoder.py and transformer.py (TwoWayTransformer), and
 * facebookresearch/segment-anything modeling/mask_decoder.py.
 *
 * A few tokens (object score, IoU, four masks, prompts) and the image attend to each other twice; the image is then
 * enlarged fourfold with the encoder's fine features, and each mask token weighs its channels into a mask. */
#include "blocks.h"

#define HEADS   8
#define EPS     1e-5f
#define N_MASKS 4

/* n_keys: how many rows of k and v are valid; none: all. */
static val attend(builder *b, val q, val k, val v, val n_keys, int width, scope w)
{
    int out = shape_of(b, q).cols;
    q = linear(b, q, width, at(w, "q_proj"));
    k = linear(b, k, width, at(w, "k_proj"));
    v = linear(b, v, width, at(w, "v_proj"));
    return linear(b, attention(b, q, k, v, n_keys, HEADS), out, at(w, "out_proj"));
}

typedef struct two_way {
    val tokens, image;
} two_way;

/* tokens_pe are the prompt tokens themselves, image_pe the dense position. */
static two_way two_way_block(builder *b, decoder_kind kind, two_way s, val tokens_pe, val image_pe, val n_tokens,
                             int first, scope w)
{
    val t = s.tokens, x = s.image;
    int d = shape_of(b, x).cols;
    if (first) {
        t = attend(b, t, t, t, n_tokens, d, at(w, "self_attn")); /* no residual, no position */
    } else {
        val q = add(b, t, tokens_pe);
        t = add(b, t, attend(b, q, q, t, n_tokens, d, at(w, "self_attn")));
    }
    t = layernorm(b, t, EPS, at(w, "norm1"));

    val image_key = add(b, x, image_pe);
    val q = add(b, t, tokens_pe);
    t = add(b, t, attend(b, q, image_key, x, no_val(), d / 2, at(w, "cross_attn_token_to_image")));
    t = layernorm(b, t, EPS, at(w, "norm2"));

    t = add(b, t,
            kind == DECODER_SAM1 ? mlp_block(b, t, 8 * d, ACT_RELU, at(w, "mlp"))
                                 : mlp(b, t, 8 * d, d, 2, ACT_RELU, at(w, "mlp")));
    t = layernorm(b, t, EPS, at(w, "norm3"));

    q = add(b, t, tokens_pe);
    x = add(b, x, attend(b, image_key, q, t, n_tokens, d / 2, at(w, "cross_attn_image_to_token")));
    x = layernorm(b, x, EPS, at(w, "norm4"));
    return (two_way){t, x};
}

static two_way two_way_transformer(builder *b, decoder_kind kind, val tokens, val src, val image_pe, val n_tokens,
                                   scope w)
{
    two_way s = {tokens, src};
    for (int i = 0; i < 2; i++)
        s = two_way_block(b, kind, s, tokens, image_pe, n_tokens, i == 0, at_index(at(w, "layers"), i));
    val attended = attend(b, add(b, s.tokens, tokens), add(b, s.image, image_pe), s.image, no_val(),
                          shape_of(b, src).cols / 2, at(w, "final_attn_token_to_image"));
    s.tokens = layernorm(b, add(b, s.tokens, attended), EPS, at(w, "norm_final_attn"));
    return s;
}

/* [side*side, d] -> [16*side*side, d/8]; SAM 2 adds the encoder's fine features. */
static val enlarge(builder *b, decoder_kind kind, val x, const decoder_input *in, scope w)
{
    int d = shape_of(b, x).cols, side = in->side;
    x = conv_transpose_2x2(b, x, side, side, d / 4, at_index(w, 0));
    if (kind == DECODER_SAM2)
        x = add(b, x, in->high_res_1);
    x = activation(b, layernorm(b, x, 1e-6f, at_index(w, 1)), ACT_GELU);
    x = conv_transpose_2x2(b, x, 2 * side, 2 * side, d / 8, at_index(w, 3));
    if (kind == DECODER_SAM2)
        x = add(b, x, in->high_res_0);
    return activation(b, x, ACT_GELU);
}

static val mask_weights(builder *b, val mask_tokens, scope w)
{
    val all = no_val();
    int d = shape_of(b, mask_tokens).cols;
    for (int i = 0; i < N_MASKS; i++) {
        val h = mlp(b, slice_rows(b, mask_tokens, i, 1), d, d / 8, 3, ACT_RELU, at_index(w, i));
        all = i ? concat_rows(b, all, h) : h;
    }
    return all;
}

/* [score,] IoU, masks: embeddings in the order of the transformer's output. */
static val output_tokens(builder *b, decoder_kind kind, int d, scope w)
{
    val tokens = weight_rows(b, at(w, "iou_token"), "weight", 1, d);
    if (kind == DECODER_SAM2)
        tokens = concat_rows(b, weight_rows(b, at(w, "obj_score_token"), "weight", 1, d), tokens);
    return concat_rows(b, tokens, weight_rows(b, at(w, "mask_tokens"), "weight", N_MASKS, d));
}

decoded mask_decoder(builder *b, decoder_kind kind, decoder_input in, scope w)
{
    int d = shape_of(b, in.src).cols, iou_row = kind == DECODER_SAM2;
    val tokens = concat_rows(b, cast(b, output_tokens(b, kind, d, w), b->act), in.prompts);
    two_way s = two_way_transformer(b, kind, tokens, in.src, in.position, in.n_tokens, at(w, "transformer"));
    decoded out = {.tokens = slice_rows(b, s.tokens, iou_row + 1, N_MASKS)};

    val fine = enlarge(b, kind, s.image, &in, at(w, "output_upscaling"));
    val weights = mask_weights(b, out.tokens, at(w, "output_hypernetworks_mlps"));
    out.masks = apply(b, OP_mask_product, (val[]){weights, fine}, 2, (op_attr){0});

    val ious = mlp(b, slice_rows(b, s.tokens, iou_row, 1), d, N_MASKS, 3, ACT_RELU, at(w, "iou_prediction_head"));
    out.ious = cast(b, ious, DT_F32);
    if (kind == DECODER_SAM1)
        return out;
    out.ious = activation(b, out.ious, ACT_SIGMOID);
    val score = mlp(b, slice_rows(b, s.tokens, 0, 1), d, 1, 3, ACT_RELU, at(w, "pred_obj_score_head"));
    out.score = cast(b, score, DT_F32);
    return out;
}
