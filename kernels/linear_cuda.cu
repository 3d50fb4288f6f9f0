/* linear on CUDA: y = turned(act(x w^T + b) + residual), accumulated in f32.
 *   x [M, I]    w [O, I]    b? [O] f32    residual? [M, O]    turns? [P, C]    ->    y [M, O];    M = n * R rows
 *   with G groups: x [n, X, I]    w [G*O, I]    ->    y [n, G, O]: G products of M = n rows, grid z
 *
 * linear_mma: x and w both f16 or both bf16, I a multiple of 8 (rows of 16-byte chunks).
 *   grid    (ceil(O / BN), ceil(M / BM), G);   block 32 * WARPS_M * WARPS_N threads;   sm_80 and later
 *   shared  STAGES * (BM + BN) * 64 bytes: 48 KiB for 128 x 128, so that two blocks fit where 99 KiB is all there is
 *   A block owns a tile BM x BN of y: 128 x 128, 128 x 96, 128 x 64 or 64 x 64, what wastes least of the device (tile_of).
 *   Tiles of x and w (tiles.cuh), 32 columns deep, come by cp.async STAGES - 1 ahead.
 *   traffic  x once per column of tiles (neighbouring blocks share it in L2), w once per row of tiles, y once.
 * linear_few: the same types, up to 512 rows (decoder tokens, latents), where tiles would leave most of the device idle.
 *   grid    (ceil(O / 8), ceil(M / (16 MT)), G);   block 256;   shared 8 KiB MT
 *   A block owns 16 MT rows and 8 columns; its eight warps share the depth. x and w go from memory to the operands of mma
 *   without shared memory: the order of the depth is free as long as both have the same, so a lane takes 16 bytes of a
 *   row, which are its pairs of two mma. All of a warp's loads are independent: the time is about one trip to memory. The
 *   warps' sums are added in order, so equal inputs give equal bits. traffic w once for 16 MT rows, x from L2, y once.
 * linear_any: every mixture of types and every I; 64 x 64 tiles, products in f32 by fused multiply-adds.
 *   grid    as for linear_mma;   block 256;   shared 18 KiB
 * The tile leaves through shared memory, so that bias, activation, residual and y move in runs of 8 columns. */
#include "linear_ways.h"
#include "operands.h"
#include "tiles.cuh"

static const int DEPTH = 32; /* columns of x and w in a stage */
static const int PAD = 8;    /* floats between rows of the tile on its way out: pairs of 8 lanes meet no bank twice */

struct product {
    const void *x, *w, *b, *residual;
    void *y;
    dtype x_type, w_type, residual_type, y_type;
    act kind;
    int n_in, n_out;
    size_t n_rows;                    /* M */
    size_t x_period, residual_period; /* rows after which x and residual repeat: they may be shared by all objects */
    size_t x_row, y_row;              /* elements from row to row */
    const float *turns;
    const int32_t *n_rotated;
    int rows, period, start, turned, turn_width; /* of an object; columns that turn, columns of the table */
    bool count_shared;
    int groups;
};

/* Operands of the block's group. */
static __device__ __forceinline__ void select_group(product &p)
{
    if (p.groups <= 1)
        return;
    size_t g = blockIdx.z, half = p.x_type == DT_F32 ? 4 : 2, w_half = p.w_type == DT_F32 ? 4 : 2;
    p.x = (const char *)p.x + g * (size_t)p.n_in * half;
    p.w = (const char *)p.w + g * (size_t)p.n_out * (size_t)p.n_in * w_half;
    p.b = p.b ? (const float *)p.b + g * (size_t)p.n_out : nullptr;
    p.y = (char *)p.y + g * (size_t)p.n_out * (p.y_type == DT_F32 ? 4 : 2);
}

