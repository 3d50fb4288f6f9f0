/* mask_product: each of K vectors against every pixel: the decoder's masks.
 *   hyper [n|1, K, C]    x [n|1, R, C]    ->    hyper x^T [n, K, R] f32
 * f32 accumulation. Source: sam2 modeling/sam/mask_decoder.py predict_masks (hyper_in @ upscaled_embedding). */
#include "operands.h"
#include "shape.h"

static const char *infer(const tensor *in, const op_attr *a, tensor *out)
{
    const char *wrong = check_float_batch(in, 2);
    if (wrong)
        return wrong;
    if (in[PRODUCT_HYPER].cols != in[PRODUCT_X].cols)
        return "hyper and x must have the same columns";
    if (a->type != DT_NONE && a->type != DT_F32)
        return "the output is f32";
    out[0] = shaped(DT_F32, batch_of(in, 2), in[PRODUCT_HYPER].rows, in[PRODUCT_X].rows);
    return NULL;
}

static op_cost cost(const tensor *in, const tensor *out, const op_attr *a)
{
    (void)a;
    return cost_of(in, 2, out, 1, 2.0 * in[PRODUCT_HYPER].cols);
}

const op_def op_mask_product = {
    .name = "mask_product", .n_in = PRODUCT_INPUTS, .n_out = 1, .infer = infer, .cost = cost};
