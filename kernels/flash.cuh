/* flash.cuh - softmax(scale q k^T) v of one head without ever holding the scores; the kernels of attention_cuda.cu and
 * window_attention_cuda.cu.
 *
 * flash_half: f16 or bf16, D_k and D_v multiples of 8, rows 16-byte aligned. A block has rows_per_block = 16 MT warps
 * queries and walks over the keys in tiles of BN. A warp owns 16 MT whole rows of scores, so that maximum and sum need
 * two shuffles among four lanes, and P goes from the accumulators of S = Q K^T to the operand of O += P V in registers.
 *   tiles K [BN, DK], V [BN, DV] in shared memory (tiles.cuh), two of each: tile j + 1 is on its way (cp.async) while j is
 *   used; one barrier a tile.
 *   Q stays in registers (MT = 1 and DV <= 128) or in shared memory.
 *   maximum and sum in f32; exponents by base 2; O is rescaled only when a maximum of the warp grows.
 * flash_plain: any types and widths up to 256, f32 arithmetic on the ordinary units: 32 queries, tiles of 32 keys.
 *
 * POSITIONS (of windows): before the loop a block multiplies its queries with both tables of relative positions and keeps
 * what each query's places give it, side_x + side_y terms as f16, in shared memory; a score is then the sum of three.
 *
 * WINDOWS: the rows of a problem are the tokens of a window of an image, or of a few small windows side by side; tokens
 * beyond the image are rows of the bias. Addresses are computed, nothing is copied. */
#ifndef FLASH_CUH
#define FLASH_CUH

#include "tiles.cuh"

#define FLASH_MAX_WIDTH 256
static const float LOWEST = -0x1p120f; /* maximum of no keys: not -inf, so that a score of -inf gives 0 and not NaN */

/* Windows tile the grid [h, w] from the top left. */
typedef struct flash_windows {
    int h, w, side_y, side_x;
    int per_block, across;                /* windows of a block, side by side; blocks in a row of windows */
    int shrink;                           /* 2: queries are 2x2 maxima */
    int query_x;                          /* queries in a row of a window: side_x / shrink */
    unsigned side_inverse, query_inverse; /* 2^32 / side_x and / query_x, rounded up */
    const float *q_bias, *k_bias, *v_bias;
    const float *rel_h, *rel_w; /* [2 side - 1, dk] f32, or NULL: no relative positions */
    float term_scale;           /* of terms, so that they are added to scores as these are before `scale` */
} flash_windows;

/* Strides in elements; `object` strides are 0 for what all objects share. */
typedef struct flash_args {
    const void *q, *k, *v;
    void *out;
    const int32_t *n_keys; /* NULL: n_k */
    float *partial;        /* with n_splits > 1: see flash_reduce */
    size_t q_object, k_object, v_object, out_object, n_keys_object;
    int q_row, k_row, v_row, out_row;
    int dk, dv, n_objects, heads, groups;
    int n_q, n_k, q_tiles, n_splits; /* rows of one problem: of a group, of the windows of a block */
    dtype q_type, k_type, v_type, out_type;
    float scale; /* times log2(e) */
    flash_windows windows;
} flash_args;

/* What a block works on. */
typedef struct flash_place {
    size_t q, k, v, out; /* first elements of the problem's rows, in this head */
    int head, problem, first_q;
    int n_keys, first_tile, end_tile;
    int top, left; /* of the first window */
    bool padded;   /* tokens of the block's windows lie beyond the image */
} flash_place;

/* grid: x query tile, y split, z (object * groups + group) * heads + head; windows: x query tile of a window, y head,
 * z object. */
template <bool WINDOWS>
static __device__ __forceinline__ flash_place flash_place_of(const flash_args &p, int rows_per_block, int tile_keys)
{
    flash_place at;
    at.problem = (int)blockIdx.z;
    at.head = WINDOWS ? (int)blockIdx.y : at.problem % p.heads;
    int group = WINDOWS ? 0 : at.problem / p.heads % p.groups, split = WINDOWS ? 0 : (int)blockIdx.y;
    size_t object = (size_t)(WINDOWS ? at.problem : at.problem / p.heads / p.groups);
    size_t first_q = (size_t)group * (size_t)p.n_q, first_k = (size_t)group * (size_t)p.n_k;
    at.q = object * p.q_object + first_q * (size_t)p.q_row + (size_t)(at.head * p.dk);
    at.k = object * p.k_object + first_k * (size_t)p.k_row + (size_t)(at.head * p.dk);
    at.v = object * p.v_object + first_k * (size_t)p.v_row + (size_t)(at.head * p.dv);
    at.out = object * p.out_object + first_q * (size_t)p.out_row + (size_t)(at.head * p.dv);
    at.first_q = (int)blockIdx.x % p.q_tiles * rows_per_block;
    at.n_keys = p.n_keys ? p.n_keys[object * p.n_keys_object] : p.n_k;
    at.n_keys = min(at.n_keys, p.n_k);
    int n_tiles = (at.n_keys + tile_keys - 1) / tile_keys, n_splits = WINDOWS ? 1 : p.n_splits;
    int per_split = (n_tiles + n_splits - 1) / n_splits;
    at.first_tile = min(split * per_split, n_tiles);
    at.end_tile = min(at.first_tile + per_split, n_tiles);
    at.top = at.left = 0;
    at.padded = false;
    if (WINDOWS) {
        int window = (int)blockIdx.x / p.q_tiles;
        at.top = window / p.windows.across * p.windows.side_y;
        at.left = window % p.windows.across * p.windows.per_block * p.windows.side_x;
        at.padded =
            at.top + p.windows.side_y > p.windows.h || at.left + p.windows.per_block * p.windows.side_x > p.windows.w;
    }
    return at;
}

