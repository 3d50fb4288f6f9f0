/* device.cuh - the device primitives that kernels are written in.
 *
 * Under nvcc they are CUDA's intrinsics and the PTX below. Under any other C++ compiler the same names come from
 * tests/emu/emu.h, which runs kernels without a GPU; so a kernel uses only what is here or in the list there:
 *   threadIdx blockIdx blockDim gridDim, __syncthreads (_or _and _count), barrier_sync(id, n), __syncwarp,
 *   __shfl_sync __shfl_xor_sync __shfl_up_sync __shfl_down_sync, __ballot_sync __any_sync __all_sync,
 *   atomicAdd Max Min Or, __threadfence, rsqrtf, __fmul_rn __fadd_rn __fdiv_rn, __popc __clz __ffs, min max,
 *   uint2 uint4 float2 dim3 and C's math.h.
 *
 *   launch(kernel, grid, block, shared_bytes, stream, args...)   NULL, or what is wrong
 *   copy_async, fill_async                device memory, in stream order; the same result
 *   device_shared_limit()                 most dynamic shared bytes of a block;  device_multiprocessors(), at least 1
 *   dynamic_shared()                      the block's dynamic shared memory, 128-byte aligned
 *   SHARED(float, sSum, [4][32]);         a static shared array. There is no other __shared__.
 *   load_b128 store_b128 load_b64 store_b64   aligned vector access
 *   cp_async<16>(to, from, valid)         asynchronous copy to shared memory; zeros, and `from` not read, if not valid
 *   cp_async_commit(), cp_async_wait<N>() all groups but the N last have arrived (for the calling thread)
 *   ldmatrix_x2, _x4, .._trans            8x8 matrices of 16-bit elements; lane 8i + r names row r of matrix i
 *   mma_16x8x16<T>(d, a, b)               d[4] += a[4] b[2] (PTX mma.m16n8k16, row x col, f32 accumulators)
 *   to_f32, from_f32<T>, pack2<T>         f16 and bf16, rounded to nearest even
 *   exp2_approx, rcp_approx               2 ulp and 1 ulp */
#ifndef DEVICE_CUH
#define DEVICE_CUH

/* What `launch` says of rows or objects beyond a grid's second and third axis, of which a device has 65535. */
#define GRID_TOO_LARGE                                                                                                 \
    "more rows or objects than one launch can take (4 million rows of a product); fewer objects would fit"
static inline bool grid_fits(unsigned y, unsigned z)
{
    return y <= 65535 && z <= 65535;
}

#ifdef __CUDACC__

#include "described_device.h"

#include <cuda_runtime.h>
#include <stdint.h>

static inline const char *cuda_text(cudaError_t e)
{
    return e == cudaSuccess ? nullptr : cudaGetErrorString(e);
}
static inline int device_attribute(cudaDeviceAttr which)
{
    int device = 0, value = 0;
    if (cudaGetDevice(&device) != cudaSuccess || cudaDeviceGetAttribute(&value, which, device) != cudaSuccess)
        return 0;
    return value;
}
/* Raises the kernel's limit to all that the device has, whoever asks and for whatever launch: a limit by need could be lowered
 * by another session's launch between this one's limit and this one. */
static inline cudaError_t allow_all_shared(const void *kernel)
{
    cudaFuncAttributes a;
    cudaError_t e = cudaFuncGetAttributes(&a, kernel);
    int most = device_attribute(cudaDevAttrMaxSharedMemoryPerBlockOptin) - (int)a.sharedSizeBytes;
    return e != cudaSuccess ? e : cudaFuncSetAttribute(kernel, cudaFuncAttributeMaxDynamicSharedMemorySize, most);
}
template <class... P, class... A>
static inline const char *launch(void (*kernel)(P...), dim3 grid, dim3 block, size_t shared_bytes, void *stream,
                                 A... args)
{
    if (!grid_fits(grid.y, grid.z))
        return GRID_TOO_LARGE;
    cudaError_t e = shared_bytes > 48 * 1024 ? allow_all_shared((const void *)kernel) : cudaSuccess;
    if (e != cudaSuccess)
        return cuda_text(e);
    kernel<<<grid, block, shared_bytes, (cudaStream_t)stream>>>(args...);
    return cuda_text(cudaGetLastError());
}
static inline const char *copy_async(void *to, const void *from, size_t n_bytes, void *stream)
{
    return cuda_text(cudaMemcpyAsync(to, from, n_bytes, cudaMemcpyDeviceToDevice, (cudaStream_t)stream));
}
static inline const char *fill_async(void *to, int byte, size_t n_bytes, void *stream)
{
    return cuda_text(cudaMemsetAsync(to, byte, n_bytes, (cudaStream_t)stream));
}
static inline size_t device_shared_limit(void)
{
    const described_device *d = device_described();
    return d ? d->shared_limit : (size_t)device_attribute(cudaDevAttrMaxSharedMemoryPerBlockOptin);
}
static inline int device_multiprocessors(void)
{
    const described_device *d = device_described();
    int n = d ? d->multiprocessors : device_attribute(cudaDevAttrMultiProcessorCount);
    return n > 0 ? n : 1; /* a plan may be made where there is no device */
}

