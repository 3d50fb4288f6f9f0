/* nv12.h - NV12 to 8-bit RGB: the same bits on the host (resample_cpu.c) and on a device (resample_cuda.cu).
 *
 *   luma    y  [h, w] u8
 *   chroma  uv [(h+1)/2, (w+1)/2, 2] u8, U then V; a sample belongs to 2 x 2 pixels, fewer at an odd right or lower edge
 *
 * Chroma at a pixel is bilinear: 9/16 of its own sample, 3/16 of the neighbour across and of the one above or below, 1/16
 * of the diagonal one, each on the pixel's side; the border repeats. Samples thus sit in the centre of their four pixels,
 * where swscale takes them unless it is told otherwise, so colours are where RGB frames have them. H.264 that says nothing
 * means half a pixel further left, and converters of hardware decoders take the nearest sample; both are further from
 * the RGB of swscale: docs/design.md has the figures.
 *
 *   R = L + v_r V    G = L + u_g U + v_g V    B = L + u_b U    L = l (Y - black), U and V less 128
 *
 * with weights * 2^16 of BT.601 or BT.709, of limited (16..235, 16..240) or full range. Sums are exact in 32 bits, chroma
 * in sixteenths; one rounding to nearest at the end, then the clip to 0..255. */
#ifndef NV12_H
#define NV12_H

#include <stddef.h>
#include <stdint.h>

#ifdef __CUDACC__
#define NV12_FN static __host__ __device__ __forceinline__
#else
#define NV12_FN static inline
#endif

enum { NV12_BITS = 20 }; /* of a sum's fraction: 16 of the weights, 4 of chroma */

typedef struct nv12_weights {
    int32_t black, l, v_r, u_g, v_g, u_b;
} nv12_weights;

typedef struct nv12_image {
    const uint8_t *y, *uv;
    size_t y_row_bytes, uv_row_bytes;
    nv12_weights weights;
} nv12_image;

/* With K_r, K_b of the matrix, K_g = 1 - K_r - K_b, and s = 1 for full range, 255/224 for limited (luma 255/219):
 * v_r = 2 (1 - K_r) s, u_b = 2 (1 - K_b) s, u_g = -u_b K_b / K_g, v_g = -v_r K_r / K_g. */
static inline nv12_weights nv12_weights_of(int is_bt709, int is_full)
{
    static const nv12_weights known[2][2] = {
        {{16, 76309, 104597, -25675, -53279, 132201}, {0, 65536, 91881, -22553, -46802, 116130}},
        {{16, 76309, 117489, -13975, -34925, 138438}, {0, 65536, 103206, -12276, -30679, 121609}}};
    return known[is_bt709 != 0][is_full != 0];
}

/* Chroma samples of n pixels in a row or column. */
NV12_FN int nv12_half(int n)
{
    return (n + 1) / 2;
}
/* The second chroma sample, of n, that pixel i mixes with its own, i/2. */
NV12_FN int nv12_other(int i, int n)
{
    int other = i / 2 + (i & 1 ? 1 : -1);
    return other < 0 ? 0 : other > n - 1 ? n - 1 : other;
}
/* 4 times the mixture; applied down, then across, 16 times. */
NV12_FN int32_t nv12_mix(int32_t own, int32_t other)
{
    return 3 * own + other;
}

NV12_FN int32_t nv12_clip(int32_t sum)
{
    int32_t v = sum >> NV12_BITS;
    return v < 0 ? 0 : v > 255 ? 255 : v;
}
/* y of 0..255, u and v of 0..4080: mixed chroma. */
NV12_FN int32_t nv12_luma(const nv12_weights *w, int32_t y)
{
    return (y - w->black) * 16 * w->l + (1 << (NV12_BITS - 1));
}
NV12_FN int32_t nv12_red(const nv12_weights *w, int32_t luma, int32_t v)
{
    return nv12_clip(luma + w->v_r * (v - 2048));
}
NV12_FN int32_t nv12_green(const nv12_weights *w, int32_t luma, int32_t u, int32_t v)
{
    return nv12_clip(luma + w->u_g * (u - 2048) + w->v_g * (v - 2048));
}
NV12_FN int32_t nv12_blue(const nv12_weights *w, int32_t luma, int32_t u)
{
    return nv12_clip(luma + w->u_b * (u - 2048));
}

#endif
