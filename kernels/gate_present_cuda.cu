/* gate_present on CUDA: x where score > least_score (or 0), else y (or x + y); see pairs.cuh. score, least_score [n] f32. */
#include "operands.h"
#include "pairs.cuh"

__global__ void __launch_bounds__(256) gate_runs(pair p)
{
    place at;
    if (!take_run(p.n_rows, p.n_cols, &at))
        return;
    size_t object = at.row / p.rows;
    bool present = p.score[p.score_shared ? 0 : object] >
                   (p.least ? p.least[p.least_shared ? 0 : object] : 0.0f); /* a NaN is absent */
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
    const tensor *score = &c->in[GATE_SCORE], *least = &c->in[GATE_LEAST_SCORE];
    p.score = (const float *)score->data, p.score_shared = score->n == 1;
    p.least = least->type ? (const float *)least->data : nullptr, p.least_shared = least->n == 1;
    p.keeps_x = c->attr->first == 1;
    return launch_runs(gate_runs, p.n_rows, p.n_cols, c->stream, p);
}

const op_cuda CUDA_FN(gate_present_cuda) = {run};
