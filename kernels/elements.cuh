/* elements.cuh - runs of up to 8 elements of any float type as f32 registers, activations, and sums over a warp.
 *
 * Kernels that only move memory take types as data: the branch is the same for all threads, and one copy of the kernel
 * serves every mixture. A run starts at an element index that is a multiple of 8 within its row; it is moved as 16-byte
 * vectors when its address allows (always, where the row length is a multiple of 8), element by element otherwise. */
#ifndef ELEMENTS_CUH
#define ELEMENTS_CUH

#include "device.cuh"
#include "op.h"

#define RUN 8 /* elements */

/* Element i of p. */
static __device__ __forceinline__ float load_one(const void *p, dtype type, size_t i)
{
    if (type == DT_F32)
        return ((const float *)p)[i];
    return type == DT_BF16 ? to_f32(((const bf16 *)p)[i]) : to_f32(((const f16 *)p)[i]);
}
static __device__ __forceinline__ void store_one(void *p, dtype type, size_t i, float v)
{
    if (type == DT_F32)
        ((float *)p)[i] = v;
    else if (type == DT_BF16)
        ((bf16 *)p)[i] = from_f32<bf16>(v);
    else
        ((f16 *)p)[i] = from_f32<f16>(v);
}

static __device__ __forceinline__ float2 unpack_half(uint32_t v, dtype type)
{
    return type == DT_BF16 ? unpack2<bf16>(v) : unpack2<f16>(v);
}
static __device__ __forceinline__ uint32_t pack_half(float low, float high, dtype type)
{
    return type == DT_BF16 ? pack2<bf16>(low, high) : pack2<f16>(low, high);
}

/* Elements i .. i + n - 1 (n at most 8; the other v are 0). */
static __device__ __forceinline__ void load_run(float *v, const void *p, dtype type, size_t i, int n)
{
    const char *at = (const char *)p + i * (type == DT_F32 ? 4 : 2);
    bool aligned = (uintptr_t)at % 16 == 0;
    if (n == RUN && aligned) {
        uint4 a = load_b128(at);
        if (type == DT_F32) {
            uint4 b = load_b128(at + 16);
            v[0] = __uint_as_float(a.x), v[1] = __uint_as_float(a.y);
            v[2] = __uint_as_float(a.z), v[3] = __uint_as_float(a.w);
            v[4] = __uint_as_float(b.x), v[5] = __uint_as_float(b.y);
            v[6] = __uint_as_float(b.z), v[7] = __uint_as_float(b.w);
        } else {
            float2 p0 = unpack_half(a.x, type), p1 = unpack_half(a.y, type);
            float2 p2 = unpack_half(a.z, type), p3 = unpack_half(a.w, type);
            v[0] = p0.x, v[1] = p0.y, v[2] = p1.x, v[3] = p1.y;
            v[4] = p2.x, v[5] = p2.y, v[6] = p3.x, v[7] = p3.y;
        }
        return;
    }
    UNROLL
    for (int k = 0; k < RUN; k++)
        v[k] = k < n ? load_one(p, type, i + (size_t)k) : 0.0f;
}
static __device__ __forceinline__ void store_run(void *p, dtype type, size_t i, const float *v, int n)
{
    char *at = (char *)p + i * (type == DT_F32 ? 4 : 2);
    if (n == RUN && (uintptr_t)at % 16 == 0) {
        if (type == DT_F32) {
            store_b128(at, make_uint4(__float_as_uint(v[0]), __float_as_uint(v[1]), __float_as_uint(v[2]),
                                      __float_as_uint(v[3])));
            store_b128(at + 16, make_uint4(__float_as_uint(v[4]), __float_as_uint(v[5]), __float_as_uint(v[6]),
                                           __float_as_uint(v[7])));
        } else {
            store_b128(at, make_uint4(pack_half(v[0], v[1], type), pack_half(v[2], v[3], type),
                                      pack_half(v[4], v[5], type), pack_half(v[6], v[7], type)));
        }
        return;
    }
    UNROLL
    for (int k = 0; k < RUN; k++)
        if (k < n)
            store_one(p, type, i + (size_t)k, v[k]);
}