enum { PADDING = -1, NO_TOKEN = -2 };

/* r / by, exact below 65536; inverse: 2^32 / by, rounded up. */
static __device__ __forceinline__ int divided(int r, int by, unsigned inverse)
{
    return by > 1 ? (int)((uint64_t)(unsigned)r * inverse >> 32) : r;
}

/* Index in the grid of token r of a block's windows, or PADDING. */
static __device__ __forceinline__ int window_token(const flash_windows &w, const flash_place &at, int r)
{
    int left = at.left;
    if (w.per_block > 1) {
        int window = r / (w.side_y * w.side_x);
        r -= window * w.side_y * w.side_x;
        left += window * w.side_x;
    }
    int y = divided(r, w.side_x, w.side_inverse), x = left + r - y * w.side_x;
    y += at.top;
    return y < w.h && x < w.w ? y * w.w + x : PADDING;
}

/* Query r of a block's windows: its window ... */
static __device__ __forceinline__ int query_window(const flash_windows &w, int r)
{
    return w.per_block > 1 ? r / (w.side_y / w.shrink * w.query_x) : 0;
}
/* ... and its place there in the grid of queries. */
static __device__ __forceinline__ void window_query(const flash_windows &w, int r, int *window, int *y, int *x)
{
    *window = query_window(w, r);
    if (w.per_block > 1)
        r -= *window * (w.side_y / w.shrink * w.query_x);
    *y = divided(r, w.query_x, w.query_inverse);
    *x = r - *y * w.query_x;
}
/* Index of query r's output row, -1 where there is none. */
template <bool WINDOWS>
static __device__ __forceinline__ int output_row(const flash_args &p, const flash_place &at, int r)
{
    if (!WINDOWS)
        return r < p.n_q ? r : -1;
    const flash_windows &w = p.windows;
    int window, y, x, halved = w.shrink - 1, out_h = w.h >> halved, out_w = w.w >> halved;
    if (r >= p.n_q)
        return -1;
    window_query(w, r, &window, &y, &x);
    y += at.top >> halved;
    x += (at.left + window * w.side_x) >> halved;
    return y < out_h && x < out_w ? y * out_w + x : -1;
}

/* The greater; a NaN is greater than all. */
static __device__ __forceinline__ float nan_max(float a, float b)
{
    return a > b || a != a ? a : b;
}
/* 8 elements from column c of query r, or of token r of k or v, as f32; padding is the bias. `width`: valid columns. */
static __device__ __forceinline__ void token_run(float *v, const void *data, dtype type, size_t first, int row_stride,
                                                 int token, const float *bias, int c, int width)
{
    int n = max(0, min(RUN, width - c));
    if (token < 0)
        load_run(v, bias, DT_F32, (size_t)c, n);
    else
        load_run(v, data, type, first + (size_t)token * (size_t)row_stride + (size_t)c, n);
}
static __device__ __forceinline__ void query_run(float *v, const flash_args &p, const flash_place &at, int r, int c)
{
    const flash_windows &w = p.windows;
    const float *bias = w.q_bias + at.head * p.dk;
    if (w.shrink == 1) {
        token_run(v, p.q, p.q_type, at.q, p.q_row, window_token(w, at, r), bias, c, p.dk);
        return;
    }
    int window, y, x;
    window_query(w, r, &window, &y, &x);
    for (int tap = 0; tap < 4; tap++) {
        float other[RUN];
        int gy = at.top + 2 * y + tap / 2, gx = at.left + window * w.side_x + 2 * x + tap % 2;
        token_run(other, p.q, p.q_type, at.q, p.q_row, gy < w.h && gx < w.w ? gy * w.w + gx : -1, bias, c, p.dk);
        UNROLL
        for (int k = 0; k < RUN; k++)
            v[k] = tap ? nan_max(v[k], other[k]) : other[k];
    }
}

/* Loading tiles ----------------------------------------------------------------------------------------------------- */

template <class T> static __device__ __forceinline__ void store_chunk(unsigned char *to, const float *v)
{
    store_b128(to, make_uint4(pack2<T>(v[0], v[1]), pack2<T>(v[2], v[3]), pack2<T>(v[4], v[5]), pack2<T>(v[6], v[7])));
}

/* Chunk c of a padding token; zeros from column `width` on. */
template <class T>
static __device__ __forceinline__ void store_bias(unsigned char *to, const float *bias, int c, int width)
{
    float v[RUN] = {};
    if (c * RUN < width)
        load_run(v, bias, DT_F32, (size_t)(c * RUN), RUN);
    store_chunk<T>(to, v);
}

/* Tokens first .. of a block's windows, of two tensors at once (the second tile may be NULL): zeros from n_rows on, padding
 * is the bias. Each lane finds one of the rows that its warp copies in the grid; they tell each other. */
