/* mlp on CUDA: y = w2 act(w1 norm(x) + b1) + b2 + residual, f16 or bf16, sums in f32.
 *   x [M, C]    w1 [H, C]    w2 [C, H]    residual? [M, C]    ->    y [M, C];    C up to 224, M = n * R rows
 *   grid    ceil(M / rows of a block);   block a warp for each 16 MT rows, 1 to 4 warps
 *   shared  x [rows, D], 64 rows of w1 [64, D] and 64 columns of w2 [D, 64] (tiles.cuh), D = C rounded up to 64, 96, 112,
 *           144, 192 or 224; rows = 128 (MT 2, D up to 96) or 64: 53 KiB for 96, 86 KiB for 224
 * A block keeps its rows of x, normed in place, and walks over the hidden units 64 at a time: S = x w1^T, activation,
 * and, from the registers where S was made, O += S w2^T. While one product runs the other's weights are on their way
 * (cp.async): two barriers for 64 units. O leaves through shared memory in runs of 8 columns.
 *   traffic x, residual and y once; the weights once a block, from L2.
 * First stage of Hiera tiny (65536 x 96, H = 384): 25 MB (38 with a residual that is not x) where norm and two linears move
 * 163 MB; 9.7 GFLOP in 65536 * 96 * 8 * 2 / 4096 = 2.4 M mma; and 25 M GELUs of about 16 instructions, which are half
 * of what the schedulers issue. */
#include "tiles.cuh"

static const int HB = 64; /* hidden units at a time */
static const int OUT_PAD = 8;

struct perceptron {
    const void *x, *w1, *w2, *residual;
    const float *b1, *b2, *gain, *bias;
    void *y;
    size_t n_rows;
    int width, hidden;
    float eps;
    act kind;
    dtype type;
};

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

