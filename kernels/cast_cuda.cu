/* cast on CUDA: the same numbers in another type, rounded to nearest even.
 *   x    ->    y, the same number of elements, f32|bf16|f16 each
 *   grid  ceil(elements / 2048);   block 256;   a thread takes 8 elements;   traffic: each operand once */
#include "elements.cuh"
#include "operands.h"

struct cast_span {
    const void *x;
    void *y;
    dtype x_type, y_type;
    size_t n;
};

__global__ void __launch_bounds__(256) cast_runs(cast_span p)
{
    size_t i = ((size_t)blockIdx.x * 256 + threadIdx.x) * RUN;
    if (i >= p.n)
        return;
    int n = p.n - i < RUN ? (int)(p.n - i) : RUN;
    float v[RUN];
    load_run(v, p.x, p.x_type, i, n);
    store_run(p.y, p.y_type, i, v, n);
}

static const char *run(const op_call *c)
{
    const tensor *x = &c->in[ONLY_X], *y = &c->out[RESULT];
    cast_span p = {x->data, y->data, x->type, y->type, tensor_count(x)};
    return launch(cast_runs, blocks_for(p.n, 256 * RUN), 256, 0, c->stream, p);
}

const op_cuda CUDA_FN(cast_cuda) = {run};