template <class T, int D>
static __device__ __forceinline__ void load_windows(unsigned char *tile, unsigned char *other, const flash_args &p,
                                                    const flash_place &at, const T *from, const T *other_from,
                                                    const float *bias, const float *other_bias, int first, int n_tile,
                                                    int n_rows)
{
    copy_lane<D> l = copy_begin<D>(p.dk);
    const int TRIPS = 32 / l.ROWS; /* for which lanes can find the rows */
    int lane = (int)threadIdx.x % 32, source = l.copies ? lane / l.LANES : 0, row_stride = p.q_row * (int)sizeof(T);
    int mine = lane / l.ROWS * l.step + (int)threadIdx.x / 32 * l.ROWS + lane % l.ROWS, to = l.to;
    ptrdiff_t apart = (const char *)other_from - (const char *)from;
    from += l.chunk * RUN;
    UNROLL_BY(1)
    for (int begin = 0; begin < n_tile; begin += TRIPS * l.step) {
        int token = NO_TOKEN;
        if (begin + mine < n_tile && first + begin + mine < n_rows)
            token = window_token(p.windows, at, first + begin + mine);
        UNROLL_BY(1)
        for (int trip = 0, r = begin; trip < TRIPS && r < n_tile; trip++, r += l.step) {
            int row = __shfl_sync(0xFFFFFFFFu, token, trip * l.ROWS + source);
            if (l.copies && r + l.row < n_tile && row != PADDING) {
                const char *at_row = (const char *)from + (ptrdiff_t)row * row_stride;
                copy_row<T, D>(l, tile, to, (const T *)at_row, row >= 0);
                if (other)
                    copy_row<T, D>(l, other, to, (const T *)(at_row + apart), row >= 0);
            }
            to = copy_next(l, to);
        }
    }
    if (!at.padded)
        return;
    UNROLL_BY(1)
    for (int i = (int)threadIdx.x; i < n_tile * (D / RUN); i += (int)blockDim.x) {
        int r = i / (D / RUN), c = i % (D / RUN);
        if (first + r >= n_rows || window_token(p.windows, at, first + r) != PADDING)
            continue;
        store_bias<T>(tile + chunk_at<D>(r, c), bias, c, p.dk);
        if (other)
            store_bias<T>(other + chunk_at<D>(r, c), other_bias, c, p.dk);
    }
}

/* Queries from first on: as above, but pooled ones are made here. */
template <class T, int D, bool WINDOWS>
static __device__ __forceinline__ void load_queries(unsigned char *tile, const flash_args &p, const flash_place &at,
                                                    int n_tile)
{
    const int CHUNKS = D / 8;
    if (WINDOWS && p.windows.shrink == 2)
        for (int i = (int)threadIdx.x; i < n_tile * CHUNKS; i += (int)blockDim.x) {
            int r = i / CHUNKS, c = i % CHUNKS;
            float v[RUN] = {};
            if (at.first_q + r < p.n_q && c * RUN < p.dk)
                query_run(v, p, at, at.first_q + r, c * RUN);
            store_chunk<T>(tile + chunk_at<D>(r, c), v);
        }
    else if (WINDOWS)
        load_windows<T, D>(tile, nullptr, p, at, (const T *)p.q + at.q, nullptr, p.windows.q_bias + at.head * p.dk,
                           nullptr, at.first_q, n_tile, p.n_q);
    else
        copy_rows<T, D>(copy_begin<D>(p.dk), tile, (const T *)p.q + at.q, (size_t)p.q_row, (size_t)at.first_q, n_tile,
                        (size_t)p.n_q);
}

/* The steps of a tile ----------------------------------------------------------------------------------------------- */

/* A warp's fragment of 16 rows, columns 16 k .. 16 k + 15. */
template <int D>
static __device__ __forceinline__ void query_fragment(uint32_t *a, const unsigned char *sQ, int row, int k)
{
    ldmatrix_x4(a, sQ + matrix_at<D>(matrix_lane_a<D>(), row, k));
}

/* Sixteens of a tile's keys that a warp takes part in. */
typedef struct sixteens {
    int first, end;
} sixteens;

/* s [MT][BN / 8][4] = Q K^T */
template <class T, int DK, int BN, int MT, bool Q_REGISTERS>
static __device__ __forceinline__ void tile_scores(float (*s)[BN / 8][4], const uint32_t (*rQ)[4],
                                                   const unsigned char *sQ, int row, const unsigned char *sK,
                                                   sixteens own)
{
    int lane_byte = matrix_lane_b<DK>();
    UNROLL
    for (int m = 0; m < MT; m++)
        UNROLL
    for (int j = 0; j < BN / 8; j++)
        s[m][j][0] = s[m][j][1] = s[m][j][2] = s[m][j][3] = 0;
    /* Wholly unrolled, wide queries in shared memory cost registers for addresses that are cheap to compute. */
    UNROLL_BY(Q_REGISTERS || DK <= 128 ? DK / 16 : 4)
    for (int k = 0; k < DK / 16; k++) {
        uint32_t a[MT][4];
        UNROLL
        for (int m = 0; m < MT; m++) {
            if (Q_REGISTERS)
                a[m][0] = rQ[k][0], a[m][1] = rQ[k][1], a[m][2] = rQ[k][2], a[m][3] = rQ[k][3];
            else
                query_fragment<DK>(a[m], sQ, row + 16 * m, k);
        }
        UNROLL
        for (int j = 0; j < BN / 16; j++) {
            if (j < own.first || j >= own.end)
                continue;
            uint32_t b[4]; /* two matrices of 8 keys, 16 deep */
            ldmatrix_x4(b, sK + matrix_at<DK>(lane_byte, 16 * j, k));
            UNROLL
            for (int m = 0; m < MT; m++) {
                mma_16x8x16<T>(s[m][2 * j], a[m], b);
                mma_16x8x16<T>(s[m][2 * j + 1], a[m], b + 2);
            }
        }
    }
}

/* Scores become probabilities; most, sum [MT][2] are those of rows lane / 4 and lane / 4 + 8, the sum of this lane's
 * columns only. */
