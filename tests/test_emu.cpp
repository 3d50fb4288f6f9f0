/* The emulator itself: what its primitives compute, and kernels that are wrong on purpose and must be caught. */
#include "device.cuh"

#include <csetjmp>
#include <cstdarg>
#include <cstdio>
#include <cstdlib>
#include <ctime>
extern "C" {
#include <cmocka.h>
}

static const unsigned FULL = 0xFFFFFFFFu;

/* What launch() said must mention all of `words`. */
static void assert_says(const char *text, const char *words)
{
    printf("  %s\n", text ? text : "");
    if (!text || !strstr(text, words))
        fail_msg("expected in it: %s", words);
}

/* Right kernels ---------------------------------------------------------------------------------------------------- */

/* Sum of each block's 1000 numbers through shuffles and shared memory. */
static void block_sum(const int *x, int *sums, int n)
{
    SHARED(int, sSum, [32]);
    int i = (int)(blockIdx.x * blockDim.x + threadIdx.x), v = i < n ? x[i] : 0;
    for (int bits = 16; bits; bits /= 2)
        v += __shfl_xor_sync(FULL, v, bits);
    if (threadIdx.x % 32 == 0)
        sSum[threadIdx.x / 32] = v;
    __syncthreads();
    if (threadIdx.x == 0) {
        int sum = 0;
        for (unsigned w = 0; w < blockDim.x / 32; w++)
            sum += sSum[w];
        sums[blockIdx.x] = sum;
    }
}
static void sums_in_every_order(void **)
{
    static int x[1000], sums[4];
    for (int i = 0; i < 1000; i++)
        x[i] = i * i;
    for (unsigned seed = 0; seed < 20; seed++) {
        emu_seed(seed);
        memset(sums, 0, sizeof sums);
        assert_null(launch(block_sum, 4, 256, 0, nullptr, x, sums, 1000));
        for (int b = 0; b < 4; b++) {
            int want = 0;
            for (int i = b * 256; i < b * 256 + 256 && i < 1000; i++)
                want += i * i;
            assert_int_equal(sums[b], want);
        }
    }
}

static void shuffles(int *out)
{
    int lane = (int)threadIdx.x;
    out[lane] = __shfl_sync(FULL, lane, 5, 8);
    out[32 + lane] = __shfl_up_sync(FULL, lane, 3, 16);
    out[64 + lane] = __shfl_down_sync(FULL, lane, 3, 16);
    out[96 + lane] = (int)__ballot_sync(FULL, lane % 3 == 0);
    double d = __shfl_xor_sync(FULL, lane * 0.5, 1);
    out[128 + lane] = (int)(2 * d);
    /* Two halves of the warp apart. */
    out[160 + lane] = lane < 16 ? __shfl_sync(0xFFFFu, lane, 3) : __shfl_sync(0xFFFF0000u, lane, 20);
    out[192 + lane] = __any_sync(FULL, lane == 31) + 2 * __all_sync(FULL, lane < 31);
}
static void warp_collectives(void **)
{
    for (unsigned seed = 0; seed < 4; seed++) {
        int out[224];
        emu_seed(seed);
        assert_null(launch(shuffles, 1, 32, 0, nullptr, out));
        for (int l = 0; l < 32; l++) {
            assert_int_equal(out[l], l / 8 * 8 + 5);
            assert_int_equal(out[32 + l], l % 16 < 3 ? l : l - 3);
            assert_int_equal(out[64 + l], l % 16 > 12 ? l : l + 3);
            assert_int_equal(out[96 + l], 0x49249249);
            assert_int_equal(out[128 + l], l ^ 1);
            assert_int_equal(out[160 + l], l < 16 ? 3 : 20);
            assert_int_equal(out[192 + l], 1);
        }
    }
}

