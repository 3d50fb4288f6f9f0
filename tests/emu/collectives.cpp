/* collectives.cpp - what a warp computes together, once all its lanes have come. */
#include "emu.h"

bool emu_is_shared(const void *p, size_t n);

/* 8-byte registers of all lanes first, then each takes its own: a lane's result is another one's operand. */
static const char *shuffle(void *const *request, unsigned mask, int (*source)(const emu_shuffle *, int lane))
{
    uint64_t values[32] = {};
    for (int i = 0; i < 32; i++)
        if (mask >> i & 1)
            values[i] = ((const emu_shuffle *)request[i])->value;
    for (int i = 0; i < 32; i++) {
        if (!(mask >> i & 1))
            continue;
        emu_shuffle *s = (emu_shuffle *)request[i];
        if (s->width < 1 || s->width > 32 || s->width & (s->width - 1))
            return "shuffle: the width must be a power of two up to 32";
        int from = source(s, i);
        if (!(mask >> from & 1))
            return "shuffle: reads a lane that does not take part";
        s->value = values[from];
    }
    return nullptr;
}
static int from_index(const emu_shuffle *s, int lane)
{
    return (lane & ~(s->width - 1)) + (s->from & (s->width - 1));
}
static int from_xor(const emu_shuffle *s, int lane)
{
    int other = (lane ^ s->from) & 31;
    /* A higher part of the warp is out of reach. */
    return other / s->width > lane / s->width ? lane : other;
}
static int from_up(const emu_shuffle *s, int lane)
{
    return (lane & (s->width - 1)) - s->from < 0 ? lane : lane - s->from;
}
static int from_down(const emu_shuffle *s, int lane)
{
    return (lane & (s->width - 1)) + s->from >= s->width ? lane : lane + s->from;
}
const char *emu_shuffle_index(void *const *request, unsigned mask)
{
    return shuffle(request, mask, from_index);
}
const char *emu_shuffle_xor(void *const *request, unsigned mask)
{
    return shuffle(request, mask, from_xor);
}
const char *emu_shuffle_up(void *const *request, unsigned mask)
{
    return shuffle(request, mask, from_up);
}
const char *emu_shuffle_down(void *const *request, unsigned mask)
{
    return shuffle(request, mask, from_down);
}

const char *emu_sync_warp(void *const *, unsigned)
{
    return nullptr;
}
const char *emu_ballot(void *const *request, unsigned mask)
{
    unsigned bits = 0;
    for (int i = 0; i < 32; i++)
        if (mask >> i & 1)
            bits |= *(const unsigned *)request[i] << i;
    for (int i = 0; i < 32; i++)
        if (mask >> i & 1)
            *(unsigned *)request[i] = bits;
    return nullptr;
}

/* IEEE binary16, subnormals included. */
float emu_from_f16(uint16_t bits)
{
    uint32_t sign = (uint32_t)(bits & 0x8000) << 16, e = bits >> 10 & 31, m = bits & 1023;
    if (e == 31)
        return __uint_as_float(sign | 0x7F800000u | m << 13);
    if (e)
        return __uint_as_float(sign | (e + 112) << 23 | m << 13);
    float v = (float)m * 0x1p-24f;
    return sign ? -v : v;
}
uint16_t emu_to_f16(float f)
{
    uint32_t u = __float_as_uint(f), sign = u >> 16 & 0x8000u, a = u & 0x7FFFFFFFu;
    if (a > 0x7F800000u)
        return 0x7FFF;
    if (a >= 0x477FF000u) /* 65520 and above round to infinity */
        return (uint16_t)(sign | 0x7C00u);
    if (a < 0x38800000u) /* below 2^-14: adding 0.5 leaves multiples of 2^-24, rounded to even */
        return (uint16_t)(sign | (__float_as_uint(__uint_as_float(a) + 0.5f) - 0x3F000000u));
    return (uint16_t)(sign | (((a + 0xFFFu + (a >> 13 & 1u)) - 0x38000000u) >> 13));
}

