/* max_pool: the maximum of each 2x2 block of an image, stride 2.
 *   x [n, h*w, C]    ->    [n, (h/2)*(w/2), C], attr.type or like x.    attr: h, w (even), type.
 * A NaN in a block is its maximum. Source: the query pooling of Hiera (sam2 modeling/backbones/hieradet.py do_pool). */
#include "operands.h"
#include "shape.h"

static const char *infer(const tensor *in, const op_attr *a, tensor *out)
{
    if (!is_float(in[ONLY_X].type))
        return "x must be f32, bf16 or f16";
    if (a->h < 2 || a->w < 2 || a->h % 2 || a->w % 2 || in[ONLY_X].rows != a->h * a->w)
        return "x must have h * w rows, h and w even";
    out[0] = shaped(type_or(a, in[ONLY_X].type), in[ONLY_X].n, in[ONLY_X].rows / 4, in[ONLY_X].cols);
    return NULL;
}

static op_cost cost(const tensor *in, const tensor *out, const op_attr *a)
{
    (void)a;
    return cost_of(in, 1, out, 1, 3);
}

const op_def op_max_pool = {.name = "max_pool", .n_in = ONLY_INPUTS, .n_out = 1, .infer = infer, .cost = cost};
