/* Resampling on CUDA: frames to the network's input, low-res logits to masks of the frame; see image_cuda.h.
 *
 *   across_rgb    rgb [in_h, in_w, 3] u8 -> mid [in_h, out_w, 3] u8 (Pillow: 22-bit fixed point) or f32 (of 0..1)
 *   down_rgb      mid -> out [out_h, out_w, 3] f32, normalised;   both: a thread per pixel, block 256
 *   traffic       rgb, mid twice, out: 1920x1080 to 1024: 6.2 + 2 * 3.3 + 12.6 MB, 10 us of an H200, 130 us of an Orin NX
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
