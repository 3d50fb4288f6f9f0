/* model_config.c - numbers from facebookresearch/sam2 sam2/configs/{sam2.1,sam2}/ (SAM 2.0 and 2.1 have the same
 * image encoders), from facebookresearch/EdgeTAM sam2/configs/edgetam.yaml with timm's repvit_m1, from
 * facebookresearch/segment-anything segment_anything/build_sam.py, and, for the demo models that this project trains itself,
 * from weights_tools/train/{model,edgetam}.py. */
#include "model_config.h"

#include <ctype.h>
#include <string.h>
#include <strings.h>

#define TINY      96, 1, {1, 2, 7, 2}, {5, 7, 9}, {8, 4, 14, 7}, 7
#define SMALL     96, 1, {1, 2, 11, 2}, {7, 10, 13}, {8, 4, 14, 7}, 7
#define BASE_PLUS 112, 2, {2, 3, 16, 3}, {12, 16, 20}, {8, 4, 14, 7}, 14
#define LARGE     144, 2, {2, 6, 36, 4}, {23, 33, 43}, {8, 4, 16, 8}, 7
#define DEMO      24, 1, {1, 2, 4, 1}, {4, 5, 6}, {8, 4, 8, 4}, 8
#define OFFICIAL  1024, 256, 2048
#define VIT(size, width, heads, blocks, ...)                                                                           \
    {                                                                                                                  \
        .name = "sam_vit_" size, .family = "sam", .version = "1", .trunk = TRUNK_VIT, .embed_dim = (width),            \
        .num_heads = (heads), .depth = (blocks), .window = 14, .global_att_blocks = {__VA_ARGS__}, .image_px = 1024,   \
        .d_model = 256                                                                                                 \
    }
#define NO_REPVIT {0}, {0}, 0, 0
#define NO_VIT    0, 0

const model_config model_configs[] = {
    {"sam2.1_hiera_tiny", "sam2", "2.1", TRUNK_HIERA, TINY, NO_REPVIT, 4, OFFICIAL, 1, NO_VIT},
    {"sam2.1_hiera_small", "sam2", "2.1", TRUNK_HIERA, SMALL, NO_REPVIT, 4, OFFICIAL, 1, NO_VIT},
    {"sam2.1_hiera_base_plus", "sam2", "2.1", TRUNK_HIERA, BASE_PLUS, NO_REPVIT, 4, OFFICIAL, 1, NO_VIT},
    {"sam2.1_hiera_large", "sam2", "2.1", TRUNK_HIERA, LARGE, NO_REPVIT, 4, OFFICIAL, 1, NO_VIT},
    {"sam2_hiera_tiny", "sam2", "2.0", TRUNK_HIERA, TINY, NO_REPVIT, 4, OFFICIAL, 0, NO_VIT},
    {"sam2_hiera_small", "sam2", "2.0", TRUNK_HIERA, SMALL, NO_REPVIT, 4, OFFICIAL, 0, NO_VIT},
    {"sam2_hiera_base_plus", "sam2", "2.0", TRUNK_HIERA, BASE_PLUS, NO_REPVIT, 4, OFFICIAL, 0, NO_VIT},
    {"sam2_hiera_large", "sam2", "2.0", TRUNK_HIERA, LARGE, NO_REPVIT, 4, OFFICIAL, 0, NO_VIT},
    {"sam2.1_hiera_demo", "sam2", "2.1", TRUNK_HIERA, DEMO, NO_REPVIT, 2, 256, 128, 256, 1, NO_VIT},
    {.name = "edgetam",
     .family = "edgetam",
     .version = "1",
     .trunk = TRUNK_REPVIT,
     .widths = {48, 96, 192, 384},
     .depths = {2, 2, 14, 2},
     .latents = 256,
     .window_grid = 16,
     .memory_attention_layers = 2,
     .image_px = 1024,
     .d_model = 256,
     .memory_attention_mlp = 2048},
    {.name = "edgetam_demo",
     .family = "edgetam",
     .version = "1",
     .trunk = TRUNK_REPVIT,
     .widths = {48, 64, 96, 160},
     .depths = {1, 2, 7, 1},
     .latents = 64,
     .window_grid = 8,
     .memory_attention_layers = 2,
     .image_px = 256,
     .d_model = 128,
     .memory_attention_mlp = 256},
    VIT("b", 768, 12, 12, 2, 5, 8, 11),
    VIT("l", 1024, 16, 24, 5, 11, 17, 23),
    VIT("h", 1280, 16, 32, 7, 15, 23, 31),
};
const size_t n_model_configs = sizeof model_configs / sizeof model_configs[0];

