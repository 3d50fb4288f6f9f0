/* scatter_rows on CUDA: each batch into its slot of a pool; the other slots stay as they are.
 *   x [n, R, C]    slot [n|1] i32    ->    pool [S*R, C]
 *   grid  ceil(n*R*ceil(C/8) / 256);   block 256;   a thread takes a run of 8 columns;   traffic: x's elements twice */
#include "elements.cuh"
#include "operands.h"

struct scattering {
    const void *x;
    const int32_t *slot;
    void *pool;
    dtype x_type, pool_type;
    size_t n_rows, rows; /* of x: all objects, one */
    int n_cols;
    bool slot_shared;
};

__global__ void __launch_bounds__(256) scatter_runs(scattering p)
{
    place at;
    if (!take_run(p.n_rows, p.n_cols, &at))
        return;
    size_t object = at.row / p.rows, to = (size_t)p.slot[p.slot_shared ? 0 : object] * p.rows + at.row % p.rows;
    float v[RUN];
    load_run(v, p.x, p.x_type, at.row * (size_t)p.n_cols + (size_t)at.col, at.n);
    store_run(p.pool, p.pool_type, to * (size_t)p.n_cols + (size_t)at.col, v, at.n);
}

static const char *run(const op_call *c)
{
    const tensor *x = &c->in[SCATTER_X], *slot = &c->in[SCATTER_SLOT], *pool = &c->out[RESULT];
    scattering p = {x->data,     (const int32_t *)slot->data,    pool->data,      x->type,
                    pool->type,  (size_t)x->n * (size_t)x->rows, (size_t)x->rows, x->cols,
                    slot->n == 1};
    return launch_runs(scatter_runs, p.n_rows, p.n_cols, c->stream, p);
}

const op_cuda CUDA_FN(scatter_rows_cuda) = {run};
