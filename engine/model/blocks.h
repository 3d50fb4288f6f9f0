/* blocks.h - the boxes of the figures, one function each. Shapes are [rows, channels] of one image or object; grids are
 * square, rows are y * side + x. `w` is where the weights of a block are. */
#ifndef BLOCKS_H
#define BLOCKS_H

#include "graph.h"
#include "sam2_config.h"

/* hiera.c, repvit.c: trunk. image [S*S, 3] normalised. Fills stage[0..3]: features at strides 4, 8, 16, 32. */
void hiera(builder *b, const sam2_config *c, val image, int side_px, val stage[4], scope w);
void repvit(builder *b, const sam2_config *c, val image, int side_px, val stage[4], scope w);

/* fpn.c: neck. Fills level[0..2] at strides 4, 8, 16, each d_model wide. side_px / 4 is the side of stage[0]. */
void fpn(builder *b, const sam2_config *c, const val stage[4], int side_px, val level[3], scope w);

/* memory_attention.c. x [T, d_model] raw features; what memory_gather gathered: mem and key [M, mem_dim], counts [1,1]. */
typedef struct memory_tokens {
    val mem, key, n_keys, n_rotated; /* key = mem + position; M = capacity, n_keys are valid, n_rotated turn */
    int tokens_per_frame;
} memory_tokens;
val memory_attention(builder *b, const sam2_config *c, val x, int side, memory_tokens m, scope w);

/* prompt_encoder.c. */
val prompt_tokens(builder *b, int width, val points, val labels, int side_px, scope w); /* [P, width] */
val mask_embedding(builder *b, int width, val logits, int side,
                   scope w); /* logits [16*side*side, 1] -> [side*side, width] */

/* Images: `image` [side*side, d_model] of all prompt sets with each one's dense prompt, n of them: `none` [1, d_model] unless
 * has_mask [1, 1] f32 is 1 and it has the embedding of a mask, `dense`. */
val with_dense_prompt(builder *b, val image, val none, val dense, val has_mask);

/* mask_decoder.c. */
typedef struct decoded {
    val masks;  /* [4, 16*side*side] f32 logits */
    val ious;   /* [1, 4] f32                   */
    val score;  /* [1, 1] f32 object score; SAM v1 has none */
    val tokens; /* [4, width] mask tokens out               */
} decoded;
/* The two kinds. SAM v1's has no token for an object score and no finer features, leaves the qualities as they are, and calls
 * its feed-forward layers lin1 and lin2. */
typedef enum decoder_kind { DECODER_SAM1, DECODER_SAM2 } decoder_kind;
typedef struct decoder_input {
    val src;                    /* image embedding + dense prompt [side*side, width]                             */
    val position;               /* of the grid [side*side, width]                                                */
    val prompts, n_tokens;      /* [P, width], of which n_tokens [1,1] i32 less the output tokens are valid      */
    val high_res_0, high_res_1; /* SAM 2: [16*side*side, width/8], [4*side*side, width/4]                        */
    int side;
} decoder_input;
decoded mask_decoder(builder *b, decoder_kind kind, decoder_input in, scope w);

/* memory_encoder.c. features [side*side, d_model], mask [256*side*side, 1] -> [side*side, mem_dim]. */
val memory_encoder(builder *b, const sam2_config *c, val features, val mask, int side, scope w);
/* perceiver.c: EdgeTAM's compression, [side*side, mem_dim] -> [latents + latents_2d, mem_dim]. */
val perceiver(builder *b, const sam2_config *c, val memory, int side, scope w);

/* Linear layers "layers.0", "layers.1", ... with `kind` between them. sam2_utils.py, MLP. */
val mlp(builder *b, val x, int hidden, int out, int n_layers, act kind, scope w);
/* "lin1", `kind`, "lin2" back to x's width. segment-anything modeling/common.py, MLPBlock. */
val mlp_block(builder *b, val x, int hidden, act kind, scope w);

#endif
