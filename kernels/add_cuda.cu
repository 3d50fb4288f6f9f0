/* add on CUDA: out = x + scale * y; see pairs.cuh. */
#include "pairs.cuh"

__global__ void __launch_bounds__(256) add_runs(pair p)
{
    place at;
    if (!take_run(p.n_rows, p.n_cols, &at))
        return;
    float x[RUN], y[RUN];
    load_pair(p, at, x, y);
    UNROLL
    for (int k = 0; k < RUN; k++)
        x[k] += p.scale * y[k];
    store_pair(p, at, x);
}

static const char *run(const op_call *c)
{
    pair p = pair_of(c);
    return launch_runs(add_runs, p.n_rows, p.n_cols, c->stream, p);
}

const op_cuda CUDA_FN(add_cuda) = {run};
