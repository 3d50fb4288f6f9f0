/* pixel_shuffle: each pixel's four groups of channels become a 2x2 block: the second half of a transposed convolution
 * with kernel 2 and stride 2, whose first half is a linear; then what follows it in a decoder, if asked:
 *   y = act(norm(shuffle(x) + plus))
 *   x [n, h*w, 4C], groups ordered (dy, dx) = (0,0) (0,1) (1,0) (1,1)    plus? [n|1, 2h*2w, C]
 *   gain?, bias? [1, 1, C] f32: norm is layernorm (layernorm.c) with them and attr.eps, else nothing
 *   ->    [n, 2h*2w, C], attr.type or like x
 * attr: h, w (x's grid), act, eps, type. */
#include "operands.h"
#include "shape.h"

static const char *infer(const tensor *in, const op_attr *a, tensor *out)
{
    const tensor *x = &in[SHUFFLE_X], *plus = &in[SHUFFLE_PLUS], *gain = &in[SHUFFLE_GAIN], *bias = &in[SHUFFLE_BIAS];
    if (!all_float(in, 4))
        return "inputs must be f32, bf16 or f16";
    if (a->h < 1 || a->w < 1 || x->rows != a->h * a->w || x->cols % 4)
        return "x must have h * w rows and 4 * C columns";
    out[0] = shaped(type_or(a, x->type), batch_of(in, 2), 4 * x->rows, x->cols / 4);
    if (plus->type != DT_NONE && !same_grid(plus, &out[0]))
        return "plus must be [n or 1, 4 * h * w, C]";
    if (!batches_agree(in, 2))
        return "inputs have different batch sizes";
    if ((gain->type == DT_NONE) != (bias->type == DT_NONE))
        return "gain and bias come together";
    if (gain->type != DT_NONE && (!is_row_f32(gain, out[0].cols) || !is_row_f32(bias, out[0].cols)))
        return "gain and bias must be [1, 1, C] f32";
    return NULL;
}

static op_cost cost(const tensor *in, const tensor *out, const op_attr *a)
{
    return cost_of(in, SHUFFLE_INPUTS, out, 1,
                   (in[SHUFFLE_PLUS].type != DT_NONE) + (in[SHUFFLE_GAIN].type != DT_NONE ? 8 : 0) + (a->act ? 1 : 0));
}

const op_def op_pixel_shuffle = {.name = "pixel_shuffle",
                                 .n_in = SHUFFLE_INPUTS,
                                 .n_out = 1,
                                 .optional = 1u << SHUFFLE_PLUS | 1u << SHUFFLE_GAIN | 1u << SHUFFLE_BIAS,
                                 .infer = infer,
                                 .cost = cost};
