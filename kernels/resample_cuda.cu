/* Resampling on CUDA: frames to the network's input, low-res logits to masks of the frame; see image_cuda.h.
 *
 *   across_rgb    rgb [in_h, in_w, 3] u8 -> mid [in_h, out_w, 3] u8 (Pillow: 22-bit fixed point) or f32 (of 0..1)
 *   down_rgb      mid -> out [out_h, out_w, 3] f32, normalised;   both: a thread per pixel, block 256
 *   traffic       rgb, mid twice, out: 1920x1080 to 1024: 6.2 + 2 * 3.3 + 12.6 MB, 10 us of an H200, 130 us of an Orin NX
 *   across_nv12   the same of NV12: a block makes RGB of the source of its 256 pixels, once, in shared memory
 *                 grid (out_w / 256, in_h), block 256, 8 KiB shared;   1920x1080: 3.1 MB read instead of 6.2
 *   down_bytes    rgb -> mid [out_h, in_w, 3] u8,   across_bytes   mid -> out: Pillow's other order (resample_down_first), as
 *                 most portrait videos need it;   both: a thread per pixel, block 256
 *   down_nv12     the same of NV12: a block makes RGB of the source of 32 x 8 pixels, once, in shared memory
 *                 grid (in_w / 32, out_h / 8), block 256, 8 KiB shared
 *   render_rows   planes -> packed masks (packed_mask.h), bilinear;   a warp per 256 pixels of a row, block 256
 *                 both directions at once: with 2 x 2 taps the source (256 KB a plane) stays in L1 and L2. A lane has 8 pixels,
 *                 32 apart; the warp's votes are the words, and from them come boxes and areas: 8 warps add theirs up in
 *                 shared memory, then 5 atomics of a block, on integers, so that any order gives the same.
 *   traffic       a plane once and a bit a pixel: 0.26 + 0.26 MB for 1080p
 * Sums run in the order of the CPU's and with its fused multiply-adds, so results are the same bits. */
#include "device.cuh"
#include "image_cuda.h"

static __device__ __forceinline__ uint8_t clip8(int32_t v)
{
    v >>= RESAMPLE_BITS;
    return (uint8_t)(v < 0 ? 0 : v > 255 ? 255 : v);
}
static __device__ __forceinline__ void store_clipped(const int32_t sum[3], uint8_t *to)
{
    for (int c = 0; c < 3; c++)
        to[c] = clip8(sum[c]);
}
static __device__ __forceinline__ float normalised(float v, int channel)
{
    float mean = channel == 0 ? 0.485f : channel == 1 ? 0.456f : 0.406f;
    float deviation = channel == 0 ? 0.229f : channel == 1 ? 0.224f : 0.225f;
    return __fdiv_rn(__fadd_rn(v, -mean), deviation);
}

__global__ void __launch_bounds__(256)
    across_rgb(resample_axis a, int n_rows, const uint8_t *rgb, size_t row_bytes, void *mid)
{
    size_t i = (size_t)blockIdx.x * 256 + threadIdx.x;
    int x = (int)(i % (size_t)a.n_out), y = (int)(i / (size_t)a.n_out);
    if (y >= n_rows)
        return;
    const uint8_t *p = rgb + (size_t)y * row_bytes + 3 * (size_t)a.start[x];
    size_t first = (size_t)x * (size_t)a.taps;
    if (a.fixed) {
        int32_t sum[3] = {1 << (RESAMPLE_BITS - 1), 1 << (RESAMPLE_BITS - 1), 1 << (RESAMPLE_BITS - 1)};
        for (int t = 0; t < a.count[x]; t++)
            for (int c = 0; c < 3; c++)
                sum[c] += p[3 * t + c] * a.fixed[first + (size_t)t];
        store_clipped(sum, (uint8_t *)mid + 3 * i);
    } else {
        float sum[3] = {0, 0, 0};
        for (int t = 0; t < a.count[x]; t++)
            for (int c = 0; c < 3; c++)
                sum[c] = fmaf((float)p[3 * t + c], a.weight[first + (size_t)t], sum[c]);
        for (int c = 0; c < 3; c++)
            ((float *)mid)[3 * i + (size_t)c] = __fdiv_rn(sum[c], 255.0f);
    }
}