/* Moves past `word` (and a separator behind it) if the text starts with it. */
static int skip(const char **text, const char *word)
{
    size_t n = strlen(word);
    if (strncasecmp(*text, word, n) != 0)
        return 0;
    *text += n;
    *text += **text == '_' || **text == '-';
    return 1;
}

static const char *size_of(const char *word)
{
    static const char *const sizes[][2] = {
        {"t", "tiny"},
        {"tiny", "tiny"},
        {"s", "small"},
        {"small", "small"},
        {"b", "base_plus"},
        {"b+", "base_plus"},
        {"base", "base_plus"},
        {"base+", "base_plus"},
        {"base_plus", "base_plus"},
        {"base-plus", "base_plus"},
        {"l", "large"},
        {"large", "large"},
        {"demo", "demo"},
    };
    for (size_t i = 0; i < sizeof sizes / sizeof sizes[0]; i++)
        if (strcasecmp(word, sizes[i][0]) == 0)
            return sizes[i][1];
    return NULL;
}

/* SAM v1: sam_vit_b, sam_b, sam-vit-base (Hugging Face), vit_b (the package's registry). */
static const char *vit_of(const char *name)
{
    static const char *const sizes[][3] = {
        {"b", "base", "sam_vit_b"}, {"l", "large", "sam_vit_l"}, {"h", "huge", "sam_vit_h"}};
    if (!skip(&name, "sam") && strncasecmp(name, "vit", 3) != 0)
        return NULL;
    skip(&name, "vit");
    for (size_t i = 0; i < sizeof sizes / sizeof sizes[0]; i++)
        if (strcasecmp(name, sizes[i][0]) == 0 || strcasecmp(name, sizes[i][1]) == 0)
            return sizes[i][2];
    return NULL;
}

sam_status model_config_find(const char *name, const model_config **out, sam_error *err)
{
    const char *at = name, *prefix = NULL, *edgetam = NULL;
    if (strcasecmp(name, "edgetam") == 0)
        edgetam = "";
    else if (strcasecmp(name, "edgetam_demo") == 0)
        edgetam = "_demo";
    if (edgetam)
        prefix = "edgetam";
    else if (skip(&at, "sam2.1"))
        prefix = "sam2.1_hiera_";
    else if (skip(&at, "sam2"))
        prefix = "sam2_hiera_";
    skip(&at, "hiera");
    const char *size = edgetam ? edgetam : size_of(at), *vit = vit_of(name);
    if (vit)
        prefix = size = "";
    for (size_t i = 0; prefix && size && i < n_model_configs; i++) {
        const char *candidate = model_configs[i].name;
        size_t n = strlen(prefix);
        if (strncmp(candidate, prefix, n) == 0 && strcmp(candidate + n, vit ? vit : size) == 0) {
            *out = &model_configs[i];
            return SAM_OK;
        }
    }
    return fail(
        err, SAM_E_ARG,
        "unknown model %.60s: expected sam2.1_hiera_ or sam2_hiera_ followed by tiny, small, base_plus or large, "
        "sam2.1_hiera_demo, edgetam, edgetam_demo, or sam_vit_ followed by b, l or h",
        name);
}

