/* known_models.c - see known_models.h. Numbers from facebookresearch/sam2 sam2/configs/{sam2.1,sam2}/ (SAM 2.0 and 2.1 have the
 * same image encoders), from facebookresearch/EdgeTAM sam2/configs/edgetam.yaml with timm's repvit_m1, from
 * facebookresearch/segment-anything segment_anything/build_sam.py, and, for the demo models that this project trains itself,
 * from weights_tools/train/{model,edgetam}.py. */
#include "known_models.h"

#include <ctype.h>
#include <stdio.h>
#include <string.h>
#include <strings.h>

#define DOWNLOADS "https://dl.fbaipublicfiles.com/"

/* What all models of a version have in common. */
#define OFFICIAL_SIZES .memory_attention_layers = 4, .image_px = 1024, .d_model = 256, .memory_attention_mlp = 2048
#define SAM21          .family = "sam2", .version = "2.1", .trunk = TRUNK_HIERA, .is_21 = 1
#define SAM20          .family = "sam2", .version = "2.0", .trunk = TRUNK_HIERA, .is_21 = 0
#define EDGE           .family = "edgetam", .version = "1", .trunk = TRUNK_REPVIT, .memory_attention_layers = 2
#define SAM1                                                                                                           \
    .family = "sam", .version = "1", .images_only = 1, .trunk = TRUNK_VIT, .window = 14, .image_px = 1024,             \
    .d_model = 256

/* Hiera's sizes. */
#define TINY                                                                                                           \
    .embed_dim = 96, .num_heads = 1, .stages = {1, 2, 7, 2}, .global_att_blocks = {5, 7, 9},                           \
    .window_spec = {8, 4, 14, 7}, .window_pos_embed_bkg_px = 7
#define SMALL                                                                                                          \
    .embed_dim = 96, .num_heads = 1, .stages = {1, 2, 11, 2}, .global_att_blocks = {7, 10, 13},                        \
    .window_spec = {8, 4, 14, 7}, .window_pos_embed_bkg_px = 7
#define BASE_PLUS                                                                                                      \
    .embed_dim = 112, .num_heads = 2, .stages = {2, 3, 16, 3}, .global_att_blocks = {12, 16, 20},                      \
    .window_spec = {8, 4, 14, 7}, .window_pos_embed_bkg_px = 14
#define LARGE                                                                                                          \
    .embed_dim = 144, .num_heads = 2, .stages = {2, 6, 36, 4}, .global_att_blocks = {23, 33, 43},                      \
    .window_spec = {8, 4, 16, 8}, .window_pos_embed_bkg_px = 7

