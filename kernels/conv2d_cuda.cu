/* conv2d on CUDA: y = act(convolution(x, w) + b) + residual, zero padding, f32 sums.
 *   x [n, h*w, I]    w [O, (I/groups)*k*k]    b? [O] f32    residual? [n|1, H'*W', O]    ->    y [n, H'*W', O]
 *
 * conv_depthwise, one weight a channel and tap (3x3 with stride 1 or 2, 7x7; channels a multiple of 8):
 *   grid    a thread per 8 channels and 4 outputs in a row;   block 256;   shared 0
 *   A thread walks over the kernel's rows; of each it reads the 6, 9 or 10 pixels below its outputs once, as 16-byte
 *   vectors, and the row's weights, and adds every pixel to the outputs that it reaches: sums, weights and the pixel stay
 *   in registers. traffic x once from memory (its 1.5 * 3 to 2.5 * 7 readings from L1 and L2), y once.
 *   7x7 of the memory encoder (64x64x256 bf16): 4 MB and 0.1 GFLOP, about 3 us of an H200.
 * conv_product, x and w both f16 or both bf16 (or x f32 with less than 8 channels, and y of w's type), one group, at
 *   least 16 outputs: implicit product, rows are output pixels, columns outputs, depth taps x channels; mma, tiles of x
 *   gathered into shared memory.
 *   grid    x 64 pixels, y outputs / BN, z objects;   block 128;   shared 2 * (64 + BN) * 64 bytes and 8 a tap x channel
 *           (or a tap x 8 channels), at least 256 (BN + 8), by which the tile leaves
 *   The depth is walked in steps of 32, two tiles of each operand. With a multiple of 8 channels x comes by cp.async, 16
 *   bytes of one tap at a time (BN 48 or 64); else (patch embedding, stem: 3 channels) each thread gathers 16 elements of
 *   its pixel, once for all outputs (BN 48, 96, 112 or 144). traffic x once per BN outputs, its overlaps from L1; y once.
 *   Patch embedding of tiny at 1024 (K = 147, N = 96): 1.9 GFLOP and 19 MB; bound by 10 M gathered elements, ~10
 *   instructions each: 7 us of an H200, 0.25 ms of an Orin NX.
 * conv_direct, everything else: any types, groups and sizes; a thread per pixel and 8 outputs, fused multiply-adds.
 *   The first mask convolutions (1 and 4 channels): 9 and 36 loads for as many times 8 multiply-adds, memory bound.
 *
 * Weights are packed once: depthwise [tap][C] f32; direct [tap, channel][O rounded up to 8] f32; product [O rounded up
 * to 16][tap, channel, rounded up to 32] in w's type, with zeros. Before them lies what cuDNN takes instead
 * (conv2d_ways.h), where it is there and may be the faster. */
#include "conv2d_ways.h"
#include "operands.h"
#include "tiles.cuh"

enum conv_kind { DIRECT, DEPTHWISE, PRODUCT };
enum { TILE_ROWS = 64, DEPTH = 32, STRIP = 4, OUT_PAD = 8 };

struct conv {
    const void *x, *packed, *residual;
    const float *b;
    void *y;
    dtype x_type, y_type, residual_type;
    act kind;
    int h, w, in, out, kernel, stride, pad, groups;
    int out_h, out_w, n_objects;
    int depth, depth_padded, out_padded; /* taps * channels of a group; of packed weights */
    size_t residual_object;
};

static __device__ __forceinline__ void finish_run(const conv &p, size_t object, size_t pixel, int col, int n, float *v)
{
    size_t plane = (size_t)p.out_h * (size_t)p.out_w, at = (object * plane + pixel) * (size_t)p.out + (size_t)col;
    float other[RUN];
    if (p.b) {
        load_run(other, p.b, DT_F32, (size_t)col, n);
        UNROLL
        for (int k = 0; k < RUN; k++)
            v[k] += other[k];
    }
    activate_run(p.kind, v, p.y_type);
    if (p.residual) {
        load_run(other, p.residual, p.residual_type, object * p.residual_object + pixel * (size_t)p.out + (size_t)col,
                 n);
        UNROLL
        for (int k = 0; k < RUN; k++)
            v[k] += other[k];
    }
    store_run(p.y, p.y_type, at, v, n);
}

/* Depthwise ----------------------------------------------------------------------------------------------------------- */

