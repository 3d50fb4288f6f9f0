/* cpu_math.h - what CPU operators share: dtype conversion of rows, exp and GELU that vectorise, activation.
 * Everything is static inline, so that each instruction set compiles its own. */
#ifndef CPU_MATH_H
#define CPU_MATH_H

#include "op.h"

#include <math.h>
#include <string.h>

static inline float bits_float(uint32_t u)
{
    float f;
    memcpy(&f, &u, 4);
    return f;
}
static inline uint32_t float_bits(float f)
{
    uint32_t u;
    memcpy(&u, &f, 4);
    return u;
}

static inline float bf16_to_f32(uint16_t h)
{
    return bits_float((uint32_t)h << 16);
}
/* Round to nearest even; a NaN stays a NaN. */
static inline uint16_t f32_to_bf16(float f)
{
    uint32_t u = float_bits(f);
    uint32_t rounded = (u + 0x7FFFu + ((u >> 16) & 1u)) >> 16;
    return (uint16_t)((u & 0x7FFFFFFFu) > 0x7F800000u ? (u >> 16) | 0x40u : rounded);
}

/* IEEE binary16, subnormals included. */
#ifdef __aarch64__ /* an instruction each */
static inline float f16_to_f32(uint16_t h)
{
    __fp16 x;
    memcpy(&x, &h, sizeof x);
    return (float)x;
}
static inline uint16_t f32_to_f16(float f)
{
    __fp16 x = (__fp16)f;
    uint16_t h;
    memcpy(&h, &x, sizeof h);
    return h;
}
#else /* by exact float arithmetic (M. Dukhan's construction, FP16 library) */
static inline float f16_to_f32(uint16_t h)
{
    uint32_t w = (uint32_t)h << 16, sign = w & 0x80000000u, two_w = w + w;
    float normal = bits_float((two_w >> 4) + (0xE0u << 23)) * 0x1.0p-112f;
    float subnormal = bits_float((two_w >> 17) | (126u << 23)) - 0.5f;
    return bits_float(sign | float_bits(two_w < (1u << 27) ? subnormal : normal));
}
static inline uint16_t f32_to_f16(float f)
{
    float base = (fabsf(f) * 0x1.0p+112f) * 0x1.0p-110f;
    uint32_t w = float_bits(f), shl1 = w + w, sign = w & 0x80000000u, bias = shl1 & 0xFF000000u;
    bias = bias < 0x71000000u ? 0x71000000u : bias;
    base = bits_float((bias >> 1) + 0x07800000u) + base;
    uint32_t bits = float_bits(base);
    uint32_t nonsign = ((bits >> 13) & 0x00007C00u) + (bits & 0x00000FFFu);
    return (uint16_t)((sign >> 16) | (shl1 > 0xFF000000u ? 0x7E00u : nonsign));
}
#endif

static inline void load_row(float *to, const void *from, dtype type, size_t n)
{
    const uint16_t *h = from;
    if (type == DT_F32)
        memcpy(to, from, n * sizeof *to);
    else if (type == DT_BF16)
        for (size_t i = 0; i < n; i++)
            to[i] = bf16_to_f32(h[i]);
    else
        for (size_t i = 0; i < n; i++)
            to[i] = f16_to_f32(h[i]);
}
static inline void store_row(void *to, const float *from, dtype type, size_t n)
{
    uint16_t *h = to;
    if (type == DT_F32)
        memcpy(to, from, n * sizeof *from);
    else if (type == DT_BF16)
        for (size_t i = 0; i < n; i++)
            h[i] = f32_to_bf16(from[i]);
    else
        for (size_t i = 0; i < n; i++)
            h[i] = f32_to_f16(from[i]);
}

