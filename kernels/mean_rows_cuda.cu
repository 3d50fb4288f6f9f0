/* mean_rows on CUDA: the mean over the rows of each column, and what squeeze-excite makes of it.
 *   x [n, R, C]    w1? [M, C]    b1? [M]    w2? [C, M]    b2? [C]    taps? [C, 9]    tap_bias? [C]    ->    y [n, 1, C]
 *   mean_parts: grid (ceil(C / (8 lanes)), slices of 64 to 512 rows, n);   block 256 = lanes x walkers;   shared 8 KiB
 *               A thread sums its 8 columns over every walkers-th row of the slice; the walkers' sums are added in order
 *               -> scratch [n, slices, C] f32. With taps four slices more: first and last line, first and last column.
 *   mean_whole: grid n;   block 256;   shared up to 11 KiB;   adds the slices, less the border that a tap never meets;
 *               then a warp per output of each product
 *   traffic x once.    Sums in f32 over at most a few hundred numbers at each level: better than one running f32 sum. */
#include "elements.cuh"
#include "operands.h"

enum { MOST_COLUMNS = 2048, MOST_HIDDEN = 512 };

struct mean {
    const void *x;
    float *parts;
    void *y;
    dtype x_type, y_type;
    int n, n_rows, n_cols, slice, n_slices, lanes; /* lanes: a power of two up to 32 */
    const void *w1, *w2;                           /* NULL: the mean is the result */
    const float *b1, *b2;
    dtype w1_type, w2_type;
    int n_hidden;
    const void *taps; /* NULL: none */
    const float *tap_bias;
    dtype taps_type;
    int h, w;
};
enum { FIRST_LINE, LAST_LINE, FIRST_COLUMN, LAST_COLUMN, BORDERS };

static __device__ __forceinline__ int part_count(const mean &p)
{
    return p.n_slices + (p.taps ? BORDERS : 0);
}

