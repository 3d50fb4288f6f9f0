/* emu.h - CUDA's device primitives on the host, so that kernels are tested without a GPU.
 *
 * kernels/device.cuh includes this instead of CUDA where the compiler is not nvcc. A kernel then is an ordinary C++
 * function; launch() runs it for every thread of every block, one block after the other, each thread on a stack of its
 * own that gives way only where it must wait: at a barrier or at a warp collective. Device memory is host memory.
 *
 * What it finds, as the text that launch() returns:
 *   a barrier or a collective that some thread never reaches, or reaches at another line
 *   a shuffle from a lane that does not take part
 *   a 16-byte access, cp.async or ldmatrix that is not aligned, ldmatrix and cp.async outside shared memory
 *   cp.async that is never waited for;  writes past dynamic shared memory (without AddressSanitizer too)
 * and as wrong or changing numbers:
 *   a race: emu_seed() changes the order of threads between barriers, and of blocks; results must be the same bits
 *   shared memory read before it is written in this block: it starts as NaN
 *   cp.async read too early: its target is NaN until the wait that covers it
 * What it cannot find: races that only real concurrency shows (two blocks at the same time, volatile spinning). */
#ifndef EMU_H
#define EMU_H

#include "control.h"

#include <cmath>
#include <cstddef>
#include <cstdint>
#include <cstring>

#define __global__ static
#define __device__
#define __host__
#define __forceinline__ inline
#define __launch_bounds__(...)
#define __align__(n) alignas(n)
#define __constant__ static const

struct uint2 {
    unsigned x, y;
};
struct alignas(16) uint4 {
    unsigned x, y, z, w;
};
struct alignas(8) float2 {
    float x, y;
};
struct uint3 {
    unsigned x, y, z;
};
struct dim3 {
    unsigned x, y, z;
    dim3(unsigned x_ = 1, unsigned y_ = 1, unsigned z_ = 1) : x(x_), y(y_), z(z_)
    {
    }
};
static inline uint2 make_uint2(unsigned x, unsigned y)
{
    return {x, y};
}
static inline uint4 make_uint4(unsigned x, unsigned y, unsigned z, unsigned w)
{
    return {x, y, z, w};
}
static inline float2 make_float2(float x, float y)
{
    return {x, y};
}

/* Running kernels ------------------------------------------------------------------------------------------------ */

struct emu_launch {
    dim3 grid, block;
    uint3 block_index;
};
extern emu_launch emu_grid;    /* of the running kernel */
extern uint3 emu_thread_index; /* of the running thread */
#define threadIdx emu_thread_index
#define blockIdx  emu_grid.block_index
#define blockDim  emu_grid.block
#define gridDim   emu_grid.grid

const char *emu_run(dim3 grid, dim3 block, size_t shared_bytes, void (*body)(void *), void *user);

template <class... P, class... A>
static inline const char *launch(void (*kernel)(P...), dim3 grid, dim3 block, size_t shared_bytes, void *stream,
                                 A... args)
{
    (void)stream;
    auto body = [&] { kernel(args...); };
    return emu_run(
        grid, block, shared_bytes, [](void *user) { (*(decltype(body) *)user)(); }, &body);
}
static inline const char *copy_async(void *to, const void *from, size_t n_bytes, void *stream)
{
    (void)stream;
    memcpy(to, from, n_bytes);
    return nullptr;
}
static inline const char *fill_async(void *to, int byte, size_t n_bytes, void *stream)
{
    (void)stream;
    memset(to, byte, n_bytes);
    return nullptr;
}
size_t device_shared_limit(void);
int device_multiprocessors(void);

/* Memory --------------------------------------------------------------------------------------------------------- */

unsigned char *dynamic_shared(void);
void *emu_static_shared(const void *key, size_t n_bytes);
#define SHARED(type, name, dims)                                                                                       \
    static char name##_key;                                                                                            \
    typedef type name##_array dims;                                                                                    \
    name##_array &name = *(name##_array *)emu_static_shared(&name##_key, sizeof(name##_array))

[[noreturn]] void emu_fault(const char *what, const char *file, int line);
#define EMU_SITE    const char *file = __builtin_FILE(), int line = __builtin_LINE()
#define EMU_SITE_OF file, line

static inline void emu_aligned(const void *p, size_t n, const char *what, const char *file, int line)
{
    if ((uintptr_t)p % n)
        emu_fault(what, file, line);
}
static inline uint4 load_b128(const void *p, EMU_SITE)
{
    emu_aligned(p, 16, "load_b128: address is not a multiple of 16", EMU_SITE_OF);
    return *(const uint4 *)p;
}
static inline void store_b128(void *p, uint4 v, EMU_SITE)
{
    emu_aligned(p, 16, "store_b128: address is not a multiple of 16", EMU_SITE_OF);
    *(uint4 *)p = v;
}
static inline uint2 load_b64(const void *p, EMU_SITE)
{
    emu_aligned(p, 8, "load_b64: address is not a multiple of 8", EMU_SITE_OF);
    return *(const uint2 *)p;
}
static inline void store_b64(void *p, uint2 v, EMU_SITE)
{
    emu_aligned(p, 8, "store_b64: address is not a multiple of 8", EMU_SITE_OF);
    *(uint2 *)p = v;
}

