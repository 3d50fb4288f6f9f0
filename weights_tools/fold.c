/* fold.c - see fold.h. Two rules, evaluated in float64 and rounded once to the dtype of the convolution:
 *
 *   X.c.weight and X.bn.*  ->  X.weight, X.bias               a convolution and the BatchNorm behind it
 *       s = bn.weight / sqrt(bn.running_var + 1e-5);  weight = c.weight * s;  bias = bn.bias - bn.running_mean * s
 *
 *   Y.token_mixer.conv and Y.token_mixer.conv1  ->  Y.token_mixer.conv.weight [C,1,3,3], Y.token_mixer.conv.bias [C]
 *       the block computes BN(3x3 depthwise) + BN(1x1 depthwise) + x (timm repvit.py RepVggDw, legacy form): one 3x3
 *       depthwise convolution whose centre has the 1x1 weight and 1 added
 *
 * Names of EdgeTAM's trunk after folding, all under image_encoder.trunk.body:
 *   stem.conv1, stem.conv2                                  [24,3,3,3], [48,24,3,3]
 *   stages_S.blocks.B.token_mixer.conv                      [C,1,3,3]
 *   stages_S.blocks.B.se.fc1, .se.fc2 (even B; unchanged)   [R,C,1,1], [C,R,1,1]
 *   stages_S.blocks.B.channel_mixer.conv1, .conv2           [2C,C,1,1], [C,2C,1,1]
 *   stages_S.downsample.pre_block.token_mixer.conv          (S = 1, 2, 3; C of stage S-1)
 *   stages_S.downsample.pre_block.channel_mixer.conv1, .conv2
 *   stages_S.downsample.spatial_downsample                  [C,1,3,3], stride 2
 *   stages_S.downsample.channel_downsample                  [C',C,1,1]
 *   stages_S.downsample.ffn.conv1, .conv2                   [2C',C',1,1], [C',2C',1,1]
 * each with .weight and .bias. All other tensors keep their names; batch counters are dropped. */
#include "fold.h"

#include <math.h>
#include <stdio.h>
#include <string.h>

#include "float_convert.h"
#include "names.h"

#define BATCH_NORM_EPSILON 1e-5

typedef struct conv_norm {
    const st_tensor *conv, *gain, *bias, *mean, *variance;
} conv_norm;

static int ends_with(const char *name, const char *end)
{
    size_t n = strlen(name), n_end = strlen(end);
    return n >= n_end && strcmp(name + n - n_end, end) == 0;
}

static sam_status find_one(const tensor_set *in, const char *where, const char *leaf, const st_tensor **out,
                           sam_error *err)
{
    tensor_name name = names_at("%.120s.%s", where, leaf);
    *out = tensor_set_find(in, name.text);
    return *out ? SAM_OK : fail(err, SAM_E_FORMAT, "tensor %s is missing", name.text);
}

static sam_status find_conv_norm(const tensor_set *in, const char *where, conv_norm *out, sam_error *err)
{
    TRY(find_one(in, where, "c.weight", &out->conv, err));
    TRY(find_one(in, where, "bn.weight", &out->gain, err));
    TRY(find_one(in, where, "bn.bias", &out->bias, err));
    TRY(find_one(in, where, "bn.running_mean", &out->mean, err));
    return find_one(in, where, "bn.running_var", &out->variance, err);
}

static double value(const st_tensor *t, size_t i)
{
    return float_load(t->data, t->dtype, i);
}

static double scale_of(const conv_norm *c, size_t channel)
{
    return value(c->gain, channel) / sqrt(value(c->variance, channel) + BATCH_NORM_EPSILON);
}

static double bias_of(const conv_norm *c, size_t channel)
{
    return value(c->bias, channel) - value(c->mean, channel) * scale_of(c, channel);
}

