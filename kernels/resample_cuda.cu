/* Resampling on CUDA: frames to the network's input, low-res logits to masks of the frame; see image_cuda.h.
 *
 *   across_rgb    rgb [in_h, in_w, 3] u8 -> mid [in_h, out_w, 3] u8 (Pillow: 22-bit fixed point) or f32 (of 0..1)
 *   down_rgb      mid -> out [out_h, out_w, 3] f32, normalised;   both: a thread per pixel, block 256
 *   traffic       rgb, mid twice, out: 1920x1080 to 1024: 6.2 + 2 * 3.3 + 12.6 MB, 10 us of an H200, 130 us of an Orin NX
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
        for (int c = 0; c < 3; c++)
            ((uint8_t *)mid)[3 * i + (size_t)c] = clip8(sum[c]);
    } else {
        float sum[3] = {0, 0, 0};
        for (int t = 0; t < a.count[x]; t++)
            for (int c = 0; c < 3; c++)
                sum[c] = fmaf((float)p[3 * t + c], a.weight[first + (size_t)t], sum[c]);
        for (int c = 0; c < 3; c++)
            ((float *)mid)[3 * i + (size_t)c] = __fdiv_rn(sum[c], 255.0f);
    }
}

__global__ void __launch_bounds__(256) down_rgb(resample_axis a, int n_cols, const void *mid, float *out)
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
        out[3 * i + (size_t)c] = normalised(v, c);
    }
}

/* Masks ----------------------------------------------------------------------------------------------------------------- */

enum { STRIPS = 8, SEGMENT = 32 * STRIPS, BLOCK_WARPS = 8 };

/* A direction at one pixel. */
typedef struct taps {
    int start;
    bool two;
    float w0, w1;
} taps;
static __device__ __forceinline__ taps taps_at(const resample_axis &a, int i)
{
    const float *w = a.weight + (size_t)i * (size_t)a.taps;
    taps t = {a.start[i], a.count[i] > 1, w[0], 0};
    if (t.two)
        t.w1 = w[1];
    return t;
}
static __device__ __forceinline__ float mixed(const float *row, const taps &x)
{
    float v = __fmul_rn(row[0], x.w0);
    return x.two ? fmaf(row[1], x.w1, v) : v;
}
static __device__ __forceinline__ float bilinear(const float *plane, int row, const taps &x, const taps &y)
{
    const float *p = plane + (size_t)y.start * (size_t)row + x.start;
    float v = __fmul_rn(mixed(p, x), y.w0);
    return y.two ? fmaf(mixed(p + row, x), y.w1, v) : v;
}

/* Which of the planes first .. end - 1 is the highest at a pixel, if that is > 0; else -1. */
static __device__ __forceinline__ int winner_at(const float *planes, const resample_axis &across,
                                                const resample_axis &down, const taps &x, const taps &y, int first,
                                                int end)
{
    size_t plane_px = (size_t)across.n_in * (size_t)down.n_in;
    float best = bilinear(planes + (size_t)first * plane_px, across.n_in, x, y);
    int winner = first;
    for (int o = first + 1; o < end; o++) {
        float v = bilinear(planes + (size_t)o * plane_px, across.n_in, x, y);
        if (v > best || (v != v && best == best)) /* a NaN beats all, as in torch.argmax */
            best = v, winner = o;
    }
    return best > 0 ? winner : -1;
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
    return part == 0 ? w : part == 1 ? h : part == 4 ? 0 : -1;
}
/* Part 0..4 of a header (box and area) becomes that of both. */
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
        ((int *)mask_at(masks, i / 8))[part] = part > 4 ? 0 : empty_extent(part, w, h);
}

/* grid: x segments of rows / 8, y planes (with no_overlap one: all planes are walked). */
__global__ void __launch_bounds__(256)
    render_rows(resample_axis across, resample_axis down, const float *planes, int n, int no_overlap, mask_list masks)
{
    SHARED(int, sExtent, [5]);
    const unsigned all = 0xFFFFFFFFu;
    int lane = (int)threadIdx.x % 32, w = across.n_out, h = down.n_out, segments = (w + SEGMENT - 1) / SEGMENT;
    int at = (int)(blockIdx.x * BLOCK_WARPS + threadIdx.x / 32), y = at / segments, x0 = at % segments * SEGMENT;
    int first = no_overlap ? 0 : (int)blockIdx.y, end = no_overlap ? n : first + 1;
    int winner[STRIPS];
    taps ty = taps_at(down, min(y, h - 1));
#pragma unroll
    for (int k = 0; k < STRIPS; k++) {
        int x = x0 + 32 * k + lane;
        winner[k] = x < w && y < h ? winner_at(planes, across, down, taps_at(across, x), ty, first, end) : -1;
    }
    if (threadIdx.x < 5)
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
        if (!__syncthreads_or(area > 0)) /* and sExtent is empty again */
            continue;
        if (lane < 5 && area > 0)
            extend(sExtent, lane, lane == 0 ? from : lane == 2 ? to : lane == 4 ? area : y);
        __syncthreads(); /* all warps have added theirs */
        if (threadIdx.x < 5) {
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

const char *CUDA_FN(preprocess_cuda)(const resample_axis *across, const resample_axis *down, const uint8_t *rgb,
                                     size_t row_bytes, void *mid, float *out, void *stream)
{
    if (!across->fixed != !down->fixed || row_bytes < 3 * (size_t)across->n_in)
        return "preprocess: both directions need one kind of weights, and rows all their pixels";
    const char *wrong = launch(across_rgb, blocks((size_t)across->n_out * (size_t)down->n_in), 256, 0, stream, *across,
                               down->n_in, rgb, row_bytes, mid);
    if (wrong)
        return wrong;
    return launch(down_rgb, blocks((size_t)across->n_out * (size_t)down->n_out), 256, 0, stream, *down, across->n_out,
                  (const void *)mid, out);
}

const char *CUDA_FN(render_masks_cuda)(const resample_axis *across, const resample_axis *down, const float *planes,
                                       int n, int no_overlap, packed_mask *masks, void *stream)
{
    if (n < 1 || n > 65535 || !across->weight || !down->weight || across->taps > 2 || down->taps > 2)
        return "render_masks: 1 to 65535 planes, and bilinear weights";
    int w = across->n_out, h = down->n_out;
    mask_list list = {(unsigned char *)masks, packed_mask_bytes(w, h)};
    const char *wrong = launch(masks_init, blocks(8 * (size_t)n), 256, 0, stream, list, n, w, h);
    size_t segments = ((size_t)w + SEGMENT - 1) / SEGMENT * (size_t)h;
    dim3 grid((unsigned)((segments + BLOCK_WARPS - 1) / BLOCK_WARPS), no_overlap ? 1 : (unsigned)n);
    return wrong ? wrong : launch(render_rows, grid, 256, 0, stream, *across, *down, planes, n, no_overlap, list);
}