/* 8 elements at a multiple of 8 of an aligned array. */
static __device__ __forceinline__ void load_whole_run(float *v, const void *p, dtype type, size_t i)
{
    uint4 a = load_b128((const char *)p + i * (type == DT_F32 ? 4 : 2));
    if (type == DT_F32) {
        uint4 b = load_b128((const float *)p + i + 4);
        v[0] = __uint_as_float(a.x), v[1] = __uint_as_float(a.y), v[2] = __uint_as_float(a.z);
        v[3] = __uint_as_float(a.w), v[4] = __uint_as_float(b.x), v[5] = __uint_as_float(b.y);
        v[6] = __uint_as_float(b.z), v[7] = __uint_as_float(b.w);
    } else {
        float2 p0 = unpack_half(a.x, type), p1 = unpack_half(a.y, type);
        float2 p2 = unpack_half(a.z, type), p3 = unpack_half(a.w, type);
        v[0] = p0.x, v[1] = p0.y, v[2] = p1.x, v[3] = p1.y;
        v[4] = p2.x, v[5] = p2.y, v[6] = p3.x, v[7] = p3.y;
    }
}

template <int K, int STRIDE> __global__ void __launch_bounds__(256) conv_depthwise(conv p)
{
    const int PIXELS = (STRIP - 1) * STRIDE + K;
    unsigned runs = (unsigned)p.in / RUN, strips = (unsigned)(p.out_w + STRIP - 1) / STRIP;
    unsigned item = blockIdx.x * 256u + threadIdx.x;
    int c = (int)(item % runs) * RUN, first_x = (int)(item / runs % strips) * STRIP;
    unsigned row = item / runs / strips;
    int y = (int)(row % (unsigned)p.out_h);
    size_t object = row / (unsigned)p.out_h;
    if (object >= (size_t)p.n_objects)
        return;
    float sum[STRIP][RUN] = {};
    int left = first_x * STRIDE - p.pad;
    for (int dy = 0; dy < K; dy++) {
        int in_y = y * STRIDE - p.pad + dy;
        if (in_y < 0 || in_y >= p.h)
            continue;
        float weight[K][RUN];
        UNROLL
        for (int dx = 0; dx < K; dx++)
            load_whole_run(weight[dx], p.packed, DT_F32, (size_t)(dy * K + dx) * (size_t)p.in + (size_t)c);
        size_t origin = (object * (size_t)p.h + (size_t)in_y) * (size_t)p.w;
        UNROLL
        for (int i = 0; i < PIXELS; i++) {
            if (left + i < 0 || left + i >= p.w)
                continue;
            float v[RUN];
            load_whole_run(v, p.x, p.x_type, (origin + (size_t)(left + i)) * (size_t)p.in + (size_t)c);
            UNROLL
            for (int o = 0; o < STRIP; o++)
                if (i - o * STRIDE >= 0 && i - o * STRIDE < K)
                    UNROLL
            for (int k = 0; k < RUN; k++)
                sum[o][k] =
                    fmaf(v[k], weight[i - o * STRIDE >= 0 && i - o * STRIDE < K ? i - o * STRIDE : 0][k], sum[o][k]);
        }
    }
    UNROLL
    for (int o = 0; o < STRIP; o++)
        if (first_x + o < p.out_w)
            finish_run(p, object, (size_t)y * (size_t)p.out_w + (size_t)(first_x + o), c, RUN, sum[o]);
}

/* Direct -------------------------------------------------------------------------------------------------------------- */

__global__ void __launch_bounds__(256) conv_direct(conv p)
{
    unsigned runs = (unsigned)p.out_padded / RUN;
    size_t item = (size_t)blockIdx.x * 256 + threadIdx.x, pixels = (size_t)p.out_h * (size_t)p.out_w;
    size_t object = item / runs / pixels, pixel = item / runs % pixels;
    int o = (int)(item % runs) * RUN, n = min(RUN, p.out - o);
    if (object >= (size_t)p.n_objects)
        return;
    int top = (int)(pixel / (size_t)p.out_w) * p.stride - p.pad,
        left = (int)(pixel % (size_t)p.out_w) * p.stride - p.pad;
    int width = p.in / p.groups, per_group = p.out / p.groups;
    float sum[RUN] = {};
    for (int dy = 0; dy < p.kernel; dy++)
        for (int dx = 0; dx < p.kernel; dx++) {
            int y = top + dy, x = left + dx;
            if (y < 0 || x < 0 || y >= p.h || x >= p.w)
                continue;
            size_t from = ((object * (size_t)p.h + (size_t)y) * (size_t)p.w + (size_t)x) * (size_t)p.in;
            size_t weights = (size_t)(dy * p.kernel + dx) * (size_t)width * (size_t)p.out_padded + (size_t)o;
            for (int c = 0; c < width; c++, weights += (size_t)p.out_padded) {
                float weight[RUN], v = p.groups == 1 ? load_one(p.x, p.x_type, from + (size_t)c) : 0;
                load_whole_run(weight, p.packed, DT_F32, weights);
                UNROLL
                for (int k = 0; k < RUN; k++) {
                    if (p.groups > 1 && k < n)
                        v = load_one(p.x, p.x_type, from + (size_t)((o + k) / per_group * width + c));
                    sum[k] = fmaf(v, weight[k], sum[k]);
                }
            }
        }
    finish_run(p, object, pixel, o, n, sum);
}

