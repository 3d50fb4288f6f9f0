/* linear on CUDA: y = act(x w^T + b) + residual, accumulated in f32.
 *   x [M, I]    w [O, I]    b? [O] f32    residual? [M, O]    ->    y [M, O];    M = n * R rows
 *
 * linear_mma: x and w both f16 or both bf16, I a multiple of 8 (rows of 16-byte chunks).
 *   grid    (ceil(O / BN), ceil(M / BM));   block 32 * WARPS_M * WARPS_N threads;   sm_80 and later
 *   shared  STAGES * (BM + BN) * 64 bytes: 48 KiB for 128 x 128, so that two blocks fit where 99 KiB is all there is
 *   A block owns a tile BM x BN of y; tiles of x and w, 32 columns deep, come by cp.async STAGES - 1 ahead. Chunks of 16
 *   bytes are permuted within a row, chunk ^= row / 2 % 4, so that neither cp.async nor ldmatrix meets a bank twice.
 *   traffic  x once per column of tiles (neighbouring blocks share it in L2), w once per row of tiles, y once.
 * linear_any: every mixture of types and every I; 64 x 64 tiles, products in f32 by fused multiply-adds.
 *   grid    as above;   block 256;   shared 17 KiB
 * The tile leaves through shared memory, so that bias, activation, residual and y move in runs of 8 columns. */
#include "elements.cuh"

static const int DEPTH = 32; /* columns of x and w in a stage */

struct product {
    const void *x, *w, *b, *residual;
    void *y;
    dtype x_type, w_type, residual_type, y_type;
    act kind;
    int n_in, n_out;
    size_t n_rows;                    /* M */
    size_t x_period, residual_period; /* rows after which x and residual repeat: they may be shared by all objects */
};

static __device__ __forceinline__ size_t repeated(size_t row, size_t n_rows, size_t period)
{
    return period == n_rows ? row : row % period;
}

/* sC [n_rows, BN] (rows BN + 4 apart) are the products of rows row0.. and columns col0.. */
template <int BN, int THREADS>
static __device__ __forceinline__ void write_tile(const product &p, const float *sC, int n_rows, size_t row0, int col0)
{
    for (int item = (int)threadIdx.x; item < n_rows * (BN / RUN); item += THREADS) {
        int r = item / (BN / RUN), c = item % (BN / RUN) * RUN, n = min(RUN, p.n_out - col0 - c);
        size_t row = row0 + (size_t)r, col = (size_t)(col0 + c);
        if (row >= p.n_rows || n <= 0)
            continue;
        float v[RUN], other[RUN];
        load_run(v, sC + r * (BN + 4) + c, DT_F32, 0, RUN);
        if (p.b) {
            load_run(other, p.b, DT_F32, col, n);
            UNROLL
            for (int k = 0; k < RUN; k++)
                v[k] += other[k];
        }
        activate_run(p.kind, v);
        if (p.residual) {
            size_t from = repeated(row, p.n_rows, p.residual_period);
            load_run(other, p.residual, p.residual_type, from * (size_t)p.n_out + col, n);
            UNROLL
            for (int k = 0; k < RUN; k++)
                v[k] += other[k];
        }
        store_run(p.y, p.y_type, row * (size_t)p.n_out + col, v, n);
    }
}

/* Element of 16-byte chunk `chunk` of row `row` in a tile of rows of 32. */
static __device__ __forceinline__ int swizzled(int row, int chunk)
{
    return row * DEPTH + (chunk ^ (row / 2 % 4)) * 8;
}

template <class T, int BM, int BN, int THREADS>
static __device__ __forceinline__ void fetch_stage(const product &p, T *sX, T *sW, size_t row0, int col0, int k0)
{
    const T *gX = (const T *)p.x, *gW = (const T *)p.w;
    UNROLL
    for (int i = 0; i * THREADS < (BM + BN) * 4; i++) {
        int item = i * THREADS + (int)threadIdx.x, row = item / 4, chunk = item % 4, k = k0 + chunk * 8;
        if (row < BM) {
            bool valid = row0 + (size_t)row < p.n_rows && k < p.n_in;
            size_t from = valid ? repeated(row0 + (size_t)row, p.n_rows, p.x_period) * (size_t)p.n_in + (size_t)k : 0;
            cp_async<16>(sX + swizzled(row, chunk), gX + from, valid);
        } else if (row < BM + BN) {
            bool valid = col0 + row - BM < p.n_out && k < p.n_in;
            size_t from = valid ? (size_t)(col0 + row - BM) * (size_t)p.n_in + (size_t)k : 0;
            cp_async<16>(sW + swizzled(row - BM, chunk), gW + from, valid);
        }
    }
}

