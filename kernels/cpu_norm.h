/* cpu_norm.h - layer normalisation of rows; layernorm, pixel_shuffle and what begins with a norm. y may be x.
 *
 * With AVX four rows at once: sums across lanes and square roots are then made for all four. A row passes three times, from
 * x, then from the first-level cache: mean, deviations, result; conversions are part of the passes. */
#ifndef CPU_NORM_H
#define CPU_NORM_H

#include "cpu_gemm.h"

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

/* What norm_whole_fours needs of its own. */
static inline size_t norm_room_floats(size_t cols)
{
    return 4 * (cols < LANES ? (size_t)LANES : (cols + 15) / 16 * 16);
}

#if defined(__AVX512F__) || (defined(__AVX2__) && !defined(CPU_WIDE_VECTORS))
/* In each four lanes the sums of four vectors over all lanes; `quarters`: over these four lanes alone. */
INLINE vec norm_sums(bool quarters, const vec x[4])
{
#ifdef __AVX512F__
    __m512 a = (__m512)x[0], b = (__m512)x[1], c = (__m512)x[2], d = (__m512)x[3];
    __m512 ab = _mm512_add_ps(_mm512_unpacklo_ps(a, b), _mm512_unpackhi_ps(a, b));
    __m512 cd = _mm512_add_ps(_mm512_unpacklo_ps(c, d), _mm512_unpackhi_ps(c, d));
    __m512 sums = _mm512_add_ps(_mm512_shuffle_ps(ab, cd, 0x44), _mm512_shuffle_ps(ab, cd, 0xEE));
    if (!quarters) {
        sums = _mm512_add_ps(sums, _mm512_shuffle_f32x4(sums, sums, 0x4E));
        sums = _mm512_add_ps(sums, _mm512_shuffle_f32x4(sums, sums, 0xB1));
    }
#else
    __m256 a = (__m256)x[0], b = (__m256)x[1], c = (__m256)x[2], d = (__m256)x[3];
    __m256 ab = _mm256_add_ps(_mm256_unpacklo_ps(a, b), _mm256_unpackhi_ps(a, b));
    __m256 cd = _mm256_add_ps(_mm256_unpacklo_ps(c, d), _mm256_unpackhi_ps(c, d));
    __m256 sums = _mm256_add_ps(_mm256_shuffle_ps(ab, cd, 0x44), _mm256_shuffle_ps(ab, cd, 0xEE));
    if (!quarters)
        sums = _mm256_add_ps(sums, _mm256_permute2f128_ps(sums, sums, 1));
#endif
    return (vec)sums;
}
/* The k-th of each four lanes in all four. */
INLINE void norm_spread(vec x, vec to[4])
{
#ifdef __AVX512F__
    to[0] = (vec)_mm512_permute_ps((__m512)x, 0x00);
    to[1] = (vec)_mm512_permute_ps((__m512)x, 0x55);
    to[2] = (vec)_mm512_permute_ps((__m512)x, 0xAA);
    to[3] = (vec)_mm512_permute_ps((__m512)x, 0xFF);
#else
    to[0] = (vec)_mm256_permute_ps((__m256)x, 0x00);
    to[1] = (vec)_mm256_permute_ps((__m256)x, 0x55);
    to[2] = (vec)_mm256_permute_ps((__m256)x, 0xAA);
    to[3] = (vec)_mm256_permute_ps((__m256)x, 0xFF);
#endif
}
/* sums / count, or 1 / sqrt(sums / count + eps). Whole rows have the same in each four lanes: one is enough, and takes a
 * quarter of the time. */
INLINE vec norm_share(bool quarters, bool root, vec sums, float count, float eps)
{
    if (!quarters) {
        __m128 four, one = _mm_set1_ps(1.0f);
        memcpy(&four, &sums, sizeof four);
        four = _mm_div_ps(four, _mm_set1_ps(count));
        four = root ? _mm_div_ps(one, _mm_sqrt_ps(_mm_add_ps(four, _mm_set1_ps(eps)))) : four;
#ifdef __AVX512F__
        return (vec)_mm512_broadcast_f32x4(four);
#else
        return (vec)_mm256_set_m128(four, four);
#endif
    }
    vec all = sums / count;
    if (root)
#ifdef __AVX512F__
        all = 1.0f / (vec)_mm512_sqrt_ps((__m512)(all + eps));
#else
        all = 1.0f / (vec)_mm256_sqrt_ps((__m256)(all + eps));
#endif
    return all;
}

