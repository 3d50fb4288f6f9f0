/* norm_linear on CUDA: y = act(u w^T + b), u = layernorm(x) + plus, and layernorm(x); f16 or bf16, sums in f32.
 *   x [M, C]    w [O, C]    gain, bias [C] f32    plus? [M or R, C]    ->    y [M, O], norm [M, C];    M = n * R, C up to 512
 *   grid    (ceil(O / COLS), ceil(M / 32));   block 256;   shared u [32, C + 8] and, with a split depth, 8 KiB
 *   For a handful of rows every block norms its 32 rows itself, a warp four of them, which is cheaper than a launch and a
 *   trip through memory; the first blocks also write the norm. Then, as linear_few in linear_cuda.cu: the operands of mma
 *   come without ldmatrix, a lane takes 16 bytes of a row of u and of w, its pairs of two mma.
 *     SPLIT   COLS = 8: the eight warps share the depth, and their sums are added in order; the time is about one trip to
 *             memory, since w is asked for before the norm is computed. For up to 64 rows.
 *     else    COLS = 64: each warp has 8 columns, so that more rows are not normed too often.
 *   traffic x from L2 once a block, w once for 32 rows, y and norm once.
 * The decoder's 25 x 256 -> 2048: 256 blocks, 1.2 MB; the norm is 13 KB from L2, 10 shuffles and a barrier. */
#include "elements.cuh"
#include "operands.h"

enum { ROWS = 32, MOST_RUNS = 2 }; /* MOST_RUNS * 32 * RUN = 512 columns */

struct normed {
    const void *x, *w, *plus;
    const float *b, *gain, *bias;
    void *y, *norm;
    size_t n_rows, plus_rows; /* plus repeats after plus_rows */
    int n_in, n_out;
    float eps;
    act kind;
    dtype type;
};

/* Row `row` of x, normed, plus `plus`, to sU; zeros beyond x. A warp. */
template <class T> static __device__ __forceinline__ void norm_row(T *sU, const normed &p, size_t row, bool writes)
{
    int lane = (int)threadIdx.x % 32;
    bool inside = row < p.n_rows;
    float v[MOST_RUNS][RUN], gain[RUN], bias[RUN], sum = 0, squares = 0;
    UNROLL
    for (int i = 0; i < MOST_RUNS; i++) {
        int col = (i * 32 + lane) * RUN;
        load_run(v[i], p.x, p.type, row * (size_t)p.n_in + (size_t)col, inside && col < p.n_in ? RUN : 0);
        UNROLL
        for (int k = 0; k < RUN; k++)
            sum += v[i][k];
    }
    float mean = group_sum(sum, 32) / (float)p.n_in;
    UNROLL
    for (int i = 0; i < MOST_RUNS; i++)
        UNROLL
    for (int k = 0; k < RUN; k++)
        squares += (i * 32 + lane) * RUN < p.n_in ? (v[i][k] - mean) * (v[i][k] - mean) : 0.0f;
    float inverse = 1.0f / sqrtf(group_sum(squares, 32) / (float)p.n_in + p.eps);
    UNROLL
    for (int i = 0; i < MOST_RUNS; i++) {
        int col = (i * 32 + lane) * RUN;
        if (col >= p.n_in)
            continue;
        load_run(gain, p.gain, DT_F32, (size_t)col, RUN);
        load_run(bias, p.bias, DT_F32, (size_t)col, RUN);
        UNROLL
        for (int k = 0; k < RUN; k++)
            v[i][k] = inside ? (v[i][k] - mean) * inverse * gain[k] + bias[k] : 0;
        if (inside && writes)
            store_run(p.norm, p.type, row * (size_t)p.n_in + (size_t)col, v[i], RUN);
        if (inside && p.plus) {
            load_run(gain, p.plus, p.type, row % p.plus_rows * (size_t)p.n_in + (size_t)col, RUN);
            UNROLL
            for (int k = 0; k < RUN; k++)
                v[i][k] += gain[k];
        }
        store_run(sU, p.type, (size_t)col, v[i], RUN);
    }
}

/* y's columns col and col + 1 of a row. */
static __device__ __forceinline__ void store_outputs(const normed &p, size_t row, int col, float a, float b)
{
    float v[2] = {a, b};
    UNROLL
    for (int k = 0; k < 2; k++)
        v[k] += p.b && col + k < p.n_out ? p.b[col + k] : 0.0f;
    activate_half<2>(p.kind, v);
    UNROLL
    for (int k = 0; k < 2; k++)
        if (row < p.n_rows && col + k < p.n_out)
            store_one(p.y, p.type, row * (size_t)p.n_out + (size_t)(col + k), v[k]);
}

