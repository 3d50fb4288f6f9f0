/* The loops of resampling, by rows. Values of a row are channels last; a block of BLOCK values stays in registers or
 * in the first-level cache while the taps are added. */
#include "resample_rows.h"

#include <string.h>

enum { BLOCK = 64 };

typedef uint8_t u8x16 __attribute__((vector_size(16)));
typedef int32_t i32x4 __attribute__((vector_size(16)));
typedef float f32x4 __attribute__((vector_size(16)));

/* Pixel p as four lanes, the fourth meaningless; reads one byte beyond the pixel. Little endian. (GCC 12 takes
 * __builtin_convertvector apart into scalars here, half the speed in all.) */
static inline i32x4 load_rgb(const uint8_t *p)
{
    int32_t bytes;
    memcpy(&bytes, p, 4);
    u8x16 v = (u8x16)(i32x4){bytes, 0, 0, 0}, zero = {0};
    return (i32x4)__builtin_shufflevector(v, zero, 0, 16, 16, 16, 1, 16, 16, 16, 2, 16, 16, 16, 3, 16, 16, 16);
}
/* The same for the last pixel of a row. */
static inline i32x4 load_last_rgb(const uint8_t *p)
{
    return (i32x4){p[0], p[1], p[2], 0};
}

static inline uint8_t clip8(int32_t v)
{
    v >>= RESAMPLE_BITS;
    return (uint8_t)(v < 0 ? 0 : v > 255 ? 255 : v);
}

static void fixed_across(const resample_axis *a, const uint8_t *rgb, uint8_t *out)
{
    const int32_t half = 1 << (RESAMPLE_BITS - 1);
    for (int x = 0; x < a->n_out; x++) {
        const uint8_t *p = rgb + 3 * (size_t)a->start[x];
        const int32_t *w = a->fixed + (size_t)x * (size_t)a->taps;
        int n = a->count[x], touches_end = a->start[x] + n == a->n_in;
        i32x4 sum = {half, half, half, half};
        for (int t = 0; t < n - touches_end; t++)
            sum += load_rgb(p + 3 * t) * w[t];
        if (touches_end)
            sum += load_last_rgb(p + 3 * (n - 1)) * w[n - 1];
        for (int c = 0; c < 3; c++)
            out[3 * x + c] = clip8(sum[c]);
    }
}

static void rgb_across(const resample_axis *a, const uint8_t *rgb, float *out)
{
    for (int x = 0; x < a->n_out; x++) {
        const uint8_t *p = rgb + 3 * (size_t)a->start[x];
        const float *w = a->weight + (size_t)x * (size_t)a->taps;
        int n = a->count[x], touches_end = a->start[x] + n == a->n_in;
        f32x4 sum = {0, 0, 0, 0};
        for (int t = 0; t < n - touches_end; t++)
            sum += __builtin_convertvector(load_rgb(p + 3 * t), f32x4) * w[t];
        if (touches_end)
            sum += __builtin_convertvector(load_last_rgb(p + 3 * (n - 1)), f32x4) * w[n - 1];
        sum /= 255.0f;
        for (int c = 0; c < 3; c++)
            out[3 * x + c] = sum[c];
    }
}

static void plane_across(const resample_axis *a, const float *in, float *out)
{
    for (int x = 0; x < a->n_out; x++) {
        const float *p = in + a->start[x], *w = a->weight + (size_t)x * (size_t)a->taps;
        float sum = p[0] * w[0];
        for (int t = 1; t < a->count[x]; t++)
            sum += p[t] * w[t];
        out[x] = sum;
    }
}

static void fixed_down(const uint8_t *in, size_t stride, const int32_t *weight, int taps, uint8_t *out, size_t n)
{
    int32_t sum[BLOCK];
    for (size_t x = 0; x < n; x += BLOCK) {
        size_t m = n - x < BLOCK ? n - x : BLOCK;
        for (size_t i = 0; i < m; i++)
            sum[i] = 1 << (RESAMPLE_BITS - 1);
        for (int t = 0; t < taps; t++) {
            const uint8_t *row = in + (size_t)t * stride + x;
            for (size_t i = 0; i < m; i++)
                sum[i] += row[i] * weight[t];
        }
        for (size_t i = 0; i < m; i++)
            out[x + i] = clip8(sum[i]);
    }
}

static void plane_down(const float *in, size_t stride, const float *weight, int taps, float *out, size_t n)
{
    for (size_t x = 0; x < n; x += BLOCK) {
        size_t m = n - x < BLOCK ? n - x : BLOCK;
        for (size_t i = 0; i < m; i++)
            out[x + i] = in[x + i] * weight[0];
        for (int t = 1; t < taps; t++) {
            const float *row = in + (size_t)t * stride + x;
            for (size_t i = 0; i < m; i++)
                out[x + i] += row[i] * weight[t];
        }
    }
}

