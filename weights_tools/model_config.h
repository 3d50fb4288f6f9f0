/* model_config.h - the models this build knows, and the numbers that make one differ from another. They travel in the
 * converted file ("config"), so the engine has no table of models. */
#ifndef MODEL_CONFIG_H
#define MODEL_CONFIG_H

#include <jansson.h>

#include "error.h"

typedef enum model_trunk { TRUNK_HIERA, TRUNK_REPVIT, TRUNK_VIT } model_trunk;

typedef struct model_config {
    const char *name, *family, *version;
    model_trunk trunk;
    /* Hiera (sam2/configs/.../sam2*_hiera_*.yaml). Width and heads double with every stage. */
    int embed_dim, num_heads;
    int stages[4], global_att_blocks[4], window_spec[4], window_pos_embed_bkg_px;
    /* RepViT (timm repvit_m1), and EdgeTAM's perceiver: tokens without a place, windows along a side of the memory */
    int widths[4], depths[4], latents, window_grid;
    int memory_attention_layers;
    int image_px, d_model, memory_attention_mlp; /* side of the input, channels of features and decoder */
    int is_21; /* SAM 2.1: no_obj_embed_spatial, and object pointers carry their age */
    /* SAM v1's ViT (segment_anything/build_sam.py), with embed_dim, num_heads and global_att_blocks above; windows elsewhere */
    int depth, window;
} model_config;

extern const model_config model_configs[];
extern const size_t n_model_configs;

enum { /* equal in all of them */
       MEM_DIM = 64,
       NUM_MASKMEM = 7,
       MAX_OBJ_PTRS = 16,
       PERCEIVER_DEPTH = 2,
       PERCEIVER_FF_MULT = 4,
       REPVIT_MLP_RATIO = 2
};

/* Takes the official name (sam2.1_hiera_tiny, sam_vit_b), sam2.1_hiera_demo or edgetam_demo, and shorter ones
 * (sam2.1_tiny, sam2.1_t, sam2_b+, sam2.1-hiera-large, sam_b, sam-vit-base). */
sam_status model_config_find(const char *name, const model_config **out, sam_error *err);

/* The "config" string; to be freed. NULL if there is no memory. */
char *model_config_json(const model_config *c);

#endif