/* Implicit product ------------------------------------------------------------------------------------------------------ */

/* Where a tap x channel (or 8 of them) lies from an output's first pixel; dy is far outside for the padding of the depth. */
struct tap {
    int offset;
    short dy, dx;
};

/* A thread's pixel of the tile, and the half of DEPTH that it gathers. */
struct pixel_place {
    const void *x; /* of the object */
    int row, top, left;
    bool inside;
};
static __device__ __forceinline__ pixel_place pixel_of(const conv &p, int row)
{
    pixel_place at;
    size_t pixel = (size_t)blockIdx.x * TILE_ROWS + (size_t)row, plane = (size_t)p.h * (size_t)p.w * (size_t)p.in;
    at.x = (const char *)p.x + (size_t)blockIdx.z * plane * (p.x_type == DT_F32 ? 4 : 2);
    at.row = row;
    at.inside = pixel < (size_t)p.out_h * (size_t)p.out_w;
    at.top = (int)(pixel / (size_t)p.out_w) * p.stride - p.pad;
    at.left = (int)(pixel % (size_t)p.out_w) * p.stride - p.pad;
    return at;
}

/* Columns first .. first + 31 of the tile of x: each thread 16 elements of its pixel. */
template <class T>
static __device__ __forceinline__ void gather_pixels(unsigned char *sX, const conv &p, const pixel_place &at,
                                                     const tap *sTap, int first)
{
    const uint16_t *x = (const uint16_t *)at.x;
    const float *wide = (const float *)at.x;
    bool is_wide = p.x_type == DT_F32;
    int half = (int)threadIdx.x / TILE_ROWS * 16;
    size_t origin = (size_t)((at.top * p.w + at.left) * p.in);
    uint32_t pair[8];
    UNROLL
    for (int k = 0; k < 16; k++) {
        tap t = sTap[first + half + k];
        int y = at.top + t.dy, column = at.left + t.dx;
        bool inside = at.inside && y >= 0 && column >= 0 && y < p.h && column < p.w;
        uint32_t v = 0;
        if (inside)
            v = is_wide ? from_f32<T>(wide[origin + (size_t)t.offset]).bits : x[origin + (size_t)t.offset];
        pair[k / 2] = k % 2 ? pair[k / 2] | v << 16 : v;
    }
    store_b128(sX + chunk_at<DEPTH>(at.row, half / 8), make_uint4(pair[0], pair[1], pair[2], pair[3]));
    store_b128(sX + chunk_at<DEPTH>(at.row, half / 8 + 1), make_uint4(pair[4], pair[5], pair[6], pair[7]));
}
/* The same by 16-byte copies: two chunks a thread, each within a tap. */
static __device__ __forceinline__ void copy_pixels(unsigned char *sX, const conv &p, const pixel_place &at,
                                                   const tap *sTap, int first)
{
    int half = (int)threadIdx.x / TILE_ROWS * 2;
    const uint16_t *x = (const uint16_t *)at.x;
    int origin = (at.top * p.w + at.left) * p.in;
    UNROLL
    for (int i = 0; i < 2; i++) {
        tap t = sTap[first / RUN + half + i];
        int y = at.top + t.dy, column = at.left + t.dx;
        bool inside = at.inside && y >= 0 && column >= 0 && y < p.h && column < p.w;
        cp_async<16>(sX + chunk_at<DEPTH>(at.row, half + i), inside ? x + (origin + t.offset) : x, inside);
    }
}

