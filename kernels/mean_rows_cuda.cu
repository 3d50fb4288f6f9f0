/* mean_rows on CUDA: the mean over the rows of each column.
 *   x [n, R, C]    ->    y [n, 1, C]
 *   mean_parts: grid (ceil(C / (8 lanes)), slices of 512 rows, n);   block 256 = lanes x walkers;   shared 8 KiB
 *               A thread sums its 8 columns over every walkers-th row of the slice; the walkers' sums are added in order
 *               -> scratch [n, slices, C] f32
 *   mean_whole: grid ceil(n*C / 256);   block 256;   adds the slices
 *   traffic x once.    Sums in f32 over at most a few hundred numbers at each level: better than one running f32 sum. */
#include "elements.cuh"

static const int SLICE = 512;

struct mean {
    const void *x;
    float *parts;
    void *y;
    dtype x_type, y_type;
    int n, n_rows, n_cols, n_slices, lanes; /* lanes: a power of two up to 32 */
};

__global__ void __launch_bounds__(256) mean_parts(mean p)
{
    SHARED(float, sSum, [256][RUN]);
    int t = (int)threadIdx.x, walkers = 256 / p.lanes, walker = t / p.lanes;
    int col = ((int)blockIdx.x * p.lanes + t % p.lanes) * RUN, n = max(0, min(RUN, p.n_cols - col));
    int first = (int)blockIdx.y * SLICE, end = min(first + SLICE, p.n_rows);
    float sum[RUN] = {}, v[RUN];
    for (int r = first + walker; r < end; r += walkers) {
        load_run(v, p.x, p.x_type, ((size_t)blockIdx.z * (size_t)p.n_rows + (size_t)r) * (size_t)p.n_cols + (size_t)col,
                 n);
        UNROLL
        for (int k = 0; k < RUN; k++)
            sum[k] += v[k];
    }
    UNROLL
    for (int k = 0; k < RUN; k++)
        sSum[t][k] = sum[k];
    __syncthreads();
    if (walker)
        return;
    for (int i = 1; i < walkers; i++) {
        UNROLL
        for (int k = 0; k < RUN; k++)
            sum[k] += sSum[i * p.lanes + t][k];
    }
    size_t to = ((size_t)blockIdx.z * (size_t)p.n_slices + blockIdx.y) * (size_t)p.n_cols + (size_t)col;
    store_run(p.parts, DT_F32, to, sum, n);
}

__global__ void __launch_bounds__(256) mean_whole(mean p)
{
    int i = (int)(blockIdx.x * 256 + threadIdx.x);
    if (i >= p.n * p.n_cols)
        return;
    size_t from = (size_t)(i / p.n_cols) * (size_t)p.n_slices * (size_t)p.n_cols + (size_t)(i % p.n_cols);
    float sum = 0;
    for (int s = 0; s < p.n_slices; s++)
        sum += p.parts[from + (size_t)s * (size_t)p.n_cols];
    store_one(p.y, p.y_type, (size_t)i, sum / (float)p.n_rows);
}

static int slices_of(const op_call *c)
{
    return (c->in[0].rows + SLICE - 1) / SLICE;
}
static size_t scratch_bytes(const op_call *c)
{
    const tensor *x = &c->in[0];
    return (size_t)x->n * (size_t)slices_of(c) * (size_t)x->cols * sizeof(float);
}

static const char *run(const op_call *c)
{
    const tensor *x = &c->in[0], *y = &c->out[0];
    int runs = (x->cols + RUN - 1) / RUN, lanes = 1;
    while (lanes < runs && lanes < 32)
        lanes *= 2;
    mean p = {x->data, (float *)c->scratch, y->data, x->type, y->type, x->n, x->rows, x->cols, slices_of(c), lanes};
    dim3 grid(blocks_for((size_t)runs, (size_t)lanes), (unsigned)p.n_slices, (unsigned)x->n);
    const char *wrong = launch(mean_parts, grid, 256, 0, c->stream, p);
    if (wrong)
        return wrong;
    return launch(mean_whole, blocks_for((size_t)x->n * (size_t)x->cols, 256), 256, 0, c->stream, p);
}

const op_cuda CUDA_FN(mean_rows_cuda) = {run, scratch_bytes};