static json_t *ints(const int *v, int n)
{
    json_t *list = json_array();
    for (int i = 0; i < n; i++)
        json_array_append_new(list, json_integer(v[i]));
    return list;
}

static json_t *hiera_json(const model_config *c)
{
    const int bkg[2] = {c->window_pos_embed_bkg_px, c->window_pos_embed_bkg_px};
    return json_pack("{s:s, s:i, s:i, s:o, s:o, s:o, s:o, s:i}", "trunk", "hiera", "embed_dim", c->embed_dim,
                     "num_heads", c->num_heads, "stages", ints(c->stages, 4), "global_att_blocks",
                     ints(c->global_att_blocks, 3), "window_spec", ints(c->window_spec, 4),
                     "window_pos_embed_bkg_spatial_size", ints(bkg, 2), "q_pool", 3);
}

static json_t *repvit_json(const model_config *c)
{
    const int neck[4] = {c->widths[3], c->widths[2], c->widths[1], c->widths[0]};
    const int side = c->image_px / 16, grid = c->window_grid; /* one 2D latent to a window of the side x side memory */
    json_t *j = json_pack("{s:s, s:o, s:o, s:o, s:i}", "trunk", "repvit", "widths", ints(c->widths, 4), "depths",
                          ints(c->depths, 4), "neck_channels", ints(neck, 4), "mlp_ratio", REPVIT_MLP_RATIO);
    json_t *perceiver = json_pack("{s:i, s:i, s:i, s:i, s:i, s:i, s:[i,i], s:[i,i]}", "perceiver_depth",
                                  PERCEIVER_DEPTH, "perceiver_latents", c->latents, "perceiver_latents_2d", grid * grid,
                                  "perceiver_window_grid", grid, "perceiver_heads", 1, "perceiver_ff_mult",
                                  PERCEIVER_FF_MULT, "rope_q_sizes", side, side, "rope_k_sizes", grid, grid);
    json_object_update(j, perceiver);
    json_decref(perceiver);
    return j;
}

/* An image model: no memory. */
static char *vit_json(const model_config *c)
{
    json_t *j =
        json_pack("{s:s, s:s, s:i, s:i, s:i, s:i, s:i, s:o, s:i}", "version", c->version, "trunk", "vit", "image_size",
                  c->image_px, "embed_dim", c->embed_dim, "num_heads", c->num_heads, "depth", c->depth, "window",
                  c->window, "global_att_blocks", ints(c->global_att_blocks, 4), "d_model", c->d_model);
    char *text = j ? json_dumps(j, JSON_COMPACT) : NULL;
    json_decref(j);
    return text;
}

char *model_config_json(const model_config *c)
{
    if (c->trunk == TRUNK_VIT)
        return vit_json(c);
    json_t *j = json_pack("{s:s, s:i}", "version", c->version, "image_size", c->image_px);
    json_t *trunk = c->trunk == TRUNK_HIERA ? hiera_json(c) : repvit_json(c);
    json_t *memory = json_pack("{s:i, s:i, s:i, s:i, s:i, s:i, s:b, s:b, s:i, s:i}", "d_model", c->d_model, "mem_dim",
                               MEM_DIM, "memory_attention_layers", c->memory_attention_layers, "memory_attention_mlp",
                               c->memory_attention_mlp, "num_maskmem", NUM_MASKMEM, "max_obj_ptrs", MAX_OBJ_PTRS,
                               "object_pointer_time_encoding", c->is_21, "no_obj_embed_spatial", c->is_21,
                               "sigmoid_scale", 20, "sigmoid_bias", -10);
    char *text = NULL;
    if (j && json_object_update(j, trunk) == 0 && json_object_update(j, memory) == 0)
        text = json_dumps(j, JSON_COMPACT);
    json_decref(j);
    json_decref(trunk);
    json_decref(memory);
    return text;
}