/* The bound of 7 blocks (72 registers): of itself ptxas stops at 56 for 48 outputs and spills. */
template <class T, int BN, bool CHUNKS> __global__ void __launch_bounds__(128, BN == 48 ? 7 : 0) conv_product(conv p)
{
    const int X_BYTES = tile_bytes<DEPTH>(TILE_ROWS), STAGE_BYTES = X_BYTES + tile_bytes<DEPTH>(BN);
    unsigned char *sStages = dynamic_shared();
    tap *sTap = (tap *)(sStages + 2 * STAGE_BYTES);
    int warp = (int)threadIdx.x / 32, lane = (int)threadIdx.x % 32, first_out = (int)blockIdx.y * BN;
    int x_byte = matrix_lane_a<DEPTH>() + tile_bytes<DEPTH>(16 * warp), w_byte = matrix_lane_b<DEPTH>();
    copy_lane<DEPTH> weights = copy_begin<DEPTH>(DEPTH);
    pixel_place at = pixel_of(p, (int)threadIdx.x % TILE_ROWS);
    const int STEP = CHUNKS ? RUN : 1; /* channels of a table entry */
    for (int i = (int)threadIdx.x; i < p.depth_padded / STEP; i += 128) {
        int k = i * STEP, which = k / p.in, dy = which / p.kernel, dx = which % p.kernel;
        tap t = {(dy * p.w + dx) * p.in + k % p.in, (short)(k < p.depth ? dy : -0x7FFF), (short)dx};
        sTap[i] = t;
    }
    __syncthreads(); /* the first loading reads them */
    auto load = [&](int step) {
        unsigned char *sX = sStages + step % 2 * STAGE_BYTES, *sW = sX + X_BYTES;
        copy_rows<T, DEPTH>(weights, sW, (const T *)p.packed + step * DEPTH, (size_t)p.depth_padded, (size_t)first_out,
                            BN, (size_t)p.out_padded);
        if (CHUNKS)
            copy_pixels(sX, p, at, sTap, step * DEPTH);
        else
            gather_pixels<T>(sX, p, at, sTap, step * DEPTH);
        cp_async_commit();
    };
    float sum[BN / 8][4];
    UNROLL
    for (int n = 0; n < BN / 8; n++)
        sum[n][0] = sum[n][1] = sum[n][2] = sum[n][3] = 0;
    int n_steps = p.depth_padded / DEPTH;
    load(0);
    for (int step = 0; step < n_steps; step++) {
        cp_async_wait<0>();
        __syncthreads(); /* this step's tiles are there, and nobody reads those that the next load replaces */
        if (step + 1 < n_steps)
            load(step + 1);
        const unsigned char *sX = sStages + step % 2 * STAGE_BYTES, *sW = sX + X_BYTES;
        UNROLL
        for (int k = 0; k < DEPTH / 16; k++) {
            uint32_t a[4];
            ldmatrix_x4(a, sX + matrix_at<DEPTH>(x_byte, 0, k));
            UNROLL
            for (int n = 0; n < BN / 16; n++) {
                uint32_t b[4];
                ldmatrix_x4(b, sW + matrix_at<DEPTH>(w_byte, 16 * n, k));
                mma_16x8x16<T>(sum[2 * n], a, b);
                mma_16x8x16<T>(sum[2 * n + 1], a, b + 2);
            }
        }
    }
    __syncthreads(); /* the tiles have been used */
    float *sOut = (float *)dynamic_shared();
    UNROLL
    for (int n = 0; n < BN / 8; n++)
        UNROLL
    for (int h = 0; h < 2; h++)
        store_b64(sOut + (16 * warp + 8 * h + lane / 4) * (BN + OUT_PAD) + 8 * n + lane % 4 * 2,
                  make_uint2(__float_as_uint(sum[n][2 * h]), __float_as_uint(sum[n][2 * h + 1])));
    __syncthreads();
    UNROLL_BY(1) /* every type and activation is in there: once is enough */
    for (int i = (int)threadIdx.x; i < TILE_ROWS * (BN / RUN); i += 128) {
        int r = i / (BN / RUN), c = i % (BN / RUN) * RUN, n = min(RUN, p.out - first_out - c);
        size_t pixel = (size_t)blockIdx.x * TILE_ROWS + (size_t)r;
        float v[RUN];
        if (pixel >= (size_t)p.out_h * (size_t)p.out_w || n <= 0)
            continue;
        load_run(v, sOut + r * (BN + OUT_PAD) + c, DT_F32, 0, RUN);
        finish_run(p, blockIdx.z, pixel, first_out + c, n, v);
    }
}

