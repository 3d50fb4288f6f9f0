/* names_edgetam.c - what EdgeTAM changes: timm's RepViT-M1 (timm/models/repvit.py, legacy form, features_only) in place
 * of Hiera, and the spatial perceiver of EdgeTAM's sam2/modeling/perceiver.py. */
#include "names.h"
#include "squeeze_width.h"

/* A convolution without bias, then BatchNorm: timm's ConvNorm. */
static void conv_norm(tensor_set *s, int n_out, int n_in, int kernel, const char *where, const char *leaf)
{
    static const char *const of_norm[] = {"weight", "bias", "running_mean", "running_var"};
    want(s, 4, SHAPE(n_out, n_in, kernel, kernel), "%s.%s.c.weight", where, leaf);
    for (int i = 0; i < 4; i++)
        want(s, 1, SHAPE(n_out), "%s.%s.bn.%s", where, leaf, of_norm[i]);
    tensor_set_add(s, names_at("%s.%s.bn.num_batches_tracked", where, leaf).text, ST_I64, 0, SHAPE(0), NULL);
}

static void mlp(tensor_set *s, int n, const char *where)
{
    conv_norm(s, REPVIT_MLP_RATIO * n, n, 1, where, "conv1");
    conv_norm(s, n, REPVIT_MLP_RATIO * n, 1, where, "conv2");
}

static void block(tensor_set *s, int n, int squeeze_excite, const char *where)
{
    conv_norm(s, n, 1, 3, where, "token_mixer.conv");
    conv_norm(s, n, 1, 1, where, "token_mixer.conv1");
    if (squeeze_excite) {
        want_conv(s, squeeze_width(n), n, 1, names_at("%s.se.fc1", where).text);
        want_conv(s, n, squeeze_width(n), 1, names_at("%s.se.fc2", where).text);
    }
    mlp(s, n, names_at("%s.channel_mixer", where).text);
}

static void downsample(tensor_set *s, int n_in, int n_out, const char *where)
{
    block(s, n_in, 0, names_at("%s.pre_block", where).text);
    conv_norm(s, n_in, 1, 3, where, "spatial_downsample");
    conv_norm(s, n_out, n_in, 1, where, "channel_downsample");
    mlp(s, n_out, names_at("%s.ffn", where).text);
}

void names_repvit(tensor_set *s, const known_model *c)
{
    static const char body[] = "image_encoder.trunk.body";
    conv_norm(s, c->widths[0] / 2, 3, 3, body, "stem.conv1");
    conv_norm(s, c->widths[0], c->widths[0] / 2, 3, body, "stem.conv2");
    for (int stage = 0; stage < 4; stage++) {
        if (stage > 0)
            downsample(s, c->widths[stage - 1], c->widths[stage],
                       names_at("%s.stages_%d.downsample", body, stage).text);
        for (int i = 0; i < c->depths[stage]; i++)
            block(s, c->widths[stage], i % 2 == 0, names_at("%s.stages_%d.blocks.%d", body, stage, i).text);
    }
}

static void attention(tensor_set *s, int layer, const char *name)
{
    want(s, 2, SHAPE(MEM_DIM, MEM_DIM), "spatial_perceiver.layers.%d.%s.to_q.weight", layer, name);
    want(s, 2, SHAPE(2 * MEM_DIM, MEM_DIM), "spatial_perceiver.layers.%d.%s.to_kv.weight", layer, name);
    want(s, 2, SHAPE(MEM_DIM, MEM_DIM), "spatial_perceiver.layers.%d.%s.to_out.weight", layer, name);
}

static void norm(tensor_set *s, int layer, const char *name)
{
    want_norm(s, MEM_DIM, names_at("spatial_perceiver.layers.%d.%s", layer, name).text);
}

static void feed_forward(tensor_set *s, int layer, const char *name)
{
    norm(s, layer, names_at("%s.0", name).text);
    want(s, 2, SHAPE(PERCEIVER_FF_MULT * MEM_DIM, MEM_DIM), "spatial_perceiver.layers.%d.%s.1.weight", layer, name);
    want(s, 2, SHAPE(MEM_DIM, PERCEIVER_FF_MULT * MEM_DIM), "spatial_perceiver.layers.%d.%s.3.weight", layer, name);
}

void names_perceiver(tensor_set *s, const known_model *c)
{
    want(s, 2, SHAPE(c->latents, MEM_DIM), "spatial_perceiver.latents");
    want(s, 2, SHAPE(c->window_grid * c->window_grid, MEM_DIM), "spatial_perceiver.latents_2d");
    for (int i = 0; i < PERCEIVER_DEPTH; i++) {
        norm(s, i, "attn.norm_x");
        norm(s, i, "attn.norm_latents");
        attention(s, i, "attn");
        feed_forward(s, i, "ff");
        norm(s, i, "self_attn.norm");
        attention(s, i, "self_attn");
        feed_forward(s, i, "self_ff");
    }
    want_norm(s, MEM_DIM, "spatial_perceiver.norm");
}
