/* sam2_config.h - the numbers that make one SAM 2, SAM 2.1 or EdgeTAM differ from another, as the converter wrote them. */
#ifndef SAM2_CONFIG_H
#define SAM2_CONFIG_H

#include "config.h"

typedef enum trunk_kind { TRUNK_HIERA, TRUNK_REPVIT } trunk_kind;

typedef struct sam2_config {
    trunk_kind trunk;
    /* Hiera */
    int embed_dim, num_heads, stages[4], window_spec[4], background[2], q_pool;
    int n_global, global_blocks[8];
    /* RepViT */
    int widths[4], depths[4];
    /* the rest; d_model channels in features and decoder, mem_dim in memory */
    int d_model, mem_dim, memory_layers, memory_mlp, num_maskmem, max_obj_ptrs;
    int ptr_time_encoding;       /* SAM 2.1: pointers carry their age                             */
    int no_obj_embed_spatial;    /* SAM 2.1: memories of absent objects are marked                */
    float mask_scale, mask_bias; /* of mask probabilities before the memory encoder            */
    /* EdgeTAM's perceiver; latents == 0: none */
    int latents, latents_2d, perceiver_depth;
} sam2_config;

/* Errors say which field is missing or out of range. */
void sam2_config_read(config_reader *r, void *config);

#endif
