/* mask_product on CUDA: each of K vectors against every pixel: the decoder's masks.
 *   hyper [n|1, K, C]    x [n|1, R, C]    ->    y = hyper x^T [n, K, R] f32
 *   grid (ceil(R / 256), ceil(K / 4), n);   block 256;   shared 16 C bytes: four vectors in f32
 *   A thread takes one pixel (with 32 bf16 channels, 64 bytes) for four vectors.
 *   traffic: x once per four vectors (there are four), y once.    f32 accumulation. */
#include "elements.cuh"
#include "operands.h"

static const int VECTORS = 4;

struct hyper_product {
    const void *hyper, *x;
    float *y;
    dtype hyper_type, x_type;
    int n_vectors, n_pixels, n_cols;
    bool hyper_shared, x_shared;
};

__global__ void __launch_bounds__(256) mask_product_pixels(hyper_product p)
{
    float *sH = (float *)dynamic_shared(); /* [VECTORS, C] */
    int first = (int)blockIdx.y * VECTORS, n = min(VECTORS, p.n_vectors - first);
    size_t object = blockIdx.z, cols = (size_t)p.n_cols, pixel = (size_t)blockIdx.x * 256 + threadIdx.x;
    size_t from = ((p.hyper_shared ? 0 : object) * (size_t)p.n_vectors + (size_t)first) * cols;
    for (int i = (int)threadIdx.x; i < VECTORS * p.n_cols; i += 256)
        sH[i] = i < n * p.n_cols ? load_one(p.hyper, p.hyper_type, from + (size_t)i) : 0.0f;
    __syncthreads();
    if (pixel >= (size_t)p.n_pixels)
        return;
    float sum[VECTORS] = {}, v[RUN];
    size_t row = (p.x_shared ? 0 : object) * (size_t)p.n_pixels + pixel;
    for (int col = 0; col < p.n_cols; col += RUN) {
        int m = min(RUN, p.n_cols - col);
        load_run(v, p.x, p.x_type, row * cols + (size_t)col, m);
        UNROLL
        for (int j = 0; j < VECTORS; j++)
            UNROLL
        for (int k = 0; k < RUN; k++)
            if (k < m)
                sum[j] += sH[j * p.n_cols + col + k] * v[k];
    }
    UNROLL
    for (int j = 0; j < VECTORS; j++)
        if (j < n)
            p.y[(object * (size_t)p.n_vectors + (size_t)(first + j)) * (size_t)p.n_pixels + pixel] = sum[j];
}

static const char *run(const op_call *c)
{
    const tensor *hyper = &c->in[PRODUCT_HYPER], *x = &c->in[PRODUCT_X], *y = &c->out[RESULT];
    hyper_product p = {hyper->data, x->data, (float *)y->data, hyper->type,   x->type,
                       hyper->rows, x->rows, x->cols,          hyper->n == 1, x->n == 1};
    dim3 grid(blocks_for((size_t)x->rows, 256), blocks_for((size_t)hyper->rows, VECTORS), (unsigned)y->n);
    return launch(mask_product_pixels, grid, 256, (size_t)(VECTORS * x->cols) * sizeof(float), c->stream, p);
}

const op_cuda CUDA_FN(mask_product_cuda) = {run};