/* Four rows of n vectors; `quarters`: 4 vectors of rows of four columns, gain and bias repeated to a vector. Rows of 16 bits
 * are converted once, to `room` [n, 4] vectors. The types are constants where this is inlined. */
INLINE void norm_four(bool quarters, size_t n, void *to, dtype to_type, const void *from, dtype from_type,
                      const float *gain, const float *bias, float eps, float *room)
{
    const float count = (float)(quarters ? 4 : n * LANES);
    const size_t in = LANES * dtype_bytes(from_type), out = LANES * dtype_bytes(to_type);
    const bool copies = from_type != DT_F32;
    vec sums[4] = {{0}}, squares[4] = {{0}}, mean[4], inverse[4];
    for (size_t i = 0; i < n; i++)
        for (size_t k = 0; k < 4; k++) {
            vec x = vec_load((const char *)from + (k * n + i) * in, from_type);
            sums[k] += x;
            if (copies)
                vec_store(room + (4 * i + k) * LANES, x, DT_F32);
        }
    norm_spread(norm_share(quarters, false, norm_sums(quarters, sums), count, eps), mean);
    for (size_t i = 0; i < n; i++)
        for (size_t k = 0; k < 4; k++) {
            const float *x = copies ? room + (4 * i + k) * LANES : (const float *)from + (k * n + i) * LANES;
            vec d = vec_load(x, DT_F32) - mean[k];
            squares[k] += d * d;
            __builtin_prefetch((const char *)from + (4 * n + 4 * i + k) * in); /* the next four rows */
        }
    norm_spread(norm_share(quarters, true, norm_sums(quarters, squares), count, eps), inverse);
    for (size_t i = 0; i < n; i++) {
        vec g = vec_load(gain + i * LANES, DT_F32), b = vec_load(bias + i * LANES, DT_F32);
        for (size_t k = 0; k < 4; k++) {
            const float *x = copies ? room + (4 * i + k) * LANES : (const float *)from + (k * n + i) * LANES;
            vec y = (vec_load(x, DT_F32) - mean[k]) * inverse[k] * g + b;
            vec_store((char *)to + (k * n + i) * out, y, to_type);
        }
    }
}

/* As many rows as whole fours give; returns how many. */
INLINE size_t norm_fours(void *to, dtype to_type, const void *from, dtype from_type, const float *gain,
                         const float *bias, size_t rows, size_t cols, float eps, float *room)
{
    float repeated[2][LANES];
    size_t quad = cols == 4 ? LANES : 4, done = 0;
    for (size_t i = 0; i < LANES && cols == 4; i++) {
        repeated[0][i] = gain[i % 4];
        repeated[1][i] = bias[i % 4];
    }
    for (; done + quad <= rows; done += quad) {
        char *y = (char *)to + done * cols * dtype_bytes(to_type);
        const char *x = (const char *)from + done * cols * dtype_bytes(from_type);
        if (cols == 4)
            norm_four(true, 1, y, to_type, x, from_type, repeated[0], repeated[1], eps, room);
        else
            norm_four(false, cols / LANES, y, to_type, x, from_type, gain, bias, eps, room);
    }
    return done;
}

static inline bool norm_takes(size_t cols, dtype type)
{
    return (cols == 4 || cols % LANES == 0) && type != DT_F16;
}
static inline size_t norm_whole_fours(void *to, dtype to_type, const void *from, dtype from_type, const float *gain,
                                      const float *bias, size_t rows, size_t cols, float eps, float *room)
{
    if (!norm_takes(cols, to_type) || !norm_takes(cols, from_type))
        return 0;
    if (from_type == DT_F32)
        return to_type == DT_F32 ? norm_fours(to, DT_F32, from, DT_F32, gain, bias, rows, cols, eps, room)
                                 : norm_fours(to, DT_BF16, from, DT_F32, gain, bias, rows, cols, eps, room);
    return to_type == DT_F32 ? norm_fours(to, DT_F32, from, DT_BF16, gain, bias, rows, cols, eps, room)
                             : norm_fours(to, DT_BF16, from, DT_BF16, gain, bias, rows, cols, eps, room);
}
#else
static inline size_t norm_whole_fours(void *to, dtype to_type, const void *from, dtype from_type, const float *gain,
                                      const float *bias, size_t rows, size_t cols, float eps, float *room)
{
    (void)to, (void)to_type, (void)from, (void)from_type, (void)gain, (void)bias, (void)rows, (void)cols, (void)eps;
    (void)room;
    return 0;
}
#endif

#endif