/* rD [MI][NI][4] += the warp's rows of sX times its rows of sW, 32 deep. */
template <class T, int MI, int NI>
static __device__ __forceinline__ void multiply_stage(float (*rD)[NI][4], const T *sX, const T *sW, int warp_row,
                                                      int warp_col)
{
    int lane = (int)threadIdx.x % 32;
    UNROLL
    for (int step = 0; step < DEPTH / 16; step++) {
        uint32_t rX[MI][4], rW[NI][2];
        UNROLL
        for (int i = 0; i < MI; i++)
            ldmatrix_x4(rX[i], sX + swizzled(warp_row + i * 16 + lane % 16, step * 2 + lane / 16));
        UNROLL
        for (int j = 0; j < NI; j += 2) {
            uint32_t r[4];
            ldmatrix_x4(r, sW + swizzled(warp_col + j * 8 + lane / 16 * 8 + lane % 8, step * 2 + lane / 8 % 2));
            rW[j][0] = r[0], rW[j][1] = r[1];
            rW[j + 1][0] = r[2], rW[j + 1][1] = r[3];
        }
        UNROLL
        for (int i = 0; i < MI; i++)
            UNROLL
        for (int j = 0; j < NI; j++)
            mma_16x8x16<T>(rD[i][j], rX[i], rW[j]);
    }
}

template <class T, int BM, int BN, int WARPS_M, int WARPS_N, int STAGES, int BLOCKS>
__global__ void __launch_bounds__(32 * WARPS_M * WARPS_N, BLOCKS) linear_mma(product p)
{
    const int THREADS = 32 * WARPS_M * WARPS_N, MI = BM / WARPS_M / 16, NI = BN / WARPS_N / 8;
    static_assert(NI % 2 == 0 && MI >= 1, "a warp takes pairs of 8 columns");
    T *sX = (T *)dynamic_shared(), *sW = sX + STAGES * BM * DEPTH;
    size_t row0 = (size_t)blockIdx.y * BM;
    int col0 = (int)blockIdx.x * BN, lane = (int)threadIdx.x % 32, warp = (int)threadIdx.x / 32;
    int warp_m = warp / WARPS_N, warp_row = warp_m * MI * 16, warp_col = warp % WARPS_N * NI * 8;
    int n_stages = (p.n_in + DEPTH - 1) / DEPTH;
    float rD[MI][NI][4] = {};
    for (int s = 0; s < STAGES - 1; s++) {
        if (s < n_stages)
            fetch_stage<T, BM, BN, THREADS>(p, sX + s * BM * DEPTH, sW + s * BN * DEPTH, row0, col0, s * DEPTH);
        cp_async_commit();
    }
    for (int s = 0; s < n_stages; s++) {
        cp_async_wait<STAGES - 2>();
        __syncthreads(); /* stage s is there for all, and all have left stage s - 1, which is filled next */
        int next = s + STAGES - 1, to = next % STAGES, from = s % STAGES;
        if (next < n_stages)
            fetch_stage<T, BM, BN, THREADS>(p, sX + to * BM * DEPTH, sW + to * BN * DEPTH, row0, col0, next * DEPTH);
        cp_async_commit();
        multiply_stage<T, MI, NI>(rD, sX + from * BM * DEPTH, sW + from * BN * DEPTH, warp_row, warp_col);
    }
    cp_async_wait<0>();
    float *sC = (float *)dynamic_shared();
    UNROLL
    for (int part = 0; part < WARPS_M; part++) {
        __syncthreads(); /* stages, or the part before, have been read */
        if (warp_m == part)
            UNROLL
        for (int i = 0; i < MI; i++)
            UNROLL
        for (int j = 0; j < NI; j++)
            UNROLL
        for (int k = 0; k < 4; k++)
            sC[(i * 16 + lane / 4 + k / 2 * 8) * (BN + 4) + warp_col + j * 8 + lane % 4 * 2 + k % 2] = rD[i][j][k];
        __syncthreads();
        write_tile<BN, THREADS>(p, sC, MI * 16, row0 + (size_t)(part * MI * 16), col0);
    }
}

template <class T, int BM, int BN, int WARPS_M, int WARPS_N, int STAGES, int BLOCKS>
static const char *launch_mma(const product &p, void *stream)
{
    size_t tiles = (size_t)STAGES * (BM + BN) * DEPTH * sizeof(T);
    size_t out = (size_t)(BM / WARPS_M) * (BN + 4) * sizeof(float);
    dim3 grid(blocks_for((size_t)p.n_out, BN), blocks_for(p.n_rows, BM));
    return launch(linear_mma<T, BM, BN, WARPS_M, WARPS_N, STAGES, BLOCKS>, grid, 32 * WARPS_M * WARPS_N,
                  tiles > out ? tiles : out, stream, p);
}