static void votes(int *out)
{
    int t = (int)threadIdx.x;
    int any = __syncthreads_or(t == 63), all = __syncthreads_and(t < 63), n = __syncthreads_count(t % 2);
    if (t < 32) {
        barrier_sync(1, 32);
    }
    out[t] = any + 2 * all + 4 * n;
}
static void block_votes(void **)
{
    int out[64];
    assert_null(launch(votes, 1, 64, 0, nullptr, out));
    for (int t = 0; t < 64; t++)
        assert_int_equal(out[t], 1 + 4 * 32);
}

/* c[16,8] = a[16,16] b[8,16]^T through ldmatrix, with rows of b stored either way. */
template <class T> static void product(const T *a, const T *b, float *c, bool b_by_k)
{
    T *sA = (T *)dynamic_shared(), *sB = sA + 16 * 16;
    int lane = (int)threadIdx.x;
    for (int i = lane; i < 32; i += 32) {
        cp_async<16>(sA + i * 8, a + i * 8);
        cp_async<16>(sB + i * 8, b + i * 8, i < 16);
    }
    cp_async_commit();
    cp_async_wait<0>();
    __syncwarp();
    uint32_t ra[4], rb[2];
    float d[4] = {0, 0, 0, 0};
    ldmatrix_x4(ra, sA + (lane % 16) * 16 + lane / 16 * 8);
    if (b_by_k)
        ldmatrix_x2_trans(rb, sB + (lane % 16) * 8);
    else
        ldmatrix_x2(rb, sB + (lane % 8) * 16 + lane / 8 % 2 * 8);
    mma_16x8x16<T>(d, ra, rb);
    for (int i = 0; i < 4; i++)
        c[(lane / 4 + i / 2 * 8) * 8 + lane % 4 * 2 + i % 2] = d[i];
}
template <class T> static void check_product(void)
{
    alignas(16) T a[256], b[128];
    float c[128];
    for (int by_k = 0; by_k < 2; by_k++) {
        for (int i = 0; i < 256; i++)
            a[i] = from_f32<T>((float)(i % 7 - 3));
        for (int i = 0; i < 128; i++)
            b[i] = from_f32<T>((float)(i % 5 - 2) * 0.5f);
        assert_null(launch(product<T>, 1, 32, 2 * 256 * sizeof(T), nullptr, a, b, c, by_k != 0));
        for (int m = 0; m < 16; m++)
            for (int n = 0; n < 8; n++) {
                float want = 0;
                for (int k = 0; k < 16; k++)
                    want += to_f32(a[m * 16 + k]) * to_f32(b[by_k ? k * 8 + n : n * 16 + k]);
                assert_true(c[m * 8 + n] == want);
            }
    }
}
static void matrices(void **)
{
    check_product<f16>();
    check_product<bf16>();
}

static void conversions(void **)
{
    for (unsigned h = 0; h < 0x10000; h++) {
        f16 v = {(uint16_t)h};
        bf16 w = {(uint16_t)h};
        bool nan16 = (h & 0x7C00) == 0x7C00 && h & 0x3FF, nanb = (h & 0x7F80) == 0x7F80 && h & 0x7F;
        assert_int_equal(from_f32<f16>(to_f32(v)).bits, nan16 ? 0x7FFF : h);
        assert_int_equal(from_f32<bf16>(to_f32(w)).bits, nanb ? 0x7FFF : h);
        /* Between two neighbours: to the even one. */
        if ((h & 0x7FFF) < 0x7BFF) {
            f16 next = {(uint16_t)(h + 1)};
            float middle = 0.5f * (to_f32(v) + to_f32(next));
            assert_int_equal(from_f32<f16>(middle).bits, h & 1 ? h + 1 : h);
        }
    }
    assert_int_equal(from_f32<f16>(65519.996f).bits, 0x7BFF);
    assert_int_equal(from_f32<f16>(65520.0f).bits, 0x7C00);
    assert_int_equal(from_f32<f16>(-1e30f).bits, 0xFC00);
}

/* Wrong kernels ---------------------------------------------------------------------------------------------------- */

