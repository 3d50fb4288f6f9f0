/* tensor_sum.h - how tensor cores add. */
#ifndef PTX_TENSOR_SUM_H
#define PTX_TENSOR_SUM_H

#include "ptx.h"

#include <algorithm>
#include <cmath>

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
static inline float cut_to_f32(double v)
{
    float f = (float)v;
    return std::fabs((double)f) > std::fabs(v) ? std::nextafter(f, 0.0f) : f;
}
static inline float tensor_sum(const Term *a, const Term *b, int n, float c, int fraction)
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
static inline float plain_sum(const float *a, const float *b, int n, float c)
{
    for (int k = 0; k < n; k++)
        c += a[k] * b[k];
    if (c == c)
        return c;
    u32 bits = 0x7FFFFFFF; /* the NaN of tensor cores */
    memcpy(&c, &bits, 4);
    return c;
}

#endif
