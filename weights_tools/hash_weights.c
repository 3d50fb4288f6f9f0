/* hash_weights.c - see hash_weights.h. With all arithmetic modulo 2^64:
 *
 *   key  = mix(fnv1a64(name) ^ seed)
 *   z_i  = mix(key + (i + 1) * 0x9E3779B97F4A7C15)        splitmix64
 *   u_i  = (z_i >> 40) * 2^-23 - 1                        in [-1, 1), exact in float32
 *   w_i  = float32(offset + scale * f(u_i))               in float64, without fused multiply-add
 *
 * f(u) = u, or |u| for running variances. The rules pick offset, scale and f by name and shape: weights have standard
 * deviation gain / sqrt(fan in), so that signals keep their size through the network; a few gains keep the random
 * network's decisions away from ties.
 * tests/test_hash_weights.c has the digests that the reference implementation in Python gives. */
#include "hash_weights.h"

#include <math.h>
#include <regex.h>
#include <stdlib.h>
#include <string.h>

#include "float_convert.h"
#include "names.h"

/* --------------------------------------------------------------------------------------------- rules ---- */

typedef enum rule_set { ALWAYS, STABLE, UNSTABLE, EDGETAM } rule_set;

typedef struct rule {
    rule_set when;
    const char *pattern;  /* POSIX extended */
    double offset, value; /* gain or std */
} rule;

#define DIGITS "[0-9]+"

/* The first match wins, so variants come first and models second. */
static const rule gains[] = {
    {STABLE, "mask_decoder\\.output_hypernetworks_mlps\\.0\\.layers\\.2\\.weight$", 0, 16.0},
    {UNSTABLE, "mask_decoder\\.output_hypernetworks_mlps\\.0\\.layers\\.2\\.weight$", 0, 1.2},
    {EDGETAM, "neck\\.convs\\.0\\.conv\\.weight$", 0, 2.0},
    {EDGETAM, "neck\\.convs\\.1\\.conv\\.weight$", 0, 3.0},
    {EDGETAM, "neck\\.convs\\.2\\.conv\\.weight$", 0, 1.2},
    {EDGETAM, "neck\\.convs\\.3\\.conv\\.weight$", 0, 1.2},
    /* sharper attention: a wrong rotary or positional encoding changes the output far beyond rounding */
    {ALWAYS, "trunk\\.blocks\\." DIGITS "\\.attn\\.qkv\\.weight$", 0, 1.3},
    {ALWAYS, "trunk\\.blocks\\." DIGITS "\\.attn\\.proj\\.weight$", 0, 1.5},
    {ALWAYS, "^image_encoder\\.blocks\\." DIGITS "\\.attn\\.qkv\\.weight$", 0, 1.3},
    {ALWAYS, "^image_encoder\\.blocks\\." DIGITS "\\.attn\\.proj\\.weight$", 0, 1.5},
    {ALWAYS, "memory_attention\\..*self_attn\\.[qk]_proj\\.weight$", 0, 1.4},
    {ALWAYS, "memory_attention\\..*cross_attn_image\\.[qk]_proj\\.weight$", 0, 1.2},
    {ALWAYS, "memory_attention\\..*self_attn\\.out_proj\\.weight$", 0, 1.5},
    {ALWAYS, "memory_attention\\..*cross_attn_image\\.out_proj\\.weight$", 0, 1.2},
    {ALWAYS, "memory_encoder\\.mask_downsampler\\.encoder\\.12\\.weight$", 0, 2.0},
    {ALWAYS, "sam_mask_decoder\\.transformer\\..*\\.[qk]_proj\\.weight$", 0, 1.4},
    {ALWAYS, "^mask_decoder\\.transformer\\..*\\.[qk]_proj\\.weight$", 0, 1.4},
    {ALWAYS, "mask_decoder\\.transformer\\..*\\.out_proj\\.weight$", 0, 1.5},
    {ALWAYS, "perceiver\\..*\\.to_q\\.weight$", 0, 2.8},
    {ALWAYS, "perceiver\\..*\\.to_out\\.weight$", 0, 1.5},
    /* the fine (stride 4 and 8) features only refine the mask */
    {ALWAYS, "sam_mask_decoder\\.conv_s0\\.weight$", 0, 0.5},
    {ALWAYS, "sam_mask_decoder\\.conv_s1\\.weight$", 0, 0.6},
    {ALWAYS, "neck\\.convs\\." DIGITS "\\.conv\\.weight$", 0, 0.3},
    {ALWAYS, "output_hypernetworks_mlps\\." DIGITS "\\.layers\\.2\\.weight$", 0, 8.0},
    {ALWAYS, "output_hypernetworks_mlps\\." DIGITS "\\.layers\\.[01]\\.weight$", 0, 1.4},
    {ALWAYS, "iou_prediction_head\\.layers\\.[01]\\.weight$", 0, 1.4},
    {ALWAYS, "iou_prediction_head\\.layers\\.2\\.weight$", 0, 2.0},
    {ALWAYS, "pred_obj_score_head\\.layers\\.[01]\\.weight$", 0, 1.4},
    {ALWAYS, "pred_obj_score_head\\.layers\\.2\\.weight$", 0, 2.0},
    /* a few pointer tokens must count among thousands of memory tokens */
    {ALWAYS, "obj_ptr_proj\\.layers\\.[01]\\.weight$", 0, 1.4},
    {ALWAYS, "obj_ptr_proj\\.layers\\.2\\.weight$", 0, 4.0},
    {ALWAYS, "obj_ptr_tpos_proj\\.weight$", 0, 4.0},
    /* maps a {0,1} mask to the scale of mask logits */
    {ALWAYS, "^mask_downsample\\.weight$", 0, 8.0},
    /* RepViT: its branches and residuals have no normalisation left once BatchNorm uses fixed statistics */
    {ALWAYS, "token_mixer\\.conv1?\\.c\\.weight$", 0, 0.35},
    {ALWAYS, "(channel_mixer|ffn)\\.conv2\\.c\\.weight$", 0, 0.9},
    {ALWAYS, "(spatial|channel)_downsample\\.c\\.weight$", 0, 1.2},
};