enum { SPAN = 2048 }; /* source pixels in shared memory; even */

/* Pixels x and x + 1 (x even, the second may be beyond the row) of a row with luma `luma` and chroma `own` and `other`. */
static __device__ __forceinline__ void rgb_pair(const nv12_weights &weights, const uint8_t *luma, const uint16_t *own,
                                                const uint16_t *other, int x, int w, uint32_t *to)
{
    int c = x / 2, n = nv12_half(w), at[3] = {nv12_other(x, n), c, nv12_other(x + 1, n)};
    int32_t u[3], v[3];
#pragma unroll
    for (int k = 0; k < 3; k++) {
        uint32_t a = own[at[k]], b = other[at[k]]; /* little endian: U below V */
        u[k] = nv12_mix((int32_t)(a & 255), (int32_t)(b & 255));
        v[k] = nv12_mix((int32_t)(a >> 8), (int32_t)(b >> 8));
    }
#pragma unroll
    for (int k = 0; k < 2; k++) {
        if (x + k >= w)
            break;
        int32_t l = nv12_luma(&weights, luma[x + k]), mixed_u = nv12_mix(u[1], u[2 * k]),
                mixed_v = nv12_mix(v[1], v[2 * k]);
        to[k] = (uint32_t)(nv12_red(&weights, l, mixed_v) | nv12_green(&weights, l, mixed_u, mixed_v) << 8 |
                           nv12_blue(&weights, l, mixed_u) << 16);
    }
}

__global__ void __launch_bounds__(256) across_nv12(resample_axis a, int n_rows, nv12_image in, void *mid)
{
    SHARED(uint32_t, sRgb, [SPAN]); /* R, G, B from the lowest byte on */
    int y = (int)blockIdx.y, first_x = (int)blockIdx.x * 256, x = first_x + (int)threadIdx.x;
    int last_x = min(first_x + 256, a.n_out) - 1, end = a.start[last_x] + a.count[last_x];
    int first = x < a.n_out ? a.start[x] : 0, n = x < a.n_out ? a.count[x] : 0, t = 0;
    const uint8_t *luma = in.y + (size_t)y * in.y_row_bytes;
    const uint16_t *own = (const uint16_t *)(in.uv + (size_t)(y / 2) * in.uv_row_bytes);
    const uint16_t *other = (const uint16_t *)(in.uv + (size_t)nv12_other(y, nv12_half(n_rows)) * in.uv_row_bytes);
    size_t weight = (size_t)x * (size_t)a.taps;
    int32_t fixed[3] = {1 << (RESAMPLE_BITS - 1), 1 << (RESAMPLE_BITS - 1), 1 << (RESAMPLE_BITS - 1)};
    float sum[3] = {0, 0, 0};
    /* A frame much wider than the result passes in several spans, taps in their order. */
    for (int from = a.start[first_x] & ~1; from < end; from += SPAN) {
        for (int i = 2 * (int)threadIdx.x; i < SPAN && from + i < end; i += 2 * 256)
            rgb_pair(in.weights, luma, own, other, from + i, a.n_in, sRgb + i);
        __syncthreads();
        for (; t < n && first + t < from + SPAN; t++) {
            uint32_t p = sRgb[first + t - from];
            for (int c = 0; c < 3; c++, p >>= 8) {
                if (a.fixed)
                    fixed[c] += (int32_t)(p & 255) * a.fixed[weight + (size_t)t];
                else
                    sum[c] = fmaf((float)(p & 255), a.weight[weight + (size_t)t], sum[c]);
            }
        }
        __syncthreads();
    }
    size_t to = 3 * ((size_t)y * (size_t)a.n_out + (size_t)x);
    for (int c = 0; c < 3 && x < a.n_out; c++) {
        if (a.fixed)
            ((uint8_t *)mid)[to + (size_t)c] = clip8(fixed[c]);
        else
            ((float *)mid)[to + (size_t)c] = __fdiv_rn(sum[c], 255.0f);
    }
}