template <int BN, int DV, int MT>
static __device__ __forceinline__ void tile_softmax(float (*s)[BN / 8][4], float (*o)[DV / 8][4], float (*most)[2],
                                                    float (*sum)[2], float scale)
{
    UNROLL
    for (int m = 0; m < MT; m++) {
        float factor[2];
        bool grows = false;
        UNROLL
        for (int h = 0; h < 2; h++) {
            float top = s[m][0][2 * h];
            UNROLL
            for (int j = 0; j < BN / 8; j++)
                top = fmaxf(top, fmaxf(s[m][j][2 * h], s[m][j][2 * h + 1]));
            top = fmaxf(top, __shfl_xor_sync(0xFFFFFFFFu, top, 1));
            top = fmaxf(top, __shfl_xor_sync(0xFFFFFFFFu, top, 2));
            float higher = fmaxf(most[m][h], top * scale);
            grows |= higher > most[m][h];
            factor[h] = exp2_approx(most[m][h] - higher);
            most[m][h] = higher;
            float part = 0;
            UNROLL
            for (int j = 0; j < BN / 8; j++) {
                float a = exp2_approx(fmaf(s[m][j][2 * h], scale, -higher));
                float b = exp2_approx(fmaf(s[m][j][2 * h + 1], scale, -higher));
                part += a + b;
                s[m][j][2 * h] = a;
                s[m][j][2 * h + 1] = b;
            }
            sum[m][h] = sum[m][h] * factor[h] + part;
        }
        if (!__any_sync(0xFFFFFFFFu, grows))
            continue;
        UNROLL
        for (int n = 0; n < DV / 8; n++) {
            o[m][n][0] *= factor[0];
            o[m][n][1] *= factor[0];
            o[m][n][2] *= factor[1];
            o[m][n][3] *= factor[1];
        }
    }
}

/* o [MT][DV / 8][4] += P V */
template <class T, int DV, int BN, int MT>
static __device__ __forceinline__ void tile_values(float (*o)[DV / 8][4], const float (*s)[BN / 8][4],
                                                   const unsigned char *sV, sixteens own)
{
    int lane_byte = matrix_lane_a<DV>();
    UNROLL
    for (int j = 0; j < BN / 16; j++) {
        if (j < own.first || j >= own.end)
            continue; /* not only zeros: 0 * NaN would leave its window */
        uint32_t a[MT][4];
        UNROLL
        for (int m = 0; m < MT; m++) {
            a[m][0] = pack2<T>(s[m][2 * j][0], s[m][2 * j][1]);
            a[m][1] = pack2<T>(s[m][2 * j][2], s[m][2 * j][3]);
            a[m][2] = pack2<T>(s[m][2 * j + 1][0], s[m][2 * j + 1][1]);
            a[m][3] = pack2<T>(s[m][2 * j + 1][2], s[m][2 * j + 1][3]);
        }
        UNROLL
        for (int n = 0; n < DV / 16; n++) {
            uint32_t b[4];
            ldmatrix_x4_trans(b, sV + matrix_at<DV>(lane_byte, 16 * j, n));
            UNROLL
            for (int m = 0; m < MT; m++) {
                mma_16x8x16<T>(o[m][2 * n], a[m], b);
                mma_16x8x16<T>(o[m][2 * n + 1], a[m], b + 2);
            }
        }
    }
}

/* Keys from n_keys on, and those not the warp's own, get -inf. */
template <int BN, int MT>
static __device__ __forceinline__ void tile_mask(float (*s)[BN / 8][4], int n_keys, sixteens own)
{
    int lane = (int)threadIdx.x % 32;
    UNROLL
    for (int m = 0; m < MT; m++)
        UNROLL
    for (int j = 0; j < BN / 8; j++)
        UNROLL
    for (int i = 0; i < 4; i++)
        if (8 * j + lane % 4 * 2 + i % 2 >= n_keys || j / 2 < own.first || j / 2 >= own.end)
            s[m][j][i] = -INFINITY;
}

/* Relative positions ------------------------------------------------------------------------------------------------ */

/* f16 between the terms of two queries, which are side_x columns, then side_y rows; an odd multiple of 8, so that the
 * eight queries of a fragment lie in different banks. */
static __host__ __device__ __forceinline__ int term_stride(const flash_windows &w)
{
    return (w.side_x + w.side_y + 7) / 16 * 16 + 8;
}

/* Rows first .. first + n_tile - 1 of a table [n_rows, width] f32 as T; zeros beyond. */
template <class T, int D>
static __device__ __forceinline__ void load_table(unsigned char *tile, const float *table, int width, int first,
                                                  int n_tile, int n_rows)
{
    UNROLL_BY(1)
    for (int i = (int)threadIdx.x; i < n_tile * (D / RUN); i += (int)blockDim.x) {
        int r = i / (D / RUN), c = i % (D / RUN);
        float v[RUN] = {};
        if (first + r < n_rows && c * RUN < width)
            load_run(v, table, DT_F32, (size_t)(first + r) * (size_t)width + (size_t)(c * RUN), RUN);
        store_chunk<T>(tile + chunk_at<D>(r, c), v);
    }
}

/* Products of a warp's queries with table rows first .. go to the keys that lie there for each query; the queries beyond the
 * last one stand at 0. `axis` 0: columns. */
template <int BN, int MT>
static __device__ __forceinline__ void store_terms(f16 *terms, const float (*s)[BN / 8][4], const flash_windows &w,
                                                   int first_query, int n_q, int warp_row, int first, int axis)
{
    int lane = (int)threadIdx.x % 32, side = axis ? w.side_y : w.side_x, stride = term_stride(w);
    UNROLL
    for (int m = 0; m < MT; m++)
        UNROLL
    for (int h = 0; h < 2; h++) {
        int r = warp_row + 16 * m + 8 * h + lane / 4, window, y = 0, x = 0;
        if (first_query + r < n_q)
            window_query(w, first_query + r, &window, &y, &x);
        f16 *to = terms + r * stride + (axis ? w.side_x : 0);
        UNROLL
        for (int j = 0; j < BN / 8; j++)
            UNROLL
        for (int i = 0; i < 2; i++) {
            int key = (axis ? y : x) + side - 1 - (first + 8 * j + lane % 4 * 2 + i);
            if (key >= 0 && key < side)
                to[key] = from_f32<f16>(s[m][j][2 * h + i] * w.term_scale);
        }
    }
}