void emu_cp_async(void *to, const void *from, int n_bytes, bool valid, const char *file, int line);
void emu_cp_async_commit(void);
void emu_cp_async_wait(int n_left);
template <int N> static inline void cp_async(void *to, const void *from, bool valid = true, EMU_SITE)
{
    static_assert(N == 4 || N == 8 || N == 16, "cp.async copies 4, 8 or 16 bytes");
    emu_cp_async(to, from, N, valid, EMU_SITE_OF);
}
static inline void cp_async_commit(void)
{
    emu_cp_async_commit();
}
template <int N> static inline void cp_async_wait(void)
{
    emu_cp_async_wait(N);
}

/* Atomics: threads give way only at barriers, so plain code is atomic. Each returns the old value. */
template <class T> static inline T atomicAdd(T *p, T v)
{
    T old = *p;
    *p = old + v;
    return old;
}
template <class T> static inline T atomicMax(T *p, T v)
{
    T old = *p;
    *p = old < v ? v : old;
    return old;
}
template <class T> static inline T atomicMin(T *p, T v)
{
    T old = *p;
    *p = v < old ? v : old;
    return old;
}
template <class T> static inline T atomicOr(T *p, T v)
{
    T old = *p;
    *p = old | v;
    return old;
}
static inline void __threadfence(void)
{
}
static inline void __threadfence_block(void)
{
}

/* Barriers and warp collectives ------------------------------------------------------------------------------------ */

enum emu_vote { EMU_VOTE_NONE, EMU_VOTE_OR, EMU_VOTE_AND, EMU_VOTE_COUNT };
/* Barrier `id` of n_threads (0: all of the block). */
int emu_barrier(int id, int n_threads, emu_vote vote, int predicate, const char *file, int line);
static inline void __syncthreads(EMU_SITE)
{
    emu_barrier(0, 0, EMU_VOTE_NONE, 0, EMU_SITE_OF);
}
static inline int __syncthreads_or(int predicate, EMU_SITE)
{
    return emu_barrier(0, 0, EMU_VOTE_OR, predicate, EMU_SITE_OF);
}
static inline int __syncthreads_and(int predicate, EMU_SITE)
{
    return emu_barrier(0, 0, EMU_VOTE_AND, predicate, EMU_SITE_OF);
}
static inline int __syncthreads_count(int predicate, EMU_SITE)
{
    return emu_barrier(0, 0, EMU_VOTE_COUNT, predicate, EMU_SITE_OF);
}
static inline void barrier_sync(int id, int n_threads, EMU_SITE)
{
    emu_barrier(id, n_threads, EMU_VOTE_NONE, 0, EMU_SITE_OF);
}

/* Waits for all lanes of the mask; the last one there calls run(requests by lane, mask). NULL result: fine. */
typedef const char *emu_collective(void *const *request, unsigned mask);
void emu_collect(unsigned mask, emu_collective *run, void *request, const char *file, int line);

struct emu_shuffle {
    uint64_t value;
    int from, width; /* lane or distance */
    unsigned lane;
};
emu_collective emu_shuffle_index, emu_shuffle_xor, emu_shuffle_up, emu_shuffle_down, emu_sync_warp, emu_ballot;
template <class T>
static inline T emu_shuffled(emu_collective *kind, unsigned mask, T v, int from, int width, const char *file, int line)
{
    static_assert(sizeof(T) <= 8, "shuffles move at most 8 bytes");
    emu_shuffle s = {0, from, width, 0};
    memcpy(&s.value, &v, sizeof v);
    emu_collect(mask, kind, &s, file, line);
    memcpy(&v, &s.value, sizeof v);
    return v;
}
template <class T> static inline T __shfl_sync(unsigned mask, T v, int lane, int width = 32, EMU_SITE)
{
    return emu_shuffled(emu_shuffle_index, mask, v, lane, width, EMU_SITE_OF);
}
template <class T> static inline T __shfl_xor_sync(unsigned mask, T v, int bits, int width = 32, EMU_SITE)
{
    return emu_shuffled(emu_shuffle_xor, mask, v, bits, width, EMU_SITE_OF);
}
template <class T> static inline T __shfl_up_sync(unsigned mask, T v, unsigned by, int width = 32, EMU_SITE)
{
    return emu_shuffled(emu_shuffle_up, mask, v, (int)by, width, EMU_SITE_OF);
}
template <class T> static inline T __shfl_down_sync(unsigned mask, T v, unsigned by, int width = 32, EMU_SITE)
{
    return emu_shuffled(emu_shuffle_down, mask, v, (int)by, width, EMU_SITE_OF);
}
static inline void __syncwarp(unsigned mask = 0xFFFFFFFFu, EMU_SITE)
{
    int nothing = 0;
    emu_collect(mask, emu_sync_warp, &nothing, EMU_SITE_OF);
}
static inline unsigned __ballot_sync(unsigned mask, int predicate, EMU_SITE)
{
    unsigned request = predicate != 0;
    emu_collect(mask, emu_ballot, &request, EMU_SITE_OF);
    return request;
}
static inline int __any_sync(unsigned mask, int predicate, EMU_SITE)
{
    return __ballot_sync(mask, predicate, EMU_SITE_OF) != 0;
}
static inline int __all_sync(unsigned mask, int predicate, EMU_SITE)
{
    return __ballot_sync(mask, predicate, EMU_SITE_OF) == mask;
}

