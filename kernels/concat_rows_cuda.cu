/* concat_rows on CUDA: the rows of a, then the rows of b.
 *   a [n|1, A, C]    b [n|1, B, C]    ->    y [n, A+B, C]
 *   grid  ceil(n*(A+B)*ceil(C/8) / 256);   block 256;   a thread takes a run of 8 columns;   traffic: each operand once */
#include "elements.cuh"
#include "operands.h"

struct concatenation {
    const void *a, *b;
    void *y;
    dtype a_type, b_type, y_type;
    size_t n_rows, a_rows, b_rows; /* n_rows of y, all objects */
    int n_cols;
    bool a_shared, b_shared;
};

__global__ void __launch_bounds__(256) concat_runs(concatenation p)
{
    place at;
    if (!take_run(p.n_rows, p.n_cols, &at))
        return;
    size_t object = at.row / (p.a_rows + p.b_rows), r = at.row % (p.a_rows + p.b_rows);
    float v[RUN];
    if (r < p.a_rows)
        load_run(v, p.a, p.a_type, ((p.a_shared ? 0 : object) * p.a_rows + r) * (size_t)p.n_cols + (size_t)at.col,
                 at.n);
    else
        load_run(v, p.b, p.b_type,
                 ((p.b_shared ? 0 : object) * p.b_rows + r - p.a_rows) * (size_t)p.n_cols + (size_t)at.col, at.n);
    store_run(p.y, p.y_type, at.row * (size_t)p.n_cols + (size_t)at.col, v, at.n);
}

static const char *run(const op_call *c)
{
    const tensor *a = &c->in[CONCAT_A], *b = &c->in[CONCAT_B], *y = &c->out[RESULT];
    concatenation p = {
        a->data,         b->data,         y->data, a->type,   b->type,  y->type, (size_t)y->n * (size_t)y->rows,
        (size_t)a->rows, (size_t)b->rows, y->cols, a->n == 1, b->n == 1};
    return launch_runs(concat_runs, p.n_rows, p.n_cols, c->stream, p);
}

const op_cuda CUDA_FN(concat_rows_cuda) = {run};