static __device__ __forceinline__ unsigned char *dynamic_shared(void)
{
    extern __shared__ __align__(128) unsigned char dynamic_shared_memory[];
    return dynamic_shared_memory;
}
#define SHARED(type, name, dims) __shared__ __align__(16) type name dims

static __device__ __forceinline__ void barrier_sync(int id, int n_threads)
{
    asm volatile("bar.sync %0, %1;" ::"r"(id), "r"(n_threads) : "memory");
}

static __device__ __forceinline__ uint4 load_b128(const void *p)
{
    return *(const uint4 *)p;
}
static __device__ __forceinline__ void store_b128(void *p, uint4 v)
{
    *(uint4 *)p = v;
}
static __device__ __forceinline__ uint2 load_b64(const void *p)
{
    return *(const uint2 *)p;
}
static __device__ __forceinline__ void store_b64(void *p, uint2 v)
{
    *(uint2 *)p = v;
}

static __device__ __forceinline__ uint32_t shared_address(const void *p)
{
    return (uint32_t)__cvta_generic_to_shared(p);
}
/* 16 bytes bypass L1: each is read once by a block. */
template <int N> static __device__ __forceinline__ void cp_async(void *to, const void *from, bool valid = true)
{
    static_assert(N == 4 || N == 8 || N == 16, "cp.async copies 4, 8 or 16 bytes");
    int n_read = valid ? N : 0;
    if (N == 16)
        asm volatile("cp.async.cg.shared.global [%0], [%1], 16, %2;" ::"r"(shared_address(to)), "l"(from), "r"(n_read)
                     : "memory");
    else
        asm volatile("cp.async.ca.shared.global [%0], [%1], %2, %3;" ::"r"(shared_address(to)), "l"(from), "n"(N),
                     "r"(n_read)
                     : "memory");
}
static __device__ __forceinline__ void cp_async_commit(void)
{
    asm volatile("cp.async.commit_group;" ::: "memory");
}
template <int N> static __device__ __forceinline__ void cp_async_wait(void)
{
    asm volatile("cp.async.wait_group %0;" ::"n"(N) : "memory");
}

static __device__ __forceinline__ void ldmatrix_x2(uint32_t *r, const void *row)
{
    asm volatile("ldmatrix.sync.aligned.m8n8.x2.shared.b16 {%0,%1}, [%2];"
                 : "=r"(r[0]), "=r"(r[1])
                 : "r"(shared_address(row))
                 : "memory");
}
static __device__ __forceinline__ void ldmatrix_x4(uint32_t *r, const void *row)
{
    asm volatile("ldmatrix.sync.aligned.m8n8.x4.shared.b16 {%0,%1,%2,%3}, [%4];"
                 : "=r"(r[0]), "=r"(r[1]), "=r"(r[2]), "=r"(r[3])
                 : "r"(shared_address(row))
                 : "memory");
}
static __device__ __forceinline__ void ldmatrix_x2_trans(uint32_t *r, const void *row)
{
    asm volatile("ldmatrix.sync.aligned.m8n8.x2.trans.shared.b16 {%0,%1}, [%2];"
                 : "=r"(r[0]), "=r"(r[1])
                 : "r"(shared_address(row))
                 : "memory");
}
static __device__ __forceinline__ void ldmatrix_x4_trans(uint32_t *r, const void *row)
{
    asm volatile("ldmatrix.sync.aligned.m8n8.x4.trans.shared.b16 {%0,%1,%2,%3}, [%4];"
                 : "=r"(r[0]), "=r"(r[1]), "=r"(r[2]), "=r"(r[3])
                 : "r"(shared_address(row))
                 : "memory");
}
static __device__ __forceinline__ void mma_16x8x16_f16(float *d, const uint32_t *a, const uint32_t *b)
{
    asm("mma.sync.aligned.m16n8k16.row.col.f32.f16.f16.f32 {%0,%1,%2,%3}, {%4,%5,%6,%7}, {%8,%9}, {%0,%1,%2,%3};"
        : "+f"(d[0]), "+f"(d[1]), "+f"(d[2]), "+f"(d[3])
        : "r"(a[0]), "r"(a[1]), "r"(a[2]), "r"(a[3]), "r"(b[0]), "r"(b[1]));
}
static __device__ __forceinline__ void mma_16x8x16_bf16(float *d, const uint32_t *a, const uint32_t *b)
{
    asm("mma.sync.aligned.m16n8k16.row.col.f32.bf16.bf16.f32 {%0,%1,%2,%3}, {%4,%5,%6,%7}, {%8,%9}, {%0,%1,%2,%3};"
        : "+f"(d[0]), "+f"(d[1]), "+f"(d[2]), "+f"(d[3])
        : "r"(a[0]), "r"(a[1]), "r"(a[2]), "r"(a[3]), "r"(b[0]), "r"(b[1]));
}

