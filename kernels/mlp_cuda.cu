/* mlp on CUDA: y = w2 act(w1 u + b1) + b2 + residual, f16 or bf16, sums in f32.
 *   x [M, C]    w1 [H, C]    w2 [C, H]    residual? [M, C]    taps? [C, 9]    gate? [n, C]    ->    y [M, C];    C up to 224
 *   grid    a tile of rows each: M = n * R of them, or, with taps, tiles of 8 or 16 pixels a line;   block 1 to 8 warps
 *   shared  u [rows, D], 64 rows of w1 [64, D] and 64 columns of w2 [D, 64] (tiles.cuh; 96 for D = 48), D = C rounded up
 *           to 48, 64, 96, 112, 144, 192 or 224; rows = 128 (MT 2, D up to 96) or 64: 53 KiB for 96, 86 KiB for 224
 * A block keeps its rows of u and walks over the hidden units 64 at a time: S = u w1^T, activation, and, from the registers
 * where S was made, O += S w2^T. While one product runs the other's weights are on their way (cp.async): two barriers for
 * 64 units. O leaves through shared memory in runs of 8 columns.
 *   u is x, normed in place, or what the taps make of x: a thread takes 8 channels of 4 pixels and reads the 3 x 6 pixels
 *   around them from L1, where the halo of a tile (1.4 to 1.9 times the tile) comes once from L2. O begins with u then.
 *   Columns of warps (WN 4): few rows are shared by four warps that each take a quarter of the hidden units and of the
 *   columns; S then goes by shared memory, and u is kept in registers. 32 rows, 192 wide: 64 KiB, a multiprocessor of an
 *   H200 each for the 4096 rows of EdgeTAM's third stage, where 64 rows a block would leave half of them idle.
 *   traffic x, residual and y once; the weights once a block, from L2.
 * First stage of Hiera tiny (65536 x 96, H = 384): 25 MB (38 with a residual that is not x) where norm and two linears move
 * 163 MB; 9.7 GFLOP in 65536 * 96 * 8 * 2 / 4096 = 2.4 M mma; and 25 M GELUs of about 16 instructions, which are half
 * of what the schedulers issue. First stage of RepViT (65536 x 48, H = 96): 12.6 MB where convolution and MLP move 31, 50
 * with the gate's product; a tile of 128 pixels is 576 mma and 18 thousand instructions of a warp, more than half of them
 * for GELUs and a third for the taps (sm_90): issue slots bound it, not memory. */
#include "operands.h"
#include "tiles.cuh"

/* Hidden units at a time: RepViT's first stage has 96. */
template <int D> __host__ __device__ static constexpr int hidden_step(void)
{
    return D == 48 ? 96 : 64;
}
static const int OUT_PAD = 8, STRIP = 4;

struct perceptron {
    const void *x, *w1, *w2, *residual;
    const float *b1, *b2, *gain, *bias;
    const float *taps, *tap_bias; /* taps as packed: [9, C]; NULL: none */
    const void *gate;
    void *y;
    int n_objects, h, w; /* of the grid that tiles are cut from; without taps all rows are one line */
    int shift;           /* log2 of a tile's columns */
    int width, hidden;
    float eps;
    act kind;
    dtype type;
};

/* The block's tile. */
struct tile_place {
    size_t first; /* row of x where the object begins */
    int object, top, left;
};
static __device__ __forceinline__ tile_place place_of(const perceptron &p, int rows)
{
    int across = ((p.w - 1) >> p.shift) + 1, high = rows >> p.shift, down = (p.h + high - 1) / high;
    int line = (int)blockIdx.x / across;
    tile_place at;
    at.object = line / down;
    at.first = (size_t)at.object * (size_t)p.h * (size_t)p.w;
    at.top = line % down * high;
    at.left = ((int)blockIdx.x % across) << p.shift;
    return at;
}
/* Row of x and y that is row r of the tile; false: beyond the grid. */
static __device__ __forceinline__ bool row_at(const perceptron &p, const tile_place &at, int r, size_t *row)
{
    int y = at.top + (r >> p.shift), x = at.left + (r & ((1 << p.shift) - 1));
    *row = at.first + (size_t)y * (size_t)p.w + (size_t)x;
    return y < p.h && x < p.w;
}

