/* cpu_gemm.h - register-tile products for attention, on vectors of the instruction set compiled for.
 *
 * C[i][j] (+)= sum over k of A[i][k] B[k][j] for a tile of up to TILE_ROWS rows i and nv (1 or 2) vectors of columns j.
 * B is packed: nv vectors per k, 64-byte aligned. A is read where it lies, one broadcast per element, with any strides.
 * Everything is in words of 4 bytes: a word of A and a lane of B are one f32, or (`half`, only with AVX512-BF16) two
 * consecutive k of bf16 whose two products are added to the f32 accumulator. So 28 of 32 registers accumulate, and
 * 16 loads feed 28 multiply-adds. `half`, `mr` and `nv` are constants where these functions are inlined. */
#ifndef CPU_GEMM_H
#define CPU_GEMM_H

#include "cpu_math.h"

#include <stdbool.h>
#ifdef __x86_64__
#include <immintrin.h>
#endif

#if defined(__AVX512F__)
enum { LANES = 16, TILE_ROWS = 14 };
#elif defined(CPU_WIDE_VECTORS) && defined(__aarch64__) /* see below; of quarters: 16 accumulators, 8 loads, 2 rows */
enum { LANES = 16, TILE_ROWS = 2 };
#elif defined(CPU_WIDE_VECTORS) /* the row of a tile in one vector, as with AVX-512: the compiler makes it of halves */
enum { LANES = 16, TILE_ROWS = 3 };
#elif defined(__AVX2__)
enum { LANES = 8, TILE_ROWS = 6 };
#elif defined(__aarch64__)
enum { LANES = 4, TILE_ROWS = 12 };
#else
enum { LANES = 4, TILE_ROWS = 6 };
#endif

#if defined(__AVX512BF16__) && !defined(__AMX_BF16__) /* beside tiles it runs at half the rate of f32: cpu_select.c */
enum { HAVE_HALF = 1 };
#else
enum { HAVE_HALF = 0 };
#endif

typedef float vec __attribute__((vector_size(LANES * 4), may_alias));
typedef int32_t ivec __attribute__((vector_size(LANES * 4), may_alias));
typedef float word __attribute__((may_alias)); /* an f32 or two bf16, only ever moved */

typedef uint32_t uvec __attribute__((vector_size(LANES * 4), may_alias));
typedef uint16_t hvec __attribute__((vector_size(LANES * 2), may_alias));

#define INLINE      static inline __attribute__((always_inline))
#define UNROLL_ROWS _Pragma("GCC unroll 16")

INLINE vec vec_set(float x)
{
    return (vec){0} + x;
}
/* Sixteen bits to 32, zeros above. GCC 12 makes ten instructions of the conversion to 512 bits. */
INLINE uvec vec_widen(hvec h)
{
#ifdef __AVX512F__
    return (uvec)_mm512_cvtepu16_epi32((__m256i)h);
#else
    return __builtin_convertvector(h, uvec);
#endif
}
/* LANES elements of a type; load_row and store_row for a compile-time count, which the compiler leaves scalar. */
INLINE vec vec_load(const void *from, dtype type)
{
    vec x;
    if (type == DT_F32) {
        memcpy(&x, from, sizeof x);
    } else if (type == DT_BF16) {
        hvec h;
        memcpy(&h, from, sizeof h);
        x = (vec)(vec_widen(h) << 16);
    } else {
        load_row((float *)&x, from, type, LANES);
    }
    return x;
}
INLINE void vec_store(void *to, vec x, dtype type)
{
    if (type == DT_F32) {
        memcpy(to, &x, sizeof x);
    } else if (type == DT_BF16) {
#ifdef __AVX512BF16__ /* an instruction; it takes subnormal numbers for 0 */
        __m256bh h = _mm512_cvtneps_pbh((__m512)x);
        memcpy(to, &h, sizeof h);
#else
        uvec u = (uvec)x, nan = (uvec)(x != x);
        uvec rounded = (u + 0x7FFFu + ((u >> 16) & 1u)) >> 16, quiet = (u >> 16) | 0x40u;
        hvec h = __builtin_convertvector((rounded & ~nan) | (quiet & nan), hvec);
        memcpy(to, &h, sizeof h);
#endif
    } else {
        store_row(to, (const float *)&x, type, LANES);
    }
}
/* Either may be returned for a NaN: the maximum only shifts the exponent, the NaN itself stays in the score. */
INLINE vec vec_max(vec a, vec b)
{
#if defined(__AVX512F__)
    return (vec)_mm512_max_ps((__m512)a, (__m512)b);
#elif defined(__AVX2__) && !defined(CPU_WIDE_VECTORS)
    return (vec)_mm256_max_ps((__m256)a, (__m256)b);
#else
    ivec m = a > b;
    return (vec)(((ivec)a & m) | ((ivec)b & ~m));
#endif
}

