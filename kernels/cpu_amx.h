/* cpu_amx.h - the tile unit (Intel AMX) in six words; the same on Arm's BFMMLA, and a C twin for machines that have neither.
 *
 * Eight tiles, 0 to 7, of 16 rows x 64 bytes. A product is C += A B in f32 of bf16 operands:
 *     C [16][16] f32      A [16][32] bf16, as rows lie      B [16][16][2] bf16: row k, column n holds B[2k][n], B[2k+1][n]
 * so A is loaded from any row-major matrix, and B is packed in pairs. `stride` is bytes from row to row.
 *
 *     amx_tiles x;                  one per thread, on its stack: the tiles of the twin; the hardware's are registers
 *     amx_begin(&x);                all tiles become 16 x 64 and hold zeros
 *     amx_zero, amx_load, amx_dot, amx_store      a tile's number is a constant where these are inlined
 *     amx_end(&x);                  the thread has no tile state any more, and the kernel none to save
 *
 * HAVE_AMX is 1 in the variants that have these: avx512amx, neonbf16, and avx2twin, which runs the twin (CPU_AMX_TWIN).
 * Whether processor and kernel allow tiles is cpu_select.c's question. AMX and the twin round as Intel's manual says for
 * TDPBF16PS: even and odd k are summed apart by fused multiply-adds, their sums are added, then C. BFMMLA adds the sums of
 * two products each to C, in the order of k, rounded to odd. In all of them subnormals count as zero. */
#ifndef CPU_AMX_H
#define CPU_AMX_H

#include <stddef.h>
#include <stdint.h>
#include <string.h>

#if defined(__ARM_FEATURE_BF16_VECTOR_ARITHMETIC) && !defined(CPU_AMX_TWIN)
#define CPU_AMX_NEON 1
#include <arm_neon.h>
#endif

#if defined(__AMX_BF16__) || defined(CPU_AMX_TWIN) || defined(CPU_AMX_NEON)
#define CPU_AMX 1
enum { HAVE_AMX = 1 };
#else
enum { HAVE_AMX = 0 };
#endif

enum { AMX_TILES = 8, AMX_ROWS = 16, AMX_ROW_BYTES = 64 };

#define AMX_INLINE static inline __attribute__((always_inline))

#if defined(__AMX_BF16__) && !defined(CPU_AMX_TWIN)

typedef struct amx_tiles {
    char none;
} amx_tiles;

/* Written as assembly because GCC 12's intrinsics do not say that they read and write memory: the compiler may then
 * move the stores that make an operand past the load of the tile. */
AMX_INLINE void amx_begin(amx_tiles *x)
{
    /* What LDTILECFG reads: palette, first row, 14 zeros, 16 row lengths of 2 bytes, 16 numbers of rows. */
    static const struct {
        uint8_t palette, zeros[15];
        uint16_t row_bytes[16];
        uint8_t rows[16];
    } shapes = {1, {0}, {64, 64, 64, 64, 64, 64, 64, 64}, {16, 16, 16, 16, 16, 16, 16, 16}};
    (void)x;
    __asm__ volatile("ldtilecfg %0" ::"m"(shapes));
}
AMX_INLINE void amx_end(amx_tiles *x)
{
    (void)x;
    __asm__ volatile("tilerelease");
}
AMX_INLINE void amx_zero(amx_tiles *x, int t)
{
    (void)x;
    __asm__ volatile("tilezero %%tmm%c0" ::"i"(t));
}
AMX_INLINE void amx_load(amx_tiles *x, int t, const void *from, size_t stride)
{
    (void)x;
    __asm__ volatile("tileloadd (%1,%2,1), %%tmm%c0" ::"i"(t), "r"(from), "r"(stride) : "memory");
}
AMX_INLINE void amx_store(amx_tiles *x, int t, void *to, size_t stride)
{
    (void)x;
    __asm__ volatile("tilestored %%tmm%c0, (%1,%2,1)" ::"i"(t), "r"(to), "r"(stride) : "memory");
}
/* Tile c += tile a x tile b. */
AMX_INLINE void amx_dot(amx_tiles *x, int c, int a, int b)
{
    (void)x;
    __asm__ volatile("tdpbf16ps %%tmm%c2, %%tmm%c1, %%tmm%c0" ::"i"(c), "i"(a), "i"(b));
}