/* d [MT][BN / 8][4] += a's rows times the rows of the tile [BN, DK], columns 16 k .. */
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
template <int MT>
static __device__ __forceinline__ void activate_hidden(float (*s)[HB / 8][4], const perceptron &p, int h0)
{
    int lane = (int)threadIdx.x % 32;
    UNROLL
    for (int j = 0; j < HB / 8; j++) {
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
    activate_half<MT * HB / 2>(p.kind, &s[0][0][0]);
}

template <int D> __host__ __device__ static constexpr int mlp_out_bytes(int rows)
{
    return rows * (D + OUT_PAD) * 4;
}
template <int D> __host__ __device__ static constexpr int mlp_shared_bytes(int rows)
{
    return tile_bytes<D>(rows) + tile_bytes<D>(HB) + tile_bytes<HB>(D) > mlp_out_bytes<D>(rows)
               ? tile_bytes<D>(rows) + tile_bytes<D>(HB) + tile_bytes<HB>(D)
               : mlp_out_bytes<D>(rows);
}

/* The block's rows of O leave by sO. */
template <int D>
static __device__ __forceinline__ void write_rows(const perceptron &p, const float *sO, size_t row0, int rows)
{
    int runs = p.width / RUN;
    for (int i = (int)threadIdx.x; i < rows * runs; i += (int)blockDim.x) {
        int r = i / runs, c = i % runs * RUN;
        size_t at = (row0 + (size_t)r) * (size_t)p.width + (size_t)c;
        float v[RUN], other[RUN];
        if (row0 + (size_t)r >= p.n_rows)
            continue;
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

template <class T, int D, int MT> __global__ void __launch_bounds__(128) mlp_rows(perceptron p)
{
    int warp = (int)threadIdx.x / 32, lane = (int)threadIdx.x % 32, rows = 16 * MT * (int)blockDim.x / 32;
    int warp_row = 16 * MT * warp;
    size_t row0 = (size_t)blockIdx.x * (size_t)rows;
    unsigned char *sX = dynamic_shared(), *sW1 = sX + tile_bytes<D>(rows), *sW2 = sW1 + tile_bytes<D>(HB);
    copy_lane<D> by_row = copy_begin<D>(p.width);
    copy_lane<HB> by_hidden = copy_begin<HB>(p.hidden);
    size_t width = (size_t)p.width, hidden = (size_t)p.hidden;
    copy_rows<T, D>(by_row, sX, (const T *)p.x, width, row0, rows, p.n_rows);
    cp_async_commit();
    copy_rows<T, D>(by_row, sW1, (const T *)p.w1, width, 0, HB, hidden);
    cp_async_commit();
    float o[MT][D / 8][4] = {};
    cp_async_wait<1>();
    __syncthreads(); /* x is there */
    if (p.gain)
        for (int m = 0; m < MT; m++)
            norm_rows<T, D>(sX, warp_row + 16 * m, p);
    for (int h0 = 0; h0 < p.hidden; h0 += HB) {
        cp_async_wait<0>();
        __syncthreads(); /* w1's rows are there (at first: and x is normed), w2's last columns have been used */
        if (h0 + HB > p.hidden)
            by_hidden = copy_begin<HB>(p.hidden - h0);
        copy_rows<T, HB>(by_hidden, sW2, (const T *)p.w2 + h0, hidden, 0, D, width);
        cp_async_commit();
        float s[MT][HB / 8][4] = {};
        UNROLL_BY(D <= 112 ? D / 16 : 4)
        for (int k = 0; k < D / 16; k++) {
            uint32_t a[MT][4];
            UNROLL
            for (int m = 0; m < MT; m++)
                ldmatrix_x4(a[m], sX + matrix_at<D>(matrix_lane_a<D>(), warp_row + 16 * m, k));
            multiply_step<T, D, HB, MT>(s, a, sW1, k);
        }
        activate_hidden<MT>(s, p, h0);
        cp_async_wait<0>();
        __syncthreads(); /* w2's columns are there, w1's rows have been used */
        if (h0 + HB < p.hidden)
            copy_rows<T, D>(by_row, sW1, (const T *)p.w1, width, (size_t)(h0 + HB), HB, hidden);
        cp_async_commit();
        UNROLL
        for (int k = 0; k < HB / 16; k++) {
            uint32_t a[MT][4];
            UNROLL
            for (int m = 0; m < MT; m++) {
                a[m][0] = pack2<T>(s[m][2 * k][0], s[m][2 * k][1]);
                a[m][1] = pack2<T>(s[m][2 * k][2], s[m][2 * k][3]);
                a[m][2] = pack2<T>(s[m][2 * k + 1][0], s[m][2 * k + 1][1]);
                a[m][3] = pack2<T>(s[m][2 * k + 1][2], s[m][2 * k + 1][3]);
            }
            multiply_step<T, HB, D, MT>(o, a, sW2, k);
        }
    }
    __syncthreads(); /* all tiles have been used */
    float *sO = (float *)dynamic_shared();
    UNROLL
    for (int i = 0; i < MT * (D / 8) * 2; i++) {
        const float *d = o[i / 2 / (D / 8)][i / 2 % (D / 8)] + i % 2 * 2;
        int row = warp_row + i / 2 / (D / 8) * 16 + i % 2 * 8 + lane / 4, col = i / 2 % (D / 8) * 8 + lane % 4 * 2;
        store_b64(sO + row * (D + OUT_PAD) + col, make_uint2(__float_as_uint(d[0]), __float_as_uint(d[1])));
    }
    __syncthreads();
    write_rows<D>(p, sO, row0, rows);
}

/* Few rows: small blocks on more multiprocessors. */
template <class T, int D, int MT> static const char *start(const perceptron &p, void *stream)
{
    int warps = 4;
    while (warps > 1 &&
           (p.n_rows + (size_t)(16 * MT * warps) - 1) / (size_t)(16 * MT * warps) < (size_t)device_multiprocessors())
        warps /= 2;
    int rows = 16 * MT * warps;
    return launch(mlp_rows<T, D, MT>, blocks_for(p.n_rows, (size_t)rows), (unsigned)(32 * warps),
                  (size_t)mlp_shared_bytes<D>(rows), stream, p);
}
template <class T> static const char *start_half(const perceptron &p, void *stream)
{
    bool many = p.n_rows >= 64 * 2 * (size_t)device_multiprocessors();
    if (p.width <= 64)
        return many ? start<T, 64, 2>(p, stream) : start<T, 64, 1>(p, stream);
    if (p.width <= 96)
        return many ? start<T, 96, 2>(p, stream) : start<T, 96, 1>(p, stream);
    if (p.width <= 112)
        return start<T, 112, 1>(p, stream);
    if (p.width <= 144)
        return start<T, 144, 1>(p, stream);
    if (p.width <= 192)
        return start<T, 192, 1>(p, stream);
    return start<T, 224, 1>(p, stream);
}

static const char *run(const op_call *c)
{
    const tensor *x = &c->in[0], *w1 = &c->in[1], *w2 = &c->in[3], *residual = &c->in[7], *y = c->out;
    perceptron p = {x->data,
                    w1->data,
                    w2->data,
                    residual->type ? residual->data : nullptr,
                    (const float *)(c->in[2].type ? c->in[2].data : nullptr),
                    (const float *)(c->in[4].type ? c->in[4].data : nullptr),
                    (const float *)(c->in[5].type ? c->in[5].data : nullptr),
                    (const float *)(c->in[6].type ? c->in[6].data : nullptr),
                    y->data,
                    (size_t)x->n * (size_t)x->rows,
                    x->cols,
                    w1->rows,
                    c->attr->eps,
                    c->attr->act,
                    x->type};
    if (((uintptr_t)p.x | (uintptr_t)p.w1 | (uintptr_t)p.w2 | (uintptr_t)p.y) % 16)
        return "mlp: x, w1, w2 and y must begin at multiples of 16 bytes";
    return x->type == DT_BF16 ? start_half<bf16>(p, c->stream) : start_half<f16>(p, c->stream);
}

const op_cuda CUDA_FN(mlp_cuda) = {run};