/* Packing --------------------------------------------------------------------------------------------------------------- */

/* grid: a thread per packed element; `to` [rows][cols] is by depth for f32, by output for products. */
__global__ void __launch_bounds__(256) conv_pack(conv p, const void *w, dtype w_type, void *to, dtype type)
{
    size_t i = (size_t)blockIdx.x * 256 + threadIdx.x;
    if (i >= (size_t)p.depth_padded * (size_t)p.out_padded)
        return;
    bool by_output = type != DT_F32;
    int o = (int)(by_output ? i / (size_t)p.depth_padded : i % (size_t)p.out_padded);
    int k = (int)(by_output ? i % (size_t)p.depth_padded : i / (size_t)p.out_padded);
    int width = p.in / p.groups, c = k % width, which = k / width;
    float v = 0;
    if (o < p.out && k < p.depth)
        v = load_one(w, w_type, (size_t)o * (size_t)p.depth + (size_t)(c * p.kernel * p.kernel + which));
    store_one(to, type, i, v);
}

/* Launchers --------------------------------------------------------------------------------------------------------------- */

static conv_kind kind_of(const op_call *c)
{
    const op_attr *a = c->attr;
    const tensor *x = &c->in[CONV2D_X];
    int groups = a->groups ? a->groups : 1, out = c->in[CONV2D_W].rows;
    bool known = a->kernel == 3 ? a->stride == 1 || a->stride == 2 : a->kernel == 7 && a->stride == 1;
    if (groups == x->cols && groups == out && groups % RUN == 0 && known)
        return DEPTHWISE;
    dtype w = c->in[CONV2D_W].type;
    bool half = w != DT_F32 && (x->type == w || (x->type == DT_F32 && c->out->type == w && x->cols < RUN));
    return groups == 1 && half && out >= 16 && c->in[CONV2D_W].cols <= 2048 ? PRODUCT : DIRECT;
}
static conv conv_of(const op_call *c)
{
    const op_attr *a = c->attr;
    const tensor *x = &c->in[CONV2D_X], *w = &c->in[CONV2D_W], *residual = &c->in[CONV2D_RESIDUAL], *y = c->out;
    conv p = {};
    p.x = x->data, p.packed = (const char *)c->packed + conv2d_for_library(c).end,
    p.residual = residual->type == DT_NONE ? nullptr : residual->data;
    p.b = c->in[CONV2D_BIAS].type == DT_NONE ? nullptr : (const float *)c->in[CONV2D_BIAS].data;
    p.y = y->data;
    p.x_type = x->type, p.y_type = y->type, p.residual_type = residual->type;
    p.kind = a->act;
    p.h = a->h, p.w = a->w, p.in = x->cols, p.out = w->rows;
    p.kernel = a->kernel, p.stride = a->stride, p.pad = a->pad, p.groups = a->groups ? a->groups : 1;
    p.out_h = (a->h + 2 * a->pad - a->kernel) / a->stride + 1;
    p.out_w = (a->w + 2 * a->pad - a->kernel) / a->stride + 1;
    p.n_objects = y->n;
    p.residual_object = residual->n == 1 ? 0 : (size_t)y->rows * (size_t)y->cols;
    p.depth = w->cols;
    bool product = kind_of(c) == PRODUCT;
    p.depth_padded = product ? (p.depth + DEPTH - 1) / DEPTH * DEPTH : p.depth;
    p.out_padded = product ? (p.out + 15) / 16 * 16 : (p.out + RUN - 1) / RUN * RUN;
    return p;
}

