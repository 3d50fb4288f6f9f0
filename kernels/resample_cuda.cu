/* Resampling on CUDA: frames to the network's input, low-res logits to masks of the frame; see image_cuda.h.
 *
 *   across_rgb    rgb [in_h, in_w, 3] u8 -> mid [in_h, out_w, 3] u8 (Pillow: 22-bit fixed point) or f32 (of 0..1)
 *   down_rgb      mid -> out [out_h, out_w, 3] f32, normalised;   both: a thread per pixel, block 256
 *   traffic       rgb, mid twice, out: 1920x1080 to 1024: 6.2 + 2 * 3.3 + 12.6 MB, 10 us of an H200, 130 us of an Orin NX
 *   across_nv12   the same of NV12: a block makes RGB of the source of its 256 pixels, once, in shared memory
 *                 grid (out_w / 256, in_h), block 256, 8 KiB shared;   1920x1080: 3.1 MB read instead of 6.2
 *   resample_any  planes [in_h, in_w] f32 -> f32 or u8;   a thread per 4 pixels of a row, block 256
 *                 both directions at once: with 2 x 2 taps the source (256 KB a plane) stays in L1 and L2, and only the
 *                 result is written: 0.5 MB for a 1080p quarter of pixels, a microsecond.
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

/* Planes ---------------------------------------------------------------------------------------------------------------- */

typedef struct plane_list {
    const float *at[IMAGE_MAX_PLANES];
} plane_list;

static __device__ __forceinline__ float resampled(const float *plane, const resample_axis &across,
                                                  const resample_axis &down, int x, int y)
{
    float sum = 0;
    const float *wx = across.weight + (size_t)x * (size_t)across.taps;
    const float *wy = down.weight + (size_t)y * (size_t)down.taps;
    for (int t = 0; t < down.count[y]; t++) {
        const float *p = plane + (size_t)(down.start[y] + t) * (size_t)across.n_in + across.start[x];
        float v = __fmul_rn(p[0], wx[0]);
        for (int s = 1; s < across.count[x]; s++)
            v = fmaf(p[s], wx[s], v);
        sum = t ? fmaf(v, wy[t], sum) : __fmul_rn(v, wy[0]);
    }
    return sum;
}

enum { PIXELS = 4 }; /* of a thread, in a row */

/* grid: x pixels / 1024, y planes (with no_overlap one, all planes being walked). Either out or bits. */
__global__ void __launch_bounds__(256) resample_any(resample_axis across, resample_axis down, plane_list planes, int n,
                                                    int no_overlap, float *out, uint8_t *bits)
{
    int quads = (across.n_out + PIXELS - 1) / PIXELS;
    size_t i = (size_t)blockIdx.x * 256 + threadIdx.x, n_px = (size_t)across.n_out * (size_t)down.n_out;
    int y = (int)(i / (size_t)quads), first_x = (int)(i % (size_t)quads) * PIXELS;
    if (y >= down.n_out)
        return;
    for (int x = first_x; x < first_x + PIXELS && x < across.n_out; x++) {
        size_t to = (size_t)y * (size_t)across.n_out + (size_t)x, object = blockIdx.y;
        float best = resampled(planes.at[object], across, down, x, y);
        if (out)
            out[object * n_px + to] = best;
        if (bits && !no_overlap)
            bits[object * n_px + to] = best > 0;
        if (!bits || !no_overlap)
            continue;
        int winner = 0;
        for (int o = 1; o < n; o++) {
            float v = resampled(planes.at[o], across, down, x, y);
            if (v > best || (v != v && best == best))
                best = v, winner = o;
        }
        for (int o = 0; o < n; o++)
            bits[(size_t)o * n_px + to] = o == winner && best > 0;
    }
}

/* Launchers --------------------------------------------------------------------------------------------------------------- */

static unsigned blocks(size_t n)
{
    return (unsigned)((n + 255) / 256);
}

static const char *across_frame(const resample_axis *across, const resample_axis *down, const frame_pixels *from,
                                void *mid, void *stream)
{
    const nv12_image *in = &from->nv12;
    if (from->rgb) {
        if (from->row_bytes < 3 * (size_t)across->n_in)
            return "preprocess: rows of RGB pixels overlap";
        return launch(across_rgb, blocks((size_t)across->n_out * (size_t)down->n_in), 256, 0, stream, *across,
                      down->n_in, from->rgb, from->row_bytes, mid);
    }
    if (!in->y || !in->uv || in->y_row_bytes < (size_t)across->n_in ||
        in->uv_row_bytes < 2 * (size_t)nv12_half(across->n_in))
        return "preprocess: NV12 needs both planes, and rows all their samples";
    if ((uintptr_t)in->uv & 1 || in->uv_row_bytes & 1)
        return "preprocess: NV12 chroma is read in pairs: address and row bytes are even";
    return launch(across_nv12, dim3(blocks((size_t)across->n_out), (unsigned)down->n_in), 256, 0, stream, *across,
                  down->n_in, *in, mid);
}

const char *CUDA_FN(preprocess_cuda)(const resample_axis *across, const resample_axis *down, const frame_pixels *from,
                                     void *mid, float *out, void *stream)
{
    if (!across->fixed != !down->fixed)
        return "preprocess: both directions need one kind of weights";
    const char *wrong = across_frame(across, down, from, mid, stream);
    if (wrong)
        return wrong;
    return launch(down_rgb, blocks((size_t)across->n_out * (size_t)down->n_out), 256, 0, stream, *down, across->n_out,
                  (const void *)mid, out);
}

static const char *resample_planes(const resample_axis *across, const resample_axis *down, const float *const *planes,
                                   int n, int no_overlap, float *out, uint8_t *bits, void *stream)
{
    if (n < 1 || n > IMAGE_MAX_PLANES || !across->weight || !down->weight)
        return "resample: 1 to 128 planes, and weights of a plane's kind";
    plane_list list = {};
    for (int i = 0; i < n; i++)
        list.at[i] = planes[i];
    size_t quads = ((size_t)across->n_out + PIXELS - 1) / PIXELS;
    dim3 grid(blocks(quads * (size_t)down->n_out), no_overlap ? 1 : (unsigned)n);
    return launch(resample_any, grid, 256, 0, stream, *across, *down, list, n, no_overlap, out, bits);
}
const char *CUDA_FN(resample_planes_cuda)(const resample_axis *across, const resample_axis *down,
                                          const float *const *planes, int n, float *out, void *stream)
{
    return resample_planes(across, down, planes, n, 0, out, nullptr, stream);
}
const char *CUDA_FN(render_masks_cuda)(const resample_axis *across, const resample_axis *down,
                                       const float *const *planes, int n, int no_overlap, uint8_t *bits, void *stream)
{
    return resample_planes(across, down, planes, n, no_overlap, nullptr, bits, stream);
}
