/* max_pool on CUDA: the maximum of each 2x2 block, stride 2; a NaN wins.
 *   x [n, 2h*2w, C]    ->    y [n, h*w, C]
 *   grid  ceil(n*h*w*ceil(C/8) / 256);   block 256;   a thread takes a run of 8 columns;   traffic: each operand once */
#include "elements.cuh"
#include "operands.h"

struct pooling {
    const void *x;
    void *y;
    dtype x_type, y_type;
    size_t n_rows; /* of y, all objects */
    int w, n_cols; /* w of y            */
};

static __device__ __forceinline__ float larger(float a, float b)
{
    return a != a || a > b ? a : b;
}

__global__ void __launch_bounds__(256) pool_runs(pooling p)
{
    place at;
    if (!take_run(p.n_rows, p.n_cols, &at))
        return;
    /* Lines of all objects follow each other: line and column of y, then the upper left pixel in x. */
    size_t line = at.row / (size_t)p.w, x = at.row % (size_t)p.w, from = 4 * line * (size_t)p.w + 2 * x;
    float v[4][RUN];
    UNROLL
    for (int tap = 0; tap < 4; tap++) {
        size_t pixel = from + (size_t)(tap / 2 * 2 * p.w + tap % 2);
        load_run(v[tap], p.x, p.x_type, pixel * (size_t)p.n_cols + (size_t)at.col, at.n);
    }
    UNROLL
    for (int k = 0; k < RUN; k++)
        v[0][k] = larger(larger(v[0][k], v[1][k]), larger(v[2][k], v[3][k]));
    store_run(p.y, p.y_type, at.row * (size_t)p.n_cols + (size_t)at.col, v[0], at.n);
}

static const char *run(const op_call *c)
{
    const tensor *x = &c->in[ONLY_X], *y = &c->out[RESULT];
    pooling p = {x->data, y->data, x->type, y->type, (size_t)y->n * (size_t)y->rows, c->attr->w / 2, x->cols};
    return launch_runs(pool_runs, p.n_rows, p.n_cols, c->stream, p);
}

const op_cuda CUDA_FN(max_pool_cuda) = {run};
