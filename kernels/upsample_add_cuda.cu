/* upsample_add on CUDA: out = x + y, with y enlarged twice by repeating its pixels.
 *   x [n|1, 2h*2w, C]    y [n|1, h*w, C]    ->    out [n, 2h*2w, C]
 *   grid  ceil(n*4*h*w*ceil(C/8) / 256);   block 256;   a thread takes a run of 8 columns
 *   traffic: x and out once; y once, its repetitions from L2 */
#include "elements.cuh"
#include "operands.h"

struct enlarged_sum {
    const void *x, *y;
    void *out;
    dtype x_type, y_type, out_type;
    size_t n_rows; /* of out, all objects */
    int rows, n_cols, w;
    bool x_shared, y_shared;
};

__global__ void __launch_bounds__(256) upsample_add_runs(enlarged_sum p)
{
    place at;
    if (!take_run(p.n_rows, p.n_cols, &at))
        return;
    int object = (int)(at.row / (size_t)p.rows), r = (int)(at.row % (size_t)p.rows);
    int line = r / (2 * p.w), x = r % (2 * p.w);
    size_t y_row = (p.y_shared ? 0 : (size_t)object * (size_t)(p.rows / 4)) + (size_t)(line / 2 * p.w + x / 2);
    float a[RUN], b[RUN];
    load_run(a, p.x, p.x_type, (p.x_shared ? (size_t)r : at.row) * (size_t)p.n_cols + (size_t)at.col, at.n);
    load_run(b, p.y, p.y_type, y_row * (size_t)p.n_cols + (size_t)at.col, at.n);
    UNROLL
    for (int k = 0; k < RUN; k++)
        a[k] += b[k];
    store_run(p.out, p.out_type, at.row * (size_t)p.n_cols + (size_t)at.col, a, at.n);
}

static const char *run(const op_call *c)
{
    const tensor *x = &c->in[SUM_X], *y = &c->in[SUM_Y], *out = &c->out[RESULT];
    enlarged_sum p = {
        x->data,   y->data,   out->data,  x->type,   y->type,  out->type, (size_t)out->n * (size_t)out->rows,
        out->rows, out->cols, c->attr->w, x->n == 1, y->n == 1};
    return launch_runs(upsample_add_runs, p.n_rows, p.n_cols, c->stream, p);
}

const op_cuda CUDA_FN(upsample_add_cuda) = {run};
