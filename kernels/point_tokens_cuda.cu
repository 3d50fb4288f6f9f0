/* point_tokens on CUDA: prompt points as tokens, by random Fourier features.
 *   points [n, P, 2] f32    labels [n, P] i32    gaussian [2, C/2] f32    five embeddings [C] f32    ->    y [n, P, C]
 *   grid  ceil(n*P*C / 256);   block 256;   a thread takes one column
 * A handful of tokens, so phases in f64, as on the CPU: f32 would lose the fraction of a turn. */
#include "elements.cuh"
#include "operands.h"

struct points {
    const float *at, *gaussian, *embeddings[5];
    const int32_t *labels;
    void *y;
    dtype y_type;
    int n_points, rows, n_cols; /* of all objects, of one */
    bool at_shared, labels_shared;
    double side;
};

__global__ void __launch_bounds__(256) point_columns(points p)
{
    int item = (int)(blockIdx.x * 256 + threadIdx.x), point = item / p.n_cols, col = item % p.n_cols;
    if (point >= p.n_points)
        return;
    int r = point % p.rows, half = p.n_cols / 2, k = col % half;
    int label = p.labels[p.labels_shared ? r : point];
    const float *at = p.at + (p.at_shared ? r : point) * 2;
    double code = 0;
    if (label >= 0) {
        double u = 2 * ((double)at[0] + 0.5) / p.side - 1, v = 2 * ((double)at[1] + 0.5) / p.side - 1;
        double phase = 6.28318530717958647692 * (u * (double)p.gaussian[k] + v * (double)p.gaussian[half + k]);
        code = col < half ? sin(phase) : cos(phase);
    }
    if (label >= -1 && label <= 3) {
        const float *embedding = p.embeddings[0]; /* no indexing by a variable: that would copy them to local memory */
        UNROLL
        for (int i = 1; i < 5; i++)
            embedding = label + 1 == i ? p.embeddings[i] : embedding;
        code += (double)embedding[col];
    }
    store_one(p.y, p.y_type, (size_t)item, (float)code);
}

static const char *run(const op_call *c)
{
    const tensor *points_in = &c->in[POINTS_XY], *labels = &c->in[POINTS_LABELS], *y = &c->out[RESULT];
    points p = {(const float *)points_in->data,
                (const float *)c->in[POINTS_GAUSSIAN].data,
                {},
                (const int32_t *)labels->data,
                y->data,
                y->type,
                y->n * y->rows,
                y->rows,
                y->cols,
                points_in->n == 1,
                labels->n == 1,
                (double)c->attr->scale};
    for (int i = 0; i < 5; i++)
        p.embeddings[i] = (const float *)c->in[3 + i].data;
    return launch(point_columns, blocks_for(tensor_count(y), 256), 256, 0, c->stream, p);
}

const op_cuda CUDA_FN(point_tokens_cuda) = {run};
