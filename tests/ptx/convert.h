/* convert.h - handlers of cvt, of arithmetic on f16 and bf16, and of the approximations (PTX ISA, cvt, "Half Precision
 * Floating Point Instructions", ex2.approx and its like). */
#ifndef PTX_CONVERT_H
#define PTX_CONVERT_H

#include "arithmetic.h"

static float from_f16(u16 h)
{
    _Float16 v;
    memcpy(&v, &h, 2);
    return (float)v;
}
/* Rounds by definition: quantum of the result, then the host's rounding; on purpose not as the project does it. */
static u16 to_half(double v, bool bf16, int round)
{
    int mantissa = bf16 ? 7 : 10, smallest = bf16 ? -133 : -24;
    if (std::isnan(v))
        return 0x7FFF;
    u16 sign = std::signbit(v) ? 0x8000 : 0, infinity = bf16 ? 0x7F80 : 0x7C00;
    v = std::fabs(v);
    if (std::isinf(v))
        return sign | infinity;
    int e = smallest;
    if (v != 0)
        std::frexp(v, &e);
    int q = std::max(e - 1 - mantissa, smallest);
    double m = std::ldexp(v, -q), whole = std::floor(m), rest = m - whole;
    bool up = round == 0   ? rest > 0.5 || (rest == 0.5 && std::fmod(whole, 2) == 1)
              : round == 1 ? false
              : round == 2 ? sign && rest > 0
                           : !sign && rest > 0;
    u32 bits = ((u32)(q - smallest) << mantissa) + (u32)whole + up;
    if (bits >= infinity) /* what is rounded down stays finite */
        bits = (round == 1 || (round == 2 && !sign) || (round == 3 && sign)) ? infinity - 1 : infinity;
    return (u16)(sign | bits);
}
static float from_half(u16 h, bool bf16)
{
    u32 u = (u32)h << 16;
    float f;
    memcpy(&f, &u, 4);
    return bf16 ? f : from_f16(h);
}
template <bool BF16> static void cvt_half_f32(Warp &w, const Ins &i, u32 mask)
{
    u16 *d = row<u16>(w, i.o[0]);
    const float *a = row<float>(w, i.o[1]);
    for (int l = 0; l < 32; l++)
        if (mask >> l & 1)
            d[l] = to_half(a[l], BF16, i.round);
}
template <bool BF16> static void cvt_pair_f32(Warp &w, const Ins &i, u32 mask) /* the first operand is the upper half */
{
    u32 *d = row<u32>(w, i.o[0]);
    const float *a = row<float>(w, i.o[1]), *b = row<float>(w, i.o[2]);
    for (int l = 0; l < 32; l++)
        if (mask >> l & 1) {
            float high = i.imm && a[l] < 0 ? 0 : a[l], low = i.imm && b[l] < 0 ? 0 : b[l]; /* .relu */
            d[l] = (u32)to_half(high, BF16, i.round) << 16 | to_half(low, BF16, i.round);
        }
}
template <bool BF16> static void cvt_f32_half(Warp &w, const Ins &i, u32 mask)
{
    float *d = row<float>(w, i.o[0]);
    const u16 *a = row<u16>(w, i.o[1]);
    EACH_LANE(float f = from_half(a[l], BF16); d[l] = f;);
}
static double rounded_whole(double v, int round)
{
    return round == 0 ? std::nearbyint(v) : round == 1 ? std::trunc(v) : round == 2 ? std::floor(v) : std::ceil(v);
}
/* Any other cvt. imm: from, imm2: to; 8 bits of Class, 8 of bits, a bit of bf16, 4 of register bytes. */
static int pack_type(Type t, int width)
{
    return t.kind | t.bits << 8 | t.bf16 << 16 | width << 17;
}
static void cvt(Warp &w, const Ins &i, u32 mask)
{
    Class from = (Class)(i.imm & 255), to = (Class)(i.imm2 & 255);
    int from_bits = i.imm >> 8 & 255, to_bits = i.imm2 >> 8 & 255, from_width = i.imm >> 17, to_width = i.imm2 >> 17;
    bool whole = from == FLOATING && i.n; /* n: float to a whole float, .rni and the like */
    for (int l = 0; l < 32; l++) {
        if (!(mask >> l & 1))
            continue;
        u64 raw = 0, out = 0;
        memcpy(&raw, w.r + i.o[1] + l * from_width, (size_t)from_width);
        if (from != FLOATING && to != FLOATING) {
            __int128 v = from == SIGNED ? (__int128)((int64_t)(raw << (64 - from_bits)) >> (64 - from_bits))
                                        : (__int128)(raw << (64 - from_bits) >> (64 - from_bits));
            if (i.sat) {
                __int128 top = to == SIGNED ? ((__int128)1 << (to_bits - 1)) - 1 : ((__int128)1 << to_bits) - 1;
                __int128 bottom = to == SIGNED ? -((__int128)1 << (to_bits - 1)) : 0;
                v = v > top ? top : v < bottom ? bottom : v;
            }
            out = (u64)v << (64 - to_bits);
            out = to == SIGNED ? (u64)((int64_t)out >> (64 - to_bits)) : out >> (64 - to_bits);
        } else if (from == FLOATING) {
            double v;
            if (from_bits == 16)
                v = from_half((u16)raw, i.imm >> 16 & 1);
            else if (from_bits == 32) {
                float f;
                memcpy(&f, &raw, 4);
                v = i.ftz ? flush(f) : f;
            } else
                memcpy(&v, &raw, 8);
            if (to != FLOATING) {
                v = rounded_whole(v, i.round);
                double top = std::ldexp(1.0, to == SIGNED ? to_bits - 1 : to_bits);
                double bottom = to == SIGNED ? -top : 0;
                if (std::isnan(v)) /* sm_80: 0 for f32, and for 64-bit sources 0x8000000000000000 */
                    out = from_bits == 64 || to_bits == 64 ? (u64)1 << (to_bits - 1) : 0;
                else if (v >= top)
                    out = to == SIGNED    ? ((u64)1 << (to_bits - 1)) - 1
                          : to_bits == 64 ? ~0ull
                                          : ((u64)1 << to_bits) - 1;
                else if (v <= bottom)
                    out = to == SIGNED ? (u64) - ((int64_t)1 << (to_bits - 1)) : 0;
                else
                    out = to == SIGNED ? (u64)(int64_t)v : (u64)v;
            } else {
                if (whole)
                    v = rounded_whole(v, i.round);
                if (i.sat)
                    v = saturate(v);
                if (to_bits == 16)
                    out = to_half(v, i.imm2 >> 16 & 1, i.round);
                else if (to_bits == 32) {
                    fesetround(host_round[whole ? 0 : i.round]);
                    volatile double x = v;
                    volatile float f = (float)x;
                    fesetround(FE_TONEAREST);
                    float g = i.ftz ? flush((float)f) : (float)f;
                    memcpy(&out, &g, 4);
                } else
                    memcpy(&out, &v, 8);
            }
        } else {
            int64_t s = (int64_t)(raw << (64 - from_bits)) >> (64 - from_bits);
            u64 u = raw << (64 - from_bits) >> (64 - from_bits);
            fesetround(host_round[i.round]);
            if (to_bits == 64) {
                volatile int64_t vs = s;
                volatile u64 vu = u;
                volatile double d = from == SIGNED ? (double)vs : (double)vu;
                double e = d;
                memcpy(&out, &e, 8);
            } else if (to_bits == 32) {
                volatile int64_t vs = s;
                volatile u64 vu = u;
                volatile float d = from == SIGNED ? (float)vs : (float)vu;
                float e = d;
                memcpy(&out, &e, 4);
            } else {
                fesetround(FE_TONEAREST);
                out = to_half(from == SIGNED ? (double)s : (double)u, i.imm2 >> 16 & 1, i.round);
            }
            fesetround(FE_TONEAREST);
        }
        memcpy(w.r + i.o[0] + l * to_width, &out, (size_t)to_width);
    }
}
template <class D, class A> static void cvt_fast(Warp &w, const Ins &i, u32 mask)
{
    D *d = row<D>(w, i.o[0]);
    const A *a = row<A>(w, i.o[1]);
    EACH_LANE(d[l] = (D)a[l];);
}