/* No barrier between writing and reading a neighbour's element. */
static void racy(int *out)
{
    SHARED(int, s, [64]);
    s[threadIdx.x] = (int)threadIdx.x;
    out[threadIdx.x] = s[(threadIdx.x + 1) % 64];
}
/* A fast thread overwrites what a slow one still reads: the second barrier of the loop is missing. */
static void racy_loop(int *out)
{
    SHARED(int, s, [64]);
    int sum = 0;
    for (int i = 0; i < 3; i++) {
        s[threadIdx.x] = (int)threadIdx.x * (i + 1);
        __syncthreads();
        sum += s[63 - threadIdx.x];
    }
    out[threadIdx.x] = sum;
}
/* Neighbours in a warp, without __syncwarp. */
static void racy_warp(int *out)
{
    SHARED(int, s, [32]);
    s[threadIdx.x] = 1;
    out[threadIdx.x] = s[threadIdx.x ^ 1];
}
/* Blocks that build on each other. */
static void racy_blocks(int *out)
{
    if (threadIdx.x == 0)
        out[blockIdx.x] = blockIdx.x ? out[blockIdx.x - 1] + 1 : 1;
}
static bool changes(void (*kernel)(int *), unsigned grid, unsigned block)
{
    int first[64] = {0}, again[64] = {0};
    emu_seed(0);
    assert_null(launch(kernel, grid, block, 0, nullptr, first));
    for (unsigned seed = 1; seed < 3; seed++) {
        memset(again, 0, sizeof again);
        emu_seed(seed);
        assert_null(launch(kernel, grid, block, 0, nullptr, again));
        if (memcmp(first, again, sizeof first))
            return true;
    }
    return false;
}
static void races_change_results(void **)
{
    assert_true(changes(racy, 1, 64));
    assert_true(changes(racy_loop, 1, 64));
    assert_true(changes(racy_warp, 1, 32));
    assert_true(changes(racy_blocks, 8, 32));
}

static void half_waits(int)
{
    if (threadIdx.x < 32)
        __syncthreads();
}
static void two_barriers(int)
{
    if (threadIdx.x < 40)
        __syncthreads();
    else
        __syncthreads();
}
static void lane_missing(int *out)
{
    if (threadIdx.x != 7)
        out[0] = __shfl_sync(FULL, 1, 0);
}
static void lanes_apart(int *out)
{
    if (threadIdx.x < 16)
        out[0] = __shfl_sync(FULL, 1, 0);
    else
        out[0] = __shfl_xor_sync(FULL, 1, 1);
}
static void reads_outside(int *out)
{
    if (threadIdx.x < 16)
        out[0] = __shfl_sync(0xFFFFu, 1, 20);
}
static void foreign_mask(int *out)
{
    out[0] = __shfl_sync(0xFFFEu, 1, 2);
}
static void divergence(void **)
{
    int out[2];
    for (unsigned seed = 0; seed < 3; seed++) {
        emu_seed(seed);
        const char *text = launch(half_waits, 1, 64, 0, nullptr, 0);
        assert_says(text, "threads 0..31 wait at a barrier, test_emu.cpp:");
        assert_says(text, "threads 32..63 have ended");
        assert_says(launch(two_barriers, 1, 64, 0, nullptr, 0), "wait at another barrier");
        assert_says(launch(lane_missing, 1, 32, 0, nullptr, out), "threads 7..7 have ended");
        assert_says(launch(lanes_apart, 1, 32, 0, nullptr, out), "wait at another collective");
        assert_says(launch(reads_outside, 1, 32, 0, nullptr, out), "reads a lane that does not take part");
        assert_says(launch(foreign_mask, 1, 32, 0, nullptr, out), "not in its own mask");
    }
    emu_seed(0);
    static int x[1000], sums[4];
    assert_null(launch(block_sum, 4, 256, 0, nullptr, x, sums, 1000)); /* and the next kernel runs */
}

