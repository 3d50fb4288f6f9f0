/* operands.h - what each operator's inputs and outputs are called: in[MLP_GATE], out[GATHER_N_KEYS]. Their shapes are in the
 * contract at the head of <op>.c, in this order; the last name of a list is how many there are, which <op>.c takes from
 * here. An operator whose inputs are alike, or that has one, is at the end. */
#ifndef OPERANDS_H
#define OPERANDS_H

enum { RESULT }; /* the only output, or the first */

enum { LINEAR_X, LINEAR_W, LINEAR_BIAS, LINEAR_RESIDUAL, LINEAR_TURNS, LINEAR_N_ROTATED, LINEAR_INPUTS };

enum {
    MLP_X,
    MLP_W1,
    MLP_BIAS1,
    MLP_W2,
    MLP_BIAS2,
    MLP_GAIN, /* of the norm before */
    MLP_NORM_BIAS,
    MLP_RESIDUAL,
    MLP_TAPS, /* of the depthwise convolution before */
    MLP_TAP_BIAS,
    MLP_GATE,
    MLP_INPUTS
};

enum {
    NORM_LINEAR_X,
    NORM_LINEAR_W,
    NORM_LINEAR_BIAS,
    NORM_LINEAR_GAIN,
    NORM_LINEAR_NORM_BIAS,
    NORM_LINEAR_PLUS,
    NORM_LINEAR_INPUTS
};
enum { NORM_LINEAR_Y, NORM_LINEAR_NORMED, NORM_LINEAR_OUTPUTS };

enum { CONV2D_X, CONV2D_W, CONV2D_BIAS, CONV2D_RESIDUAL, CONV2D_INPUTS };

enum { LAYERNORM_X, LAYERNORM_GAIN, LAYERNORM_BIAS, LAYERNORM_PLUS, LAYERNORM_INPUTS };
enum { LAYERNORM_Y, LAYERNORM_SUM, LAYERNORM_OUTPUTS };

enum { ATTENTION_Q, ATTENTION_K, ATTENTION_V, ATTENTION_N_KEYS, ATTENTION_INPUTS };

enum { WINDOW_QKV, WINDOW_QKV_BIAS, WINDOW_REL_H, WINDOW_REL_W, WINDOW_INPUTS };

enum {
    MEAN_X,
    MEAN_W1, /* MEAN_W1 .. MEAN_BIAS2: the excitation */
    MEAN_BIAS1,
    MEAN_W2,
    MEAN_BIAS2,
    MEAN_TAPS, /* of the depthwise convolution before */
    MEAN_TAP_BIAS,
    MEAN_INPUTS
};

enum { ROPE_X, ROPE_TABLE, ROPE_N_ROTATED, ROPE_INPUTS };

enum { SHUFFLE_X, SHUFFLE_PLUS, SHUFFLE_GAIN, SHUFFLE_BIAS, SHUFFLE_INPUTS };

enum { SCATTER_X, SCATTER_SLOT, SCATTER_INPUTS };

enum { PRODUCT_HYPER, PRODUCT_X, PRODUCT_INPUTS }; /* mask_product */

enum { POINTS_XY, POINTS_LABELS, POINTS_GAUSSIAN, POINTS_EMBEDDINGS, POINTS_INPUTS = POINTS_EMBEDDINGS + 5 };

enum {
    SELECT_MASKS,
    SELECT_IOUS,
    SELECT_SCORE,
    SELECT_TOKENS,
    SELECT_MODE,
    SELECT_CHOICE, /* made elsewhere */
    SELECT_LEAST_SCORE,
    SELECT_INPUTS
};
enum { SELECTED_LOGITS, SELECTED_IOU, SELECTED_TOKEN, SELECTED_INDEX, SELECT_OUTPUTS };

enum {
    FOLLOW_MASKS,
    FOLLOW_IOUS,
    FOLLOW_SCORE,
    FOLLOW_LEAST_SCORE,
    FOLLOW_MODE,
    FOLLOW_FILTERS,
    FOLLOW_SLOT,
    FOLLOW_RESTART,
    FOLLOW_RULE,
    FOLLOW_INPUTS
};
enum { FOLLOWED_CHOICE, FOLLOWED_MOTION, FOLLOWED_FILTER, FOLLOW_OUTPUTS };

enum { GATE_X, GATE_Y, GATE_SCORE, GATE_LEAST_SCORE, GATE_INPUTS };

enum {
    GATHER_BANK,
    GATHER_POS,
    GATHER_TPOS,
    GATHER_SLOTS,
    GATHER_TPOS_INDEX,
    GATHER_N_FRAMES,
    GATHER_POINTERS,
    GATHER_POINTER_SLOTS,
    GATHER_N_POINTERS,
    GATHER_POINTER_POS,
    GATHER_INPUTS
};
enum { GATHER_MEMORY, GATHER_KEY, GATHER_N_KEYS, GATHER_N_ROTATED, GATHER_OUTPUTS };

enum { UPSCALE_LOGITS, UPSCALE_BINARISE, UPSCALE_INPUTS }; /* mask_upscale */

/* add, mul, upsample_add; concat_rows */
enum { SUM_X, SUM_Y, SUM_INPUTS };
enum { CONCAT_A, CONCAT_B, CONCAT_INPUTS };

/* activation, cast, slice_rows, max_pool, window_partition, time_encoding */
enum { ONLY_X, ONLY_INPUTS };

#endif
