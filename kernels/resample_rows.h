/* resample_rows.h - between resample.c, resample_axis.c (weights) and resample_cpu.c (loops over rows). */
#ifndef RESAMPLE_ROWS_H
#define RESAMPLE_ROWS_H

#include "op.h"
#include "resample.h"

/* One direction: out[i] = sum over t < count[i] of weight[i*taps + t] * in[start[i] + t]. */
typedef struct resample_axis {
    int n_in, n_out, taps;
    int *start, *count; /* [n_out]                                                  */
    int32_t *fixed;     /* [n_out,taps] weights * 2^RESAMPLE_BITS, RESAMPLE_PIL_*   */
    float *weight;      /* [n_out,taps], the other kinds                            */
} resample_axis;

enum { RESAMPLE_BITS = 22 };

/* 1: the first pass goes down, the second across. Only Pillow's kinds do, as of Pillow 13 (ImagingResampleInner of
 * src/libImaging/Resample.c); each pass rounds to u8, so the order shows. */
static inline int resample_down_first(int is_pillow, int in_w, int in_h, int out_w, int out_h)
{
    int less_w = in_w - out_w, less_h = in_h - out_h;
    return is_pillow && less_w && less_h > 0 && less_h > 2 * less_w;
}

/* Weights of one direction. 0: no memory (nothing is left allocated). */
int resample_axis_open(resample_axis *a, resample_kind kind, int n_in, int n_out);
/* Two bilinear resizes as one: n_in to n_mid, whose first n_cut go to n_out. The weights are the products. */
int resample_axis_open_cut(resample_axis *a, int n_in, int n_mid, int n_cut, int n_out);
size_t resample_axis_cut_bytes(int n_in, int n_mid, int n_out);
void resample_axis_close(resample_axis *a);
size_t resample_axis_bytes(resample_kind kind, int n_in, int n_out); /* what it takes */

/* `_across` makes a whole row of a's n_out pixels; `_down` makes n values from `taps` rows that begin at `in`, `stride`
 * values apart. */
typedef struct resample_rows {
    void (*fixed_across)(const resample_axis *a, const uint8_t *rgb, uint8_t *out);
    void (*rgb_across)(const resample_axis *a, const uint8_t *rgb, float *out); /* of values in 0..1 */
    void (*plane_across)(const resample_axis *a, const float *in, float *out);
    void (*fixed_down)(const uint8_t *in, size_t stride, const int32_t *weight, int taps, uint8_t *out, size_t n);
    void (*plane_down)(const float *in, size_t stride, const float *weight, int taps, float *out, size_t n);
    void (*threshold)(const float *in, float level, uint8_t *out, size_t n); /* 1 where in > level */
    int (*count_above)(const float *in, float level, size_t n);
    /* Lowest and highest of n values; 0: there is a NaN. */
    int (*bounds)(const float *in, size_t n, float *lowest, float *highest);
    /* Row y of a frame of w x h pixels -> rgb [w,3]. */
    void (*nv12_row)(const nv12_image *in, int y, int w, int h, uint8_t *rgb);
} resample_rows;

#ifdef CPU_VARIANT
extern const resample_rows CPU_FN(resample_rows);
#endif

#endif
