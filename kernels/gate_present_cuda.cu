/* gate_present on CUDA: x where score > 0, else y (or x + y); see pairs.cuh. score [n] f32. */
#include "pairs.cuh"

__global__ void __launch_bounds__(256) gate_runs(pair p)
{
    place at;
    if (!take_run(p.n_rows, p.n_cols, &at))
        return;
    bool present = p.score[at.row / p.rows] > 0.0f; /* a NaN is absent */
    float x[RUN], y[RUN];
    load_pair(p, at, x, y);
    UNROLL
    for (int k = 0; k < RUN; k++)
        x[k] = present ? x[k] : p.keeps_x ? x[k] + y[k] : y[k];
    store_pair(p, at, x);
}

static const char *run(const op_call *c)
{
    pair p = pair_of(c);
    p.score = (const float *)c->in[2].data;
    p.keeps_x = c->attr->first == 1;
    return launch_runs(gate_runs, p.n_rows, p.n_cols, c->stream, p);
}

const op_cuda CUDA_FN(gate_present_cuda) = {run};
