/* known_models.h - the models this build knows, one row each: under which names its files are published, what it is called on
 * the command line, and the numbers that make it differ from another. The numbers travel in the converted file ("config"), so
 * the engine has no table of models. */
#ifndef KNOWN_MODELS_H
#define KNOWN_MODELS_H

#include <jansson.h>

#include "error.h"

typedef enum model_trunk { TRUNK_HIERA, TRUNK_REPVIT, TRUNK_VIT } model_trunk;

/* Several names are parted by '|'. */
typedef struct known_model {
    const char *name; /* of the official checkpoint, and in a converted file's metadata: "sam2.1_hiera_tiny" */
    const char *family, *version;
    const char *run_names;   /* in --models, before _points; the first is what tables say                          */
    const char *other_names; /* for samconvert --model, beside `name`: lower case, without "hiera_"; NULL: none    */
    const char *url;         /* of the official file; its last part is the file's name. NULL: none is published    */
    const char *ultralytics; /* their file's name; NULL: none                                                      */
    const char *hub;         /* folder of the Hugging Face hub, with a model.safetensors; NULL: none               */
    int images_only;         /* 1: it cannot track */
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
} known_model;

extern const known_model known_models[];
extern const size_t n_known_models;

enum { /* equal in all of them */
       MEM_DIM = 64,
       NUM_MASKMEM = 7,
       MAX_OBJ_PTRS = 16,
       PERCEIVER_DEPTH = 2,
       PERCEIVER_FF_MULT = 4,
       REPVIT_MLP_RATIO = 2
};

/* Takes `name` and `other_names`, whatever their case, with - for _ and with or without "hiera_": sam2.1_hiera_tiny, sam2.1-tiny,
 * sam2.1_t, sam2_b+, sam-vit-base. */
sam_status known_model_find(const char *name, const known_model **out, sam_error *err);

/* By `name` alone. NULL: there is none. */
const known_model *known_model_named(const char *name);

/* The names of --models, each with `suffix`, sizes together: "sam2_{tiny,small}_points, edgetam_points". */
void known_model_names(int with_images_only, const char *suffix, char *text, size_t n_text);

/* Whether a name [n_name] is one of those in a list parted by '|', which may be NULL. */
int name_is_in(const char *list, const char *name, size_t n_name);

/* The "config" string; to be freed. NULL if there is no memory. */
char *known_model_json(const known_model *c);

#endif
