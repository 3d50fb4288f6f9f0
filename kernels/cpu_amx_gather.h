/* cpu_amx_gather.h - rows of A for a convolution on tiles: what lies under the kernel at an output pixel, [y, x, channel],
 * bf16, zeros outside the image and up to whole tiles. Under each line of the kernel lies one run of pixels. */
#ifndef CPU_AMX_GATHER_H
#define CPU_AMX_GATHER_H

#include "cpu_gemm.h"
#include "dnnl_product.h"

/* to[0 .. n - 1] = x[first .. end - 1] there, zeros elsewhere. `from` is where x[0] would be: it may lie outside the image. */
#ifdef __AVX512BF16__ /* runs of a few pixels: masks instead of tails */
INLINE void gather_line(uint16_t *to, const char *from, dtype type, size_t n, size_t first, size_t end)
{
    for (size_t i = 0; i < n; i += 32) {
        uint32_t all = n - i < 32 ? (UINT32_C(1) << (n - i)) - 1 : UINT32_MAX;
        uint32_t after = end <= i ? 0 : end - i < 32 ? (UINT32_C(1) << (end - i)) - 1 : UINT32_MAX;
        uint32_t before = first <= i ? 0 : first - i < 32 ? (UINT32_C(1) << (first - i)) - 1 : UINT32_MAX;
        uint32_t inside = all & after & ~before;
        __m512i v;
        if (type == DT_BF16) {
            v = _mm512_maskz_loadu_epi16(inside, (const uint16_t *)from + i);
        } else {
            __m512 low = _mm512_maskz_loadu_ps((__mmask16)inside, (const float *)from + i);
            __m512 high = _mm512_maskz_loadu_ps((__mmask16)(inside >> 16), (const float *)from + i + 16);
            v = (__m512i)_mm512_cvtne2ps_pbh(high, low);
        }
        _mm512_mask_storeu_epi16(to + i, all, v);
    }
}
#else
INLINE void gather_line(uint16_t *to, const char *from, dtype type, size_t n, size_t first, size_t end)
{
    memset(to, 0, n * sizeof *to);
    if (first < end)
        convert_row(to + first, DT_BF16, from + first * dtype_bytes(type), type, end - first);
}
#endif

/* The row of output pixel (at_x, at_y), `wide` elements. */
INLINE void gather_pixel(const op_call *c, const char *x, dtype type, int at_x, int at_y, uint16_t *to, size_t wide)
{
    const op_attr *a = c->attr;
    int left = at_x * a->stride - a->pad, top = at_y * a->stride - a->pad;
    size_t channels = (size_t)c->in[PRODUCT_X].cols, line = (size_t)a->kernel * channels;
    int skip = left < 0 ? -left : 0, stop = left + a->kernel > a->w ? a->w - left : a->kernel;
    size_t first = (size_t)skip * channels, end = stop > skip ? (size_t)stop * channels : first;
    ptrdiff_t pitch = (ptrdiff_t)((size_t)a->w * channels * dtype_bytes(type));
    const char *from = x + (ptrdiff_t)top * pitch + (ptrdiff_t)left * (ptrdiff_t)(channels * dtype_bytes(type));
    for (int y = top; y < top + a->kernel; y++, to += line, from += pitch)
        gather_line(to, from, type, line, first, y < 0 || y >= a->h ? first : end);
    memset(to, 0, (wide - (size_t)a->kernel * line) * sizeof *to);
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
