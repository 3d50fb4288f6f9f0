/* mask_upscale: low-resolution logits as the mask input of the memory encoder.
 *   logits [n, 1, h*w] f32    binarise [n|1, 1, 1] i32    ->    [n, (k*h)*(k*w), 1], attr.type or f32
 * v = logits enlarged k times, bilinear, pixel centres aligned (align_corners false), edges repeated;
 * out = (binarise ? v > 0 : sigmoid(v)) * scale + bias.    attr: h, w, kernel = k, scale, bias, type.
 * Source: sam2 modeling/sam2_base.py _forward_sam_heads (F.interpolate) and _encode_new_memory. */
#include "operands.h"
#include "shape.h"

static const char *infer(const tensor *in, const op_attr *a, tensor *out)
{
    if (in[UPSCALE_LOGITS].type != DT_F32 || in[UPSCALE_LOGITS].rows != 1 || a->h < 1 || a->w < 1 ||
        in[UPSCALE_LOGITS].cols != a->h * a->w)
        return "logits must be [n, 1, h * w] f32";
    if (!is_count(&in[UPSCALE_BINARISE], DT_I32, 1))
        return "binarise must be [n, 1, 1] i32";
    if (!batches_agree(in, 2))
        return "inputs have different batch sizes";
    if (a->kernel < 1)
        return "kernel must be the factor";
    out[0] = shaped(type_or(a, DT_F32), batch_of(in, 2), a->h * a->kernel * a->w * a->kernel, 1);
    return is_float(out[0].type) ? NULL : "the output must be a float type";
}

static op_cost cost(const tensor *in, const tensor *out, const op_attr *a)
{
    (void)a;
    return cost_of(in, 2, out, 1, 26);
}

const op_def op_mask_upscale = {
    .name = "mask_upscale", .n_in = UPSCALE_INPUTS, .n_out = 1, .infer = infer, .cost = cost};