/* 2^x for x <= 127: relative error < 2e-7, or with `coarse` < 8e-5 (for results that become bf16). Minimax polynomials
 * on [-1/2, 1/2]. Below -126 it gives 0 (or a subnormal), a NaN stays a NaN. */
INLINE vec vec_exp2(bool coarse, vec x)
{
#ifdef __AVX512F__
    __m512 y = _mm512_max_ps(_mm512_set1_ps(-200.0f), (__m512)x); /* this order keeps a NaN */
    __m512 k = _mm512_roundscale_ps(y, _MM_FROUND_TO_NEAREST_INT | _MM_FROUND_NO_EXC);
    vec r = (vec)_mm512_sub_ps(y, k);
#else
    ivec below = x < -126.0f;
    vec y = (vec)(((ivec)x & ~below) | ((ivec)vec_set(-126.0f) & below));
    vec magic = y + 12582912.0f; /* 1.5 * 2^23: the integer lands in the low bits */
    vec r = y - (magic - 12582912.0f);
#endif
    vec p;
    if (coarse) {
        p = 0.05517166907f * r + 0.2426111222f;
        p = p * r + 0.6932609855f;
        p = p * r + 0.9999280735f;
    } else {
        p = 0.001327647198f * r + 0.009675541334f;
        p = p * r + 0.05550713274f;
        p = p * r + 0.2402211972f;
        p = p * r + 0.6931469671f;
        p = p * r + 1.000000072f;
    }
#ifdef __AVX512F__
    return (vec)_mm512_scalef_ps((__m512)p, k);
#else
    ivec scaled = (ivec)p + ((ivec)magic << 23);
    ivec nan = y != y; /* the shift above would turn a NaN into a number */
    return (vec)((scaled & ~below & ~nan) | ((ivec)y & nan));
#endif
}

INLINE vec vec_madd(bool half, word a, vec b, vec c)
{
#ifdef __AVX512BF16__
    if (half)
        return (vec)_mm512_dpbf16_ps((__m512)c, (__m512bh)_mm512_set1_ps(a), (__m512bh)b);
#endif
    (void)half;
    return c + a * b;
}

/* Rows of A are a_row words apart. One pointer for three rows: base, base + stride and base + 2 * stride are addresses
 * that x86 forms by itself, so the five pointers of 14 rows stay in registers (14 would not). */
INLINE void tile_product(bool half, int mr, int nv, vec (*acc)[2], const word *a, size_t a_row, size_t a_col,
                         const vec *b, size_t n_words)
{
    enum { GROUPS = (TILE_ROWS + 2) / 3 };
    const word *group[GROUPS];
    UNROLL_ROWS
    for (int g = 0; g < (mr + 2) / 3; g++) {
        group[g] = a + (size_t)(3 * g) * a_row;
        __asm__("" : "+r"(group[g])); /* else the compiler derives one from the other again, by the stack */
    }
    for (size_t k = 0; k < n_words; k++) {
        vec b0 = b[0], b1 = nv == 2 ? b[1] : b0;
        UNROLL_ROWS
        for (int i = 0; i < mr; i++) {
            word x = group[i / 3][(size_t)(i % 3) * a_row];
            acc[i][0] = vec_madd(half, x, b0, acc[i][0]);
            if (nv == 2)
                acc[i][1] = vec_madd(half, x, b1, acc[i][1]);
        }
        UNROLL_ROWS
        for (int g = 0; g < (mr + 2) / 3; g++)
            group[g] += a_col;
        b += nv;
    }
}

