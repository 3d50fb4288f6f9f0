#include "tiny_model.h"

#include <jansson.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "config.h"
#include "graph.h"
#include "predictor.h"
#include "temp_dir.h"
#include "test_backend.h"

#include <cmocka.h> /* after error.h: it makes a macro of `fail` */

#define REST                                                                                                              \
    "\"image_size\": 64, \"d_model\": 32, \"mem_dim\": 8, \"memory_attention_layers\": 2, \"memory_attention_mlp\": 48, " \
    "\"num_maskmem\": 7, \"max_obj_ptrs\": 16, \"sigmoid_scale\": 20, \"sigmoid_bias\": -10"
#define HIERA                                                                                                           \
    "\"trunk\": \"hiera\", \"embed_dim\": 16, \"num_heads\": 1, \"stages\": [1, 2, 2, 1], \"global_att_blocks\": [3], " \
    "\"window_spec\": [4, 2, 6, 4], \"window_pos_embed_bkg_spatial_size\": [3, 3], \"q_pool\": 3, "

const char *const tiny_config[TINY_ALL] = {
    "{" HIERA REST "}", "{" HIERA REST ", \"object_pointer_time_encoding\": true, \"no_obj_embed_spatial\": true}",
    "{\"trunk\": \"repvit\", \"widths\": [16, 24, 32, 40], \"depths\": [1, 2, 1, 1], " REST
    ", \"perceiver_latents\": 3, \"perceiver_latents_2d\": 4, \"perceiver_depth\": 2}",
    ("{\"trunk\": \"vit\", \"embed_dim\": 32, \"num_heads\": 2, \"depth\": 3, \"window\": 14, \"global_att_blocks\": [1], "
     "\"image_size\": 96, \"d_model\": 32}"), /* trained for another size, so that positions are resized */
};
const char *const tiny_names[TINY_ALL] = {"tiny_sam2", "tiny_sam2.1", "tiny_edgetam", "tiny_sam1"};

/* ---- weights ------------------------------------------------------------------------------------------------------ */

typedef struct tensors {
    size_t count;
    st_tensor t[600];
} tensors;

static uint64_t mix(uint64_t z)
{
    z = (z ^ z >> 30) * UINT64_C(0xBF58476D1CE4E5B9);
    z = (z ^ z >> 27) * UINT64_C(0x94D049BB133111EB);
    return z ^ z >> 31;
}

static int ends_with(const char *text, const char *end)
{
    size_t n = strlen(text), m = strlen(end);
    return n >= m && !strcmp(text + n - m, end);
}

/* Gains of norms are around 1, biases small, embeddings and products of order 1; objects are mostly there. */
static void fill(float *data, size_t n, int rows, int cols, const char *name)
{
    int norm = rows == 1 && ends_with(name, "weight") &&
               (strstr(name, "norm") || strstr(name, "mask_downsampler") || strstr(name, "mask_downscaling") ||
                strstr(name, "output_upscaling") || strstr(name, "ff.0."));
    int bias = ends_with(name, "bias");
    float middle = norm ? 1.0f : !strcmp(name, "sam_mask_decoder.pred_obj_score_head.layers.2.bias") ? 2.0f : 0.0f;
    float spread = norm || bias ? 0.2f : rows == 1 && cols <= 32 ? 0.7f : 1.7f / __builtin_sqrtf((float)cols);
    uint64_t seed = 1469598103934665603u;
    for (const char *c = name; *c; c++)
        seed = (seed ^ (unsigned char)*c) * 1099511628211u;
    for (size_t i = 0; i < n; i++)
        data[i] = middle + spread * ((float)(mix(seed + i) >> 40) / 8388608.0f - 1.0f);
}

static void add_tensor(tensors *set, const char *name, int rows, int cols)
{
    assert_true(set->count < sizeof set->t / sizeof *set->t);
    size_t n = (size_t)rows * (size_t)cols;
    char *copy = malloc(strlen(name) + 1);
    assert_non_null(copy);
    memcpy(copy, name, strlen(name) + 1);
    set->t[set->count++] =
        (st_tensor){.name = copy, .dtype = ST_F32, .n_dims = 2, .shape = {rows, cols}, .n_bytes = n * sizeof(float)};
}