__global__ void __launch_bounds__(256)
    down_rgb(resample_axis a, int n_cols, const void *mid, float *out, int out_row_px)
{
    size_t i = (size_t)blockIdx.x * 256 + threadIdx.x, row = 3 * (size_t)n_cols;
    int y = (int)(i / (size_t)n_cols);
    if (y >= a.n_out)
        return;
    size_t at = (size_t)a.start[y] * row + 3 * (i % (size_t)n_cols), first = (size_t)y * (size_t)a.taps;
    for (int c = 0; c < 3; c++, at++) {
        float v;
        if (a.fixed) {
            int32_t sum = 1 << (RESAMPLE_BITS - 1);
            for (int t = 0; t < a.count[y]; t++)
                sum += ((const uint8_t *)mid)[at + (size_t)t * row] * a.fixed[first + (size_t)t];
            v = __fdiv_rn((float)clip8(sum), 255.0f);
        } else {
            v = __fmul_rn(((const float *)mid)[at], a.weight[first]);
            for (int t = 1; t < a.count[y]; t++)
                v = fmaf(((const float *)mid)[at + (size_t)t * row], a.weight[first + (size_t)t], v);
        }
        out[3 * ((size_t)y * (size_t)out_row_px + i % (size_t)n_cols) + (size_t)c] = normalised(v, c);
    }
}

/* The other order: down, then across. */

__global__ void __launch_bounds__(256)
    down_bytes(resample_axis a, int n_cols, const uint8_t *rgb, size_t row_bytes, uint8_t *mid)
{
    size_t i = (size_t)blockIdx.x * 256 + threadIdx.x;
    int x = (int)(i % (size_t)n_cols), y = (int)(i / (size_t)n_cols);
    if (y >= a.n_out)
        return;
    const uint8_t *p = rgb + (size_t)a.start[y] * row_bytes + 3 * (size_t)x;
    int32_t sum[3] = {1 << (RESAMPLE_BITS - 1), 1 << (RESAMPLE_BITS - 1), 1 << (RESAMPLE_BITS - 1)};
    for (int t = 0; t < a.count[y]; t++, p += row_bytes)
        for (int c = 0; c < 3; c++)
            sum[c] += p[c] * a.fixed[(size_t)y * (size_t)a.taps + (size_t)t];
    store_clipped(sum, mid + 3 * i);
}

enum { TILE_COLS = 32, TILE_ROWS = 8, SPAN_ROWS = SPAN / TILE_COLS };

__global__ void __launch_bounds__(256) down_nv12(resample_axis a, int n_cols, nv12_image in, uint8_t *mid)
{
    SHARED(uint32_t, sRgb, [SPAN]); /* [SPAN_ROWS, TILE_COLS]: R, G, B from the lowest byte on */
    int first_x = (int)blockIdx.x * TILE_COLS, first_y = (int)blockIdx.y * TILE_ROWS;
    int col = (int)threadIdx.x % TILE_COLS, x = first_x + col, y = first_y + (int)threadIdx.x / TILE_COLS;
    int last_y = min(first_y + TILE_ROWS, a.n_out) - 1, end = a.start[last_y] + a.count[last_y];
    int first = y < a.n_out ? a.start[y] : 0, n = y < a.n_out ? a.count[y] : 0, t = 0;
    int32_t sum[3] = {1 << (RESAMPLE_BITS - 1), 1 << (RESAMPLE_BITS - 1), 1 << (RESAMPLE_BITS - 1)};
    /* A frame much higher than the result passes in several spans, taps in their order. */
    for (int from = a.start[first_y]; from < end; from += SPAN_ROWS) {
        for (int i = 2 * (int)threadIdx.x; i < SPAN; i += 2 * 256) {
            int pair_x = first_x + i % TILE_COLS, line = from + i / TILE_COLS;
            if (line >= end || pair_x >= n_cols)
                continue;
            const uint8_t *uv = in.uv + (size_t)(line / 2) * in.uv_row_bytes;
            const uint8_t *other = in.uv + (size_t)nv12_other(line, nv12_half(a.n_in)) * in.uv_row_bytes;
            rgb_pair(in.weights, in.y + (size_t)line * in.y_row_bytes, (const uint16_t *)uv, (const uint16_t *)other,
                     pair_x, n_cols, sRgb + i);
        }
        __syncthreads();
        for (; t < n && first + t < from + SPAN_ROWS; t++) {
            uint32_t p = sRgb[(first + t - from) * TILE_COLS + col];
            for (int c = 0; c < 3; c++, p >>= 8)
                sum[c] += (int32_t)(p & 255) * a.fixed[(size_t)y * (size_t)a.taps + (size_t)t];
        }
        __syncthreads();
    }
    if (x < n_cols && y < a.n_out)
        store_clipped(sum, mid + 3 * ((size_t)y * (size_t)n_cols + (size_t)x));
}