#elif defined(CPU_AMX_TWIN)

typedef struct amx_tiles {
    uint32_t tile[AMX_TILES][AMX_ROWS][AMX_ROW_BYTES / 4];
} amx_tiles;

AMX_INLINE void amx_begin(amx_tiles *x)
{
    memset(x, 0, sizeof *x);
}
/* What is read after the end is a NaN. */
AMX_INLINE void amx_end(amx_tiles *x)
{
    memset(x, 0xFF, sizeof *x);
}
AMX_INLINE void amx_zero(amx_tiles *x, int t)
{
    memset(x->tile[t], 0, sizeof x->tile[t]);
}
AMX_INLINE void amx_load(amx_tiles *x, int t, const void *from, size_t stride)
{
    for (size_t r = 0; r < AMX_ROWS; r++)
        memcpy(x->tile[t][r], (const char *)from + r * stride, AMX_ROW_BYTES);
}
AMX_INLINE void amx_store(amx_tiles *x, int t, void *to, size_t stride)
{
    for (size_t r = 0; r < AMX_ROWS; r++)
        memcpy((char *)to + r * stride, x->tile[t][r], AMX_ROW_BYTES);
}
/* Of a row's words the low or high halves as f32; a subnormal becomes zero. */
static inline void amx_halves(float *to, const uint32_t *words, int high)
{
    for (int n = 0; n < AMX_ROW_BYTES / 4; n++) {
        uint32_t bits = high ? words[n] & 0xFFFF0000u : words[n] << 16;
        bits = bits & 0x7F800000u ? bits : bits & 0x80000000u;
        memcpy(&to[n], &bits, 4);
    }
}
static inline float amx_flushed(float x)
{
    return x < 0x1p-126f && x > -0x1p-126f ? 0.0f * x : x;
}
static inline void amx_dot(amx_tiles *x, int c, int a, int b)
{
    enum { N = AMX_ROW_BYTES / 4 };
    float even[N][N], odd[N][N];
    for (int k = 0; k < N; k++) {
        amx_halves(even[k], x->tile[b][k], 0);
        amx_halves(odd[k], x->tile[b][k], 1);
    }
    for (int m = 0; m < AMX_ROWS; m++) {
        float row[N], sum_even[N] = {0}, sum_odd[N] = {0}, a_even[N], a_odd[N];
        amx_halves(a_even, x->tile[a][m], 0);
        amx_halves(a_odd, x->tile[a][m], 1);
        for (int k = 0; k < N; k++)
            for (int n = 0; n < N; n++) {
                sum_even[n] += a_even[k] * even[k][n];
                sum_odd[n] += a_odd[k] * odd[k][n];
            }
        memcpy(row, x->tile[c][m], sizeof row);
        for (int n = 0; n < N; n++)
            row[n] = amx_flushed(row[n] + amx_flushed(sum_even[n] + sum_odd[n]));
        memcpy(x->tile[c][m], row, sizeof row);
    }
}

#elif defined(CPU_AMX_NEON)

/* A tile lies in memory, two rows at a time: [row / 2][word / 2] is words w, w + 1 of row r, then those of row r + 1. For C
 * this is the 2 x 2 block that BFMMLA adds to, for A two rows of four k; B is turned once a product. */
typedef struct amx_tiles {
    uint32x4_t tile[AMX_TILES][AMX_ROWS / 2][AMX_ROW_BYTES / 8];
} amx_tiles;