/* Eight threads copy a row, 128 bytes at a time: a thread's rows are whole steps apart, so that little is computed for a
 * copy of 16 bytes. */
template <class T, int D>
static __device__ __forceinline__ void fetch_x(unsigned char *sX, const perceptron &p, const tile_place &at, int rows)
{
    for (int r = (int)threadIdx.x / 8; r < rows; r += (int)blockDim.x / 8) {
        size_t row;
        bool inside = row_at(p, at, r, &row);
        const T *from = (const T *)p.x + (inside ? row * (size_t)p.width : 0);
        for (int c = (int)threadIdx.x % 8; c < D / RUN; c += 8)
            cp_async<16>(sX + chunk_at<D>(r, c), from + (c * RUN < p.width ? c * RUN : 0), inside && c * RUN < p.width);
    }
}

/* Norms 16 rows of the tile in place; four lanes a row. */
template <class T, int D>
static __device__ __forceinline__ void norm_rows(unsigned char *sX, int row, const perceptron &p)
{
    int lane = (int)threadIdx.x % 32;
    for (int half = 0; half < 2; half++) {
        int r = row + half * 8 + lane / 4;
        float sum = 0, squares = 0, v[RUN], gain[RUN], bias[RUN];
        for (int c = lane % 4; c * RUN < p.width; c += 4) {
            load_run(v, sX + chunk_at<D>(r, c), p.type, 0, RUN);
            UNROLL
            for (int k = 0; k < RUN; k++)
                sum += v[k];
        }
        float mean = group_sum(sum, 4) / (float)p.width;
        for (int c = lane % 4; c * RUN < p.width; c += 4) {
            load_run(v, sX + chunk_at<D>(r, c), p.type, 0, RUN);
            UNROLL
            for (int k = 0; k < RUN; k++)
                squares += (v[k] - mean) * (v[k] - mean);
        }
        float inverse = 1.0f / sqrtf(group_sum(squares, 4) / (float)p.width + p.eps);
        for (int c = lane % 4; c * RUN < p.width; c += 4) {
            load_run(v, sX + chunk_at<D>(r, c), p.type, 0, RUN);
            load_run(gain, p.gain, DT_F32, (size_t)(c * RUN), RUN);
            load_run(bias, p.bias, DT_F32, (size_t)(c * RUN), RUN);
            UNROLL
            for (int k = 0; k < RUN; k++)
                v[k] = (v[k] - mean) * inverse * gain[k] + bias[k];
            store_run(sX + chunk_at<D>(r, c), p.type, 0, v, RUN);
        }
    }
}

/* 8 floats, or 8 elements of T, that begin at a multiple of 16 bytes. */
static __device__ __forceinline__ void load_floats(float *v, const float *from)
{
    uint4 a = load_b128(from), b = load_b128(from + 4);
    v[0] = __uint_as_float(a.x), v[1] = __uint_as_float(a.y), v[2] = __uint_as_float(a.z), v[3] = __uint_as_float(a.w);
    v[4] = __uint_as_float(b.x), v[5] = __uint_as_float(b.y), v[6] = __uint_as_float(b.z), v[7] = __uint_as_float(b.w);
}
template <class T> static __device__ __forceinline__ void unpack_run(float *v, uint4 from)
{
    const float2 a = unpack2<T>(from.x), b = unpack2<T>(from.y), c = unpack2<T>(from.z), d = unpack2<T>(from.w);
    v[0] = a.x, v[1] = a.y, v[2] = b.x, v[3] = b.y, v[4] = c.x, v[5] = c.y, v[6] = d.x, v[7] = d.y;
}