__global__ void __launch_bounds__(256)
    across_bytes(resample_axis a, int n_rows, const uint8_t *mid, float *out, int out_row_px)
{
    size_t i = (size_t)blockIdx.x * 256 + threadIdx.x;
    int x = (int)(i % (size_t)a.n_out), y = (int)(i / (size_t)a.n_out);
    if (y >= n_rows)
        return;
    const uint8_t *p = mid + 3 * ((size_t)y * (size_t)a.n_in + (size_t)a.start[x]);
    float *to = out + 3 * ((size_t)y * (size_t)out_row_px + (size_t)x);
    for (int c = 0; c < 3; c++) {
        int32_t sum = 1 << (RESAMPLE_BITS - 1);
        for (int t = 0; t < a.count[x]; t++)
            sum += p[3 * t + c] * a.fixed[(size_t)x * (size_t)a.taps + (size_t)t];
        to[c] = normalised(__fdiv_rn((float)clip8(sum), 255.0f), c);
    }
}

/* Masks ----------------------------------------------------------------------------------------------------------------- */

enum { STRIPS = 8, SEGMENT = 32 * STRIPS, BLOCK_WARPS = 8 };

/* A direction at one pixel. */
typedef struct taps {
    int start, n;
    const float *w; /* of those from the third on, which only axes of resample_axis_open_cut have */
    float w0, w1;
} taps;
static __device__ __forceinline__ taps taps_at(const resample_axis &a, int i)
{
    const float *w = a.weight + (size_t)i * (size_t)a.taps;
    taps t = {a.start[i], a.count[i], w, w[0], 0};
    if (t.n > 1)
        t.w1 = w[1];
    return t;
}
static __device__ __forceinline__ float mixed(const float *row, const taps &x)
{
    float v = __fmul_rn(row[0], x.w0);
    v = x.n > 1 ? fmaf(row[1], x.w1, v) : v;
    for (int t = 2; t < x.n; t++)
        v = fmaf(row[t], x.w[t], v);
    return v;
}
static __device__ __forceinline__ float bilinear(const float *plane, int row, const taps &x, const taps &y)
{
    const float *p = plane + (size_t)y.start * (size_t)row + x.start;
    float v = __fmul_rn(mixed(p, x), y.w0);
    v = y.n > 1 ? fmaf(mixed(p + row, x), y.w1, v) : v;
    for (int t = 2; t < y.n; t++)
        v = fmaf(mixed(p + (size_t)t * (size_t)row, x), y.w[t], v);
    return v;
}

/* Which of the planes first .. end - 1 is the highest at a pixel, if that is > level; else -1. */
static __device__ __forceinline__ int winner_at(const float *planes, const resample_axis &across,
                                                const resample_axis &down, const taps &x, const taps &y, int first,
                                                int end, float level, float *highest)
{
    size_t plane_px = (size_t)across.n_in * (size_t)down.n_in;
    float best = bilinear(planes + (size_t)first * plane_px, across.n_in, x, y);
    int winner = first;
    for (int o = first + 1; o < end; o++) {
        float v = bilinear(planes + (size_t)o * plane_px, across.n_in, x, y);
        if (v > best || (v != v && best == best)) /* a NaN beats all, as in torch.argmax */
            best = v, winner = o;
    }
    *highest = best;
    return best > level ? winner : -1;
}