/* A run of row `row` from column `col` on turns by its angles. */
static __device__ __forceinline__ void turn_run(const product &p, float *v, size_t row, int col, int n)
{
    int r = (int)(row % (size_t)p.rows), i = r % p.period;
    int n_rotated = p.n_rotated ? p.n_rotated[p.count_shared ? 0 : row / (size_t)p.rows] : p.rows;
    if (i < p.start || r >= n_rotated)
        return;
    UNROLL
    for (int k = 0; k < RUN; k += 2) {
        int c = col + k;
        if (k >= n || c >= p.turned)
            continue;
        size_t at = (size_t)(i - p.start) * (size_t)p.turn_width + (size_t)(c % p.turn_width);
        uint2 angle = load_b64(p.turns + at);
        float a = v[k], b = v[k + 1], cosine = __uint_as_float(angle.x), sine = __uint_as_float(angle.y);
        v[k] = a * cosine - b * sine;
        v[k + 1] = a * sine + b * cosine;
    }
}

static __device__ __forceinline__ size_t repeated(size_t row, size_t n_rows, size_t period)
{
    return period == n_rows ? row : row % period;
}

/* sC [n_rows, BN] (rows BN + PAD apart) are the products of rows row0.. and columns col0.. */
template <int BN, int THREADS>
static __device__ __forceinline__ void write_tile(const product &p, const float *sC, int n_rows, size_t row0, int col0)
{
    for (int item = (int)threadIdx.x; item < n_rows * (BN / RUN); item += THREADS) {
        int r = item / (BN / RUN), c = item % (BN / RUN) * RUN, n = min(RUN, p.n_out - col0 - c);
        size_t row = row0 + (size_t)r, col = (size_t)(col0 + c);
        if (row >= p.n_rows || n <= 0)
            continue;
        float v[RUN], other[RUN];
        load_run(v, sC + r * (BN + PAD) + c, DT_F32, 0, RUN);
        if (p.b) {
            load_run(other, p.b, DT_F32, col, n);
            UNROLL
            for (int k = 0; k < RUN; k++)
                v[k] += other[k];
        }
        activate_run(p.kind, v, p.y_type);
        if (p.residual) {
            size_t from = repeated(row, p.n_rows, p.residual_period);
            load_run(other, p.residual, p.residual_type, from * (size_t)p.n_out + col, n);
            UNROLL
            for (int k = 0; k < RUN; k++)
                v[k] += other[k];
        }
        if (p.turns && (int)col < p.turned)
            turn_run(p, v, row, (int)col, n);
        store_run(p.y, p.y_type, row * p.y_row + col, v, n);
    }
}

/* What a thread copies of each stage: one chunk of so many rows, first of x, then of w. Rows beyond x and w are any others:
 * their products are not written. */
template <class T, int BM, int BN, int THREADS> struct fetcher {
    static const int APART = THREADS / 4, OF_X = BM / APART, N = (BM + BN) / APART; /* rows */
    static_assert(BM % APART == 0 && BN % APART == 0 && APART % 8 == 0, "threads copy equally much");
    const T *from[N]; /* in the next stage */
    int to, k;        /* byte in the stage; column in the next stage */
};
template <class T, int BM, int BN, int THREADS>
static __device__ __forceinline__ void fetch_begin(fetcher<T, BM, BN, THREADS> &f, const product &p, size_t row0,
                                                   int col0)
{
    int first = (int)threadIdx.x / 4, chunk = (int)threadIdx.x % 4;
    f.to = chunk_at<DEPTH>(first, chunk);
    f.k = chunk * RUN;
    UNROLL
    for (int i = 0; i < f.N; i++) {
        size_t x_row = row0 + (size_t)(first + i * f.APART);
        int w_row = min(col0 + first + (i - f.OF_X) * f.APART, p.n_out - 1);
        x_row = repeated(x_row < p.n_rows ? x_row : p.n_rows - 1, p.n_rows, p.x_period);
        f.from[i] =
            (i < f.OF_X ? (const T *)p.x + x_row * p.x_row : (const T *)p.w + (size_t)w_row * (size_t)p.n_in) + f.k;
    }
}
template <class T, int BM, int BN, int THREADS>
static __device__ __forceinline__ void fetch_stage(fetcher<T, BM, BN, THREADS> &f, const product &p,
                                                   unsigned char *sStage)
{
    bool inside = f.k < p.n_in;
    UNROLL
    for (int i = 0; i < f.N; i++) {
        cp_async<16>(sStage + f.to + i * tile_bytes<DEPTH>(f.APART), f.from[i], inside);
        f.from[i] += DEPTH;
    }
    f.k += DEPTH;
}