static dtype packed_type(const op_call *c)
{
    return kind_of(c) == PRODUCT ? c->in[CONV2D_W].type : DT_F32;
}
static size_t packed_bytes(const op_call *c)
{
    conv p = conv_of(c);
    return conv2d_for_library(c).end + (size_t)p.depth_padded * (size_t)p.out_padded * dtype_bytes(packed_type(c));
}
static const char *pack_at(const conv &p, const tensor *from, void *to, dtype type, void *stream)
{
    return launch(conv_pack, blocks_for((size_t)p.depth_padded * (size_t)p.out_padded, 256), 256, 0, stream, p,
                  (const void *)from->data, from->type, to, type);
}
/* The library's weights are ours without padding, its bias such weights of one tap and channel. */
static const char *pack_library(const op_call *c)
{
    conv p = conv_of(c);
    p.depth_padded = p.depth;
    p.out_padded = p.out;
    const char *wrong = pack_at(p, &c->in[CONV2D_W], c->packed, c->in[CONV2D_X].type, c->stream);
    p.depth = p.depth_padded = p.in = p.kernel = 1;
    void *bias = (char *)c->packed + conv2d_for_library(c).bias;
    return wrong ? wrong : pack_at(p, &c->in[CONV2D_BIAS], bias, c->in[CONV2D_X].type, c->stream);
}
static const char *pack(const op_call *c)
{
    bool library = conv2d_for_library(c).end > 0;
    if (!c->in[CONV2D_W].data || (library && !c->in[CONV2D_BIAS].data))
        return "weights and bias must be known when they are packed";
    const char *wrong = library ? pack_library(c) : nullptr;
    conv p = conv_of(c);
    return wrong ? wrong : pack_at(p, &c->in[CONV2D_W], (void *)p.packed, packed_type(c), c->stream);
}

template <class T, int BN, bool CHUNKS> static const char *start_tile(const conv &p, void *stream)
{
    size_t shared_bytes = 2 * (size_t)(tile_bytes<DEPTH>(TILE_ROWS) + tile_bytes<DEPTH>(BN));
    size_t out_bytes = TILE_ROWS * (BN + OUT_PAD) * sizeof(float);
    shared_bytes += (size_t)p.depth_padded * sizeof(tap) / (CHUNKS ? RUN : 1);
    shared_bytes = shared_bytes > out_bytes ? shared_bytes : out_bytes;
    dim3 grid(blocks_for((size_t)p.out_h * (size_t)p.out_w, TILE_ROWS), blocks_for((size_t)p.out, BN),
              (unsigned)p.n_objects);
    return launch(conv_product<T, BN, CHUNKS>, grid, 128, shared_bytes, stream, p);
}
template <class T> static const char *start_product(const conv &p, void *stream)
{
    if (p.in % RUN == 0)
        return p.out <= 48 ? start_tile<T, 48, true>(p, stream) : start_tile<T, 64, true>(p, stream);
    if (p.out <= 48)
        return start_tile<T, 48, false>(p, stream);
    if (p.out <= 96)
        return start_tile<T, 96, false>(p, stream);
    return p.out <= 112 ? start_tile<T, 112, false>(p, stream) : start_tile<T, 144, false>(p, stream);
}

static const char *run_own(const op_call *c, int tile)
{
    (void)tile; /* there is one */
    conv p = conv_of(c);
    conv_kind kind = kind_of(c);
    if (((uintptr_t)p.x | (uintptr_t)p.packed | (uintptr_t)p.y) % 16)
        return "x, y and packed weights must begin at multiples of 16 bytes";
    if ((size_t)p.h * (size_t)p.w * (size_t)p.in > 0x7FFFFFFF || p.n_objects > 65535 || p.kernel > 255)
        return "an image has at most 2^31 elements, there are at most 65535 objects";
    if (kind == PRODUCT)
        return c->in[CONV2D_W].type == DT_BF16 ? start_product<bf16>(p, c->stream) : start_product<f16>(p, c->stream);
    size_t rows = (size_t)p.n_objects * (size_t)p.out_h;
    if (kind == DIRECT)
        return launch(conv_direct, blocks_for(rows * (size_t)p.out_w * (size_t)(p.out_padded / RUN), 256), 256, 0,
                      c->stream, p);
    unsigned grid = blocks_for(rows * (size_t)((p.out_w + STRIP - 1) / STRIP) * (size_t)(p.in / RUN), 256);
    if (p.kernel == 7)
        return launch(conv_depthwise<7, 1>, grid, 256, 0, c->stream, p);
    return p.stride == 1 ? launch(conv_depthwise<3, 1>, grid, 256, 0, c->stream, p)
                         : launch(conv_depthwise<3, 2>, grid, 256, 0, c->stream, p);
}

static size_t scratch_bytes(const op_call *c)
{
    return op_ways_scratch(&conv2d_ways, c);
}
static void *bind(const op_call *c)
{
    return op_ways_bind(&conv2d_ways, c, run_own);
}
static const char *run(const op_call *c)
{
    return op_ways_run(c, run_own);
}

const op_cuda CUDA_FN(conv2d_cuda) = {run, scratch_bytes, packed_bytes, pack, 1u << 1, bind, op_ways_unbind};