static const rule stds[] = {
    {ALWAYS, "positional_encoding_gaussian_matrix$", 0, 1.0},
    {ALWAYS, "\\.rel_pos_[hw]$", 0, 0.15},
    {ALWAYS,
     "(^|\\.)(pos_embed|pos_embed_window|latents|latents_2d|maskmem_tpos_enc|no_mem_embed|no_mem_pos_enc|no_obj_ptr|"
     "no_obj_embed_spatial)$",
     0, 0.5},
    {ALWAYS,
     "\\.(iou_token|mask_tokens|obj_score_token|not_a_point_embed|no_mask_embed|point_embeddings\\." DIGITS
     ")\\.weight$",
     0, 0.5},
};

static const rule biases[] = {
    /* the object is present; mask choices by predicted quality are not near ties */
    {ALWAYS, "pred_obj_score_head\\.layers\\.2\\.bias$", 4.0, 0.02},
    {ALWAYS, "iou_prediction_head\\.layers\\.2\\.bias$", 0.0, 1.0},
    /* centres the mask logits: GELU alone would leave a positive mean */
    {ALWAYS, "output_upscaling\\.3\\.bias$", -0.3, 0.02},
};

static const rule transposed[] = {{ALWAYS, "output_upscaling\\." DIGITS "\\.weight$", 0, 0}};

#define N(table) (sizeof table / sizeof table[0])
enum { N_RULES = N(gains) + N(stds) + N(biases) + N(transposed) };

/* A table with its patterns compiled. */
typedef struct table {
    const rule *rules;
    size_t n;
    regex_t compiled[N_RULES];
} table;

typedef struct tables {
    table gain, std, bias, transposed;
    hash_variant variant;
    int edgetam;
} tables;

static sam_status compile(table *t, const rule *rules, size_t n, sam_error *err)
{
    t->rules = rules;
    for (t->n = 0; t->n < n; t->n++)
        if (regcomp(&t->compiled[t->n], rules[t->n].pattern, REG_EXTENDED | REG_NOSUB) != 0)
            return fail(err, SAM_E_MEMORY, "cannot compile %s", rules[t->n].pattern);
    return SAM_OK;
}

static void release(table *t)
{
    for (size_t i = 0; i < t->n; i++)
        regfree(&t->compiled[i]);
}

static const rule *first_match(const tables *all, const table *t, const char *name)
{
    for (size_t i = 0; i < t->n; i++) {
        rule_set when = t->rules[i].when;
        int applies = when == ALWAYS || (when == EDGETAM && all->edgetam) ||
                      (when == STABLE && all->variant == HASH_STABLE) ||
                      (when == UNSTABLE && all->variant == HASH_UNSTABLE);
        if (applies && regexec(&t->compiled[i], name, 0, NULL, 0) == 0)
            return &t->rules[i];
    }
    return NULL;
}

typedef struct distribution {
    double offset, scale;
    int absolute;
} distribution;

static int64_t fan_in(const tables *all, const st_tensor *t)
{
    int64_t n = 1;
    if (first_match(all, &all->transposed, t->name)) /* kernel == stride: every output sees one input pixel */
        return t->shape[0];
    for (int d = 1; d < t->n_dims; d++)
        n *= t->shape[d];
    return n;
}

/* The weight beside a bias; a one-dimensional one belongs to a normalisation. */
static const st_tensor *sibling_weight(const tensor_set *s, const char *name)
{
    char weight[NAME_MAX_BYTES + 8];
    const char *dot = strrchr(name, '.');
    if (!dot)
        return NULL;
    size_t n = (size_t)(dot - name);
    memcpy(weight, name, n);
    strcpy(weight + n, ".weight");
    return tensor_set_find(s, weight);
}