static void threshold(const float *in, float level, uint8_t *out, size_t n)
{
    for (size_t i = 0; i < n; i++)
        out[i] = in[i] > level;
}

static int count_above(const float *in, float level, size_t n)
{
    int32_t count = 0;
    for (size_t i = 0; i < n; i++)
        count += in[i] > level;
    return count;
}

static inline f32x4 chosen(i32x4 which, f32x4 a, f32x4 b)
{
    return (f32x4)((which & (i32x4)a) | (~which & (i32x4)b));
}

static int bounds(const float *in, size_t n, float *lowest, float *highest)
{
    size_t i = 0;
    float low = in[0], high = in[0];
    int is_nan = 0;
    if (n >= 4) {
        f32x4 lows, highs;
        i32x4 nans = {0};
        memcpy(&lows, in, sizeof lows);
        highs = lows;
        for (; i + 4 <= n; i += 4) {
            f32x4 v;
            memcpy(&v, in + i, sizeof v);
            lows = chosen(v < lows, v, lows);
            highs = chosen(v > highs, v, highs);
            nans |= v != v;
        }
        for (int k = 0; k < 4; k++) {
            low = lows[k] < low ? lows[k] : low;
            high = highs[k] > high ? highs[k] : high;
            is_nan |= nans[k];
        }
    }
    for (; i < n; i++) {
        low = in[i] < low ? in[i] : low;
        high = in[i] > high ? in[i] : high;
        is_nan |= in[i] != in[i];
    }
    *lowest = low;
    *highest = high;
    return !is_nan;
}

enum { CHROMA = 64 }; /* samples of a row at a time */

/* Samples from `first` - 1 to `first` + n, mixed down, as U and V; the border repeats. */
static void chroma_down(const uint8_t *own, const uint8_t *other, int first, int n, int n_row, int16_t *u, int16_t *v)
{
    for (int i = 0; i < n + 2; i++) {
        int c = first - 1 + i;
        c = c < 0 ? 0 : c > n_row - 1 ? n_row - 1 : c;
        u[i] = (int16_t)nv12_mix(own[2 * c], other[2 * c]);
        v[i] = (int16_t)nv12_mix(own[2 * c + 1], other[2 * c + 1]);
    }
}
static void chroma_across(const int16_t *in, int n, int16_t *out)
{
    for (int i = 0; i < n; i++) {
        out[2 * i] = (int16_t)nv12_mix(in[i + 1], in[i]);
        out[2 * i + 1] = (int16_t)nv12_mix(in[i + 1], in[i + 2]);
    }
}

static void nv12_row(const nv12_image *in, int y, int w, int h, uint8_t *rgb)
{
    const nv12_weights weights = in->weights;
    const uint8_t *luma = in->y + (size_t)y * in->y_row_bytes;
    const uint8_t *own = in->uv + (size_t)(y / 2) * in->uv_row_bytes;
    const uint8_t *other = in->uv + (size_t)nv12_other(y, nv12_half(h)) * in->uv_row_bytes;
    for (int x = 0; x < w; x += 2 * CHROMA, luma += 2 * CHROMA) {
        int16_t mixed_u[CHROMA + 2], mixed_v[CHROMA + 2], u[2 * CHROMA], v[2 * CHROMA];
        uint8_t red[2 * CHROMA], green[2 * CHROMA], blue[2 * CHROMA];
        int m = w - x < 2 * CHROMA ? w - x : 2 * CHROMA, n = nv12_half(m);
        chroma_down(own, other, x / 2, n, nv12_half(w), mixed_u, mixed_v);
        chroma_across(mixed_u, n, u);
        chroma_across(mixed_v, n, v);
        for (int i = 0; i < m; i++) {
            int32_t l = nv12_luma(&weights, luma[i]);
            red[i] = (uint8_t)nv12_red(&weights, l, v[i]);
            green[i] = (uint8_t)nv12_green(&weights, l, u[i], v[i]);
            blue[i] = (uint8_t)nv12_blue(&weights, l, u[i]);
        }
        for (int i = 0; i < m; i++, rgb += 3) {
            rgb[0] = red[i];
            rgb[1] = green[i];
            rgb[2] = blue[i];
        }
    }
}

const resample_rows CPU_FN(resample_rows) = {fixed_across, rgb_across,  plane_across, fixed_down, plane_down,
                                             threshold,    count_above, bounds,       nv12_row};
