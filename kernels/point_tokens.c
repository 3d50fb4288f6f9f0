/* point_tokens: prompt points as tokens, by random Fourier features.
 *   points [n, P, 2] f32, pixels of the network input, (x, y)    labels [n, P, 1] i32    gaussian [1, 2, C/2] f32
 *   five embeddings [1, 1, C] f32, in this order: not_a_point, and of labels 0, 1, 2, 3    ->    [n, P, C]
 * u = 2 (x + 0.5) / S - 1, v the same of y;  phase = 2 pi (u, v) gaussian;  token = [sin phase | cos phase] + embedding.
 * Label -1: the not_a_point embedding alone. Below -1: zeros, an unused slot. Above 3: the position code alone.
 * attr: scale = S, the image side; type (default f32).
 * Source: sam2 modeling/sam/prompt_encoder.py _embed_points, modeling/position_encoding.py PositionEmbeddingRandom. */
#include "operands.h"
#include "shape.h"

static const char *infer(const tensor *in, const op_attr *a, tensor *out)
{
    int n_points = in[POINTS_XY].rows, cols = 2 * in[POINTS_GAUSSIAN].cols;
    if (in[POINTS_XY].type != DT_F32 || in[POINTS_XY].cols != 2 || !is_count(&in[POINTS_LABELS], DT_I32, n_points))
        return "points must be [n, P, 2] f32 and labels [n, P, 1] i32";
    if (in[POINTS_GAUSSIAN].type != DT_F32 || in[POINTS_GAUSSIAN].n != 1 || in[POINTS_GAUSSIAN].rows != 2)
        return "gaussian must be [1, 2, C/2] f32";
    for (int i = 3; i < 8; i++)
        if (!is_row_f32(&in[i], cols))
            return "embeddings must be [1, 1, C] f32";
    if (!batches_agree(in, 2))
        return "inputs have different batch sizes";
    if (!(a->scale > 0))
        return "scale must be the image side";
    out[0] = shaped(type_or(a, DT_F32), batch_of(in, 2), n_points, cols);
    return is_float(out[0].type) ? NULL : "the output must be a float type";
}

static op_cost cost(const tensor *in, const tensor *out, const op_attr *a)
{
    (void)a;
    return cost_of(in, POINTS_INPUTS, out, 1, 30);
}

const op_def op_point_tokens = {
    .name = "point_tokens", .n_in = POINTS_INPUTS, .n_out = 1, .infer = infer, .cost = cost};
