/* pixel_shuffle: each pixel's four groups of channels become a 2x2 block: the second half of a transposed convolution
 * with kernel 2 and stride 2, whose first half is a linear.
 *   x [n, h*w, 4C], groups ordered (dy, dx) = (0,0) (0,1) (1,0) (1,1)    ->    [n, 2h*2w, C], attr.type or like x
 * attr: h, w (x's grid), type. */
#include "shape.h"

static const char *infer(const tensor *in, const op_attr *a, tensor *out)
{
    if (!is_float(in[0].type))
        return "x must be f32, bf16 or f16";
    if (a->h < 1 || a->w < 1 || in[0].rows != a->h * a->w || in[0].cols % 4)
        return "x must have h * w rows and 4 * C columns";
    out[0] = shaped(type_or(a, in[0].type), in[0].n, 4 * in[0].rows, in[0].cols / 4);
    return NULL;
}

static op_cost cost(const tensor *in, const tensor *out, const op_attr *a)
{
    (void)a;
    return cost_of(in, 1, out, 1, 0);
}

const op_def op_pixel_shuffle = {.name = "pixel_shuffle", .n_in = 1, .n_out = 1, .infer = infer, .cost = cost};