const known_model known_models[] = {
    {.name = "sam2.1_hiera_tiny",
     .run_names = "sam2_tiny|sam2.1_tiny",
     .other_names = "sam2.1_t",
     .url = DOWNLOADS "segment_anything_2/092824/sam2.1_hiera_tiny.pt",
     .ultralytics = "sam2.1_t.pt",
     .hub = "sam2.1-hiera-tiny",
     SAM21,
     OFFICIAL_SIZES,
     TINY},
    {.name = "sam2.1_hiera_small",
     .run_names = "sam2_small|sam2.1_small",
     .other_names = "sam2.1_s",
     .url = DOWNLOADS "segment_anything_2/092824/sam2.1_hiera_small.pt",
     .ultralytics = "sam2.1_s.pt",
     .hub = "sam2.1-hiera-small",
     SAM21,
     OFFICIAL_SIZES,
     SMALL},
    {.name = "sam2.1_hiera_base_plus",
     .run_names = "sam2_base|sam2.1_base",
     .other_names = "sam2.1_b|sam2.1_b+|sam2.1_base|sam2.1_base+",
     .url = DOWNLOADS "segment_anything_2/092824/sam2.1_hiera_base_plus.pt",
     .ultralytics = "sam2.1_b.pt",
     .hub = "sam2.1-hiera-base-plus",
     SAM21,
     OFFICIAL_SIZES,
     BASE_PLUS},
    {.name = "sam2.1_hiera_large",
     .run_names = "sam2_large|sam2.1_large",
     .other_names = "sam2.1_l",
     .url = DOWNLOADS "segment_anything_2/092824/sam2.1_hiera_large.pt",
     .ultralytics = "sam2.1_l.pt",
     .hub = "sam2.1-hiera-large",
     SAM21,
     OFFICIAL_SIZES,
     LARGE},
    {.name = "sam2_hiera_tiny",
     .run_names = "sam2.0_tiny",
     .other_names = "sam2_t",
     .url = DOWNLOADS "segment_anything_2/072824/sam2_hiera_tiny.pt",
     .ultralytics = "sam2_t.pt",
     .hub = "sam2-hiera-tiny",
     SAM20,
     OFFICIAL_SIZES,
     TINY},
    {.name = "sam2_hiera_small",
     .run_names = "sam2.0_small",
     .other_names = "sam2_s",
     .url = DOWNLOADS "segment_anything_2/072824/sam2_hiera_small.pt",
     .ultralytics = "sam2_s.pt",
     .hub = "sam2-hiera-small",
     SAM20,
     OFFICIAL_SIZES,
     SMALL},
    {.name = "sam2_hiera_base_plus",
     .run_names = "sam2.0_base",
     .other_names = "sam2_b|sam2_b+|sam2_base|sam2_base+",
     .url = DOWNLOADS "segment_anything_2/072824/sam2_hiera_base_plus.pt",
     .ultralytics = "sam2_b.pt",
     .hub = "sam2-hiera-base-plus",
     SAM20,
     OFFICIAL_SIZES,
     BASE_PLUS},
    {.name = "sam2_hiera_large",
     .run_names = "sam2.0_large",
     .other_names = "sam2_l",
     .url = DOWNLOADS "segment_anything_2/072824/sam2_hiera_large.pt",
     .ultralytics = "sam2_l.pt",
     .hub = "sam2-hiera-large",
     SAM20,
     OFFICIAL_SIZES,
     LARGE},
    {.name = "edgetam",
     .run_names = "edgetam",
     .url = "https://github.com/facebookresearch/EdgeTAM/raw/main/checkpoints/edgetam.pt",
     .hub = "EdgeTAM-hf",
     EDGE,
     .widths = {48, 96, 192, 384},
     .depths = {2, 2, 14, 2},
     .latents = 256,
     .window_grid = 16,
     .image_px = 1024,
     .d_model = 256,
     .memory_attention_mlp = 2048},
    {.name = "sam2.1_hiera_demo",
     .run_names = "demo|sam2_demo",
     SAM21,
     .embed_dim = 24,
     .num_heads = 1,
     .stages = {1, 2, 4, 1},
     .global_att_blocks = {4, 5, 6},
     .window_spec = {8, 4, 8, 4},
     .window_pos_embed_bkg_px = 8,
     .memory_attention_layers = 2,
     .image_px = 256,
     .d_model = 128,
     .memory_attention_mlp = 256},
    {.name = "edgetam_demo",
     .run_names = "edgetam_demo|demo_edgetam",
     EDGE,
     .widths = {48, 64, 96, 160},
     .depths = {1, 2, 7, 1},
     .latents = 64,
     .window_grid = 8,
     .image_px = 256,
     .d_model = 128,
     .memory_attention_mlp = 256},
    {.name = "sam_vit_b",
     .run_names = "sam_b|sam_vit_b",
     .other_names = "sam_b|vit_b|sam_vit_base|sam_base",
     .url = DOWNLOADS "segment_anything/sam_vit_b_01ec64.pth",
     .ultralytics = "sam_b.pt",
     .hub = "sam-vit-base",
     SAM1,
     .embed_dim = 768,
     .num_heads = 12,
     .depth = 12,
     .global_att_blocks = {2, 5, 8, 11}},
    {.name = "sam_vit_l",
     .run_names = "sam_l|sam_vit_l",
     .other_names = "sam_l|vit_l|sam_vit_large|sam_large",
     .url = DOWNLOADS "segment_anything/sam_vit_l_0b3195.pth",
     .ultralytics = "sam_l.pt",
     .hub = "sam-vit-large",
     SAM1,
     .embed_dim = 1024,
     .num_heads = 16,
     .depth = 24,
     .global_att_blocks = {5, 11, 17, 23}},
    {.name = "sam_vit_h",
     .run_names = "sam_h|sam_vit_h",
     .other_names = "sam_h|vit_h|sam_vit_huge|sam_huge",
     .url = DOWNLOADS "segment_anything/sam_vit_h_4b8939.pth",
     .hub = "sam-vit-huge",
     SAM1,
     .embed_dim = 1280,
     .num_heads = 16,
     .depth = 32,
     .global_att_blocks = {7, 15, 23, 31}},
};
const size_t n_known_models = sizeof known_models / sizeof known_models[0];

