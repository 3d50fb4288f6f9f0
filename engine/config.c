#include "config.h"

#include <jansson.h>
#include <stdio.h>
#include <string.h>

typedef struct reader {
    const json_t *root;
    const char *path;
    sam_error *err;
    sam_status status;
} reader;

static int wrong(reader *r, const char *key, const char *expected)
{
    if (r->status == SAM_OK)
        r->status =
            fail(r->err, SAM_E_FORMAT, "%s: configuration field \"%s\": expected %s; convert the checkpoint again",
                 r->path, key, expected);
    return 0;
}

static int read_int(reader *r, const char *key, int low, int high, int missing)
{
    const json_t *j = json_object_get(r->root, key);
    char expected[64];
    snprintf(expected, sizeof expected, "an integer from %d to %d", low, high);
    if (!j && missing >= 0)
        return missing;
    if (json_is_boolean(j))
        return json_is_true(j);
    if (!json_is_integer(j) || json_integer_value(j) < low || json_integer_value(j) > high)
        return wrong(r, key, expected);
    return (int)json_integer_value(j);
}

/* Reads up to `most` integers; returns how many. */
static int read_ints(reader *r, const char *key, int *to, int least, int most, int low, int high)
{
    const json_t *j = json_object_get(r->root, key);
    char expected[96];
    snprintf(expected, sizeof expected, "a list of %d to %d integers from %d to %d", least, most, low, high);
    if (!json_is_array(j) || (int)json_array_size(j) < least || (int)json_array_size(j) > most)
        return wrong(r, key, expected);
    int n = (int)json_array_size(j);
    for (int i = 0; i < n; i++) {
        const json_t *e = json_array_get(j, (size_t)i);
        if (!json_is_integer(e) || json_integer_value(e) < low || json_integer_value(e) > high)
            return wrong(r, key, expected);
        to[i] = (int)json_integer_value(e);
    }
    return n;
}

static void read_trunk(reader *r, model_config *c)
{
    const char *trunk = json_string_value(json_object_get(r->root, "trunk"));
    if (trunk && !strcmp(trunk, "hiera")) {
        c->trunk = TRUNK_HIERA;
        c->embed_dim = read_int(r, "embed_dim", 8, 1024, -1);
        c->num_heads = read_int(r, "num_heads", 1, 64, -1);
        c->q_pool = read_int(r, "q_pool", 0, 3, 3);
        read_ints(r, "stages", c->stages, 4, 4, 1, 100);
        read_ints(r, "window_spec", c->window_spec, 4, 4, 1, 64);
        read_ints(r, "window_pos_embed_bkg_spatial_size", c->background, 2, 2, 1, 256);
        c->n_global = read_ints(r, "global_att_blocks", c->global_blocks, 0, 8, 0, 400);
        if (r->status == SAM_OK && c->embed_dim % c->num_heads)
            wrong(r, "num_heads", "a divisor of embed_dim");
    } else if (trunk && !strcmp(trunk, "repvit")) {
        c->trunk = TRUNK_REPVIT;
        read_ints(r, "widths", c->widths, 4, 4, 8, 2048);
        read_ints(r, "depths", c->depths, 4, 4, 1, 100);
    } else {
        wrong(r, "trunk", "\"hiera\" or \"repvit\"");
    }
}

sam_status config_read(const st_file *f, const char *path, model_config *c, sam_error *err)
{
    const char *text = st_meta_get(f, "config"), *family = st_meta_get(f, "family"), *name = st_meta_get(f, "name");
    json_error_t where;
    *c = (model_config){0};
    if (!text || !family || !name)
        return fail(err, SAM_E_FORMAT,
                    "%s: not a converted weights file (no \"config\" in its metadata); run `samconvert convert`", path);
    json_t *root = json_loads(text, JSON_REJECT_DUPLICATES, &where);
    if (!root)
        return fail(err, SAM_E_FORMAT, "%s: configuration: %s at %d:%d", path, where.text, where.line, where.column);
    reader r = {.root = root, .path = path, .err = err};
    snprintf(c->family, sizeof c->family, "%s", family);
    snprintf(c->name, sizeof c->name, "%s", name);
    read_trunk(&r, c);
    c->image_size = read_int(&r, "image_size", 64, 4096, -1);
    c->d_model = read_int(&r, "d_model", 32, 1024, -1);
    c->mem_dim = read_int(&r, "mem_dim", 8, 1024, -1);
    c->memory_layers = read_int(&r, "memory_attention_layers", 1, 16, -1);
    c->memory_mlp = read_int(&r, "memory_attention_mlp", 8, 8192, 2048);
    c->num_maskmem = read_int(&r, "num_maskmem", 1, 16, 7);
    c->max_obj_ptrs = read_int(&r, "max_obj_ptrs", 2, 64, 16);
    c->ptr_time_encoding = read_int(&r, "object_pointer_time_encoding", 0, 1, 0);
    c->no_obj_embed_spatial = read_int(&r, "no_obj_embed_spatial", 0, 1, 0);
    c->mask_scale = (float)read_int(&r, "sigmoid_scale", -1000, 1000, 20);
    c->mask_bias = (float)read_int(&r, "sigmoid_bias", -1000, 1000, 0);
    c->latents = read_int(&r, "perceiver_latents", 0, 4096, 0);
    c->latents_2d = read_int(&r, "perceiver_latents_2d", 0, 4096, 0);
    c->perceiver_depth = read_int(&r, "perceiver_depth", 0, 16, 0);
    if (r.status == SAM_OK && (c->d_model % 32 || c->mem_dim % 4 || c->d_model % c->mem_dim))
        wrong(&r, "mem_dim", "a divisor of d_model, which is a multiple of 32");
    json_decref(root);
    return r.status;
}