static __device__ __forceinline__ float exp2_approx(float v)
{
    float r;
    asm("ex2.approx.ftz.f32 %0, %1;" : "=f"(r) : "f"(v));
    return r;
}
static __device__ __forceinline__ float rcp_approx(float v)
{
    float r;
    asm("rcp.approx.ftz.f32 %0, %1;" : "=f"(r) : "f"(v));
    return r;
}
#define UNROLL            _Pragma("unroll")
#define UNROLL_TEXT(text) _Pragma(#text)
#define UNROLL_BY(n)      UNROLL_TEXT(unroll(n))

#else

#include "emu.h"
#define UNROLL
#define UNROLL_BY(n)

#endif

/* Elements: float, f16 and bf16 ------------------------------------------------------------------------------------ */

struct f16 {
    uint16_t bits;
};
struct bf16 {
    uint16_t bits;
};

static __device__ __forceinline__ float to_f32(float v)
{
    return v;
}
static __device__ __forceinline__ float to_f32(bf16 v)
{
    return __uint_as_float((uint32_t)v.bits << 16);
}
static __device__ __forceinline__ float to_f32(f16 v)
{
#ifdef __CUDACC__
    float f;
    asm("cvt.f32.f16 %0, %1;" : "=f"(f) : "h"(v.bits));
    return f;
#else
    return emu_from_f16(v.bits);
#endif
}

template <class T> static __device__ __forceinline__ T from_f32(float v);
template <> __device__ __forceinline__ float from_f32<float>(float v)
{
    return v;
}
template <> __device__ __forceinline__ bf16 from_f32<bf16>(float v)
{
    bf16 h;
#ifdef __CUDACC__
    asm("cvt.rn.bf16.f32 %0, %1;" : "=h"(h.bits) : "f"(v));
#else
    h.bits = emu_to_bf16(v);
#endif
    return h;
}
template <> __device__ __forceinline__ f16 from_f32<f16>(float v)
{
    f16 h;
#ifdef __CUDACC__
    asm("cvt.rn.f16.f32 %0, %1;" : "=h"(h.bits) : "f"(v));
#else
    h.bits = emu_to_f16(v);
#endif
    return h;
}

/* Two elements in a register, the first in the low half: what mma and ldmatrix use. */
template <class T> static __device__ __forceinline__ uint32_t pack2(float low, float high);
template <> __device__ __forceinline__ uint32_t pack2<bf16>(float low, float high)
{
#ifdef __CUDACC__
    uint32_t r;
    asm("cvt.rn.bf16x2.f32 %0, %1, %2;" : "=r"(r) : "f"(high), "f"(low));
    return r;
#else
    return emu_to_bf16(low) | (uint32_t)emu_to_bf16(high) << 16;
#endif
}
template <> __device__ __forceinline__ uint32_t pack2<f16>(float low, float high)
{
#ifdef __CUDACC__
    uint32_t r;
    asm("cvt.rn.f16x2.f32 %0, %1, %2;" : "=r"(r) : "f"(high), "f"(low));
    return r;
#else
    return emu_to_f16(low) | (uint32_t)emu_to_f16(high) << 16;
#endif
}

template <class T> static __device__ __forceinline__ float2 unpack2(uint32_t v);
template <> __device__ __forceinline__ float2 unpack2<bf16>(uint32_t v)
{
    return make_float2(__uint_as_float(v << 16), __uint_as_float(v & 0xFFFF0000u));
}
template <> __device__ __forceinline__ float2 unpack2<f16>(uint32_t v)
{
    f16 low = {(uint16_t)v}, high = {(uint16_t)(v >> 16)};
    return make_float2(to_f32(low), to_f32(high));
}

template <class T> static __device__ __forceinline__ void mma_16x8x16(float *d, const uint32_t *a, const uint32_t *b);
template <> __device__ __forceinline__ void mma_16x8x16<f16>(float *d, const uint32_t *a, const uint32_t *b)
{
    mma_16x8x16_f16(d, a, b);
}
template <> __device__ __forceinline__ void mma_16x8x16<bf16>(float *d, const uint32_t *a, const uint32_t *b)
{
    mma_16x8x16_bf16(d, a, b);
}

#endif
