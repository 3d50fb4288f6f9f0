/* time_encoding on CUDA: sine code of a frame distance.
 *   ages [n*A] f32    ->    y [n*A, C];    column i < C/2: sin(age / d_i), C/2 + i: cos(age / d_i)
 *   grid  ceil(n*A*C/2 / 256);   block 256;   a thread takes the sine and cosine of one phase, in f64 as on the CPU */
#include "elements.cuh"
#include "operands.h"

struct ages {
    const float *age;
    void *y;
    dtype y_type;
    int n_rows, half;
};

__global__ void __launch_bounds__(256) encode_ages(ages p)
{
    int item = (int)(blockIdx.x * 256 + threadIdx.x), r = item / p.half, i = item % p.half;
    if (r >= p.n_rows)
        return;
    double phase = (double)p.age[r] / pow(10000.0, 2.0 * (double)(i / 2) / (double)p.half);
    size_t to = (size_t)r * (size_t)(2 * p.half) + (size_t)i;
    store_one(p.y, p.y_type, to, (float)sin(phase));
    store_one(p.y, p.y_type, to + (size_t)p.half, (float)cos(phase));
}

static const char *run(const op_call *c)
{
    const tensor *y = &c->out[RESULT];
    ages p = {(const float *)c->in[ONLY_X].data, y->data, y->type, y->n * y->rows, y->cols / 2};
    return launch(encode_ages, blocks_for((size_t)p.n_rows * (size_t)p.half, 256), 256, 0, c->stream, p);
}

const op_cuda CUDA_FN(time_encoding_cuda) = {run};
