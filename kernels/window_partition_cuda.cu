/* window_partition on CUDA: the pixels of an image, window after window.
 *   x [n, h*w, C]    ->    y [n, h*w, C]
 *   grid  ceil(n*h*w*ceil(C/8) / 256);   block 256;   a thread takes a run of 8 columns;   traffic: each operand once */
#include "elements.cuh"
#include "operands.h"

struct partition {
    const void *x;
    void *y;
    dtype x_type, y_type;
    size_t n_rows; /* all objects */
    int n_cols, h, w, window;
};

__global__ void __launch_bounds__(256) partition_runs(partition p)
{
    place at;
    if (!take_run(p.n_rows, p.n_cols, &at))
        return;
    int pixels = p.h * p.w, r = (int)(at.row % (size_t)pixels), area = p.window * p.window;
    int across = p.w / p.window, window = r / area, inside = r % area;
    int y = window / across * p.window + inside / p.window, x = window % across * p.window + inside % p.window;
    size_t from = at.row - (size_t)r + (size_t)(y * p.w + x);
    float v[RUN];
    load_run(v, p.x, p.x_type, from * (size_t)p.n_cols + (size_t)at.col, at.n);
    store_run(p.y, p.y_type, at.row * (size_t)p.n_cols + (size_t)at.col, v, at.n);
}

static const char *run(const op_call *c)
{
    const tensor *x = &c->in[ONLY_X], *y = &c->out[RESULT];
    partition p = {x->data, y->data,    x->type,    y->type,        (size_t)y->n * (size_t)y->rows,
                   y->cols, c->attr->h, c->attr->w, c->attr->window};
    return launch_runs(partition_runs, p.n_rows, p.n_cols, c->stream, p);
}

const op_cuda CUDA_FN(window_partition_cuda) = {run};