static const int SIDE = 64, STEP = 16; /* linear_any: tile, and columns at a time */

__global__ void __launch_bounds__(256) linear_any(product p)
{
    const int PITCH = SIDE + 4;
    float *sX = (float *)dynamic_shared(), *sW = sX + STEP * PITCH; /* [STEP, SIDE]: transposed */
    size_t row0 = (size_t)blockIdx.y * SIDE;
    int col0 = (int)blockIdx.x * SIDE, t = (int)threadIdx.x, r = t % 128 / 2, k0 = t % 2 * RUN;
    float rD[4][4] = {};
    for (int at = 0; at < p.n_in; at += STEP) {
        float v[RUN];
        int n = max(0, min(RUN, p.n_in - at - k0));
        if (t < 128) {
            size_t row = row0 + (size_t)r;
            size_t from = repeated(row, p.n_rows, p.x_period) * (size_t)p.n_in + (size_t)(at + k0);
            load_run(v, p.x, p.x_type, from, row < p.n_rows ? n : 0);
        } else {
            load_run(v, p.w, p.w_type, (size_t)(col0 + r) * (size_t)p.n_in + (size_t)(at + k0),
                     col0 + r < p.n_out ? n : 0);
        }
        __syncthreads(); /* the step before has been multiplied */
        UNROLL
        for (int k = 0; k < RUN; k++)
            (t < 128 ? sX : sW)[(k0 + k) * PITCH + r] = v[k];
        __syncthreads();
        UNROLL
        for (int k = 0; k < STEP; k++) {
            float x[4], w[4];
            UNROLL
            for (int i = 0; i < 4; i++) {
                x[i] = sX[k * PITCH + t / 16 * 4 + i];
                w[i] = sW[k * PITCH + t % 16 * 4 + i];
            }
            UNROLL
            for (int i = 0; i < 16; i++)
                rD[i / 4][i % 4] += x[i / 4] * w[i % 4];
        }
    }
    __syncthreads();
    float *sC = (float *)dynamic_shared();
    UNROLL
    for (int i = 0; i < 16; i++)
        sC[(t / 16 * 4 + i / 4) * PITCH + t % 16 * 4 + i % 4] = rD[i / 4][i % 4];
    __syncthreads();
    write_tile<SIDE, 256>(p, sC, SIDE, row0, col0);
}

/* Large tiles where they fill the device, small ones where there are few rows (decoder tokens). */
template <class T> static const char *run_mma(const product &p, void *stream)
{
    size_t large = ((p.n_rows + 127) / 128) * (((size_t)p.n_out + 127) / 128);
    if (p.n_rows <= 32)
        return launch_mma<T, 16, 64, 1, 4, 4, 4>(p, stream);
    if (large >= (size_t)device_multiprocessors())
        return launch_mma<T, 128, 128, 2, 4, 3, 2>(p, stream);
    return launch_mma<T, 64, 64, 2, 2, 4, 4>(p, stream);
}

static bool has_chunks(const product &p)
{
    return p.n_in % 8 == 0 && (uintptr_t)p.x % 16 == 0 && (uintptr_t)p.w % 16 == 0;
}

static const char *run(const op_call *c)
{
    const tensor *x = &c->in[0], *w = &c->in[1], *b = &c->in[2], *residual = &c->in[3], *y = &c->out[0];
    size_t n_rows = (size_t)y->n * (size_t)y->rows;
    product p = {x->data,
                 w->data,
                 b->type ? b->data : nullptr,
                 residual->type ? residual->data : nullptr,
                 y->data,
                 x->type,
                 w->type,
                 residual->type,
                 y->type,
                 c->attr->act,
                 x->cols,
                 w->rows,
                 n_rows,
                 (size_t)x->n * (size_t)x->rows,
                 (size_t)residual->n * (size_t)residual->rows};
    if (x->type == DT_BF16 && w->type == DT_BF16 && has_chunks(p))
        return run_mma<bf16>(p, c->stream);
    if (x->type == DT_F16 && w->type == DT_F16 && has_chunks(p))
        return run_mma<f16>(p, c->stream);
    dim3 grid(blocks_for((size_t)p.n_out, SIDE), blocks_for(n_rows, SIDE));
    return launch(linear_any, grid, 256, (size_t)SIDE * (SIDE + 4) * sizeof(float), c->stream, p);
}

const op_cuda CUDA_FN(linear_cuda) = {run};