/* rD [MI][NI][4] += the warp's rows of x times its rows of w, 32 deep; the bytes are those of the lane (matrix_lane). */
template <class T, int MI, int NI>
static __device__ __forceinline__ void multiply_stage(float (*rD)[NI][4], const unsigned char *sX, int x_byte,
                                                      const unsigned char *sW, int w_byte)
{
    UNROLL
    for (int step = 0; step < DEPTH / 16; step++) {
        uint32_t rX[MI][4], rW[NI / 2][4];
        UNROLL
        for (int i = 0; i < MI; i++)
            ldmatrix_x4(rX[i], sX + matrix_at<DEPTH>(x_byte, i * 16, step));
        UNROLL
        for (int j = 0; j < NI / 2; j++)
            ldmatrix_x4(rW[j], sW + matrix_at<DEPTH>(w_byte, j * 16, step));
        UNROLL
        for (int i = 0; i < MI; i++)
            UNROLL
        for (int j = 0; j < NI; j++)
            mma_16x8x16<T>(rD[i][j], rX[i], rW[j / 2] + j % 2 * 2);
    }
}

/* The warp's results to rows of sC. */
template <int MI, int NI>
static __device__ __forceinline__ void stage_out(const float (*rD)[NI][4], float *sC, int pitch)
{
    int lane = (int)threadIdx.x % 32;
    UNROLL
    for (int i = 0; i < MI * NI * 2; i++) {
        const float *d = rD[i / 2 / NI][i / 2 % NI] + i % 2 * 2;
        int row = i / 2 / NI * 16 + i % 2 * 8 + lane / 4, col = i / 2 % NI * 8 + lane % 4 * 2;
        store_b64(sC + row * pitch + col, make_uint2(__float_as_uint(d[0]), __float_as_uint(d[1])));
    }
}

template <class T, int BM, int BN, int WARPS_M, int WARPS_N, int STAGES, int BLOCKS>
__global__ void __launch_bounds__(32 * WARPS_M * WARPS_N, BLOCKS) linear_mma(product p)
{
    const int THREADS = 32 * WARPS_M * WARPS_N, MI = BM / WARPS_M / 16, NI = BN / WARPS_N / 8;
    const int X_BYTES = tile_bytes<DEPTH>(BM), STAGE_BYTES = X_BYTES + tile_bytes<DEPTH>(BN);
    static_assert(NI % 2 == 0 && MI >= 1, "a warp takes pairs of 8 columns");
    unsigned char *sStages = dynamic_shared(); /* [STAGES]: x [BM, DEPTH], w [BN, DEPTH] */
    select_group(p);
    size_t row0 = (size_t)blockIdx.y * BM;
    int col0 = (int)blockIdx.x * BN, warp = (int)threadIdx.x / 32;
    int warp_m = warp / WARPS_N, warp_col = warp % WARPS_N * NI * 8;
    int x_byte = matrix_lane_a<DEPTH>() + tile_bytes<DEPTH>(warp_m * MI * 16);
    int w_byte = matrix_lane_b<DEPTH>() + tile_bytes<DEPTH>(warp_col);
    int n_stages = (p.n_in + DEPTH - 1) / DEPTH, filled = (STAGES - 1) * STAGE_BYTES, used = 0; /* bytes of sStages */
    float rD[MI][NI][4] = {};
    fetcher<T, BM, BN, THREADS> f;
    fetch_begin(f, p, row0, col0);
    for (int s = 0; s < STAGES - 1; s++) {
        if (s < n_stages)
            fetch_stage(f, p, sStages + s * STAGE_BYTES);
        cp_async_commit();
    }
    for (int s = 0; s < n_stages; s++) {
        cp_async_wait<STAGES - 2>();
        __syncthreads(); /* stage s is there for all, and all have left stage s - 1, which is filled next */
        if (s + STAGES - 1 < n_stages)
            fetch_stage(f, p, sStages + filled);
        cp_async_commit();
        multiply_stage<T, MI, NI>(rD, sStages + used, x_byte, sStages + used + X_BYTES, w_byte);
        filled = used;
        used = used == (STAGES - 1) * STAGE_BYTES ? 0 : used + STAGE_BYTES;
    }
    cp_async_wait<0>();
    float *sC = (float *)dynamic_shared();
    UNROLL
    for (int part = 0; part < WARPS_M; part++) {
        __syncthreads(); /* stages, or the part before, have been read */
        if (warp_m == part)
            stage_out<MI, NI>(rD, sC + warp_col, BN + PAD);
        __syncthreads();
        write_tile<BN, THREADS>(p, sC, MI * 16, row0 + (size_t)(part * MI * 16), col0);
    }
}

