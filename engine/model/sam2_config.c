#include "sam2_config.h"

#include <string.h>

static void read_trunk(config_reader *r, sam2_config *c)
{
    const char *trunk = config_text(r, "trunk");
    if (trunk && !strcmp(trunk, "hiera")) {
        c->trunk = TRUNK_HIERA;
        c->embed_dim = config_int(r, "embed_dim", 8, 1024, -1);
        c->num_heads = config_int(r, "num_heads", 1, 64, -1);
        c->q_pool = config_int(r, "q_pool", 0, 3, 3);
        config_ints(r, "stages", c->stages, 4, 4, 1, 100);
        config_ints(r, "window_spec", c->window_spec, 4, 4, 1, 64);
        config_ints(r, "window_pos_embed_bkg_spatial_size", c->background, 2, 2, 1, 256);
        c->n_global = config_ints(r, "global_att_blocks", c->global_blocks, 0, 8, 0, 400);
        if (r->status == SAM_OK && c->embed_dim % c->num_heads)
            config_wrong(r, "num_heads", "a divisor of embed_dim");
    } else if (trunk && !strcmp(trunk, "repvit")) {
        c->trunk = TRUNK_REPVIT;
        config_ints(r, "widths", c->widths, 4, 4, 8, 2048);
        config_ints(r, "depths", c->depths, 4, 4, 1, 100);
    } else {
        config_wrong(r, "trunk", "\"hiera\" or \"repvit\"");
    }
}

void sam2_config_read(config_reader *r, void *config)
{
    sam2_config *c = config;
    read_trunk(r, c);
    c->d_model = config_int(r, "d_model", 32, 1024, -1);
    c->mem_dim = config_int(r, "mem_dim", 8, 1024, -1);
    c->memory_layers = config_int(r, "memory_attention_layers", 1, 16, -1);
    c->memory_mlp = config_int(r, "memory_attention_mlp", 8, 8192, 2048);
    c->num_maskmem = config_int(r, "num_maskmem", 1, 16, 7);
    c->max_obj_ptrs = config_int(r, "max_obj_ptrs", 2, 64, 16);
    c->ptr_time_encoding = config_int(r, "object_pointer_time_encoding", 0, 1, 0);
    c->no_obj_embed_spatial = config_int(r, "no_obj_embed_spatial", 0, 1, 0);
    c->mask_scale = (float)config_int(r, "sigmoid_scale", -1000, 1000, 20);
    c->mask_bias = (float)config_int(r, "sigmoid_bias", -1000, 1000, 0);
    c->latents = config_int(r, "perceiver_latents", 0, 4096, 0);
    c->latents_2d = config_int(r, "perceiver_latents_2d", 0, 4096, 0);
    c->perceiver_depth = config_int(r, "perceiver_depth", 0, 16, 0);
    if (r->status == SAM_OK && (c->d_model % 32 || c->mem_dim % 4 || c->d_model % c->mem_dim))
        config_wrong(r, "mem_dim", "a divisor of d_model, which is a multiple of 32");
}