/* Terms of a block's queries, which are in sQ; `tile` is room for BN rows of a table. All threads call it. */
template <class T, int DK, int BN, int MT>
static __device__ __forceinline__ void make_terms(f16 *terms, unsigned char *tile, const unsigned char *sQ,
                                                  const flash_args &p, int first_query, int warp_row)
{
    UNROLL_BY(1)
    for (int axis = 0; axis < 2; axis++) {
        int n_rows = 2 * (axis ? p.windows.side_y : p.windows.side_x) - 1;
        UNROLL_BY(1)
        for (int first = 0; first < n_rows; first += BN) {
            load_table<T, DK>(tile, axis ? p.windows.rel_h : p.windows.rel_w, p.dk, first, BN, n_rows);
            __syncthreads(); /* the rows are there */
            float s[MT][BN / 8][4];
            sixteens some = {0, (min(n_rows - first, BN) + 15) / 16};
            tile_scores<T, DK, BN, MT, false>(s, nullptr, sQ, warp_row, tile, some);
            store_terms<BN, MT>(terms, s, p.windows, first_query, p.n_q, warp_row, first, axis);
            __syncthreads(); /* they have been used (and the warp's own terms are there) */
        }
    }
}

/* Scores of keys first .. get their terms; side_x is even, so that two keys of a fragment are neighbours. */
template <int BN, int MT>
static __device__ __forceinline__ void add_terms(float (*s)[BN / 8][4], const f16 *terms, const flash_windows &w,
                                                 int warp_row, int first)
{
    int lane = (int)threadIdx.x % 32, stride = term_stride(w);
    const f16 *mine = terms + (warp_row + lane / 4) * stride;
    UNROLL
    for (int j = 0; j < BN / 8; j++) {
        int key = first + 8 * j + lane % 4 * 2, row = divided(key, w.side_x, w.side_inverse);
        int column = key - row * w.side_x, at_row = w.side_x + min(row, w.side_y - 1); /* keys beyond the last: any */
        UNROLL
        for (int m = 0; m < MT; m++)
            UNROLL
        for (int h = 0; h < 2; h++) {
            const f16 *of = mine + (16 * m + 8 * h) * stride;
            float2 across = unpack2<f16>(*(const uint32_t *)(of + column));
            float down = to_f32(of[at_row]);
            s[m][j][2 * h] += across.x + down;
            s[m][j][2 * h + 1] += across.y + down;
        }
    }
}

/* Rows of partial results: [n_splits][problems][n_q][dv] f32, then their maximum and sum [n_splits][problems][n_q][2]. */
static __device__ __forceinline__ size_t partial_row(const flash_args &p, int split, int problem, int r)
{
    size_t problems = (size_t)p.n_objects * (size_t)p.groups * (size_t)p.heads;
    return ((size_t)split * problems + (size_t)problem) * (size_t)p.n_q + (size_t)r;
}
static __device__ __forceinline__ size_t partial_rows(const flash_args &p)
{
    return (size_t)p.n_splits * (size_t)p.n_objects * (size_t)p.groups * (size_t)p.heads * (size_t)p.n_q;
}

template <class T, int DV, int MT, bool WINDOWS>
static __device__ __forceinline__ void store_output(const flash_args &p, const flash_place &at, int row,
                                                    const float (*o)[DV / 8][4], const float (*most)[2],
                                                    const float (*sum)[2])
{
    int lane = (int)threadIdx.x % 32;
    UNROLL
    for (int m = 0; m < MT; m++)
        UNROLL
    for (int h = 0; h < 2; h++) {
        float total = sum[m][h];
        total += __shfl_xor_sync(0xFFFFFFFFu, total, 1);
        total += __shfl_xor_sync(0xFFFFFFFFu, total, 2);
        int r = row + 16 * m + 8 * h + lane / 4, to = output_row<WINDOWS>(p, at, r);
        if (to < 0)
            continue;
        bool whole = WINDOWS || p.n_splits == 1;
        size_t part = whole ? 0 : partial_row(p, (int)blockIdx.y, at.problem, r);
        size_t first = whole ? at.out + (size_t)to * (size_t)p.out_row : part * (size_t)p.dv;
        float factor = whole ? 1.0f / total : 1.0f;
        if (whole && p.out_type == p.q_type) {
            T *out = (T *)p.out + first + lane % 4 * 2;
            UNROLL
            for (int n = 0; n < DV / 8; n++)
                if (8 * n < p.dv)
                    *(uint32_t *)(out + 8 * n) = pack2<T>(o[m][n][2 * h] * factor, o[m][n][2 * h + 1] * factor);
            continue;
        }
        UNROLL
        for (int n = 0; n < DV / 8; n++)
            if (8 * n < p.dv)
                store_pair(whole ? p.out : p.partial, whole ? p.out_type : DT_F32,
                           first + (size_t)(8 * n + lane % 4 * 2), o[m][n][2 * h] * factor,
                           o[m][n][2 * h + 1] * factor);
        if (!whole && lane % 4 == 0)
            store_pair(p.partial, DT_F32, partial_rows(p) * (size_t)p.dv + 2 * part, most[m][h], total);
    }
}

/* Kernels ----------------------------------------------------------------------------------------------------------- */