/* u of 8 channels, 4 pixels of a line and their surroundings. */
template <class T>
static __device__ __forceinline__ void convolve_strip(float (*sum)[RUN], const perceptron &p, const tile_place &at,
                                                      int y, int x, int c)
{
    UNROLL
    for (int dy = 0; dy < 3; dy++) {
        int line = y + dy - 1;
        if (line < 0 || line >= p.h)
            continue;
        float weight[3][RUN];
        UNROLL
        for (int dx = 0; dx < 3; dx++)
            load_floats(weight[dx], p.taps + (dy * 3 + dx) * p.width + c);
        const T *from = (const T *)p.x + (at.first + (size_t)line * (size_t)p.w) * (size_t)p.width + (size_t)c;
        UNROLL
        for (int i = 0; i < STRIP + 2; i++) {
            int column = x + i - 1;
            uint4 pixel = make_uint4(0, 0, 0, 0);
            if (column >= 0 && column < p.w)
                pixel = load_b128(from + (size_t)column * (size_t)p.width);
            float v[RUN];
            unpack_run<T>(v, pixel);
            UNROLL
            for (int o = 0; o < STRIP; o++)
                if (i - o >= 0 && i - o < 3)
                    UNROLL
            for (int k = 0; k < RUN; k++)
                sum[o][k] = fmaf(v[k], weight[i - o >= 0 && i - o < 3 ? i - o : 0][k], sum[o][k]);
        }
    }
}

/* The tile [rows, D] of u = gate * (depthwise 3x3 of x + bias); zeros beyond the grid and beyond C. */
template <class T, int D>
static __device__ __forceinline__ void convolve(unsigned char *sX, const perceptron &p, const tile_place &at, int rows)
{
    const int CHUNKS = D / RUN;
    UNROLL_BY(1)
    for (int i = (int)threadIdx.x; i < rows / STRIP * CHUNKS; i += (int)blockDim.x) {
        int c = i % CHUNKS, r = i / CHUNKS * STRIP;
        int y = at.top + (r >> p.shift), x = at.left + (r & ((1 << p.shift) - 1));
        float sum[STRIP][RUN] = {}, bias[RUN] = {}, gate[RUN];
        bool inside = c * RUN < p.width && y < p.h && x < p.w;
        UNROLL
        for (int k = 0; k < RUN; k++)
            gate[k] = 1;
        if (inside) {
            convolve_strip<T>(sum, p, at, y, x, c * RUN);
            if (p.tap_bias)
                load_floats(bias, p.tap_bias + c * RUN);
            if (p.gate)
                unpack_run<T>(gate, load_b128((const T *)p.gate + at.object * p.width + c * RUN));
        }
        UNROLL
        for (int o = 0; o < STRIP; o++) {
            UNROLL
            for (int k = 0; k < RUN; k++)
                sum[o][k] = inside && x + o < p.w ? gate[k] * (sum[o][k] + bias[k]) : 0;
            store_b128(sX + chunk_at<D>(r + o, c),
                       make_uint4(pack2<T>(sum[o][0], sum[o][1]), pack2<T>(sum[o][2], sum[o][3]),
                                  pack2<T>(sum[o][4], sum[o][5]), pack2<T>(sum[o][6], sum[o][7])));
        }
    }
}

/* o [MT][N / 8][4] = u, rows from `row` and columns from `col` on. */
template <class T, int D, int N, int MT>
static __device__ __forceinline__ void begin_with(float (*o)[N / 8][4], const unsigned char *sX, int row, int col)
{
    int lane = (int)threadIdx.x % 32;
    UNROLL
    for (int i = 0; i < MT * (N / 8) * 2; i++) {
        float *d = o[i / 2 / (N / 8)][i / 2 % (N / 8)] + i % 2 * 2;
        int r = row + i / 2 / (N / 8) * 16 + i % 2 * 8 + lane / 4;
        float2 u = unpack2<T>(*(const uint32_t *)(sX + chunk_at<D>(r, col / 8 + i / 2 % (N / 8)) + lane % 4 * 4));
        d[0] = u.x, d[1] = u.y;
    }
}