static void past_shared(int)
{
    dynamic_shared()[128 + threadIdx.x] = 1;
}
static void unaligned(const float *x, float *out)
{
    out[0] = __uint_as_float(load_b128(x + 1).x);
}
static void copies_unaligned(const float *x)
{
    cp_async<16>(dynamic_shared(), x + 1);
    cp_async_wait<0>();
}
static void copies_elsewhere(const float *x, float *to)
{
    cp_async<16>(to, x);
    cp_async_commit();
    cp_async_wait<0>();
}
static void never_waits(const float *x)
{
    cp_async<16>(dynamic_shared(), x);
    cp_async_commit();
}
static void loads_global(const float *x)
{
    uint32_t r[4];
    ldmatrix_x4(r, x);
}
static void memory_faults(void **)
{
    alignas(16) float x[8] = {0}, out[8];
#ifndef __SANITIZE_ADDRESS__ /* which stops the program there */
    assert_says(launch(past_shared, 1, 4, 128, nullptr, 0), "wrote up to 4 bytes past dynamic shared memory");
#endif
    assert_says(launch(unaligned, 1, 1, 0, nullptr, (const float *)x, out), "not a multiple of 16");
    assert_says(launch(copies_unaligned, 1, 1, 64, nullptr, (const float *)x), "not a multiple of its size");
    assert_says(launch(copies_elsewhere, 1, 1, 64, nullptr, (const float *)x, out), "not in shared memory");
    assert_says(launch(never_waits, 1, 1, 64, nullptr, (const float *)x), "never waited for");
    assert_says(launch(loads_global, 1, 32, 64, nullptr, (const float *)x), "not in shared memory");
    assert_says(launch(past_shared, 1, 4, (size_t)100 * 1024, nullptr, 0), "more shared memory");
    assert_says(launch(past_shared, 0, 4, 0, nullptr, 0), "grid is empty");
    assert_says(launch(past_shared, 1, 1025, 0, nullptr, 0), "1024 threads");
}

/* Reads before the wait, and before anything was written. */
static void reads_early(const float *x, float *out)
{
    float *s = (float *)dynamic_shared();
    out[0] = s[4];
    s[0] = 5;
    cp_async<16>(s, x);
    cp_async_commit();
    out[1] = s[0];
    cp_async<16>(s + 4, x + 4);
    cp_async_commit();
    cp_async_wait<1>();
    out[2] = s[0];
    out[3] = s[4];
    cp_async_wait<0>();
    out[4] = s[4];
}
static void not_there_yet(void **)
{
    alignas(16) float x[8] = {1, 2, 3, 4, 8, 7, 6, 5};
    float out[5];
    for (int i = 0; i < 2; i++) {
        assert_null(launch(reads_early, 2, 1, 32, nullptr, (const float *)x, out));
        assert_true(std::isnan(out[0]) && std::isnan(out[1]) && out[2] == 1 && std::isnan(out[3]) && out[4] == 8);
    }
}

/* Speed -------------------------------------------------------------------------------------------------------------- */

static void many_steps(int *out)
{
    int v = (int)threadIdx.x;
    for (int i = 0; i < 20; i++) {
        v = __shfl_xor_sync(FULL, v, 1);
        __syncthreads();
    }
    out[threadIdx.x] = v;
}
static void speed(void **)
{
    static int out[256];
    for (unsigned seed = 0; seed < 3; seed += 2) {
        emu_seed(seed);
        unsigned long long before = emu_steps();
        clock_t start = clock();
        assert_null(launch(many_steps, 100, 256, 0, nullptr, out));
        double seconds = (double)(clock() - start) / CLOCKS_PER_SEC, steps = (double)(emu_steps() - before);
        printf("  seed %u: %.1f million steps a second\n", seed, steps / seconds * 1e-6);
        assert_true(steps > 1e6);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(sums_in_every_order),  cmocka_unit_test(warp_collectives),
        cmocka_unit_test(block_votes),          cmocka_unit_test(matrices),
        cmocka_unit_test(conversions),          cmocka_unit_test(divergence),
        cmocka_unit_test(races_change_results), cmocka_unit_test(memory_faults),
        cmocka_unit_test(not_there_yet),        cmocka_unit_test(speed),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
