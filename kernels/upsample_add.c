/* upsample_add: out = x + y, with y enlarged twice by repeating its pixels.
 *   x [n|1, 2h*2w, C]    y [n|1, h*w, C]    ->    [n, 2h*2w, C], attr.type or like x.    attr: h, w (y's grid), type.
 * Source: the top-down path of sam2 modeling/backbones/image_encoder.py FpnNeck. */
#include "operands.h"
#include "shape.h"

static const char *infer(const tensor *in, const op_attr *a, tensor *out)
{
    const char *wrong = check_float_batch(in, 2);
    if (wrong)
        return wrong;
    if (a->h < 1 || a->w < 1 || in[SUM_Y].rows != a->h * a->w || in[SUM_X].rows != 4 * in[SUM_Y].rows ||
        in[SUM_X].cols != in[SUM_Y].cols)
        return "x must be [4 * h * w, C] and y [h * w, C]";
    out[0] = shaped(type_or(a, in[SUM_X].type), batch_of(in, 2), in[SUM_X].rows, in[SUM_X].cols);
    return NULL;
}

static op_cost cost(const tensor *in, const tensor *out, const op_attr *a)
{
    (void)a;
    return cost_of(in, 2, out, 1, 1);
}

const op_def op_upsample_add = {.name = "upsample_add", .n_in = SUM_INPUTS, .n_out = 1, .infer = infer, .cost = cost};