/* d [MT][BN / 8][4] += a's rows times the rows of the tile [BN, DK] from k-step first on; step 16. */
template <class T, int DK, int BN, int MT>
static __device__ __forceinline__ void multiply_step(float (*d)[BN / 8][4], const uint32_t (*a)[4],
                                                     const unsigned char *tile, int k)
{
    int lane_byte = matrix_lane_b<DK>();
    UNROLL
    for (int j = 0; j < BN / 16; j++) {
        uint32_t b[4];
        ldmatrix_x4(b, tile + matrix_at<DK>(lane_byte, 16 * j, k));
        UNROLL
        for (int m = 0; m < MT; m++) {
            mma_16x8x16<T>(d[m][2 * j], a[m], b);
            mma_16x8x16<T>(d[m][2 * j + 1], a[m], b + 2);
        }
    }
}

/* act(s + b1) in place; hidden unit h0 is s's first column. */
template <int BN, int MT>
static __device__ __forceinline__ void activate_hidden(float (*s)[BN / 8][4], const perceptron &p, int h0)
{
    int lane = (int)threadIdx.x % 32;
    UNROLL
    for (int j = 0; j < BN / 8; j++) {
        int h = h0 + 8 * j + lane % 4 * 2;
        float b[2] = {0, 0};
        if (p.b1 && h < p.hidden) {
            uint2 both = load_b64(p.b1 + h);
            b[0] = __uint_as_float(both.x), b[1] = __uint_as_float(both.y);
        }
        UNROLL
        for (int m = 0; m < MT; m++)
            UNROLL
        for (int i = 0; i < 4; i++)
            s[m][j][i] += b[i % 2];
    }
    activate_half<MT * BN / 2>(p.kind, &s[0][0][0]);
}

template <int D> __host__ __device__ static constexpr int mlp_out_bytes(int rows)
{
    return rows * (D + OUT_PAD) * 4;
}
template <int D, int WN> __host__ __device__ static constexpr int mlp_tiles_bytes(int rows)
{
    const int HB = hidden_step<D>();
    return tile_bytes<D>(rows) + tile_bytes<D>(HB) + tile_bytes<HB>(D) + (WN > 1 ? tile_bytes<HB>(rows) : 0);
}

/* The block's rows of O leave by sO. */
template <int D>
static __device__ __forceinline__ void write_rows(const perceptron &p, const tile_place &place, const float *sO,
                                                  int rows)
{
    int runs = p.width / RUN;
    for (int i = (int)threadIdx.x; i < rows * runs; i += (int)blockDim.x) {
        int r = i / runs, c = i % runs * RUN;
        float v[RUN], other[RUN];
        size_t row;
        if (!row_at(p, place, r, &row))
            continue;
        size_t at = row * (size_t)p.width + (size_t)c;
        load_run(v, sO + r * (D + OUT_PAD) + c, DT_F32, 0, RUN);
        if (p.b2) {
            load_run(other, p.b2, DT_F32, (size_t)c, RUN);
            UNROLL
            for (int k = 0; k < RUN; k++)
                v[k] += other[k];
        }
        if (p.residual) {
            load_run(other, p.residual, p.type, at, RUN);
            UNROLL
            for (int k = 0; k < RUN; k++)
                v[k] += other[k];
        }
        store_run(p.y, p.type, at, v, RUN);
    }
}

/* A warp's 16 MT rows of u as operands, 16 columns from step k on. */
template <int D, int MT>
static __device__ __forceinline__ void load_rows(uint32_t (*a)[4], const unsigned char *sX, int warp_row, int k)
{
    int lane_byte = matrix_lane_a<D>();
    UNROLL
    for (int m = 0; m < MT; m++)
        ldmatrix_x4(a[m], sX + matrix_at<D>(lane_byte, warp_row + 16 * m, k));
}