typedef struct mask_list {
    unsigned char *first;
    size_t bytes; /* of each */
} mask_list;
static __device__ __forceinline__ packed_mask *mask_at(const mask_list &l, int i)
{
    return (packed_mask *)(l.first + (size_t)i * l.bytes);
}
static __device__ __forceinline__ int empty_extent(int part, int w, int h)
{
    return part == 0 ? w : part == 1 ? h : part < 4 ? -1 : 0;
}
/* Part 0..6 of a header (box, area, and pixels above two levels) becomes that of both. */
static __device__ __forceinline__ void extend(int *header, int part, int v)
{
    if (part < 2)
        atomicMin(&header[part], v);
    else if (part < 4)
        atomicMax(&header[part], v);
    else
        atomicAdd(&header[part], v);
}

__global__ void __launch_bounds__(256) masks_init(mask_list masks, int n, int w, int h)
{
    int i = (int)(blockIdx.x * 256 + threadIdx.x), part = i % 8;
    if (i < 8 * n)
        ((int *)mask_at(masks, i / 8))[part] = empty_extent(part, w, h);
}

/* grid: x segments of rows / 8, y planes (with no_overlap one: all planes are walked). counts: pixels above two levels, too. */
__global__ void __launch_bounds__(256) render_rows(resample_axis across, resample_axis down, const float *planes, int n,
                                                   int no_overlap, mask_levels levels, int counts, mask_list masks)
{
    SHARED(int, sExtent, [7]);
    const unsigned all = 0xFFFFFFFFu;
    int lane = (int)threadIdx.x % 32, w = across.n_out, h = down.n_out, segments = (w + SEGMENT - 1) / SEGMENT;
    int at = (int)(blockIdx.x * BLOCK_WARPS + threadIdx.x / 32), y = at / segments, x0 = at % segments * SEGMENT;
    int first = no_overlap ? 0 : (int)blockIdx.y, end = no_overlap ? n : first + 1;
    int winner[STRIPS], above_low = 0, above_high = 0;
    taps ty = taps_at(down, min(y, h - 1));
#pragma unroll
    for (int k = 0; k < STRIPS; k++) {
        int x = x0 + 32 * k + lane;
        float v = -INFINITY;
        winner[k] =
            x < w && y < h ? winner_at(planes, across, down, taps_at(across, x), ty, first, end, levels.at, &v) : -1;
        if (!counts)
            continue;
        above_low += __popc(__ballot_sync(all, v > levels.low));
        above_high += __popc(__ballot_sync(all, v > levels.high));
    }
    if (threadIdx.x < 7)
        sExtent[threadIdx.x] = empty_extent((int)threadIdx.x, w, h);
    int word = x0 / 32 + lane, row_words = 2 * ((w + 63) / 64); /* of 32 bits */
    for (int o = first; o < end; o++) {
        packed_mask *mask = mask_at(masks, o);
        unsigned mine = 0;
        int from = w, to = -1, area = 0;
#pragma unroll
        for (int k = 0; k < STRIPS; k++) {
            unsigned bits = __ballot_sync(all, winner[k] == o);
            mine = lane == k ? bits : mine;
            area += __popc(bits);
            from = bits ? min(from, x0 + 32 * k + __ffs((int)bits) - 1) : from;
            to = bits ? x0 + 32 * k + 31 - __clz((int)bits) : to;
        }
        if (lane < STRIPS && word < row_words && y < h)
            ((unsigned *)(mask + 1))[(size_t)y * (size_t)row_words + (size_t)word] = mine;
        if (!__syncthreads_or(area > 0 || above_low > 0)) /* and sExtent is empty again */
            continue;
        if (lane < 5 && area > 0)
            extend(sExtent, lane, lane == 0 ? from : lane == 2 ? to : lane == 4 ? area : y);
        else if (lane == 5 || lane == 6)
            extend(sExtent, lane, lane == 5 ? above_low : above_high);
        __syncthreads(); /* all warps have added theirs */
        if (threadIdx.x < 7) {
            extend((int *)mask, (int)threadIdx.x, sExtent[threadIdx.x]);
            sExtent[threadIdx.x] = empty_extent((int)threadIdx.x, w, h);
        }
    }
}

/* Launchers --------------------------------------------------------------------------------------------------------------- */

static unsigned blocks(size_t n)
{
    return (unsigned)((n + 255) / 256);
}