/* s[i][j] = scale * sum_w keys[i][w] queries[w][j];  most[j] = max(most[j], s[.][j]). */
INLINE void score_tile(bool half, int mr, int nv, vec *s, vec *most, const word *keys, size_t stride,
                       const vec *queries, size_t n_words, float scale)
{
    vec acc[TILE_ROWS][2];
    UNROLL_ROWS
    for (int i = 0; i < mr; i++)
        acc[i][0] = acc[i][1] = vec_set(0);
    tile_product(half, mr, nv, acc, keys, stride, 1, queries, n_words);
    for (int j = 0; j < nv; j++) {
        vec m = most[j];
        UNROLL_ROWS
        for (int i = 0; i < mr; i++) {
            vec x = acc[i][j] * scale;
            s[i * nv + j] = x;
            m = vec_max(m, x);
        }
        most[j] = m;
    }
}

/* o[i][j] += sum_w values[w][i] p[w][j], values with `stride` words from w to w + 1. */
INLINE void value_tile(bool half, int mr, int nv, vec *o, const word *values, size_t stride, const vec *p,
                       size_t n_words)
{
    vec acc[TILE_ROWS][2];
    UNROLL_ROWS
    for (int i = 0; i < mr; i++) {
        acc[i][0] = o[i * nv];
        acc[i][1] = nv == 2 ? o[i * nv + 1] : acc[i][0];
    }
    tile_product(half, mr, nv, acc, values, 1, stride, p, n_words);
    UNROLL_ROWS
    for (int i = 0; i < mr; i++) {
        o[i * nv] = acc[i][0];
        if (nv == 2)
            o[i * nv + 1] = acc[i][1];
    }
}

/* The tiles for n rows: the largest that fits, then smaller ones. 8 and 4 rows of two vectors still hide the latency
 * of a multiply-add. */
INLINE void score_rows(bool half, int nv, vec *s, vec *most, const word *keys, size_t stride, size_t n,
                       const vec *queries, size_t n_words, float scale)
{
    size_t i = 0;
#define ROWS(mr)                                                                                                       \
    for (; i + mr <= n; i += mr)                                                                                       \
    score_tile(half, mr, nv, s + i * (size_t)nv, most, keys + i * stride, stride, queries, n_words, scale)
    ROWS(TILE_ROWS);
#if defined(__AVX512F__) || (defined(__aarch64__) && !defined(CPU_WIDE_VECTORS))
    ROWS(8);
#endif
#ifndef CPU_WIDE_VECTORS
    ROWS(4);
#endif
    ROWS(2);
    ROWS(1);
#undef ROWS
}
INLINE void value_rows(bool half, int nv, vec *o, size_t n, const word *values, size_t stride, const vec *p,
                       size_t n_words)
{
    size_t i = 0;
#define ROWS(mr)                                                                                                       \
    for (; i + mr <= n; i += mr)                                                                                       \
    value_tile(half, mr, nv, o + i * (size_t)nv, values + i, stride, p, n_words)
    ROWS(TILE_ROWS);
#if defined(__AVX512F__) || (defined(__aarch64__) && !defined(CPU_WIDE_VECTORS))
    ROWS(8);
#endif
#ifndef CPU_WIDE_VECTORS
    ROWS(4);
#endif
    ROWS(2);
    ROWS(1);
#undef ROWS
}

#endif