template <int DV, int MT> __host__ __device__ static constexpr bool queries_in_registers(void)
{
    return MT == 1 && DV <= 128;
}
/* Wide queries on their way to registers borrow the tiles' place. */
template <int DK, int DV, int MT> __host__ __device__ static constexpr bool queries_borrow(void)
{
    return queries_in_registers<DV, MT>() && DK > 128;
}
/* The second pair of tiles is not touched where there is one tile of keys. */
template <int DK, int DV, int BN, int MT> static size_t flash_shared_bytes(int n_warps, int n_keys)
{
    size_t q = (size_t)tile_bytes<DK>(16 * MT * n_warps), tiles = (size_t)(tile_bytes<DK>(BN) + tile_bytes<DV>(BN));
    if (n_keys > BN)
        tiles *= 2;
    return queries_borrow<DK, DV, MT>() ? (q > tiles ? q : tiles) : q + tiles;
}
/* Behind them, with POSITIONS. */
template <int MT> static size_t flash_term_bytes(int n_warps, const flash_windows *w)
{
    return (size_t)(16 * MT * n_warps) * (size_t)term_stride(*w) * sizeof(f16);
}

template <class T, int DK, int DV, int BN, int MT, bool WINDOWS, bool POSITIONS>
__global__ void __launch_bounds__(256, 1) flash_half(flash_args p)
{
    static_assert(DK % 16 == 0 && DV % 16 == 0 && BN % 16 == 0, "fragments are 16 wide");
    const bool Q_REGISTERS = queries_in_registers<DV, MT>(), Q_BORROWS = queries_borrow<DK, DV, MT>();
    const int K_BYTES = tile_bytes<DK>(BN), STAGE_BYTES = K_BYTES + tile_bytes<DV>(BN);
    int warp = (int)threadIdx.x / 32, rows = 16 * MT * ((int)blockDim.x / 32), warp_row = 16 * MT * warp;
    flash_place at = flash_place_of<WINDOWS>(p, rows, BN);
    unsigned char *sTiles = dynamic_shared() + (Q_BORROWS ? 0 : tile_bytes<DK>(rows)), *sQ = dynamic_shared();
    const float *k_bias = WINDOWS ? p.windows.k_bias + at.head * p.dk : nullptr;
    const float *v_bias = WINDOWS ? p.windows.v_bias + at.head * p.dv : nullptr;
    f16 *sTerms = (f16 *)(sTiles + (p.n_k > BN ? 2 : 1) * STAGE_BYTES);
    static_assert(!POSITIONS || (WINDOWS && !Q_BORROWS),
                  "positions are those of windows; queries stay in shared memory");
    auto load_keys = [&](int tile) {
        unsigned char *to = sTiles + (tile - at.first_tile) % 2 * STAGE_BYTES;
        if (WINDOWS) {
            load_windows<T, DK>(to, to + K_BYTES, p, at, (const T *)p.k + at.k, (const T *)p.v + at.v, k_bias, v_bias,
                                tile * BN, BN, at.n_keys);
        } else {
            size_t first = (size_t)tile * BN, n = (size_t)at.n_keys;
            copy_rows<T, DK>(copy_begin<DK>(p.dk), to, (const T *)p.k + at.k, (size_t)p.k_row, first, BN, n);
            copy_rows<T, DV>(copy_begin<DV>(p.dv), to + K_BYTES, (const T *)p.v + at.v, (size_t)p.v_row, first, BN, n);
        }
        cp_async_commit();
    };
    load_queries<T, DK, WINDOWS>(sQ, p, at, rows);
    cp_async_commit();
    if (POSITIONS) {
        cp_async_wait<0>(); /* the barrier behind the first rows of a table makes the queries visible to all */
        make_terms<T, DK, BN, MT>(sTerms, sTiles, sQ, p, at.first_q, warp_row);
    }
    if (Q_BORROWS) {
        cp_async_wait<0>();
    } else {
        if (at.first_tile < at.end_tile)
            load_keys(at.first_tile);
        else
            cp_async_commit();
        cp_async_wait<1>();
    }
    __syncthreads(); /* the queries are there */
    uint32_t rQ[Q_REGISTERS ? DK / 16 : 1][4];
    if (Q_REGISTERS)
        UNROLL
    for (int k = 0; k < DK / 16; k++)
        query_fragment<DK>(rQ[Q_REGISTERS ? k : 0], sQ, warp_row, k);
    if (Q_BORROWS) {
        __syncthreads(); /* all have read them; the tiles may come */
        if (at.first_tile < at.end_tile)
            load_keys(at.first_tile);
    }
    float o[MT][DV / 8][4], most[MT][2], sum[MT][2];
    UNROLL
    for (int m = 0; m < MT; m++) {
        most[m][0] = most[m][1] = LOWEST;
        sum[m][0] = sum[m][1] = 0;
        UNROLL
        for (int n = 0; n < DV / 8; n++)
            o[m][n][0] = o[m][n][1] = o[m][n][2] = o[m][n][3] = 0;
    }
    bool works = at.first_q + warp_row < p.n_q; /* the same for the whole warp */
    sixteens own = {0, BN / 16};
    if (WINDOWS && p.windows.per_block > 1) /* windows of 16 tokens: the warp's own */
        own.first = query_window(p.windows, at.first_q + warp_row), own.end = own.first + 1;
    for (int tile = at.first_tile; tile < at.end_tile; tile++) {
        cp_async_wait<0>();
        __syncthreads(); /* this tile is there, and nobody reads the one that the next load replaces */
        if (tile + 1 < at.end_tile)
            load_keys(tile + 1);
        if (!works)
            continue;
        const unsigned char *sK = sTiles + (tile - at.first_tile) % 2 * STAGE_BYTES;
        float s[MT][BN / 8][4];
        tile_scores<T, DK, BN, MT, Q_REGISTERS>(s, rQ, sQ, warp_row, sK, own);
        if (POSITIONS)
            add_terms<BN, MT>(s, sTerms, p.windows, warp_row, tile * BN);
        if ((tile + 1) * BN > at.n_keys || (WINDOWS && p.windows.per_block > 1))
            tile_mask<BN, MT>(s, at.n_keys - tile * BN, own);
        tile_softmax<BN, DV, MT>(s, o, most, sum, p.scale);
        tile_values<T, DV, BN, MT>(o, s, sK + K_BYTES, own);
    }
    if (works) {
        if (!WINDOWS)
            at = flash_place_of<WINDOWS>(p, rows, BN); /* again: it would not fit beside 256 columns of o */
        store_output<T, DV, MT, WINDOWS>(p, at, at.first_q + warp_row, o, most, sum);
    }
}