/* The warp's hidden values s [MT][N / 8][4] to columns col.. of the tile [rows, HB]. */
template <class T, int HB, int N, int MT>
static __device__ __forceinline__ void store_hidden(unsigned char *sH, const float (*s)[N / 8][4], int warp_row,
                                                    int col)
{
    int lane = (int)threadIdx.x % 32;
    UNROLL
    for (int i = 0; i < MT * (N / 8) * 2; i++) {
        const float *d = s[i / 2 / (N / 8)][i / 2 % (N / 8)] + i % 2 * 2;
        int r = warp_row + i / 2 / (N / 8) * 16 + i % 2 * 8 + lane / 4;
        *(uint32_t *)(sH + chunk_at<HB>(r, col / 8 + i / 2 % (N / 8)) + lane % 4 * 4) = pack2<T>(d[0], d[1]);
    }
}

/* WN warps share 16 MT rows: each takes HB / WN of the hidden units and D / WN of the columns. The bound of 3 blocks (168
 * registers) is there because ptxas of itself stops at 128 registers for D = 64 and spills. */
template <class T, int D, int MT, int WN>
__global__ void __launch_bounds__(WN == 1 ? 128 : 256, D == 64 && MT == 1 ? 3 : 0) mlp_rows(perceptron p)
{
    const int HB = hidden_step<D>(), N1 = HB / WN, N2 = D / WN;
    static_assert(N1 % 16 == 0 && N2 % 16 == 0, "a warp takes pairs of 8 columns");
    int warp = (int)threadIdx.x / 32, lane = (int)threadIdx.x % 32, rows = 16 * MT * (int)blockDim.x / (32 * WN);
    int warp_row = 16 * MT * (warp / WN), part = warp % WN;
    tile_place place = place_of(p, rows);
    unsigned char *sX = dynamic_shared(), *sW1 = sX + tile_bytes<D>(rows), *sW2 = sW1 + tile_bytes<D>(HB);
    unsigned char *sH = sW2 + tile_bytes<HB>(D);
    copy_lane<D> by_row = copy_begin<D>(p.width);
    copy_lane<HB> by_hidden = copy_begin<HB>(p.hidden);
    size_t width = (size_t)p.width, hidden = (size_t)p.hidden;
    if (!p.taps)
        fetch_x<T, D>(sX, p, place, rows);
    cp_async_commit();
    copy_rows<T, D>(by_row, sW1, (const T *)p.w1, width, 0, HB, hidden);
    cp_async_commit();
    if (p.taps)
        convolve<T, D>(sX, p, place, rows);
    float o[MT][N2 / 8][4] = {};
    cp_async_wait<1>();
    __syncthreads(); /* x, or u, is there */
    if (p.gain)
        for (int m = part; m < MT; m += WN)
            norm_rows<T, D>(sX, warp_row + 16 * m, p);
    if (WN > 1)
        __syncthreads(); /* rows that other warps have normed */
    if (p.taps)
        begin_with<T, D, N2, MT>(o, sX, warp_row, part * N2);
    uint32_t rX[WN > 1 ? D / 16 : 1][MT][4];
    if (WN > 1)
        UNROLL
    for (int k = 0; k < D / 16; k++)
        load_rows<D, MT>(rX[k], sX, warp_row, k);
    for (int h0 = 0; h0 < p.hidden; h0 += HB) {
        cp_async_wait<0>();
        __syncthreads(); /* w1's rows are there (at first: and x is normed), w2's last columns and S have been used */
        if (h0 + HB > p.hidden)
            by_hidden = copy_begin<HB>(p.hidden - h0);
        copy_rows<T, HB>(by_hidden, sW2, (const T *)p.w2 + h0, hidden, 0, D, width);
        cp_async_commit();
        float s[MT][N1 / 8][4] = {};
        UNROLL_BY(WN > 1 || D <= 112 ? D / 16 : 4)
        for (int k = 0; k < D / 16; k++) {
            uint32_t a[MT][4];
            if (WN == 1)
                load_rows<D, MT>(a, sX, warp_row, k);
            multiply_step<T, D, N1, MT>(s, WN > 1 ? rX[WN > 1 ? k : 0] : a, sW1 + tile_bytes<D>(part * N1), k);
        }
        activate_hidden<N1, MT>(s, p, h0 + part * N1);
        if (WN > 1)
            store_hidden<T, HB, N1, MT>(sH, s, warp_row, part * N1);
        cp_async_wait<0>();
        __syncthreads(); /* w2's columns and S are there, w1's rows have been used */
        if (h0 + HB < p.hidden)
            copy_rows<T, D>(by_row, sW1, (const T *)p.w1, width, (size_t)(h0 + HB), HB, hidden);
        cp_async_commit();
        UNROLL
        for (int k = 0; k < HB / 16; k++) {
            uint32_t a[MT][4];
            if (WN > 1)
                load_rows<HB, MT>(a, sH, warp_row, k);
            else
                UNROLL
            for (int m = 0; m < MT; m++) {
                a[m][0] = pack2<T>(s[m][2 * k][0], s[m][2 * k][1]);
                a[m][1] = pack2<T>(s[m][2 * k][2], s[m][2 * k][3]);
                a[m][2] = pack2<T>(s[m][2 * k + 1][0], s[m][2 * k + 1][1]);
                a[m][3] = pack2<T>(s[m][2 * k + 1][2], s[m][2 * k + 1][3]);
            }
            multiply_step<T, HB, N2, MT>(o, a, sW2 + tile_bytes<HB>(part * N2), k);
        }
    }
    __syncthreads(); /* all tiles have been used */
    float *sO = (float *)dynamic_shared();
    UNROLL
    for (int i = 0; i < MT * (N2 / 8) * 2; i++) {
        const float *d = o[i / 2 / (N2 / 8)][i / 2 % (N2 / 8)] + i % 2 * 2;
        int row = warp_row + i / 2 / (N2 / 8) * 16 + i % 2 * 8 + lane / 4;
        int col = part * N2 + i / 2 % (N2 / 8) * 8 + lane % 4 * 2;
        store_b64(sO + row * (D + OUT_PAD) + col, make_uint2(__float_as_uint(d[0]), __float_as_uint(d[1])));
    }
    __syncthreads();
    write_rows<D>(p, place, sO, rows);
}