static void fill_all(tensors *set)
{
    for (size_t i = 0; i < set->count; i++) {
        st_tensor *t = &set->t[i];
        float *data = malloc(t->n_bytes);
        assert_non_null(data);
        fill(data, t->n_bytes / sizeof *data, (int)t->shape[0], (int)t->shape[1], t->name);
        t->data = data;
    }
}

static json_t *shape_json(const st_tensor *t)
{
    json_t *shape = json_array();
    for (int d = 0; d < t->n_dims; d++)
        json_array_append_new(shape, json_integer((json_int_t)t->shape[d]));
    return shape;
}

void tiny_file_write(const char *path, const st_tensor *t, size_t n, const st_meta *meta, size_t n_meta)
{
    json_t *header = json_object(), *about = json_object();
    json_int_t at = 0;
    for (size_t i = 0; i < n_meta; i++)
        json_object_set_new(about, meta[i].key, json_string(meta[i].value));
    json_object_set_new(header, "__metadata__", about);
    for (size_t i = 0; i < n; i++, at += (json_int_t)t[i - 1].n_bytes)
        json_object_set_new(header, t[i].name,
                            json_pack("{s:s, s:o, s:[I,I]}", "dtype", st_dtype_name(t[i].dtype), "shape",
                                      shape_json(&t[i]), "data_offsets", at, at + (json_int_t)t[i].n_bytes));
    char *text = json_dumps(header, JSON_COMPACT);
    FILE *f = fopen(path, "wb");
    assert_true(text && f);
    uint64_t n_header = strlen(text);
    fwrite(&n_header, sizeof n_header, 1, f);
    fwrite(text, 1, n_header, f);
    for (size_t i = 0; i < n && t[i].data; i++)
        fwrite(t[i].data, 1, t[i].n_bytes, f);
    if (n && !t[0].data)
        assert_int_equal(fflush(f) || ftruncate(fileno(f), (off_t)(8 + n_header + (uint64_t)at)), 0);
    assert_int_equal(fclose(f), 0);
    free(text);
    json_decref(header);
}

sam_status tiny_graphs_check(const model_family *known, const char *path, int leftovers, sam_error *err)
{
    static st_file file; /* not on the stack: build errors are long */
    config_reader r;
    const model_family *family = NULL;
    weights w;
    states s = {0};
    model_size z;
    sam_status status = SAM_OK;
    if (st_open(path, &file, err) != SAM_OK || config_open(&r, &file, path, err) != SAM_OK ||
        family_find(known, r.family, path, &family, err) != SAM_OK)
        fail_msg("%s", err->text);
    const predictor *p = family->p;
    void *config = calloc(1, p->config_bytes + 1);
    p->read_config(&r, config);
    const size_request want = {"model", config_int(&r, "image_size", 64, 4096, -1), 4, 2};
    if (config_close(&r) != SAM_OK || p->size(config, &want, &z, err) != SAM_OK)
        fail_msg("%s", err->text);
    assert_int_equal(weights_open(&w, &file, path, err), SAM_OK);
    for (int id = 0; id < p->n_graphs && status == SAM_OK; id++) {
        graph g;
        if (!predictor_runs(p, SAM_VIDEO, 1, id) && !predictor_runs(p, SAM_IMAGE, 0, id))
            continue;
        builder b = build_begin(&g, p->graph_names[id], &w, &s, DT_F32, DT_F32);
        p->build(&b, id, config, &z);
        status = build_end(&b, err);
        if (status == SAM_OK)
            graph_free(&g);
    }
    if (status == SAM_OK && leftovers) {
        int index;
        if (p->absent_pointer)
            status = weights_request(&w, p->absent_pointer, 1, 0, 1, z.pointer_width, DT_F32, &index, err);
        for (int i = 0; p->unused && p->unused[i]; i++)
            weights_ignore(&w, p->unused[i]);
        status = status == SAM_OK ? weights_check(&w, err) : status;
    }
    free(config);
    weights_close(&w);
    st_close(&file);
    return status;
}

