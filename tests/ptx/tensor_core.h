/* tensor_core.h - mma, and how tensor cores add. */
#ifndef PTX_TENSOR_CORE_H
#define PTX_TENSOR_CORE_H

#include "convert.h"

/* Tensor cores do not round each sum. They align the exact products and c to the largest exponent, cut each below `fraction`
 * bits of it, add, and cut the sum to f32: microsoft/MMA-Sim, simulator/arithmetic.py, nv_fused_dot_add, whose rules were
 * validated bit by bit on devices (arXiv 2511.10909). 8.x has 24 bits and takes k = 16 as two halves of 8; 9.0 and later have
 * 25 bits and take 16 at once. A product's exponent is the sum of its operands', of which a subnormal's is its type's least. */
struct Term { /* value = significand * 2^(exponent - 23) */
    int64_t significand;
    int exponent;
};
static inline Term term_of(float v, int least)
{
    u32 bits;
    memcpy(&bits, &v, 4);
    int e = (int)(bits >> 23 & 255) - 127, down;
    int64_t s = bits & 0x7FFFFF;
    if (e == -127)
        e = -126;
    else
        s |= 0x800000;
    if (!s)
        return {0, -126};
    down = least > e ? least - e : 0; /* exact: the operand had that few bits */
    s >>= down;
    return {bits >> 31 ? -s : s, e + down};
}
static float cut_to_f32(double v)
{
    float f = (float)v;
    return std::fabs((double)f) > std::fabs(v) ? std::nextafter(f, 0.0f) : f;
}
static float tensor_sum(const Term *a, const Term *b, int n, float c, int fraction)
{
    Term t[17];
    t[n] = term_of(c, -126);
    t[n].significand *= 1 << 23;
    int top = t[n].exponent;
    for (int k = 0; k < n; k++) {
        t[k] = {a[k].significand * b[k].significand, a[k].exponent + b[k].exponent};
        top = std::max(top, t[k].exponent);
    }
    int64_t sum = 0;
    for (int k = 0; k <= n; k++) {
        int down = 46 - fraction + top - t[k].exponent;
        int64_t kept = down > 62 ? 0 : std::abs(t[k].significand) >> down;
        sum += t[k].significand < 0 ? -kept : kept;
    }
    return cut_to_f32(std::ldexp((double)sum, top - fraction));
}

/* The same in f32, in the order of k: what is left to do where an operand is not finite, and what PTX_MMA=f32 asks for. */
static float plain_sum(const float *a, const float *b, int n, float c)
{
    for (int k = 0; k < n; k++)
        c += a[k] * b[k];
    if (c == c)
        return c;
    u32 bits = 0x7FFFFFFF; /* the NaN of tensor cores */
    memcpy(&c, &bits, 4);
    return c;
}

/* mma.m16n8kK, row x col, f32 sums. "Matrix fragments" of the ISA: element j of A in lane l (group g = l / 4, t = l % 4)
 *   16 bits, K 16: row g + (j / 2 % 2) * 8, column 2 t + j % 2 + j / 4 * 8      (two elements a register)
 *   16 bits, K 8:  row g + j / 2 * 8,       column 2 t + j % 2
 *   tf32:          row g + j % 2 * 8,       column t + j / 2 * 4
 * of B  16 bits: row 2 t + j % 2 + j / 2 * 8, column g;   tf32: row t + 4 j, column g
 * of C and D: row g + j / 2 * 8, column 2 t + j % 2.
 * o[0..3] d, then registers of a, b, c. imm: K, imm2: 0 f16, 1 bf16, 2 tf32 */
static void mma(Warp &w, const Ins &i, u32)
{
    static float a[16][16], b[16][8], bt[8][16];
    const int K = i.imm, type = i.imm2, na = type == 2 ? K / 2 : K / 4, nb = na / 2;
    const int *ra = i.o + 4, *rb = ra + na, *rc = rb + nb;
    for (int lane = 0; lane < 32; lane++) {
        int g = lane / 4, t = lane % 4;
        for (int j = 0; j < (type == 2 ? na : 2 * na); j++) {
            float v;
            if (type == 2) {
                u32 u = row<u32>(w, ra[j])[lane] & 0xFFFFE000u;
                memcpy(&v, &u, 4);
                a[g + j % 2 * 8][t + j / 2 * 4] = v;
            } else {
                v = from_half((u16)(row<u32>(w, ra[j / 2])[lane] >> (j % 2 * 16)), type == 1);
                a[g + (K == 16 ? j / 2 % 2 : j / 2) * 8][2 * t + j % 2 + (K == 16 ? j / 4 * 8 : 0)] = v;
            }
        }
        for (int j = 0; j < (type == 2 ? nb : 2 * nb); j++) {
            float v;
            if (type == 2) {
                u32 u = row<u32>(w, rb[j])[lane] & 0xFFFFE000u;
                memcpy(&v, &u, 4);
                b[t + 4 * j][g] = v;
            } else {
                v = from_half((u16)(row<u32>(w, rb[j / 2])[lane] >> (j % 2 * 16)), type == 1);
                b[2 * t + j % 2 + j / 2 * 8][g] = v;
            }
        }
    }
    float d[16][8];
    for (int r = 0; r < 16; r++)
        for (int n = 0; n < 8; n++)
            d[r][n] = row<float>(w, rc[r / 8 * 2 + n % 2])[r % 8 * 4 + n / 2];
    bool finite = true;
    Term ta[16][16], tb[8][16];
    const int least = type == 0 ? -14 : -126;
    for (int k = 0; k < K; k++) {
        for (int r = 0; r < 16; r++) {
            finite &= std::isfinite(a[r][k]);
            ta[r][k] = term_of(a[r][k], least);
        }
        for (int n = 0; n < 8; n++) {
            bt[n][k] = b[k][n];
            finite &= std::isfinite(b[k][n]);
            tb[n][k] = term_of(b[k][n], least);
        }
    }
    const bool late = settings.target >= 90;
    const int at_once = late ? K : std::min(K, 8), fraction = late ? 25 : 24;
    for (int r = 0; r < 16; r++)
        for (int n = 0; n < 8; n++)
            for (int k = 0; k < K; k += at_once) {
                bool plain = settings.f32_sums || !finite || !std::isfinite(d[r][n]);
                d[r][n] = plain ? plain_sum(a[r] + k, bt[n] + k, at_once, d[r][n])
                                : tensor_sum(ta[r] + k, tb[n] + k, at_once, d[r][n], fraction);
            }
    for (int r = 0; r < 16; r++)
        for (int n = 0; n < 8; n++)
            row<float>(w, i.o[r / 8 * 2 + n % 2])[r % 8 * 4 + n / 2] = d[r][n];
}

#endif