/* Taps [C, 9] of any type to [9, C] f32; a thread each. */
__global__ void __launch_bounds__(256) mlp_pack_taps(const void *taps, dtype type, float *to, int width)
{
    int i = (int)(blockIdx.x * 256 + threadIdx.x);
    if (i < 9 * width)
        to[i] = load_one(taps, type, (size_t)(i % width * 9 + i / width));
}

static size_t row_count(const perceptron &p)
{
    return (size_t)p.n_objects * (size_t)p.h * (size_t)p.w;
}

template <class T, int D, int MT, int WN> static const char *start_warps(perceptron p, int warps, void *stream)
{
    int rows = 16 * MT * warps / WN;
    p.shift = p.taps ? (rows < 128 ? 3 : 4) : 0;
    while (!p.taps && 1 << p.shift < rows)
        p.shift++;
    size_t across = (size_t)((p.w - 1) >> p.shift) + 1, high = (size_t)(rows >> p.shift);
    size_t tiles = across * (((size_t)p.h + high - 1) / high) * (size_t)p.n_objects;
    size_t shared_bytes = (size_t)mlp_tiles_bytes<D, WN>(rows), out_bytes = (size_t)mlp_out_bytes<D>(rows);
    return launch(mlp_rows<T, D, MT, WN>, (unsigned)tiles, (unsigned)(32 * warps),
                  shared_bytes > out_bytes ? shared_bytes : out_bytes, stream, p);
}