template <class T, int BM, int BN, int WARPS_M, int WARPS_N, int STAGES, int BLOCKS>
static const char *launch_mma(const product &p, void *stream)
{
    size_t tiles = (size_t)(STAGES * tile_bytes<DEPTH>(BM + BN));
    size_t out = (size_t)(BM / WARPS_M) * (BN + PAD) * sizeof(float);
    dim3 grid(blocks_for((size_t)p.n_out, BN), blocks_for(p.n_rows, BM), (unsigned)p.groups);
    return launch(linear_mma<T, BM, BN, WARPS_M, WARPS_N, STAGES, BLOCKS>, grid, 32 * WARPS_M * WARPS_N,
                  tiles > out ? tiles : out, stream, p);
}

/* 32 columns of a row from column k on, for a lane: 8 of them; zeros beyond the row or the warp's share of the depth. */
template <class T> static __device__ __forceinline__ uint4 few_chunk(const T *row, bool inside, int k, int end)
{
    return inside && k < end ? load_b128(row + k) : make_uint4(0, 0, 0, 0);
}

template <class T, int MT> __global__ void __launch_bounds__(256, 1) linear_few(product p)
{
    const int WARPS = 8, ROWS = 16 * MT, COLS = 8, PITCH = COLS + PAD;
    SHARED(float, sSum, [WARPS * ROWS * COLS]);
    SHARED(float, sC, [ROWS * PITCH]);
    select_group(p);
    int warp = (int)threadIdx.x / 32, lane = (int)threadIdx.x % 32, col0 = (int)blockIdx.x * COLS;
    int share = (p.n_in + 32 * WARPS - 1) / (32 * WARPS) * 32, first = warp * share, end = min(first + share, p.n_in);
    size_t row0 = (size_t)blockIdx.y * ROWS;
    const T *w = (const T *)p.w + (size_t)(col0 + lane / 4) * (size_t)p.n_in, *x[2 * MT];
    bool w_inside = col0 + lane / 4 < p.n_out, x_inside[2 * MT];
    UNROLL
    for (int i = 0; i < 2 * MT; i++) {
        size_t row = row0 + (size_t)(i * 8 + lane / 4);
        x_inside[i] = row < p.n_rows;
        x[i] = (const T *)p.x + (x_inside[i] ? repeated(row, p.n_rows, p.x_period) * p.x_row : 0);
    }
    float rD[MT][4] = {};
    UNROLL_BY(4)
    for (int k0 = first; k0 < end; k0 += 32) {
        int k = k0 + lane % 4 * 8;
        uint4 rW = few_chunk(w, w_inside, k, end);
        UNROLL
        for (int m = 0; m < MT; m++) {
            uint4 top = few_chunk(x[2 * m], x_inside[2 * m], k, end);
            uint4 low = few_chunk(x[2 * m + 1], x_inside[2 * m + 1], k, end);
            uint32_t a[4] = {top.x, low.x, top.y, low.y}, b[2] = {rW.x, rW.y};
            mma_16x8x16<T>(rD[m], a, b);
            uint32_t a2[4] = {top.z, low.z, top.w, low.w}, b2[2] = {rW.z, rW.w};
            mma_16x8x16<T>(rD[m], a2, b2);
        }
    }
    UNROLL
    for (int i = 0; i < 2 * MT; i++)
        store_b64(sSum + (warp * ROWS + i * 8 + lane / 4) * COLS + lane % 4 * 2,
                  make_uint2(__float_as_uint(rD[i / 2][i % 2 * 2]), __float_as_uint(rD[i / 2][i % 2 * 2 + 1])));
    __syncthreads();
    for (int i = (int)threadIdx.x; i < ROWS * COLS; i += 256) {
        float sum = 0;
        UNROLL
        for (int part = 0; part < WARPS; part++)
            sum += sSum[part * ROWS * COLS + i];
        sC[i / COLS * PITCH + i % COLS] = sum;
    }
    __syncthreads();
    write_tile<COLS, 256>(p, sC, ROWS, row0, col0);
}
template <class T, int MT> static const char *launch_few(const product &p, void *stream)
{
    dim3 grid(blocks_for((size_t)p.n_out, 8), blocks_for(p.n_rows, 16 * MT), (unsigned)p.groups);
    return launch(linear_few<T, MT>, grid, 256, 0, stream, p);
}