static const char *wrong_pixels(const frame_pixels *from, int w)
{
    const nv12_image *in = &from->nv12;
    if (from->rgb)
        return from->row_bytes < 3 * (size_t)w ? "preprocess: rows of RGB pixels overlap" : NULL;
    if (!in->y || !in->uv || in->y_row_bytes < (size_t)w || in->uv_row_bytes < 2 * (size_t)nv12_half(w))
        return "preprocess: NV12 needs both planes, and rows all their samples";
    if ((uintptr_t)in->uv & 1 || in->uv_row_bytes & 1)
        return "preprocess: NV12 chroma is read in pairs: address and row bytes are even";
    return NULL;
}

static const char *across_then_down(const resample_axis *across, const resample_axis *down, const frame_pixels *from,
                                    void *mid, float *out, int out_row_px, void *stream)
{
    const char *wrong = from->rgb ? launch(across_rgb, blocks((size_t)across->n_out * (size_t)down->n_in), 256, 0,
                                           stream, *across, down->n_in, from->rgb, from->row_bytes, mid)
                                  : launch(across_nv12, dim3(blocks((size_t)across->n_out), (unsigned)down->n_in), 256,
                                           0, stream, *across, down->n_in, from->nv12, mid);
    return wrong ? wrong
                 : launch(down_rgb, blocks((size_t)across->n_out * (size_t)down->n_out), 256, 0, stream, *down,
                          across->n_out, (const void *)mid, out, out_row_px);
}

static const char *down_then_across(const resample_axis *across, const resample_axis *down, const frame_pixels *from,
                                    uint8_t *mid, float *out, int out_row_px, void *stream)
{
    int w = across->n_in;
    dim3 tiles((unsigned)((w + TILE_COLS - 1) / TILE_COLS), (unsigned)((down->n_out + TILE_ROWS - 1) / TILE_ROWS));
    const char *wrong = from->rgb ? launch(down_bytes, blocks((size_t)w * (size_t)down->n_out), 256, 0, stream, *down,
                                           w, from->rgb, from->row_bytes, mid)
                                  : launch(down_nv12, tiles, 256, 0, stream, *down, w, from->nv12, mid);
    return wrong ? wrong
                 : launch(across_bytes, blocks((size_t)across->n_out * (size_t)down->n_out), 256, 0, stream, *across,
                          down->n_out, (const uint8_t *)mid, out, out_row_px);
}

const char *CUDA_FN(preprocess_cuda)(const resample_axis *across, const resample_axis *down, const frame_pixels *from,
                                     void *mid, float *out, int out_row_px, void *stream)
{
    if (out_row_px < across->n_out)
        return "preprocess: rows of the result overlap";
    if (!across->fixed != !down->fixed)
        return "preprocess: both directions need one kind of weights";
    const char *wrong = wrong_pixels(from, across->n_in);
    if (wrong)
        return wrong;
    return image_down_first(across, down)
               ? down_then_across(across, down, from, (uint8_t *)mid, out, out_row_px, stream)
               : across_then_down(across, down, from, mid, out, out_row_px, stream);
}

const char *CUDA_FN(render_masks_cuda)(const resample_axis *across, const resample_axis *down, const float *planes,
                                       int n, int no_overlap, const mask_levels *levels, packed_mask *masks,
                                       void *stream)
{
    if (no_overlap && levels)
        return "render_masks: masks that are screened may overlap";
    if (n < 1 || n > 65535 || !across->weight || !down->weight || across->fixed || down->fixed)
        return "render_masks: 1 to 65535 planes, and bilinear weights";
    int w = across->n_out, h = down->n_out;
    mask_list list = {(unsigned char *)masks, packed_mask_bytes(w, h)};
    const char *wrong = launch(masks_init, blocks(8 * (size_t)n), 256, 0, stream, list, n, w, h);
    size_t segments = ((size_t)w + SEGMENT - 1) / SEGMENT * (size_t)h;
    dim3 grid((unsigned)((segments + BLOCK_WARPS - 1) / BLOCK_WARPS), no_overlap ? 1 : (unsigned)n);
    const mask_levels at = levels ? *levels : (mask_levels){0, 0, 0};
    return wrong ? wrong
                 : launch(render_rows, grid, 256, 0, stream, *across, *down, planes, n, no_overlap, at, levels != NULL,
                          list);
}
