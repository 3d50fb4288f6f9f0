/* window_partition: the pixels of an image, window after window.
 *   x [n, h*w, C]    ->    [n, h*w, C], attr.type or like x.    attr: h, w, window (divides both), type.
 * Output row ((wy * w/window + wx) * window + y) * window + x is pixel (wy * window + y, wx * window + x).
 * Source: sam2 modeling/backbones/utils.py window_partition, without padding. */
#include "operands.h"
#include "shape.h"

static const char *infer(const tensor *in, const op_attr *a, tensor *out)
{
    if (!is_float(in[ONLY_X].type))
        return "x must be f32, bf16 or f16";
    if (a->window < 1 || a->h < 1 || a->w < 1 || a->h % a->window || a->w % a->window || in[ONLY_X].rows != a->h * a->w)
        return "x must have h * w rows, h and w multiples of window";
    out[0] = shaped(type_or(a, in[ONLY_X].type), in[ONLY_X].n, in[ONLY_X].rows, in[ONLY_X].cols);
    return NULL;
}

static op_cost cost(const tensor *in, const tensor *out, const op_attr *a)
{
    (void)a;
    return cost_of(in, 1, out, 1, 0);
}

const op_def op_window_partition = {
    .name = "window_partition", .n_in = ONLY_INPUTS, .n_out = 1, .infer = infer, .cost = cost};
