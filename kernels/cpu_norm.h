/* cpu_norm.h - layer normalisation of rows in f32; layernorm and pixel_shuffle. y may be x. */
#ifndef CPU_NORM_H
#define CPU_NORM_H

#include "cpu_math.h"

static inline void norm_row(float *y, const float *x, const float *gain, const float *bias, size_t cols, float eps)
{
    float sum = 0, squares = 0;
#pragma omp simd reduction(+ : sum)
    for (size_t i = 0; i < cols; i++)
        sum += x[i];
    float mean = sum / (float)cols;
#pragma omp simd reduction(+ : squares)
    for (size_t i = 0; i < cols; i++) {
        float d = x[i] - mean;
        squares += d * d;
    }
    float inverse = 1.0f / sqrtf(squares / (float)cols + eps);
    for (size_t i = 0; i < cols; i++)
        y[i] = (x[i] - mean) * inverse * gain[i] + bias[i];
}

/* Rows of the mask downsampler, 4 and 16 channels, are too short for a loop; a constant length unrolls. */
static inline void norm_rows(float *y, const float *x, const float *gain, const float *bias, size_t rows, size_t cols,
                             float eps)
{
    if (cols == 4)
        for (size_t i = 0; i < rows; i++)
            norm_row(y + i * 4, x + i * 4, gain, bias, 4, eps);
    else if (cols == 16)
        for (size_t i = 0; i < rows; i++)
            norm_row(y + i * 16, x + i * 16, gain, bias, 16, eps);
    else
        for (size_t i = 0; i < rows; i++)
            norm_row(y + i * cols, x + i * cols, gain, bias, cols, eps);
}

#endif
