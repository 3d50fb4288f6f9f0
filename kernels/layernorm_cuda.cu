/* layernorm on CUDA: y = act((x - mean) / sqrt(var + eps) * gain + bias) over the columns of each row.
 *   x [n*R, C] f32|bf16|f16    gain, bias [C] f32    plus? [n*R or R, C]    ->    y, y + plus [n*R, C] f32|bf16|f16
 *   grid    ceil(n*R / rows per block);   block 256 threads;   shared 0
 *   A row belongs to a group of `width` neighbouring lanes (1 to 32), each with V runs of 8 columns in registers; so a
 *   warp takes 32 rows of 4 channels, or one of 1280. Longer rows are read three times (the second from cache).
 *   traffic x once, y once, gain and bias from L1.    Statistics in f32, two passes over registers. */
#include "elements.cuh"
#include "operands.h"

static const int THREADS = 256;

struct rows_norm {
    const void *x;
    const float *gain, *bias;
    void *y;
    dtype x_type, y_type;
    size_t n_rows;
    int n_cols, width; /* lanes per row */
    float eps;
    act kind;
    const void *plus; /* repeats after plus_rows rows */
    void *sum;
    dtype plus_type;
    size_t plus_rows;
};

static __device__ __forceinline__ int run_length(int col, int n_cols)
{
    return max(0, min(RUN, n_cols - col));
}

/* Row r of all; the lane's first column is `col`, the next ones follow at a distance of 8 * width. */
static __device__ __forceinline__ void write_run(const rows_norm &p, size_t r, int col, float *v, float mean,
                                                 float inverse)
{
    int n = run_length(col, p.n_cols);
    float gain[RUN], bias[RUN];
    load_run(gain, p.gain, DT_F32, (size_t)col, n);
    load_run(bias, p.bias, DT_F32, (size_t)col, n);
    UNROLL
    for (int k = 0; k < RUN; k++)
        v[k] = (v[k] - mean) * inverse * gain[k] + bias[k];
    activate_run(p.kind, v, p.y_type);
    store_run(p.y, p.y_type, r * (size_t)p.n_cols + (size_t)col, v, n);
    if (!p.plus)
        return;
    load_run(gain, p.plus, p.plus_type, r % p.plus_rows * (size_t)p.n_cols + (size_t)col, n);
    UNROLL
    for (int k = 0; k < RUN; k++)
        v[k] += gain[k];
    store_run(p.sum, p.y_type, r * (size_t)p.n_cols + (size_t)col, v, n);
}

template <int V> __global__ void __launch_bounds__(256) layernorm_short(rows_norm p)
{
    int lane = (int)threadIdx.x % p.width;
    size_t r = (size_t)blockIdx.x * (blockDim.x / (unsigned)p.width) + threadIdx.x / (unsigned)p.width;
    bool inside = r < p.n_rows; /* every lane takes part in the sums */
    float v[V][RUN], sum = 0, squares = 0;
    UNROLL
    for (int i = 0; i < V; i++) {
        int col = (i * p.width + lane) * RUN;
        load_run(v[i], p.x, p.x_type, r * (size_t)p.n_cols + (size_t)col, inside ? run_length(col, p.n_cols) : 0);
        UNROLL
        for (int k = 0; k < RUN; k++)
            sum += v[i][k];
    }
    float mean = group_sum(sum, p.width) / (float)p.n_cols;
    UNROLL
    for (int i = 0; i < V; i++) {
        int n = run_length((i * p.width + lane) * RUN, p.n_cols);
        UNROLL
        for (int k = 0; k < RUN; k++) {
            float d = v[i][k] - mean;
            squares += k < n ? d * d : 0.0f;
        }
    }
    float inverse = 1.0f / sqrtf(group_sum(squares, p.width) / (float)p.n_cols + p.eps);
    if (!inside)
        return;
    UNROLL
    for (int i = 0; i < V; i++) {
        int col = (i * p.width + lane) * RUN;
        if (col < p.n_cols)
            write_run(p, r, col, v[i], mean, inverse);
    }
}

/* A warp per row of any length. */
__global__ void __launch_bounds__(256) layernorm_long(rows_norm p)
{
    int lane = (int)threadIdx.x % 32;
    size_t r = (size_t)blockIdx.x * (blockDim.x / 32) + threadIdx.x / 32;
    if (r >= p.n_rows)
        return; /* a whole warp */
    float v[RUN], sum = 0, squares = 0;
    for (int col = lane * RUN; col < p.n_cols; col += 32 * RUN) {
        load_run(v, p.x, p.x_type, r * (size_t)p.n_cols + (size_t)col, run_length(col, p.n_cols));
        UNROLL
        for (int k = 0; k < RUN; k++)
            sum += v[k];
    }
    float mean = group_sum(sum, 32) / (float)p.n_cols;
    for (int col = lane * RUN; col < p.n_cols; col += 32 * RUN) {
        int n = run_length(col, p.n_cols);
        load_run(v, p.x, p.x_type, r * (size_t)p.n_cols + (size_t)col, n);
        UNROLL
        for (int k = 0; k < RUN; k++)
            squares += k < n ? (v[k] - mean) * (v[k] - mean) : 0.0f;
    }
    float inverse = 1.0f / sqrtf(group_sum(squares, 32) / (float)p.n_cols + p.eps);
    for (int col = lane * RUN; col < p.n_cols; col += 32 * RUN) {
        load_run(v, p.x, p.x_type, r * (size_t)p.n_cols + (size_t)col, run_length(col, p.n_cols));
        write_run(p, r, col, v, mean, inverse);
    }
}

static const char *run(const op_call *c)
{
    const tensor *x = &c->in[LAYERNORM_X], *plus = &c->in[LAYERNORM_PLUS], *y = &c->out[LAYERNORM_Y];
    int runs = (x->cols + RUN - 1) / RUN, width = 1;
    while (width < runs && width < 32)
        width *= 2;
    rows_norm p = {x->data,
                   (const float *)c->in[LAYERNORM_GAIN].data,
                   (const float *)c->in[LAYERNORM_BIAS].data,
                   y->data,
                   x->type,
                   y->type,
                   (size_t)x->n * (size_t)x->rows,
                   x->cols,
                   width,
                   c->attr->eps,
                   c->attr->act,
                   plus->type ? plus->data : nullptr,
                   c->out[LAYERNORM_SUM].data,
                   plus->type,
                   (size_t)plus->n * (size_t)plus->rows};
    unsigned grid = blocks_for(p.n_rows, (size_t)(THREADS / width));
    int v = (runs + 31) / 32;
    if (v == 1)
        return launch(layernorm_short<1>, grid, THREADS, 0, c->stream, p);
    if (v == 2)
        return launch(layernorm_short<2>, grid, THREADS, 0, c->stream, p);
    if (v == 3)
        return launch(layernorm_short<3>, grid, THREADS, 0, c->stream, p);
    if (v <= 5)
        return launch(layernorm_short<5>, grid, THREADS, 0, c->stream, p);
    return launch(layernorm_long, grid, THREADS, 0, c->stream, p);
}

const op_cuda CUDA_FN(layernorm_cuda) = {run};
