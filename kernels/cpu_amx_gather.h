/* cpu_amx_gather.h - rows of A for a convolution on tiles: what lies under the kernel at an output pixel, [y, x, channel],
 * bf16, zeros outside the image and up to whole tiles. Under each line of the kernel lies one run of pixels. */
#ifndef CPU_AMX_GATHER_H
#define CPU_AMX_GATHER_H

#include "cpu_gemm.h"
#include "dnnl_product.h"

/* Under the kernel: `lines` of n elements each, `pitch` bytes apart in x. Of line y those from x[first] to x[end - 1] are
 * inside the image, if it is one of lines top .. bottom - 1; `from` is where x[0] of line 0 would be. Then n_zeros < 32. */
typedef struct patch {
    const char *from;
    ptrdiff_t pitch;
    size_t n, first, end, n_zeros;
    int lines, top, bottom;
} patch;

#ifdef __AVX512BF16__ /* runs of a few pixels: masks instead of tails */
INLINE uint32_t gather_mask(size_t n, size_t from)
{
    return n <= from ? 0 : n - from < 32 ? (UINT32_C(1) << (n - from)) - 1 : UINT32_MAX;
}
INLINE void gather_patch(const patch *p, dtype type, uint16_t *to)
{
    for (size_t i = 0; i < p->n; i += 32) {
        uint32_t all = gather_mask(p->n, i), inside = gather_mask(p->end, i) & ~gather_mask(p->first, i);
        const char *from = p->from;
        uint16_t *at = to + i;
        for (int y = 0; y < p->lines; y++, at += p->n, from += p->pitch) {
            uint32_t m = y < p->top || y >= p->bottom ? 0 : inside;
            __m512i v;
            if (type == DT_BF16) {
                v = _mm512_maskz_loadu_epi16(m, (const uint16_t *)from + i);
            } else {
                __m512 low = _mm512_maskz_loadu_ps((__mmask16)m, (const float *)from + i);
                __m512 high = _mm512_maskz_loadu_ps((__mmask16)(m >> 16), (const float *)from + i + 16);
                v = (__m512i)_mm512_cvtne2ps_pbh(high, low);
            }
            _mm512_mask_storeu_epi16(at, all, v);
        }
    }
    _mm512_mask_storeu_epi16(to + (size_t)p->lines * p->n, gather_mask(p->n_zeros, 0), _mm512_setzero_si512());
}
#else
INLINE void gather_patch(const patch *p, dtype type, uint16_t *to)
{
    const char *from = p->from;
    memset(to, 0, ((size_t)p->lines * p->n + p->n_zeros) * sizeof *to);
    for (int y = 0; y < p->bottom; y++, to += p->n, from += p->pitch)
        if (y >= p->top && p->first < p->end)
            convert_row(to + p->first, DT_BF16, from + p->first * dtype_bytes(type), type, p->end - p->first);
}
#endif

/* The row of output pixel (at_x, at_y), `wide` elements. */
INLINE void gather_pixel(const op_call *c, const char *x, dtype type, int at_x, int at_y, uint16_t *to, size_t wide)
{
    const op_attr *a = c->attr;
    int left = at_x * a->stride - a->pad, top = at_y * a->stride - a->pad;
    int skip = left < 0 ? -left : 0, stop = left + a->kernel > a->w ? a->w - left : a->kernel;
    size_t channels = (size_t)c->in[PRODUCT_X].cols, pixel = channels * dtype_bytes(type);
    patch p = {.pitch = (ptrdiff_t)((size_t)a->w * pixel),
               .n = (size_t)a->kernel * channels,
               .first = (size_t)skip * channels,
               .end = stop > skip ? (size_t)stop * channels : (size_t)skip * channels,
               .lines = a->kernel,
               .top = top < 0 ? -top : 0,
               .bottom = top + a->kernel > a->h ? a->h - top : a->kernel};
    p.from = x + (ptrdiff_t)top * p.pitch + (ptrdiff_t)left * (ptrdiff_t)pixel;
    p.n_zeros = wide - (size_t)a->kernel * p.n;
    gather_patch(&p, type, to);
}

/* Rows row .. row + n - 1 of an object's A to `to`, `wide` elements apart. */
static inline void gather_rows(const op_call *c, const char *x, int row, int n, uint16_t *to, size_t wide)
{
    const op_attr *a = c->attr;
    int across = (a->w + 2 * a->pad - a->kernel) / a->stride + 1;
    bool half = c->in[PRODUCT_X].type == DT_BF16;
    for (int at_x = row % across, at_y = row / across; n > 0; n--, to += wide) {
        if (half)
            gather_pixel(c, x, DT_BF16, at_x, at_y, to, wide);
        else
            gather_pixel(c, x, DT_F32, at_x, at_y, to, wide);
        at_x = at_x + 1 == across ? 0 : at_x + 1;
        at_y += at_x == 0;
    }
}

#endif