/* Builds every graph over the file; 1 if that worked, else adds the tensor that was missing. */
static int grow(const model_family *known, const char *path, tensors *set)
{
    char name[200];
    int rows = 0, cols = 0;
    sam_error err;
    if (tiny_graphs_check(known, path, 0, &err) == SAM_OK)
        return 1;
    const char *at = strstr(err.text, "tensor ");
    if (!at || sscanf(at, "tensor %199s is missing (expected %d x %d)", name, &rows, &cols) != 3)
        fail_msg("%s", err.text);
    add_tensor(set, name, rows, cols);
    return 0;
}

void tiny_model_write(const char *path, tiny_family family, const char *name)
{
    tiny_model_write_of(families, path,
                        family == TINY_EDGETAM ? "edgetam"
                        : family == TINY_SAM1  ? "sam"
                                               : "sam2",
                        tiny_config[family], name);
}

void tiny_model_write_of(const model_family *rows, const char *path, const char *family, const char *config,
                         const char *name)
{
    const st_meta meta[] = {{"config", config}, {"family", family}, {"name", name}, {"format_version", "1"}};
    const size_t n_meta = sizeof meta / sizeof *meta;
    tensors *set = calloc(1, sizeof *set);
    const model_family *row;
    assert_non_null(set);
    assert_int_equal(family_find(rows, family, path, &row, NULL), SAM_OK);
    if (row->p->unused)
        add_tensor(set, row->p->unused[0], 1, 32);
    do
        tiny_file_write(path, set->t, set->count, meta, n_meta);
    while (!grow(rows, path, set));
    fill_all(set);
    tiny_file_write(path, set->t, set->count, meta, n_meta);
    for (size_t i = 0; i < set->count; i++) {
        free((void *)(uintptr_t)set->t[i].name);
        free((void *)(uintptr_t)set->t[i].data);
    }
    free(set);
}

void tiny_models_make(tiny_models *t)
{
    temp_dir_make(&t->dir);
    for (int f = 0; f < TINY_ALL; f++) {
        temp_dir_file(&t->dir, tiny_names[f], t->path[f], sizeof t->path[f]);
        tiny_model_write(t->path[f], (tiny_family)f, tiny_names[f]);
    }
}

void tiny_models_remove(tiny_models *t)
{
    temp_dir_remove(&t->dir);
}

/* ---- use ---------------------------------------------------------------------------------------------------------- */

sam_model *tiny_open(const char *path, const sam_model_options *opt)
{
    sam_model *m;
    sam_error err;
    sam_model_options o = opt ? *opt : (sam_model_options){0};
    o.n_threads = o.n_threads ? o.n_threads : 1;
    o.backend = o.backend ? o.backend : test_backend();
    if (sam_model_open(path, &o, &m, &err) != SAM_OK)
        fail_msg("%s", err.text);
    return m;
}

sam_session *tiny_session(sam_model *m, sam_session_options opt)
{
    sam_session *s;
    sam_error err;
    if (sam_session_open(m, &opt, &s, &err) != SAM_OK)
        fail_msg("%s", err.text);
    return s;
}

void tiny_frame(int width, int height, int64_t t, uint8_t *rgb)
{
    for (int y = 0; y < height; y++)
        for (int x = 0; x < width; x++) {
            uint8_t *p = rgb + 3 * ((size_t)y * (size_t)width + (size_t)x);
            int64_t u = (64 * x / width + 3 * t) % 64, v = (64 * y / height + t) % 64;
            int64_t a = (u - 20) * (u - 20) + (v - 24) * (v - 24), b = (u - 44) * (u - 44) + 2 * (v - 40) * (v - 40);
            p[0] = (uint8_t)(a < 140 ? 220 - a / 2 : 40 + u);
            p[1] = (uint8_t)(b < 150 ? 60 + b : 30 + 2 * v);
            p[2] = (uint8_t)(mix((uint64_t)(u * 64 + v)) % 50 + (a < 140 ? 150 : 20));
        }
}

void tiny_push(sam_session *s, int width, int height, int64_t t)
{
    uint8_t rgb[3 * TINY_FRAME_PX * TINY_FRAME_PX];
    sam_error err;
    assert_true(width <= TINY_FRAME_PX && height <= TINY_FRAME_PX);
    tiny_frame(width, height, t, rgb);
    if (sam_push_frame(s, &(sam_frame){.rgb = rgb, .row_bytes = 3 * (size_t)width, .index = t}, &err) != SAM_OK)
        fail_msg("%s", err.text);
}