/* Approximations: the ISA allows 2 ulp (ex2, lg2, rsqrt) and 1 ulp (rcp). With PTX_APPROX=N the result is a fixed
 * function of the operand's bits, up to N ulp away. */
static float blurred(float v, float of)
{
    if (!settings.approx_ulp || !std::isnormal(v))
        return v;
    u32 u, h;
    memcpy(&u, &v, 4);
    memcpy(&h, &of, 4);
    h *= 2654435761u;
    u += (h >> 16) % (2 * settings.approx_ulp + 1) - settings.approx_ulp;
    memcpy(&v, &u, 4);
    return v;
}
static float approx_ex2(float a)
{
    return blurred(std::exp2(a), a);
}
static float approx_lg2(float a)
{
    return blurred(std::log2(a), a);
}
static float approx_rcp(float a)
{
    return blurred(1.0f / a, a);
}
static float approx_rsqrt(float a)
{
    return blurred((float)(1.0 / std::sqrt((double)a)), a);
}

/* Arithmetic on f16, bf16 and pairs of them: in double, rounded once. imm: 0 add, 1 sub, 2 mul, 3 fma, 4 min, 5 max,
 * 6 neg, 7 abs; imm2: 1 bf16, 2 pair */
static void half_math(Warp &w, const Ins &i, u32 mask)
{
    int n = i.imm == 3 ? 3 : i.imm >= 6 ? 1 : 2, width = i.imm2 & 2 ? 4 : 2;
    for (int l = 0; l < 32; l++) {
        if (!(mask >> l & 1))
            continue;
        u16 out[2];
        for (int h = 0; h < width / 2; h++) {
            double v[3] = {};
            u16 bits = 0;
            for (int k = 0; k < n; k++) {
                memcpy(&bits, w.r + i.o[1 + k] + l * width + 2 * h, 2);
                v[k] = from_half(bits, i.imm2 & 1);
            }
            double r = 0;
            switch (i.imm) {
            case 0:
                r = v[0] + v[1];
                break;
            case 1:
                r = v[0] - v[1];
                break;
            case 2:
                r = v[0] * v[1];
                break;
            case 3:
                r = std::fma(v[0], v[1], v[2]);
                break; /* bf16: the product has 16 bits, so double is enough but for rare sums */
            case 4:
                r = std::fmin(v[0], v[1]);
                break;
            case 5:
                r = std::fmax(v[0], v[1]);
                break;
            case 6:
                r = -v[0];
                break;
            default:
                r = std::fabs(v[0]);
            }
            if (i.sat)
                r = saturate(r);
            out[h] = to_half(r, i.imm2 & 1, 0);
        }
        memcpy(w.r + i.o[0] + l * width, out, (size_t)width);
    }
}

#endif