AMX_INLINE void amx_begin(amx_tiles *x)
{
    memset(x, 0, sizeof *x);
}
AMX_INLINE void amx_end(amx_tiles *x)
{
    (void)x;
}
AMX_INLINE void amx_zero(amx_tiles *x, int t)
{
    memset(x->tile[t], 0, sizeof x->tile[t]);
}
AMX_INLINE void amx_load(amx_tiles *x, int t, const void *from, size_t stride)
{
    const char *row = from;
    for (int r = 0; r < AMX_ROWS / 2; r++, row += 2 * stride)
        for (int w = 0; w < AMX_ROW_BYTES / 8; w += 2) {
            uint64x2_t even, odd; /* memcpy: rows of bf16 begin at any element */
            memcpy(&even, row + 8 * w, sizeof even);
            memcpy(&odd, row + stride + 8 * w, sizeof odd);
            x->tile[t][r][w] = vreinterpretq_u32_u64(vzip1q_u64(even, odd));
            x->tile[t][r][w + 1] = vreinterpretq_u32_u64(vzip2q_u64(even, odd));
        }
}
AMX_INLINE void amx_store(amx_tiles *x, int t, void *to, size_t stride)
{
    char *row = to;
    for (int r = 0; r < AMX_ROWS / 2; r++, row += 2 * stride)
        for (int w = 0; w < AMX_ROW_BYTES / 8; w += 2) {
            uint64x2_t low = vreinterpretq_u64_u32(x->tile[t][r][w]),
                       high = vreinterpretq_u64_u32(x->tile[t][r][w + 1]);
            uint64x2_t even = vzip1q_u64(low, high), odd = vzip2q_u64(low, high);
            memcpy(row + 8 * w, &even, sizeof even);
            memcpy(row + stride + 8 * w, &odd, sizeof odd);
        }
}
/* Four rows of C, 16 accumulators, over the whole depth: ten loads feed 16 products. A call and not inlined: it is some 300
 * cycles long, and callers have four of them side by side. */
static __attribute__((noinline, unused)) void amx_dot(amx_tiles *x, int c, int a, int b)
{
    enum { PAIRS = AMX_ROWS / 2 };
    uint32x4_t turned[PAIRS][PAIRS]; /* [four k][two columns]: four k of a column, then of the next */
    for (int k = 0; k < PAIRS; k++)
        for (int n = 0; n < PAIRS; n++) {
            uint32x4_t block = x->tile[b][k][n];
            turned[k][n] = vzip1q_u32(block, vextq_u32(block, block, 2));
        }
    for (int m = 0; m < PAIRS; m += 2) {
        float32x4_t sum[2][PAIRS];
        memcpy(sum, x->tile[c][m], sizeof sum);
        _Pragma("GCC unroll 1") for (int k = 0; k < PAIRS; k++)
        {
            bfloat16x8_t even = vreinterpretq_bf16_u32(x->tile[a][m][k]);
            bfloat16x8_t odd = vreinterpretq_bf16_u32(x->tile[a][m + 1][k]);
            _Pragma("GCC unroll 8") for (int n = 0; n < PAIRS; n++)
            {
                bfloat16x8_t columns = vreinterpretq_bf16_u32(turned[k][n]);
                sum[0][n] = vbfmmlaq_f32(sum[0][n], even, columns);
                sum[1][n] = vbfmmlaq_f32(sum[1][n], odd, columns);
            }
        }
        memcpy(x->tile[c][m], sum, sizeof sum);
    }
}

#else /* so that code around them compiles in every variant; where HAVE_AMX is 0 nothing calls them */

typedef struct amx_tiles {
    char none;
} amx_tiles;
AMX_INLINE void amx_begin(amx_tiles *x)
{
    (void)x;
}
AMX_INLINE void amx_end(amx_tiles *x)
{
    (void)x;
}
AMX_INLINE void amx_zero(amx_tiles *x, int t)
{
    (void)x, (void)t;
}
AMX_INLINE void amx_load(amx_tiles *x, int t, const void *from, size_t stride)
{
    (void)x, (void)t, (void)from, (void)stride;
}
AMX_INLINE void amx_store(amx_tiles *x, int t, void *to, size_t stride)
{
    (void)x, (void)t, (void)to, (void)stride;
}
AMX_INLINE void amx_dot(amx_tiles *x, int c, int a, int b)
{
    (void)x, (void)c, (void)a, (void)b;
}

#endif
#endif