static float decode(uint32_t bits, bool is_bf16)
{
    return is_bf16 ? __uint_as_float(bits << 16) : emu_from_f16((uint16_t)bits);
}

/* D[16,8] += A[16,16] B[16,8]. Lane (g = lane / 4, t = lane % 4) holds, PTX ISA "Matrix fragments for mma.m16n8k16":
 *   a0 A[g][2t..], a1 A[g+8][2t..], a2 A[g][2t+8..], a3 A[g+8][2t+8..];  b0 B[2t..][g], b1 B[2t+8..][g];
 *   d0,d1 D[g][2t..], d2,d3 D[g+8][2t..].
 * Products are exact in f32, sums rounded to f32 in the order of k (the hardware's are at least as exact). */
static const char *mma(void *const *request, bool is_bf16)
{
    float a[16][16], b[16][8];
    for (int lane = 0; lane < 32; lane++) {
        const emu_mma *m = (const emu_mma *)request[lane];
        int g = lane / 4, t = lane % 4;
        for (int i = 0; i < 4; i++)
            for (int half = 0; half < 2; half++)
                a[g + i % 2 * 8][2 * t + i / 2 * 8 + half] = decode(m->a[i] >> (16 * half) & 0xFFFF, is_bf16);
        for (int i = 0; i < 2; i++)
            for (int half = 0; half < 2; half++)
                b[2 * t + 8 * i + half][g] = decode(m->b[i] >> (16 * half) & 0xFFFF, is_bf16);
    }
    for (int row = 0; row < 16; row++) {
        float d[8];
        for (int n = 0; n < 8; n++)
            d[n] = ((const emu_mma *)request[row % 8 * 4 + n / 2])->d[row / 8 * 2 + n % 2];
        for (int k = 0; k < 16; k++)
            for (int n = 0; n < 8; n++)
                d[n] += a[row][k] * b[k][n];
        for (int n = 0; n < 8; n++)
            ((emu_mma *)request[row % 8 * 4 + n / 2])->d[row / 8 * 2 + n % 2] = d[n];
    }
    return nullptr;
}
const char *emu_mma_f16(void *const *request, unsigned)
{
    return mma(request, false);
}
const char *emu_mma_bf16(void *const *request, unsigned)
{
    return mma(request, true);
}

/* n 8x8 matrices of 16-bit elements; lane 8 i + r names row r of matrix i. Lane (g, t) gets row g, columns 2t and 2t+1,
 * of each; transposed, column g, rows 2t and 2t+1. */
static const char *ldmatrix(void *const *request, int n, bool trans)
{
    uint16_t m[4][8][8];
    for (int lane = 0; lane < 8 * n; lane++) {
        const void *row = ((const emu_ldmatrix *)request[lane])->row;
        if ((uintptr_t)row % 16)
            return "ldmatrix: a row's address is not a multiple of 16";
        if (!emu_is_shared(row, 16))
            return "ldmatrix: a row is not in shared memory";
        memcpy(m[lane / 8][lane % 8], row, 16);
    }
    for (int lane = 0; lane < 32; lane++)
        for (int i = 0; i < n; i++) {
            int g = lane / 4, t = lane % 4;
            uint32_t low = trans ? m[i][2 * t][g] : m[i][g][2 * t];
            uint32_t high = trans ? m[i][2 * t + 1][g] : m[i][g][2 * t + 1];
            ((const emu_ldmatrix *)request[lane])->r[i] = low | high << 16;
        }
    return nullptr;
}
const char *emu_ldmatrix_x2(void *const *request, unsigned)
{
    return ldmatrix(request, 2, false);
}
const char *emu_ldmatrix_x4(void *const *request, unsigned)
{
    return ldmatrix(request, 4, false);
}
const char *emu_ldmatrix_x2_trans(void *const *request, unsigned)
{
    return ldmatrix(request, 2, true);
}
const char *emu_ldmatrix_x4_trans(void *const *request, unsigned)
{
    return ldmatrix(request, 4, true);
}