static sam_status choose(const tables *all, const tensor_set *s, const st_tensor *t, distribution *out, sam_error *err)
{
    const double sqrt3 = sqrt(3.0); /* uniform in [-a, a) has standard deviation a / sqrt(3) */
    const char *dot = strrchr(t->name, '.'), *leaf = dot ? dot + 1 : t->name;
    const st_tensor *sibling = sibling_weight(s, t->name);
    const rule *r;
    int is_weight = strcmp(leaf, "weight") == 0, is_bias = strcmp(leaf, "bias") == 0;
    if (strcmp(leaf, "running_mean") == 0)
        *out = (distribution){0.0, 0.05, 0};
    else if (strcmp(leaf, "running_var") == 0)
        *out = (distribution){1.0, 0.2, 1};
    else if (strcmp(leaf, "gamma") == 0) /* layer scale: 0.1 .. 1 */
        *out = (distribution){0.55, 0.45, 0};
    else if ((r = first_match(all, &all->std, t->name)))
        *out = (distribution){0.0, sqrt3 * r->value, 0};
    else if (sibling && sibling->n_dims == 1 && is_weight)
        *out = (distribution){1.0, 0.1, 0};
    else if (sibling && sibling->n_dims == 1 && is_bias)
        *out = (distribution){0.0, 0.05, 0};
    else if (is_bias) {
        r = first_match(all, &all->bias, t->name);
        *out = (distribution){r ? r->offset : 0.0, sqrt3 * (r ? r->value : 0.02), 0};
    } else if (is_weight && t->n_dims >= 2) {
        r = first_match(all, &all->gain, t->name);
        *out = (distribution){0.0, sqrt3 * (r ? r->value : 1.0) / sqrt((double)fan_in(all, t)), 0};
    } else
        return fail(err, SAM_E_ARG, "no rule for random values of %s", t->name);
    return SAM_OK;
}

/* ---------------------------------------------------------------------------------------------- hash ---- */

static uint64_t fnv1a64(const char *text)
{
    uint64_t h = 0xCBF29CE484222325u;
    for (; *text; text++)
        h = (h ^ (uint8_t)*text) * 0x100000001B3u;
    return h;
}

static uint64_t mix(uint64_t z)
{
    z = (z ^ z >> 30) * 0xBF58476D1CE4E5B9u;
    z = (z ^ z >> 27) * 0x94D049BB133111EBu;
    return z ^ z >> 31;
}

static void fill(const char *name, uint64_t seed, distribution d, st_dtype dtype, size_t n, void *out)
{
    uint64_t key = mix(fnv1a64(name) ^ seed);
    for (size_t i = 0; i < n; i++) {
        double u = (double)(mix(key + (i + 1) * 0x9E3779B97F4A7C15u) >> 40) * 0x1p-23 - 1.0;
        double product = d.scale * (d.absolute ? fabs(u) : u);
        float value = (float)(d.offset + product);
        if (dtype == ST_F32)
            memcpy((uint8_t *)out + 4 * i, &value, sizeof value);
        else
            float_store(out, dtype, i, value);
    }
}

static sam_status fill_all(const tables *all, uint64_t seed, int half, tensor_set *s, sam_error *err)
{
    for (size_t i = 0; i < s->n_tensors; i++) {
        st_tensor *t = &s->tensors[i];
        size_t n = (size_t)st_count(t);
        if (t->dtype == ST_F32 && half)
            t->dtype = ST_F16;
        t->n_bytes = n * st_dtype_bytes(t->dtype);
        void *data = tensor_set_alloc(s, t->n_bytes);
        if (!data)
            return fail(err, SAM_E_MEMORY, "no memory for %s", t->name);
        t->data = data;
        if (t->dtype == ST_I64) /* counters that BatchNorm starts at zero */
            continue;
        distribution d = {0};
        TRY(choose(all, s, t, &d, err));
        fill(t->name, seed, d, t->dtype, n, data);
    }
    return SAM_OK;
}

sam_status hash_weights(const known_model *c, uint64_t seed, hash_variant variant, int half, tensor_set *out,
                        sam_error *err)
{
    *out = (tensor_set){0};
    tables *all = calloc(1, sizeof *all);
    if (!all)
        return fail(err, SAM_E_MEMORY, "no memory for the rules of random weights");
    all->variant = variant;
    all->edgetam = c->trunk == TRUNK_REPVIT;
    sam_status status = compile(&all->gain, gains, N(gains), err);
    if (status == SAM_OK)
        status = compile(&all->std, stds, N(stds), err);
    if (status == SAM_OK)
        status = compile(&all->bias, biases, N(biases), err);
    if (status == SAM_OK)
        status = compile(&all->transposed, transposed, N(transposed), err);
    if (status == SAM_OK)
        status = names_of_model(c, out, err);
    if (status == SAM_OK)
        status = fill_all(all, seed, half, out, err);
    release(&all->gain);
    release(&all->std);
    release(&all->bias);
    release(&all->transposed);
    free(all);
    if (status != SAM_OK)
        tensor_set_free(out);
    return status;
}
