/* pixel_shuffle on CUDA: each pixel's four groups of channels become a 2x2 block.
 *   x [n, h*w, 4C], groups ordered (dy, dx) = (0,0) (0,1) (1,0) (1,1)    ->    y [n, 2h*2w, C]
 *   grid  ceil(n*4*h*w*ceil(C/8) / 256);   block 256;   a thread takes a run of 8 columns;   traffic: each operand once */
#include "elements.cuh"

struct shuffling {
    const void *x;
    void *y;
    dtype x_type, y_type;
    size_t n_rows; /* of y, all objects */
    int n_cols, w; /* of y; w of x      */
};

__global__ void __launch_bounds__(256) pixel_shuffle_runs(shuffling p)
{
    place at;
    if (!take_run(p.n_rows, p.n_cols, &at))
        return;
    /* Lines of all objects follow each other, in x as in y. */
    size_t line = at.row / (size_t)(2 * p.w), x = at.row % (size_t)(2 * p.w);
    size_t pixel = line / 2 * (size_t)p.w + x / 2, group = line % 2 * 2 + x % 2;
    float v[RUN];
    load_run(v, p.x, p.x_type, (pixel * 4 + group) * (size_t)p.n_cols + (size_t)at.col, at.n);
    store_run(p.y, p.y_type, at.row * (size_t)p.n_cols + (size_t)at.col, v, at.n);
}

static const char *run(const op_call *c)
{
    const tensor *x = &c->in[0], *y = &c->out[0];
    shuffling p = {x->data, y->data, x->type, y->type, (size_t)y->n * (size_t)y->rows, y->cols, c->attr->w};
    return launch_runs(pixel_shuffle_runs, p.n_rows, p.n_cols, c->stream, p);
}

const op_cuda CUDA_FN(pixel_shuffle_cuda) = {run};
