/* slice_rows on CUDA: rows first .. first + count - 1 of each batch.
 *   x [n, R, C]    ->    y [n, count, C];    i32 as the bits of f32, which only move
 *   grid  ceil(n*count*ceil(C/8) / 256);   block 256;   a thread takes a run of 8 columns;   traffic: y's elements twice */
#include "elements.cuh"
#include "operands.h"

struct row_slice {
    const void *x;
    void *y;
    dtype x_type, y_type;
    size_t n_rows, count, x_rows, first; /* n_rows of y, all objects */
    int n_cols;
};

__global__ void __launch_bounds__(256) slice_runs(row_slice p)
{
    place at;
    if (!take_run(p.n_rows, p.n_cols, &at))
        return;
    size_t from = at.row / p.count * p.x_rows + p.first + at.row % p.count;
    float v[RUN];
    load_run(v, p.x, p.x_type, from * (size_t)p.n_cols + (size_t)at.col, at.n);
    store_run(p.y, p.y_type, at.row * (size_t)p.n_cols + (size_t)at.col, v, at.n);
}

static dtype as_float(dtype type)
{
    return type == DT_I32 ? DT_F32 : type;
}

static const char *run(const op_call *c)
{
    const tensor *x = &c->in[ONLY_X], *y = &c->out[RESULT];
    row_slice p = {x->data,
                   y->data,
                   as_float(x->type),
                   as_float(y->type),
                   (size_t)y->n * (size_t)y->rows,
                   (size_t)y->rows,
                   (size_t)x->rows,
                   (size_t)c->attr->first,
                   y->cols};
    return launch_runs(slice_runs, p.n_rows, p.n_cols, c->stream, p);
}

const op_cuda CUDA_FN(slice_rows_cuda) = {run};