/* GELU by erfc: 1 + erf(v) would cancel for negative v. */
static __device__ __forceinline__ float activated(act kind, float v)
{
    if (kind == ACT_RELU)
        return v < 0.0f ? 0.0f : v;
    if (kind == ACT_GELU)
        return v == INFINITY ? v : v == -INFINITY ? 0.0f : 0.5f * v * erfcf(v * -0.70710678118654752f);
    if (kind == ACT_SIGMOID)
        return 1.0f / (1.0f + expf(-v));
    return v;
}
/* GELU for a result that is rounded to 16 bits, in about 15 instructions where erfcf takes 40: erfc / 2 by Abramowitz and
 * Stegun 7.1.26, absolute error 0.8e-7; NaN and infinities as above. */
static __device__ __forceinline__ float gelu_half(float v)
{
    float size = fminf(fabsf(v), 20.0f), t = rcp_approx(fmaf(0.3275911f * 0.70710678f, size, 1.0f));
    float poly =
        fmaf(fmaf(fmaf(fmaf(0.5307027145f, t, -0.7265760135f), t, 0.7107068705f), t, -0.142248368f), t, 0.127414796f) *
        t;
    float half_erfc = poly * exp2_approx(size * size * -0.72134752f);
    return (v < 0.0f ? 0.0f : v) - size * half_erfc;
}
/* N values in place, of which 16 bits are kept. What kind it is, is asked once for all. */
template <int N> static __device__ __forceinline__ void activate_half(act kind, float *v)
{
    if (kind == ACT_GELU) {
        UNROLL
        for (int k = 0; k < N; k++)
            v[k] = gelu_half(v[k]);
    } else if (kind == ACT_RELU) {
        UNROLL
        for (int k = 0; k < N; k++)
            v[k] = activated(ACT_RELU, v[k]);
    } else if (kind == ACT_SIGMOID) {
        UNROLL
        for (int k = 0; k < N; k++)
            v[k] = rcp_approx(1.0f + exp2_approx(v[k] * -1.44269504f));
    }
}
static __device__ __forceinline__ void activate_run(act kind, float *v, dtype result)
{
    if (result != DT_F32) {
        activate_half<RUN>(kind, v);
        return;
    }
    UNROLL
    for (int k = 0; k < RUN; k++)
        v[k] = activated(kind, v[k]);
}

/* Over groups of `width` neighbouring lanes (a power of two); every lane of the warp must call it and gets the sum. */
static __device__ __forceinline__ float group_sum(float v, int width)
{
    for (int bits = width / 2; bits > 0; bits /= 2)
        v += __shfl_xor_sync(0xFFFFFFFFu, v, bits);
    return v;
}

/* The run that the calling thread takes of an array [n_rows, n_cols]: rows in order, 256 threads a block. */
typedef struct place {
    size_t row;
    int col, n;
} place;
static __device__ __forceinline__ bool take_run(size_t n_rows, int n_cols, place *at)
{
    unsigned runs = (unsigned)(n_cols + RUN - 1) / RUN, item = blockIdx.x * 256u + threadIdx.x;
    at->row = item / runs;
    at->col = (int)(item % runs) * RUN;
    at->n = min(RUN, n_cols - at->col);
    return at->row < n_rows;
}
/* Launches kernel(args) with a thread for every run of [n_rows, n_cols]. */
template <class K, class P>
static inline const char *launch_runs(K kernel, size_t n_rows, int n_cols, void *stream, const P &args)
{
    size_t n = n_rows * (((size_t)n_cols + RUN - 1) / RUN);
    if (n > 0xFFFFFF00u)
        return "more than 2^35 elements in one kernel";
    return launch(kernel, (unsigned)((n + 255) / 256), 256, 0, stream, args);
}

static inline unsigned blocks_for(size_t n, size_t per_block)
{
    return (unsigned)((n + per_block - 1) / per_block);
}

#endif
