/* config.h - the numbers that make one model differ from another, as the converter wrote them into the weights file. */
#ifndef CONFIG_H
#define CONFIG_H

#include "error.h"
#include "safetensors.h"

typedef enum trunk_kind { TRUNK_HIERA, TRUNK_REPVIT } trunk_kind;

typedef struct model_config {
    char family[16], name[64];
    int image_size; /* side the model was trained for */
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
} model_config;

/* From the file's metadata. Errors say which field is missing or out of range. */
sam_status config_read(const st_file *f, const char *path, model_config *out, sam_error *err);

#endif
