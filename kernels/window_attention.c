/* window_attention: Hiera's and SAM v1's multi-head attention within windows of an image, reading qkv where it lies.
 *   qkv [n, h*w, 3C] f32|bf16, columns q | k | v, each heads x D    qkv_bias [1, 1, 3C] f32
 *   rel_h? [1, 2 side_y - 1, D] f32    rel_w? [1, 2 side_x - 1, D] f32: both or neither; a window is side_y x side_x
 *   ->  [n, h'*w', C] of attr.type, or like qkv
 * attr: h, w, window, heads, pool, scale, type. Windows tile the grid from the top left; window 0 is one window, the whole
 * grid. Positions of a window beyond the grid are padding: tokens whose q, k, v are the bias (the projection of zeros),
 * and they take part like any other. pool = 1: the queries of a window are max-pooled 2x2, also over padding; then the
 * output grid is h' = floor(h / 2), w' = floor(w / 2), else h' = h, w' = w; what lies beyond is cropped.
 * Relative positions: with rel_h and rel_w the score of query (qy, qx) and key (ky, kx) of a window is
 *   scale q.k + q.rel_h[qy - ky + side_y - 1] + q.rel_w[qx - kx + side_x - 1],    padding included, without pooling.
 * The terms are made per tile of queries; in half precision the tables are rounded to the type of q. Source:
 * facebookresearch/segment-anything segment_anything/modeling/image_encoder.py add_decomposed_rel_pos.
 * Source: facebookresearch/sam2 sam2/modeling/backbones/hieradet.py MultiScaleAttention and MultiScaleBlock,
 * backbones/utils.py window_partition. */
#include "op.h"
#include "operands.h"
#include "shape.h"

/* A table of relative positions along an axis of a window with `side` tokens. */
static int is_table(const tensor *t, int side, int width)
{
    return t->type == DT_F32 && t->n == 1 && t->rows == 2 * side - 1 && t->cols == width;
}

static const char *infer(const tensor *in, const op_attr *a, tensor *out)
{
    const tensor *qkv = &in[WINDOW_QKV], *bias = &in[WINDOW_QKV_BIAS];
    if (a->h < 1 || a->w < 1 || qkv->rows != a->h * a->w)
        return "qkv must have h*w rows";
    if (a->heads < 1 || qkv->cols % (3 * a->heads))
        return "columns must divide by 3 * heads";
    if (!is_row_f32(bias, qkv->cols))
        return "qkv_bias must be [1, 1, 3C] f32";
    if (qkv->type == DT_I32)
        return "integers are not supported";
    if (a->pool && (a->h < 2 || a->w < 2 || (a->window ? a->window % 2 : a->h % 2 || a->w % 2)))
        return "pooled windows must be even";
    int side_y = a->window ? a->window : a->h, side_x = a->window ? a->window : a->w, width = qkv->cols / 3 / a->heads;
    if ((in[WINDOW_REL_H].type != DT_NONE || in[WINDOW_REL_W].type != DT_NONE) &&
        (!is_table(&in[WINDOW_REL_H], side_y, width) || !is_table(&in[WINDOW_REL_W], side_x, width) || a->pool))
        return "rel_h and rel_w must be [1, 2 side - 1, D] f32, both, without pooling";
    int h = a->pool ? a->h / 2 : a->h, w = a->pool ? a->w / 2 : a->w;
    dtype type = a->type == DT_NONE ? qkv->type : a->type;
    *out = (tensor){.type = type, .n = qkv->n, .rows = h * w, .cols = qkv->cols / 3};
    return NULL;
}

static op_cost cost(const tensor *in, const tensor *out, const op_attr *a)
{
    double windows = 1, tokens = (double)a->h * a->w;
    if (a->window) {
        windows = (double)((a->h + a->window - 1) / a->window) * ((a->w + a->window - 1) / a->window);
        tokens = (double)a->window * a->window;
    }
    double queries = a->pool ? tokens / 4 : tokens, terms = 0;
    if (in[WINDOW_REL_H].type != DT_NONE) /* of each query, before they are added to its scores */
        terms = a->window ? 2.0 * a->window : a->h + a->w;
    op_cost c = {.flops = 2.0 * out->n * windows * queries * (2 * tokens + terms) * out->cols,
                 .bytes_written = (double)tensor_bytes(out)};
    for (int i = 0; i < 4; i++)
        c.bytes_read += (double)tensor_bytes(&in[i]);
    return c;
}

const op_def op_window_attention = {.name = "window_attention",
                                    .n_in = WINDOW_INPUTS,
                                    .n_out = 1,
                                    .optional = 1u << WINDOW_REL_H | 1u << WINDOW_REL_W,
                                    .infer = infer,
                                    .cost = cost};