__global__ void __launch_bounds__(256) mean_parts(mean p)
{
    SHARED(float, sSum, [256][RUN]);
    int t = (int)threadIdx.x, walkers = 256 / p.lanes, walker = t / p.lanes;
    int col = ((int)blockIdx.x * p.lanes + t % p.lanes) * RUN, n = max(0, min(RUN, p.n_cols - col));
    int first = (int)blockIdx.y * p.slice, end = min(first + p.slice, p.n_rows), step = 1;
    int border = (int)blockIdx.y - p.n_slices;
    if (border >= 0) {
        step = border < FIRST_COLUMN ? 1 : p.w;
        first = border == LAST_LINE ? p.n_rows - p.w : border == LAST_COLUMN ? p.w - 1 : 0;
        end = border == FIRST_LINE ? p.w : p.n_rows;
    }
    float sum[RUN] = {}, v[RUN];
    for (int r = first + walker * step; r < end; r += walkers * step) {
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
    size_t to = ((size_t)blockIdx.z * (size_t)part_count(p) + blockIdx.y) * (size_t)p.n_cols + (size_t)col;
    store_run(p.parts, DT_F32, to, sum, n);
}

/* y = act(w x + b), x and y shared: a warp per output. */
static __device__ __forceinline__ void multiply_shared(float *sY, const float *sX, const void *w, dtype type,
                                                       const float *b, int n_out, int n_in, act kind)
{
    int lane = (int)threadIdx.x % 32;
    for (int o = (int)threadIdx.x / 32; o < n_out; o += 8) {
        float sum = 0;
        for (int k = lane; k < n_in; k += 32)
            sum = fmaf(load_one(w, type, (size_t)o * (size_t)n_in + (size_t)k), sX[k], sum);
        sum = group_sum(sum, 32);
        if (lane == 0)
            sY[o] = activated(kind, sum + b[o]);
    }
}

/* The sum of column col of what the taps make of x, from x's. A tap to the line above never meets the last line, one to
 * the column on the right never the first, and the corner where both meet is missing once. */
static __device__ __forceinline__ float sum_tapped(const mean &p, const float *parts, int object, int col, float sum)
{
    float border[BORDERS], tapped = p.tap_bias ? p.tap_bias[col] * (float)p.n_rows : 0;
    UNROLL
    for (int i = 0; i < BORDERS; i++)
        border[i] = parts[(size_t)(p.n_slices + i) * (size_t)p.n_cols + (size_t)col];
    for (int tap = 0; tap < 9; tap++) {
        int dy = tap / 3 - 1, dx = tap % 3 - 1, line = dy < 0 ? p.h - 1 : 0, column = dx < 0 ? p.w - 1 : 0;
        float met = sum;
        if (dy)
            met -= border[dy < 0 ? LAST_LINE : FIRST_LINE];
        if (dx)
            met -= border[dx < 0 ? LAST_COLUMN : FIRST_COLUMN];
        if (dy && dx) {
            size_t corner = (size_t)object * (size_t)p.n_rows + (size_t)line * (size_t)p.w + (size_t)column;
            met += load_one(p.x, p.x_type, corner * (size_t)p.n_cols + (size_t)col);
        }
        tapped = fmaf(load_one(p.taps, p.taps_type, (size_t)col * 9 + (size_t)tap), met, tapped);
    }
    return tapped;
}

__global__ void __launch_bounds__(256, 4) mean_whole(mean p)
{
    SHARED(float, sMean, [MOST_COLUMNS]);
    SHARED(float, sHidden, [MOST_HIDDEN]);
    SHARED(float, sPart, [256]);
    int t = (int)threadIdx.x, object = (int)blockIdx.x;
    const float *parts = p.parts + (size_t)object * (size_t)part_count(p) * (size_t)p.n_cols;
    for (int first = 0; first < p.n_cols; first += 256) {
        /* Narrow rows leave threads: each takes every walkers-th slice of a column. */
        int cols = min(256, p.n_cols - first), walkers = 256 / cols, walker = t / cols, col = first + t % cols;
        float sum = 0;
        for (int s = walker; walker < walkers && s < p.n_slices; s += walkers)
            sum += parts[(size_t)s * (size_t)p.n_cols + (size_t)col];
        sPart[t] = sum;
        __syncthreads();
        if (t < cols) {
            for (int i = 1; i < walkers; i++)
                sum += sPart[i * cols + t];
            if (p.taps)
                sum = sum_tapped(p, parts, object, col, sum);
            sum /= (float)p.n_rows;
            if (p.w1)
                sMean[col] = sum;
            else
                store_one(p.y, p.y_type, (size_t)object * (size_t)p.n_cols + (size_t)col, sum);
        }
        __syncthreads(); /* sPart has been read */
    }
    if (!p.w1)
        return;
    multiply_shared(sHidden, sMean, p.w1, p.w1_type, p.b1, p.n_hidden, p.n_cols, ACT_RELU);
    __syncthreads();
    multiply_shared(sMean, sHidden, p.w2, p.w2_type, p.b2, p.n_cols, p.n_hidden, ACT_SIGMOID);
    __syncthreads();
    for (int col = t; col < p.n_cols; col += 256)
        store_one(p.y, p.y_type, (size_t)object * (size_t)p.n_cols + (size_t)col, sMean[col]);
}

/* Rows of a slice: enough blocks for few rows, few slices for many. */
static int slice_of(const op_call *c)
{
    int rows = (c->in[MEAN_X].rows + 255) / 256;
    return rows < 64 ? 64 : rows > 512 ? 512 : rows;
}
static int slices_of(const op_call *c)
{
    return (c->in[MEAN_X].rows + slice_of(c) - 1) / slice_of(c);
}
static int parts_of(const op_call *c)
{
    return slices_of(c) + (c->in[MEAN_TAPS].type != DT_NONE ? BORDERS : 0);
}
static size_t scratch_bytes(const op_call *c)
{
    const tensor *x = &c->in[MEAN_X];
    return (size_t)x->n * (size_t)parts_of(c) * (size_t)x->cols * sizeof(float);
}

static const char *run(const op_call *c)
{
    const tensor *x = &c->in[MEAN_X], *y = &c->out[RESULT];
    int runs = (x->cols + RUN - 1) / RUN, lanes = 1;
    while (lanes < runs && lanes < 32)
        lanes *= 2;
    const tensor *w1 = &c->in[MEAN_W1], *w2 = &c->in[MEAN_W2], *taps = &c->in[MEAN_TAPS];
    mean p = {x->data,
              (float *)c->scratch,
              y->data,
              x->type,
              y->type,
              x->n,
              x->rows,
              x->cols,
              slice_of(c),
              slices_of(c),
              lanes,
              w1->type ? w1->data : nullptr,
              w2->data,
              (const float *)c->in[MEAN_BIAS1].data,
              (const float *)c->in[MEAN_BIAS2].data,
              w1->type,
              w2->type,
              w1->rows,
              taps->type ? taps->data : nullptr,
              (const float *)c->in[MEAN_TAP_BIAS].data,
              taps->type,
              c->attr->h,
              c->attr->w};
    dim3 grid(blocks_for((size_t)runs, (size_t)lanes), (unsigned)parts_of(c), (unsigned)x->n);
    const char *wrong = launch(mean_parts, grid, 256, 0, c->stream, p);
    if (wrong)
        return wrong;
    return launch(mean_whole, (unsigned)x->n, 256, 0, c->stream, p);
}

const op_cuda CUDA_FN(mean_rows_cuda) = {run, scratch_bytes};