/* Few rows: small blocks on more multiprocessors. */
template <class T, int D, int MT> static const char *start(const perceptron &p, void *stream)
{
    int warps = 4;
    while (warps > 1 && blocks_for(row_count(p), (size_t)(16 * MT * warps)) < (unsigned)device_multiprocessors())
        warps /= 2;
    return start_warps<T, D, MT, 1>(p, warps, stream);
}
/* 64 rows a block, or 32 where that ends sooner. */
template <class T, int D> static const char *start_wide(const perceptron &p, void *stream)
{
    unsigned slots = (unsigned)device_multiprocessors();
    unsigned large = blocks_for(blocks_for(row_count(p), 64), slots),
             small = blocks_for(blocks_for(row_count(p), 32), slots);
    return small < 2 * large ? start_warps<T, D, 1, 4>(p, 8, stream) : start_warps<T, D, 1, 1>(p, 4, stream);
}
template <class T> static const char *start_half(const perceptron &p, void *stream)
{
    bool many = row_count(p) >= 64 * 2 * (size_t)device_multiprocessors();
    if (p.width <= 48)
        return many ? start<T, 48, 2>(p, stream) : start<T, 48, 1>(p, stream);
    if (p.width <= 64)
        return many ? start<T, 64, 2>(p, stream) : start<T, 64, 1>(p, stream);
    if (p.width <= 96)
        return many ? start<T, 96, 2>(p, stream) : start<T, 96, 1>(p, stream);
    if (p.width <= 112)
        return start<T, 112, 1>(p, stream);
    if (p.width <= 144)
        return start<T, 144, 1>(p, stream);
    if (p.width <= 192)
        return start_wide<T, 192>(p, stream);
    return start<T, 224, 1>(p, stream);
}

static size_t packed_bytes(const op_call *c)
{
    return c->in[MLP_TAPS].type == DT_NONE ? 0 : 9 * (size_t)c->in[MLP_X].cols * sizeof(float);
}
static const char *pack(const op_call *c)
{
    const tensor *taps = &c->in[MLP_TAPS];
    if (taps->type == DT_NONE)
        return nullptr;
    if (!taps->data)
        return "taps must be known when they are packed";
    return launch(mlp_pack_taps, blocks_for(9 * (size_t)taps->rows, 256), 256, 0, c->stream, (const void *)taps->data,
                  taps->type, (float *)c->packed, taps->rows);
}

static const float *row_of(const tensor *t)
{
    return t->type == DT_NONE ? nullptr : (const float *)t->data;
}

static const char *run(const op_call *c)
{
    const tensor *in = c->in, *x = &in[MLP_X];
    bool taps = in[MLP_TAPS].type != DT_NONE;
    perceptron p = {};
    p.x = x->data, p.w1 = in[MLP_W1].data, p.w2 = in[MLP_W2].data, p.y = c->out->data;
    p.residual = in[MLP_RESIDUAL].type ? in[MLP_RESIDUAL].data : nullptr;
    p.b1 = row_of(&in[MLP_BIAS1]), p.b2 = row_of(&in[MLP_BIAS2]), p.gain = row_of(&in[MLP_GAIN]),
    p.bias = row_of(&in[MLP_NORM_BIAS]);
    p.taps = taps ? (const float *)c->packed : nullptr;
    p.tap_bias = row_of(&in[MLP_TAP_BIAS]);
    p.gate = in[MLP_GATE].type ? in[MLP_GATE].data : nullptr;
    p.n_objects = taps ? x->n : 1;
    p.h = taps ? c->attr->h : 1;
    p.w = taps ? c->attr->w : x->n * x->rows;
    p.width = x->cols, p.hidden = in[MLP_W1].rows;
    p.eps = c->attr->eps, p.kind = c->attr->act, p.type = x->type;
    if (((uintptr_t)p.x | (uintptr_t)p.w1 | (uintptr_t)p.w2 | (uintptr_t)p.y | (uintptr_t)p.taps |
         (uintptr_t)p.tap_bias | (uintptr_t)p.gate) %
        16)
        return "x, w1, w2, y, taps, their bias and the gate must begin at multiples of 16 bytes";
    if ((size_t)x->n * (size_t)x->rows > 0x7FFFFFFF)
        return "more than 2^31 rows";
    return x->type == DT_BF16 ? start_half<bf16>(p, c->stream) : start_half<f16>(p, c->stream);
}

const op_cuda CUDA_FN(mlp_cuda) = {run, nullptr, packed_bytes, pack, 1u << 8};
