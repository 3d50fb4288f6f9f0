/* rope on CUDA: rotary position encoding with a table of angles.
 *   x [n|1, R, C]    table [P, C] f32 (cos, sin)    n_rotated? [n|1] i32    ->    y [n, R, C]
 *   grid  ceil(n*R*ceil(C/8) / 256);   block 256;   a thread turns 4 pairs;   traffic: x and y once, the table from L2 */
#include "elements.cuh"
#include "operands.h"

struct rotation {
    const void *x;
    const float *table;
    const int32_t *n_rotated;
    void *y;
    dtype x_type, y_type;
    size_t n_rows; /* of y, all objects */
    int rows, n_cols, period, start;
    bool x_shared, count_shared;
};

__global__ void __launch_bounds__(256) rope_runs(rotation p)
{
    place at;
    if (!take_run(p.n_rows, p.n_cols, &at))
        return;
    int object = (int)(at.row / (size_t)p.rows), r = (int)(at.row % (size_t)p.rows), i = r % p.period;
    int n_rotated = p.n_rotated ? p.n_rotated[p.count_shared ? 0 : object] : p.rows;
    size_t from = (p.x_shared ? (size_t)r : at.row) * (size_t)p.n_cols + (size_t)at.col;
    float v[RUN], angle[RUN];
    load_run(v, p.x, p.x_type, from, at.n);
    if (i >= p.start && r < n_rotated) {
        load_run(angle, p.table, DT_F32, (size_t)(i - p.start) * (size_t)p.n_cols + (size_t)at.col, at.n);
        UNROLL
        for (int k = 0; k < RUN; k += 2) {
            float a = v[k], b = v[k + 1];
            v[k] = a * angle[k] - b * angle[k + 1];
            v[k + 1] = a * angle[k + 1] + b * angle[k];
        }
    }
    store_run(p.y, p.y_type, at.row * (size_t)p.n_cols + (size_t)at.col, v, at.n);
}

static const char *run(const op_call *c)
{
    const tensor *x = &c->in[ROPE_X], *counts = &c->in[ROPE_N_ROTATED], *y = &c->out[RESULT];
    int period = c->attr->period ? c->attr->period : x->rows;
    rotation p = {x->data,
                  (const float *)c->in[ROPE_TABLE].data,
                  counts->type ? (const int32_t *)counts->data : nullptr,
                  y->data,
                  x->type,
                  y->type,
                  (size_t)y->n * (size_t)y->rows,
                  y->rows,
                  y->cols,
                  period,
                  c->attr->start,
                  x->n == 1,
                  counts->n == 1};
    return launch_runs(rope_runs, p.n_rows, p.n_cols, c->stream, p);
}

const op_cuda CUDA_FN(rope_cuda) = {run};