/* n elements, converted where the types differ. */
static inline void convert_row(void *to, dtype to_type, const void *from, dtype from_type, size_t n)
{
    float chunk[256];
    if (to_type == from_type)
        memcpy(to, from, n * dtype_bytes(to_type));
    else if (from_type == DT_F32)
        store_row(to, from, to_type, n);
    else if (to_type == DT_F32)
        load_row(to, from, from_type, n);
    else
        for (size_t i = 0; i < n; i += 256) {
            size_t m = n - i < 256 ? n - i : 256;
            load_row(chunk, (const char *)from + i * dtype_bytes(from_type), from_type, m);
            store_row((char *)to + i * dtype_bytes(to_type), chunk, to_type, m);
        }
}
/* n elements as f32: where they are if they are f32, else loaded into buffer. */
static inline const float *row_f32(const void *from, dtype type, size_t n, float *buffer)
{
    if (type == DT_F32)
        return from;
    load_row(buffer, from, type, n);
    return buffer;
}

/* Threads worth waking for this many elements. */
static inline int threads_for(const op_call *c, size_t n_elements)
{
    return n_elements < 16384 ? 1 : c->n_threads;
}

/* e^x, relative error < 1e-7 (Cephes expf: range reduction by ln 2 in two parts, degree 6). 0 below -86.5, so that no
 * subnormal slows the code that uses it; infinity from 88.73; NaN for NaN. */
static inline float exp_fast(float x)
{
    float clamped = x < -86.5f ? -86.5f : x > 89.0f ? 89.0f : x;
    float shifted = clamped * 1.44269504088896341f + 0x1.8p23f; /* k in the low bits */
    float k = shifted - 0x1.8p23f;
    float r = clamped - k * 0.693359375f + k * 2.12194440e-4f;
    float p = 1.9875691500e-4f;
    p = p * r + 1.3981999507e-3f;
    p = p * r + 8.3334519073e-3f;
    p = p * r + 4.1665795894e-2f;
    p = p * r + 1.6666665459e-1f;
    p = p * r + 5.0000001201e-1f;
    p = p * (r * r) + r + 1.0f;
    /* 2^k as 2 * 2^(k-1): k reaches 128. */
    float y = p * 2.0f * bits_float((float_bits(shifted) + 126u) << 23);
    return x < -86.5f ? 0.0f : y;
}

/* x Phi(x) = max(x, 0) - |x| Phi(-|x|), Phi(-a) = exp(-a^2/2) P(1/(1 + 0.4 a)), P of degree 8 fitted to a relative error
 * of 1.3e-7 below a = 3 and 8e-6 up to 13.3. Unlike 1 + erf this does not cancel for negative x. Error < 1e-7 max(1, |x|);
 * relative < 5e-7 near 0. */
static inline float gelu_fast(float x)
{
    float a = fabsf(x) > 14.0f ? 14.0f : fabsf(x), t = 1.0f / (1.0f + 0.4f * a);
    float p = -0.035489494f;
    p = p * t + 0.180833229f;
    p = p * t - 0.333727492f;
    p = p * t + 0.206947086f;
    p = p * t + 0.0162617827f;
    p = p * t + 0.147294637f;
    p = p * t + 0.158254913f;
    p = p * t + 0.159625328f;
    return (x < 0.0f ? 0.0f : x) - a * (p * t) * exp_fast(-0.5f * a * a);
}

/* NaN stays NaN in all of them. */
static inline float act_apply(act kind, float x)
{
    switch (kind) {
    case ACT_RELU:
        return x < 0.0f ? 0.0f : x;
    case ACT_GELU:
        return gelu_fast(x);
    case ACT_SIGMOID:
        return 1.0f / (1.0f + exp_fast(-x));
    default:
        return x;
    }
}
static inline void act_row(act kind, float *x, size_t n)
{
    if (kind == ACT_RELU)
        for (size_t i = 0; i < n; i++)
            x[i] = act_apply(ACT_RELU, x[i]);
    else if (kind == ACT_GELU)
        for (size_t i = 0; i < n; i++)
            x[i] = act_apply(ACT_GELU, x[i]);
    else if (kind == ACT_SIGMOID)
        for (size_t i = 0; i < n; i++)
            x[i] = act_apply(ACT_SIGMOID, x[i]);
}

#endif