enum { PLAIN_ROWS = 32, PLAIN_THREADS = 256 };

/* Floats between rows: rows of eight neighbouring lanes start in different groups of four banks. */
static __device__ __forceinline__ int plain_stride(int width)
{
    return (width + 31) / 32 * 32 + 4;
}
/* Behind it, with relative positions, the terms [32, side_x + side_y] f32. */
static inline size_t plain_term_bytes(const flash_windows *w)
{
    return w->rel_h ? (size_t)PLAIN_ROWS * (size_t)(w->side_x + w->side_y) * sizeof(float) : 0;
}
static inline size_t plain_shared_bytes(int dk, int dv)
{
    int q = (dk + 31) / 32 * 32 + 4, kv = ((dk > dv ? dk : dv) + 31) / 32 * 32 + 4;
    return (size_t)PLAIN_ROWS * (size_t)(q + kv + PLAIN_ROWS + 1) * sizeof(float);
}

/* Column c of token `row` (of the problem, or of the grid, where -1 is padding). */
static __device__ __forceinline__ float plain_value(const void *data, dtype type, size_t first, int row_stride, int row,
                                                    const float *bias, int c)
{
    return row < 0 ? bias[c] : load_one(data, type, first + (size_t)row * (size_t)row_stride + (size_t)c);
}
static __device__ __forceinline__ float plain_query(const flash_args &p, const flash_place &at, int r, int c)
{
    const flash_windows &w = p.windows;
    int window, y, x;
    float v = -INFINITY;
    window_query(w, r, &window, &y, &x);
    for (int tap = 0; tap < w.shrink * w.shrink; tap++) {
        int gy = at.top + w.shrink * y + tap / 2, gx = at.left + window * w.side_x + w.shrink * x + tap % 2;
        int row = gy < w.h && gx < w.w ? gy * w.w + gx : -1;
        v = nan_max(v, plain_value(p.q, p.q_type, at.q, p.q_row, row, w.q_bias + at.head * p.dk, c));
    }
    return v;
}

/* 32 rows of k or v (or, with `queries`, of q) as f32; zeros from n_rows on and up to the next multiple of 4 columns. */
template <bool WINDOWS>
static __device__ __forceinline__ void plain_load(float *to, int stride, const flash_args &p, const flash_place &at,
                                                  const void *data, dtype type, size_t origin, int row_stride,
                                                  const float *bias, int width, int first, int n_rows, bool queries)
{
    int cols = (width + 3) / 4 * 4;
    UNROLL_BY(1)
    for (int i = (int)threadIdx.x; i < PLAIN_ROWS * cols; i += PLAIN_THREADS) {
        int r = i / cols, c = i % cols, row = first + r;
        float v = 0;
        if (row < n_rows && c < width)
            v = WINDOWS && queries ? plain_query(p, at, row, c)
                                   : plain_value(data, type, origin, row_stride,
                                                 WINDOWS ? window_token(p.windows, at, row) : row, bias, c);
        to[r * stride + c] = v;
    }
}

static __device__ __forceinline__ float dot4(uint4 a, uint4 b, float sum)
{
    sum = fmaf(__uint_as_float(a.x), __uint_as_float(b.x), sum);
    sum = fmaf(__uint_as_float(a.y), __uint_as_float(b.y), sum);
    sum = fmaf(__uint_as_float(a.z), __uint_as_float(b.z), sum);
    return fmaf(__uint_as_float(a.w), __uint_as_float(b.w), sum);
}

/* Terms of the block's queries, which are in sQ; see make_terms. */
static __device__ __forceinline__ void plain_terms(float *terms, const float *sQ, int q_stride, const flash_args &p,
                                                   int first_query)
{
    const flash_windows &w = p.windows;
    int n_terms = w.side_x + w.side_y;
    UNROLL_BY(1)
    for (int i = (int)threadIdx.x; i < PLAIN_ROWS * n_terms; i += PLAIN_THREADS) {
        int r = i / n_terms, key = i % n_terms, window, y = 0, x = 0;
        if (first_query + r < p.n_q)
            window_query(w, first_query + r, &window, &y, &x);
        int row = key < w.side_x ? x - key + w.side_x - 1 : y - (key - w.side_x) + w.side_y - 1;
        const float *table = (key < w.side_x ? w.rel_w : w.rel_h) + (size_t)row * (size_t)p.dk;
        float sum = 0;
        UNROLL_BY(2)
        for (int d = 0; d < p.dk; d++)
            sum = fmaf(sQ[r * q_stride + d], table[d], sum);
        terms[i] = sum * w.term_scale;
    }
}
/* Of query `row` of the block and key `key` of its window. */
static __device__ __forceinline__ float plain_term(const float *terms, const flash_windows &w, int row, int key)
{
    int y = divided(key, w.side_x, w.side_inverse), x = key - y * w.side_x;
    const float *of = terms + row * (w.side_x + w.side_y);
    return of[x] + of[w.side_x + min(y, w.side_y - 1)];
}