/* Matrices --------------------------------------------------------------------------------------------------------- */

struct emu_mma {
    float *d; /* accumulated in place */
    const uint32_t *a, *b;
};
emu_collective emu_mma_f16, emu_mma_bf16;
struct emu_ldmatrix {
    uint32_t *r;
    const void *row;
};
emu_collective emu_ldmatrix_x2, emu_ldmatrix_x4, emu_ldmatrix_x2_trans, emu_ldmatrix_x4_trans;

static inline void mma_16x8x16_f16(float *d, const uint32_t *a, const uint32_t *b, EMU_SITE)
{
    emu_mma m = {d, a, b};
    emu_collect(0xFFFFFFFFu, emu_mma_f16, &m, EMU_SITE_OF);
}
static inline void mma_16x8x16_bf16(float *d, const uint32_t *a, const uint32_t *b, EMU_SITE)
{
    emu_mma m = {d, a, b};
    emu_collect(0xFFFFFFFFu, emu_mma_bf16, &m, EMU_SITE_OF);
}
static inline void ldmatrix_x2(uint32_t *r, const void *row, EMU_SITE)
{
    emu_ldmatrix m = {r, row};
    emu_collect(0xFFFFFFFFu, emu_ldmatrix_x2, &m, EMU_SITE_OF);
}
static inline void ldmatrix_x4(uint32_t *r, const void *row, EMU_SITE)
{
    emu_ldmatrix m = {r, row};
    emu_collect(0xFFFFFFFFu, emu_ldmatrix_x4, &m, EMU_SITE_OF);
}
static inline void ldmatrix_x2_trans(uint32_t *r, const void *row, EMU_SITE)
{
    emu_ldmatrix m = {r, row};
    emu_collect(0xFFFFFFFFu, emu_ldmatrix_x2_trans, &m, EMU_SITE_OF);
}
static inline void ldmatrix_x4_trans(uint32_t *r, const void *row, EMU_SITE)
{
    emu_ldmatrix m = {r, row};
    emu_collect(0xFFFFFFFFu, emu_ldmatrix_x4_trans, &m, EMU_SITE_OF);
}

/* Arithmetic --------------------------------------------------------------------------------------------------------- */

static inline float __int_as_float(int i)
{
    float f;
    memcpy(&f, &i, 4);
    return f;
}
static inline unsigned __float_as_uint(float f)
{
    unsigned u;
    memcpy(&u, &f, 4);
    return u;
}
static inline float __uint_as_float(unsigned u)
{
    float f;
    memcpy(&f, &u, 4);
    return f;
}
static inline float rsqrtf(float v)
{
    return 1.0f / sqrtf(v);
}
/* Operations that nvcc never contracts into a fused multiply-add. */
static inline float __fmul_rn(float a, float b)
{
    volatile float product = a * b;
    return product;
}
static inline float __fadd_rn(float a, float b)
{
    return a + b;
}
static inline float __fdiv_rn(float a, float b)
{
    return a / b;
}
static inline float exp2_approx(float v)
{
    return exp2f(v);
}
static inline float rcp_approx(float v)
{
    return 1.0f / v;
}
static inline int __popc(unsigned v)
{
    return __builtin_popcount(v);
}
static inline int __clz(int v)
{
    return v ? __builtin_clz((unsigned)v) : 32;
}
static inline int __ffs(int v)
{
    return __builtin_ffs(v);
}
template <class T> static inline T min(T a, T b)
{
    return b < a ? b : a;
}
template <class T> static inline T max(T a, T b)
{
    return a < b ? b : a;
}

/* IEEE binary16 and bfloat16 as the cvt instructions convert them: to nearest even, every NaN to 0x7FFF. */
static inline uint16_t emu_to_bf16(float f)
{
    uint32_t u = __float_as_uint(f);
    return (u & 0x7FFFFFFFu) > 0x7F800000u ? 0x7FFF : (uint16_t)((u + 0x7FFFu + ((u >> 16) & 1u)) >> 16);
}
uint16_t emu_to_f16(float f);
float emu_from_f16(uint16_t bits);

#endif