static const int SIDE = 64, STEP = 16; /* linear_any: tile, and columns at a time */

__global__ void __launch_bounds__(256) linear_any(product p)
{
    const int PITCH = SIDE + PAD;
    float *sX = (float *)dynamic_shared(), *sW = sX + STEP * PITCH; /* [STEP, SIDE]: transposed */
    select_group(p);
    size_t row0 = (size_t)blockIdx.y * SIDE;
    int col0 = (int)blockIdx.x * SIDE, t = (int)threadIdx.x, r = t % 128 / 2, k0 = t % 2 * RUN;
    float rD[4][4] = {};
    for (int at = 0; at < p.n_in; at += STEP) {
        float v[RUN];
        int n = max(0, min(RUN, p.n_in - at - k0));
        if (t < 128) {
            size_t row = row0 + (size_t)r;
            size_t from = repeated(row, p.n_rows, p.x_period) * p.x_row + (size_t)(at + k0);
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

/* Tiles of linear_mma. A product's cost beside that of 128 x 128, by the shared memory that a warp's tile needs: 64 x 64 of
 * y, then 64 x 48, 64 x 32 and 32 x 32 (docs/results/sass.md). */
static const struct {
    int tile;
    size_t rows, cols;
    double cost;
} tiles[] = {{4, 128, 128, 1.0}, {5, 128, 96, 1.03}, {6, 128, 64, 1.12}, {3, 64, 64, 1.5}};

static size_t blocks_of(const product &p, size_t rows, size_t cols)
{
    return (p.n_rows + rows - 1) / rows * (((size_t)p.n_out + cols - 1) / cols) * (size_t)p.groups;
}
/* The tile by which the busiest multiprocessor has least to do: its tiles, with what they compute beyond y. A block that
 * is alone there waits for its memory. Few rows, and not even small tiles would fill the device: a split depth. */
static int tile_of(const product &p)
{
    size_t slots = (size_t)(device_multiprocessors() > 0 ? device_multiprocessors() : 1);
    int best = 0;
    double least = 0;
    if (p.n_rows <= 512 && blocks_of(p, 64, 64) < slots)
        return p.n_rows <= 16 ? 1 : 2;
    for (const auto &t : tiles) {
        size_t blocks = blocks_of(p, t.rows, t.cols);
        double cost = (double)((blocks + slots - 1) / slots * t.rows * t.cols) * t.cost * (blocks <= slots ? 1.3 : 1);
        if (!best || cost < least) {
            least = cost;
            best = t.tile;
        }
    }
    return best;
}
/* tile: 1 .. LINEAR_TILES; 0: by the rule above */
template <class T> static const char *run_mma(const product &p, int tile, void *stream)
{
    switch (tile ? tile : tile_of(p)) {
    case 1:
        return launch_few<T, 1>(p, stream);
    case 2:
        return launch_few<T, 2>(p, stream);
    case 3:
        return launch_mma<T, 64, 64, 2, 2, 4, 4>(p, stream);
    case 5:
        return launch_mma<T, 128, 96, 2, 2, 3, 2>(p, stream);
    case 6:
        return launch_mma<T, 128, 64, 2, 2, 4, 3>(p, stream);
    default:
        return launch_mma<T, 128, 128, 2, 2, 3, 2>(p, stream);
    }
}

/* Rows are whole 16-byte chunks. */
static bool has_chunks(const product &p)
{
    return p.n_in % 8 == 0 && (uintptr_t)p.x % 16 == 0 && (uintptr_t)p.w % 16 == 0;
}

static const char *run_own(const op_call *c, int tile)
{
    const tensor *x = &c->in[LINEAR_X], *w = &c->in[LINEAR_W], *b = &c->in[LINEAR_BIAS],
                 *residual = &c->in[LINEAR_RESIDUAL], *turns = &c->in[LINEAR_TURNS];
    const tensor *counts = &c->in[LINEAR_N_ROTATED], *y = &c->out[RESULT];
    const op_attr *a = c->attr;
    bool grouped = a->groups > 0;
    int groups = grouped ? a->groups : 1;
    size_t n_rows = grouped ? (size_t)y->n : (size_t)y->n * (size_t)y->rows, n_in = (size_t)x->cols;
    size_t first = grouped ? (size_t)a->first * n_in * dtype_bytes(x->type) : 0;
    product p = {(const char *)x->data + first,
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
                 y->cols,
                 n_rows,
                 grouped ? (size_t)x->n : (size_t)x->n * (size_t)x->rows,
                 (size_t)residual->n * (size_t)residual->rows,
                 grouped ? (size_t)x->rows * n_in : n_in,
                 grouped ? (size_t)y->rows * (size_t)y->cols : (size_t)y->cols,
                 turns->type ? (const float *)turns->data : nullptr,
                 counts->type ? (const int32_t *)counts->data : nullptr,
                 y->rows,
                 a->period ? a->period : y->rows,
                 a->start,
                 a->count ? a->count : y->cols,
                 turns->cols,
                 counts->n == 1,
                 groups};
    if (x->type == DT_BF16 && w->type == DT_BF16 && has_chunks(p))
        return run_mma<bf16>(p, tile, c->stream);
    if (x->type == DT_F16 && w->type == DT_F16 && has_chunks(p))
        return run_mma<f16>(p, tile, c->stream);
    dim3 grid(blocks_for((size_t)p.n_out, SIDE), blocks_for(n_rows, SIDE), (unsigned)groups);
    return launch(linear_any, grid, 256, (size_t)SIDE * (SIDE + PAD) * sizeof(float), c->stream, p);
}

/* cuBLASLt -------------------------------------------------------------------------------------------------------------- */

/* Packed: the bias in y's type, which the library asks for. grid: a thread per column. */
__global__ void __launch_bounds__(256) linear_round_bias(const float *b, void *to, dtype type, int n)
{
    size_t i = (size_t)blockIdx.x * 256 + threadIdx.x;
    if (i < (size_t)n)
        store_one(to, type, i, b[i]);
}
static size_t packed_bytes(const op_call *c)
{
    return linear_ways_rounds_bias(c) ? (size_t)c->in[LINEAR_BIAS].cols * dtype_bytes(c->out[RESULT].type) : 0;
}
static const char *pack(const op_call *c)
{
    if (!linear_ways_rounds_bias(c))
        return nullptr;
    if (!c->in[LINEAR_BIAS].data)
        return "the bias must be known when it is packed";
    return launch(linear_round_bias, blocks_for((size_t)c->in[LINEAR_BIAS].cols, 256), 256, 0, c->stream,
                  (const float *)c->in[LINEAR_BIAS].data, c->packed, c->out[RESULT].type, c->in[LINEAR_BIAS].cols);
}

static size_t scratch_bytes(const op_call *c)
{
    return op_ways_scratch(&linear_ways, c);
}
static void *bind(const op_call *c)
{
    return op_ways_bind(&linear_ways, c, run_own);
}
static const char *run(const op_call *c)
{
    return op_ways_run(c, run_own);
}

const op_cuda CUDA_FN(linear_cuda) = {run, scratch_bytes, packed_bytes, pack, 0, bind, op_ways_unbind};