/* Eight lanes share a query: scores of keys lane + 8 j, then output columns 4 lane + 32 i. */
template <bool WINDOWS> __global__ void __launch_bounds__(256, 1) flash_plain(flash_args p)
{
    int row = (int)threadIdx.x / 8, lane = (int)threadIdx.x % 8;
    flash_place at = flash_place_of<WINDOWS>(p, PLAIN_ROWS, PLAIN_ROWS);
    int q_stride = plain_stride(p.dk), kv_stride = plain_stride(max(p.dk, p.dv));
    float *sQ = (float *)dynamic_shared(), *sKV = sQ + PLAIN_ROWS * q_stride, *sP = sKV + PLAIN_ROWS * kv_stride;
    const float *k_bias = WINDOWS ? p.windows.k_bias + at.head * p.dk : nullptr;
    const float *v_bias = WINDOWS ? p.windows.v_bias + at.head * p.dv : nullptr;
    plain_load<WINDOWS>(sQ, q_stride, p, at, p.q, p.q_type, at.q, p.q_row, nullptr, p.dk, at.first_q, p.n_q, true);
    float *sTerms = sP + PLAIN_ROWS * (PLAIN_ROWS + 1);
    const bool positions = WINDOWS && p.windows.rel_h;
    if (positions) {
        __syncthreads(); /* the queries are there */
        plain_terms(sTerms, sQ, q_stride, p, at.first_q);
    }
    float o[FLASH_MAX_WIDTH / 32][4] = {}, most = LOWEST, sum = 0;
    int n_tokens = p.windows.side_y * p.windows.side_x, first_key = 0, end_key = at.n_keys;
    if (WINDOWS && p.windows.per_block > 1) {
        first_key = query_window(p.windows, at.first_q + row) * n_tokens;
        end_key = first_key + n_tokens;
    }
    for (int tile = at.first_tile; tile < at.end_tile; tile++) {
        int first = tile * PLAIN_ROWS;
        __syncthreads(); /* the last tile's values have been used */
        plain_load<WINDOWS>(sKV, kv_stride, p, at, p.k, p.k_type, at.k, p.k_row, k_bias, p.dk, first, at.n_keys, false);
        __syncthreads(); /* keys, and at first queries, are there */
        float s[4] = {}, top = -INFINITY, part = 0;
        UNROLL_BY(2)
        for (int d = 0; d < p.dk; d += 4) {
            uint4 q = load_b128(sQ + row * q_stride + d);
            UNROLL
            for (int j = 0; j < 4; j++)
                s[j] = dot4(q, load_b128(sKV + (lane + 8 * j) * kv_stride + d), s[j]);
        }
        UNROLL
        for (int j = 0; j < 4; j++) {
            int key = first + lane + 8 * j;
            if (positions)
                s[j] += plain_term(sTerms, p.windows, row, key - first_key);
            s[j] = key < first_key || key >= end_key ? -INFINITY : s[j] * p.scale;
            top = fmaxf(top, s[j]);
        }
        UNROLL
        for (int bits = 1; bits < 8; bits *= 2)
            top = fmaxf(top, __shfl_xor_sync(0xFFFFFFFFu, top, bits));
        float higher = fmaxf(most, top), factor = exp2f(most - higher);
        most = higher;
        UNROLL
        for (int j = 0; j < 4; j++) {
            s[j] = exp2f(s[j] - higher);
            part += s[j];
            sP[row * (PLAIN_ROWS + 1) + lane + 8 * j] = s[j];
        }
        sum = sum * factor + group_sum(part, 8);
        __syncthreads(); /* the keys have been used (and P is there: its rows stay in a warp) */
        plain_load<WINDOWS>(sKV, kv_stride, p, at, p.v, p.v_type, at.v, p.v_row, v_bias, p.dv, first, at.n_keys, false);
        __syncthreads(); /* values are there */
        UNROLL
        for (int i = 0; i < FLASH_MAX_WIDTH / 32; i++) {
            if (32 * i + 4 * lane >= p.dv)
                break;
            o[i][0] *= factor, o[i][1] *= factor, o[i][2] *= factor, o[i][3] *= factor;
            UNROLL_BY(2)
            for (int j = max(0, first_key - first); j < min((int)PLAIN_ROWS, end_key - first); j++) {
                float w = sP[row * (PLAIN_ROWS + 1) + j];
                uint4 v = load_b128(sKV + j * kv_stride + 32 * i + 4 * lane);
                o[i][0] = fmaf(w, __uint_as_float(v.x), o[i][0]);
                o[i][1] = fmaf(w, __uint_as_float(v.y), o[i][1]);
                o[i][2] = fmaf(w, __uint_as_float(v.z), o[i][2]);
                o[i][3] = fmaf(w, __uint_as_float(v.w), o[i][3]);
            }
        }
    }
    int to = output_row<WINDOWS>(p, at, at.first_q + row);
    if (to < 0)
        return;
    bool whole = WINDOWS || p.n_splits == 1;
    size_t part = whole ? 0 : partial_row(p, (int)blockIdx.y, at.problem, at.first_q + row);
    size_t first = whole ? at.out + (size_t)to * (size_t)p.out_row : part * (size_t)p.dv;
    UNROLL
    for (int i = 0; i < FLASH_MAX_WIDTH / 32; i++)
        UNROLL
    for (int k = 0; k < 4; k++)
        if (32 * i + 4 * lane + k < p.dv)
            store_one(whole ? p.out : p.partial, whole ? p.out_type : DT_F32, first + (size_t)(32 * i + 4 * lane + k),
                      whole ? o[i][k] / sum : o[i][k]);
    if (!whole && lane == 0) {
        p.partial[partial_rows(p) * (size_t)p.dv + 2 * part] = most;
        p.partial[partial_rows(p) * (size_t)p.dv + 2 * part + 1] = sum;
    }
}

#endif