template <class T, bool SPLIT> __global__ void __launch_bounds__(256) norm_linear_rows(normed p)
{
    const int WARPS = 8, COLS = 8, MT = ROWS / 16;
    int pitch = p.n_in + RUN, warp = (int)threadIdx.x / 32, lane = (int)threadIdx.x % 32;
    T *sU = (T *)dynamic_shared();
    float *sSum = (float *)(dynamic_shared() + (size_t)ROWS * (size_t)pitch * sizeof(T)); /* [WARPS, ROWS, COLS] */
    int col0 = (int)blockIdx.x * (SPLIT ? COLS : COLS * WARPS) + (SPLIT ? 0 : warp * COLS);
    int share = SPLIT ? (p.n_in + 32 * WARPS - 1) / (32 * WARPS) * 32 : p.n_in;
    int first = SPLIT ? warp * share : 0, end = min(first + share, p.n_in);
    size_t row0 = (size_t)blockIdx.y * ROWS;
    bool w_inside = col0 + lane / 4 < p.n_out;
    const T *w = (const T *)p.w + (w_inside ? (size_t)(col0 + lane / 4) * (size_t)p.n_in : 0);
    const uint4 none = make_uint4(0, 0, 0, 0);
    int k = first + lane % 4 * RUN;
    uint4 rW = w_inside && k < end ? load_b128(w + k) : none;
    for (int r = warp; r < ROWS; r += WARPS)
        norm_row<T>(sU + r * pitch, p, row0 + (size_t)r, blockIdx.x == 0);
    __syncthreads(); /* u is there */
    float rD[MT][4] = {};
    for (int k0 = first; k0 < end; k0 += 32, k += 32) {
        uint4 next = w_inside && k + 32 < end ? load_b128(w + k + 32) : none;
        UNROLL
        for (int m = 0; m < MT; m++) {
            const T *u = sU + (16 * m + lane / 4) * pitch + k;
            uint4 top = k < end ? load_b128(u) : none, low = k < end ? load_b128(u + 8 * pitch) : none;
            uint32_t a[4] = {top.x, low.x, top.y, low.y}, b[2] = {rW.x, rW.y};
            mma_16x8x16<T>(rD[m], a, b);
            uint32_t a2[4] = {top.z, low.z, top.w, low.w}, b2[2] = {rW.z, rW.w};
            mma_16x8x16<T>(rD[m], a2, b2);
        }
        rW = next;
    }
    UNROLL
    for (int i = 0; i < 2 * MT; i++) {
        int r = i * 8 + lane / 4, c = lane % 4 * 2;
        const float *d = rD[i / 2] + i % 2 * 2;
        if (SPLIT)
            store_b64(sSum + (warp * ROWS + r) * COLS + c, make_uint2(__float_as_uint(d[0]), __float_as_uint(d[1])));
        else
            store_outputs(p, row0 + (size_t)r, col0 + c, d[0], d[1]);
    }
    if (!SPLIT)
        return;
    __syncthreads();
    int i = (int)threadIdx.x * 2;
    if (i >= ROWS * COLS)
        return;
    float sum[2] = {};
    UNROLL
    for (int part = 0; part < WARPS; part++)
        for (int c = 0; c < 2; c++)
            sum[c] += sSum[part * ROWS * COLS + i + c];
    store_outputs(p, row0 + (size_t)(i / COLS), col0 + i % COLS, sum[0], sum[1]);
}

template <class T, bool SPLIT> static const char *start(const normed &p, void *stream)
{
    dim3 grid(blocks_for((size_t)p.n_out, SPLIT ? 8 : 64), blocks_for(p.n_rows, ROWS));
    size_t shared_bytes = ROWS * ((size_t)p.n_in + RUN) * sizeof(T) + (SPLIT ? 8 * ROWS * 8 * sizeof(float) : 0);
    return launch(norm_linear_rows<T, SPLIT>, grid, 256, shared_bytes, stream, p);
}
template <class T> static const char *start_half(const normed &p, void *stream)
{
    return p.n_rows <= 64 ? start<T, true>(p, stream) : start<T, false>(p, stream);
}

static const char *run(const op_call *c)
{
    const tensor *in = c->in, *x = &in[NORM_LINEAR_X], *plus = &in[NORM_LINEAR_PLUS];
    normed p = {};
    p.x = x->data, p.w = in[NORM_LINEAR_W].data, p.plus = plus->type ? plus->data : nullptr;
    p.b = (const float *)(in[NORM_LINEAR_BIAS].type ? in[NORM_LINEAR_BIAS].data : nullptr);
    p.gain = (const float *)in[NORM_LINEAR_GAIN].data, p.bias = (const float *)in[NORM_LINEAR_NORM_BIAS].data;
    p.y = c->out[NORM_LINEAR_Y].data, p.norm = c->out[NORM_LINEAR_NORMED].data;
    p.n_rows = (size_t)x->n * (size_t)x->rows;
    p.plus_rows = plus->type ? (size_t)plus->n * (size_t)plus->rows : 1;
    p.n_in = x->cols, p.n_out = in[NORM_LINEAR_W].rows;
    p.eps = c->attr->eps, p.kind = c->attr->act, p.type = x->type;
    if (((uintptr_t)p.x | (uintptr_t)p.w | (uintptr_t)p.plus | (uintptr_t)p.norm) % 16)
        return "x, w, plus and the norm must begin at multiples of 16 bytes";
    return x->type == DT_BF16 ? start_half<bf16>(p, c->stream) : start_half<f16>(p, c->stream);
}

const op_cuda CUDA_FN(norm_linear_cuda) = {run};