/* Adds where.weight and where.bias, to be filled. */
static sam_status add_folded(tensor_set *out, const st_tensor *conv, const char *where, void **weight, void **bias,
                             sam_error *err)
{
    st_tensor *w = tensor_set_add(out, names_at("%.120s.weight", where).text, conv->dtype, 4, conv->shape, NULL);
    *weight = tensor_set_alloc(out, conv->n_bytes);
    if (w)
        w->data = *weight;
    st_tensor *b = tensor_set_add(out, names_at("%.120s.bias", where).text, conv->dtype, 1, conv->shape, NULL);
    *bias = tensor_set_alloc(out, (size_t)conv->shape[0] * st_dtype_bytes(conv->dtype));
    if (b)
        b->data = *bias;
    return out->failed ? fail(err, SAM_E_MEMORY, "no memory to fold %s", where) : SAM_OK;
}

static sam_status fold_conv(const tensor_set *in, const char *where, tensor_set *out, sam_error *err)
{
    conv_norm c;
    void *weight, *bias;
    TRY(find_conv_norm(in, where, &c, err));
    TRY(add_folded(out, c.conv, where, &weight, &bias, err));
    size_t n_out = (size_t)c.conv->shape[0], n_each = (size_t)st_count(c.conv) / n_out;
    for (size_t o = 0; o < n_out; o++) {
        double s = scale_of(&c, o);
        for (size_t i = 0; i < n_each; i++)
            float_store(weight, c.conv->dtype, o * n_each + i, value(c.conv, o * n_each + i) * s);
        float_store(bias, c.conv->dtype, o, bias_of(&c, o));
    }
    return SAM_OK;
}

/* `where` is Y.token_mixer.conv. */
static sam_status fold_token_mixer(const tensor_set *in, const char *where, tensor_set *out, sam_error *err)
{
    enum { TAPS = 9, CENTRE = 4 };
    conv_norm wide, point;
    void *weight, *bias;
    TRY(find_conv_norm(in, where, &wide, err));
    TRY(find_conv_norm(in, names_at("%.120s1", where).text, &point, err));
    TRY(add_folded(out, wide.conv, where, &weight, &bias, err));
    for (size_t c = 0; c < (size_t)wide.conv->shape[0]; c++) {
        double s = scale_of(&wide, c), centre = value(point.conv, c) * scale_of(&point, c) + 1.0;
        for (size_t i = 0; i < TAPS; i++)
            float_store(weight, wide.conv->dtype, c * TAPS + i,
                        value(wide.conv, c * TAPS + i) * s + (i == CENTRE ? centre : 0.0));
        float_store(bias, wide.conv->dtype, c, bias_of(&wide, c) + bias_of(&point, c));
    }
    return SAM_OK;
}

static sam_status fold_one(const tensor_set *in, const st_tensor *t, tensor_set *out, sam_error *err)
{
    static const char leaf[] = ".c.weight";
    tensor_name where = {{0}};
    if (strstr(t->name, ".bn.") || ends_with(t->name, ".token_mixer.conv1.c.weight"))
        return SAM_OK; /* taken in with its convolution */
    if (!ends_with(t->name, leaf)) {
        tensor_set_add(out, t->name, t->dtype, t->n_dims, t->shape, t->data);
        return SAM_OK;
    }
    snprintf(where.text, sizeof where.text, "%.*s", (int)(strlen(t->name) - strlen(leaf)), t->name);
    if (ends_with(where.text, ".token_mixer.conv"))
        return fold_token_mixer(in, where.text, out, err);
    return fold_conv(in, where.text, out, err);
}

sam_status fold(const tensor_set *in, tensor_set *out, sam_error *err)
{
    sam_status status = SAM_OK;
    *out = (tensor_set){0};
    for (size_t i = 0; i < in->n_tensors && status == SAM_OK; i++)
        status = fold_one(in, &in->tensors[i], out, err);
    if (status == SAM_OK)
        status = tensor_set_index(out, "folding", err);
    if (status != SAM_OK)
        tensor_set_free(out);
    return status;
}
