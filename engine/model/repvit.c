/* RepViT (Wang et al. 2024) in its legacy form, as EdgeTAM uses it: timm models/repvit.py. The converter has folded the
 * batch norms and the parallel depthwise branches, so a token mixer is one 3x3 depthwise convolution. */
#include "blocks.h"
#include "squeeze_width.h"

#include <stdio.h>

static val squeeze_excite(builder *b, val x, scope w)
{
    int width = shape_of(b, x).cols;
    val s = apply(b, OP_mean_rows, &x, 1, (op_attr){0});
    s = activation(b, linear(b, s, squeeze_width(width), at(w, "fc1")), ACT_RELU);
    s = activation(b, linear(b, s, width, at(w, "fc2")), ACT_SIGMOID);
    return mul(b, x, s);
}

static val channel_mixer(builder *b, val x, scope w)
{
    int width = shape_of(b, x).cols;
    val h = activation(b, linear(b, x, 2 * width, at(w, "conv1")), ACT_GELU);
    return add(b, x, linear(b, h, width, at(w, "conv2")));
}

static val block(builder *b, val x, int side, int with_squeeze, scope w)
{
    int width = shape_of(b, x).cols;
    x = conv2d(b, x, side, side, width, 3, 1, 1, width, at(at(w, "token_mixer"), "conv"));
    if (with_squeeze)
        x = squeeze_excite(b, x, at(w, "se"));
    return channel_mixer(b, x, at(w, "channel_mixer"));
}

static val downsample(builder *b, val x, int side, int out, scope w)
{
    int width = shape_of(b, x).cols;
    x = block(b, x, side, 0, at(w, "pre_block"));
    x = conv2d(b, x, side, side, width, 3, 2, 1, width, at(w, "spatial_downsample"));
    x = linear(b, x, out, at(w, "channel_downsample"));
    return channel_mixer(b, x, at(w, "ffn"));
}

void repvit(builder *b, const sam2_config *c, val image, int side_px, val stage[4], scope w)
{
    scope body = at(w, "body"), stem = at(body, "stem");
    val x = conv2d(b, image, side_px, side_px, c->widths[0] / 2, 3, 2, 1, 1, at(stem, "conv1"));
    x = conv2d(b, activation(b, x, ACT_GELU), side_px / 2, side_px / 2, c->widths[0], 3, 2, 1, 1, at(stem, "conv2"));
    int side = side_px / 4;
    for (int s = 0; s < 4; s++) {
        static const char *const names[4] = {"stages_0", "stages_1", "stages_2", "stages_3"};
        static const char *const taps[4] = {"trunk.stage_0", "trunk.stage_1", "trunk.stage_2", "trunk.stage_3"};
        scope at_stage = at(body, names[s]);
        if (s > 0) {
            x = downsample(b, x, side, c->widths[s], at(at_stage, "downsample"));
            side /= 2;
        }
        for (int i = 0; i < c->depths[s]; i++)
            x = block(b, x, side, i % 2 == 0, at_index(at(at_stage, "blocks"), i));
        stage[s] = named(b, x, taps[s]);
    }
}
