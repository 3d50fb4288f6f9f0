/* known_model_json.c - a model's numbers as the engine reads them from the converted file. */
#include "json_build.h"
#include "known_models.h"

static json_t *ints(const int *v, int n)
{
    json_t *list = json_array();
    for (int i = 0; i < n; i++)
        json_add(&list, json_integer(v[i]));
    return list;
}

static json_t *hiera_json(const known_model *c)
{
    const int bkg[2] = {c->window_pos_embed_bkg_px, c->window_pos_embed_bkg_px};
    return json_pack("{s:s, s:i, s:i, s:o, s:o, s:o, s:o, s:i}", "trunk", "hiera", "embed_dim", c->embed_dim,
                     "num_heads", c->num_heads, "stages", ints(c->stages, 4), "global_att_blocks",
                     ints(c->global_att_blocks, 3), "window_spec", ints(c->window_spec, 4),
                     "window_pos_embed_bkg_spatial_size", ints(bkg, 2), "q_pool", 3);
}

static json_t *repvit_json(const known_model *c)
{
    const int neck[4] = {c->widths[3], c->widths[2], c->widths[1], c->widths[0]};
    const int side = c->image_px / 16, grid = c->window_grid; /* one 2D latent to a window of the side x side memory */
    json_t *j = json_pack("{s:s, s:o, s:o, s:o, s:i}", "trunk", "repvit", "widths", ints(c->widths, 4), "depths",
                          ints(c->depths, 4), "neck_channels", ints(neck, 4), "mlp_ratio", REPVIT_MLP_RATIO);
    json_t *perceiver = json_pack("{s:i, s:i, s:i, s:i, s:i, s:i, s:[i,i], s:[i,i]}", "perceiver_depth",
                                  PERCEIVER_DEPTH, "perceiver_latents", c->latents, "perceiver_latents_2d", grid * grid,
                                  "perceiver_window_grid", grid, "perceiver_heads", 1, "perceiver_ff_mult",
                                  PERCEIVER_FF_MULT, "rope_q_sizes", side, side, "rope_k_sizes", grid, grid);
    json_join(&j, perceiver);
    return j;
}

/* An image model: no memory. */
static char *vit_json(const known_model *c)
{
    json_t *j =
        json_pack("{s:s, s:s, s:i, s:i, s:i, s:i, s:i, s:o, s:i}", "version", c->version, "trunk", "vit", "image_size",
                  c->image_px, "embed_dim", c->embed_dim, "num_heads", c->num_heads, "depth", c->depth, "window",
                  c->window, "global_att_blocks", ints(c->global_att_blocks, 4), "d_model", c->d_model);
    char *text = j ? json_dumps(j, JSON_COMPACT) : NULL;
    json_decref(j);
    return text;
}

char *known_model_json(const known_model *c)
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
    json_join(&j, trunk);
    json_join(&j, memory);
    char *text = j ? json_dumps(j, JSON_COMPACT) : NULL;
    json_decref(j);
    return text;
}