/* ---- by name ---- */

int name_is_in(const char *list, const char *name, size_t n_name)
{
    for (const char *at = list; at && *at; at += strcspn(at, "|"), at += *at == '|')
        if (strcspn(at, "|") == n_name && strncmp(at, name, n_name) == 0)
            return 1;
    return 0;
}

/* "SAM2.1-Hiera-Tiny" and "sam2.1_tiny" are "sam2.1_tiny". */
static void plain_name(const char *name, char *text, size_t n_text)
{
    size_t n = 0;
    for (const char *c = name; *c && n + 1 < n_text; c++) {
        if ((c == name || text[n - 1] == '_') && strncasecmp(c, "hiera", 5) == 0 && (c[5] == '_' || c[5] == '-'))
            c += 6;
        text[n++] = (char)(*c == '-' ? '_' : tolower((unsigned char)*c));
    }
    text[n] = 0;
}

static sam_status unknown(const char *name, sam_error *err)
{
    char names[400] = "";
    size_t n = 0;
    for (size_t i = 0; i < n_known_models && n < sizeof names; i++)
        n += (size_t)snprintf(names + n, sizeof names - n, "%s%s", i ? ", " : "", known_models[i].name);
    return fail(err, SAM_E_ARG, "unknown model %.60s: there are %s", name, names);
}

sam_status known_model_find(const char *name, const known_model **out, sam_error *err)
{
    char asked[64], own[64];
    plain_name(name, asked, sizeof asked);
    for (size_t i = 0; i < n_known_models; i++) {
        const known_model *m = &known_models[i];
        plain_name(m->name, own, sizeof own);
        if (strcmp(asked, own) == 0 || name_is_in(m->other_names, asked, strlen(asked))) {
            *out = m;
            return SAM_OK;
        }
    }
    return unknown(name, err);
}

const known_model *known_model_named(const char *name)
{
    for (size_t i = 0; i < n_known_models; i++)
        if (strcmp(known_models[i].name, name) == 0)
            return &known_models[i];
    return NULL;
}

/* ---- for people ---- */

/* Of "sam2_tiny" the part up to "_", whose end is *size, the rest. */
static int stem_of(const known_model *m, const char **size)
{
    size_t n = strcspn(m->run_names, "|");
    const char *end = m->run_names + n;
    while (end > m->run_names && end[-1] != '_')
        end--;
    *size = end;
    return (int)(end - m->run_names);
}

/* How many models from `first` on differ only in their size. */
static size_t siblings(size_t first)
{
    const char *size;
    int stem = stem_of(&known_models[first], &size);
    size_t n = 1;
    while (stem && first + n < n_known_models && stem_of(&known_models[first + n], &size) == stem &&
           strncmp(known_models[first].run_names, known_models[first + n].run_names, (size_t)stem) == 0)
        n++;
    return n;
}

void known_model_names(int with_images_only, const char *suffix, char *text, size_t n_text)
{
    size_t n = 0;
    text[0] = 0;
    for (size_t i = 0, group; i < n_known_models && n < n_text; i += group) {
        const known_model *m = &known_models[i];
        const char *size;
        int stem = stem_of(m, &size);
        group = siblings(i);
        if (m->images_only && !with_images_only)
            continue;
        const char *comma = n ? ", " : "";
        if (group == 1) {
            n += (size_t)snprintf(text + n, n_text - n, "%s%.*s%s", comma, (int)strcspn(m->run_names, "|"),
                                  m->run_names, suffix);
            continue;
        }
        n += (size_t)snprintf(text + n, n_text - n, "%s%.*s{", comma, stem, m->run_names);
        for (size_t k = 0; k < group && n < n_text; k++) {
            stem_of(&known_models[i + k], &size);
            n += (size_t)snprintf(text + n, n_text - n, "%s%.*s", k ? "," : "", (int)strcspn(size, "|"), size);
        }
        if (n < n_text)
            n += (size_t)snprintf(text + n, n_text - n, "}%s", suffix);
    }
}
