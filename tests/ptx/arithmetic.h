/* arithmetic.h - handlers of arithmetic, comparisons and predicates (PTX ISA, "Integer", "Floating Point", "Comparison and
 * Selection Instructions"). Values are computed with the host's arithmetic: IEEE, never contracted (build with
 * -ffp-contract=off, -fwrapv, -frounding-math). */
#ifndef PTX_ARITHMETIC_H
#define PTX_ARITHMETIC_H

#include "lanes.h"

#include <cfenv>

template <bool NANS, class T> static inline T least(T a, T b) /* -0 is below +0 */
{
    if (a != a)
        return NANS ? a : b;
    if (b != b)
        return NANS ? b : a;
    return a < b || (a == b && std::signbit(a)) ? a : b;
}
/* What float handlers do besides their operation. */
template <class T> static inline T flush(T v)
{
    return std::fpclassify(v) == FP_SUBNORMAL ? std::copysign(T(0), v) : v;
}
template <class T> static inline T saturate(T v)
{
    return v > 0 ? (v < 1 ? v : T(1)) : T(0); /* NaN: +0 */
}
static const int host_round[] = {FE_TONEAREST, FE_TOWARDZERO, FE_DOWNWARD, FE_UPWARD};
template <int N, class T, auto F> static void floats(Warp &w, const Ins &i, u32 mask)
{
    T *d = row<T>(w, i.o[0]);
    const T *a = row<T>(w, i.o[1]), *b = row<T>(w, i.o[N > 1 ? 2 : 1]), *c = row<T>(w, i.o[N > 2 ? 3 : 1]);
    auto of = [](T x, T y, T z) {
        if constexpr (N == 1)
            return (T)F(x);
        else if constexpr (N == 2)
            return (T)F(x, y);
        else
            return (T)F(x, y, z);
    };
    if (!i.ftz && !i.sat && !i.round) {
        EACH_LANE(d[l] = of(a[l], b[l], c[l]););
        return;
    }
    fesetround(host_round[i.round]);
    for (int l = 0; l < 32; l++) {
        if (!(mask >> l & 1))
            continue;
        volatile T x = a[l], y = b[l], z = c[l];
        volatile T r = i.ftz ? of(flush((T)x), flush((T)y), flush((T)z)) : of(x, y, z);
        T v = i.ftz ? flush((T)r) : (T)r;
        d[l] = i.sat ? saturate(v) : v;
    }
    fesetround(FE_TONEAREST);
}
template <int N, auto F> static Handler *float_handler(Type t)
{
    return t.bits == 32 ? floats<N, float, F> : t.bits == 64 ? floats<N, double, F> : nullptr;
}

template <class T> static inline T abs_of(T v)
{
    return v < 0 ? (T)-v : v;
}
template <auto F> static Handler *int1(Type t)
{
    bool s = t.kind == SIGNED;
    switch (t.bits) {
    case 16:
        return s ? map1<int16_t, int16_t, F> : map1<u16, u16, F>;
    case 32:
        return s ? map1<int32_t, int32_t, F> : map1<u32, u32, F>;
    case 64:
        return s ? map1<int64_t, int64_t, F> : map1<u64, u64, F>;
    }
    return nullptr;
}
template <auto F> static Handler *int2(Type t)
{
    bool s = t.kind == SIGNED;
    switch (t.bits) {
    case 16:
        return s ? map2<int16_t, int16_t, int16_t, F> : map2<u16, u16, u16, F>;
    case 32:
        return s ? map2<int32_t, int32_t, int32_t, F> : map2<u32, u32, u32, F>;
    case 64:
        return s ? map2<int64_t, int64_t, int64_t, F> : map2<u64, u64, u64, F>;
    }
    return nullptr;
}
template <auto F> static Handler *int3(Type t)
{
    bool s = t.kind == SIGNED;
    switch (t.bits) {
    case 16:
        return s ? map3<int16_t, int16_t, int16_t, int16_t, F> : map3<u16, u16, u16, u16, F>;
    case 32:
        return s ? map3<int32_t, int32_t, int32_t, int32_t, F> : map3<u32, u32, u32, u32, F>;
    case 64:
        return s ? map3<int64_t, int64_t, int64_t, int64_t, F> : map3<u64, u64, u64, u64, F>;
    }
    return nullptr;
}
template <class T> struct Wider;
template <> struct Wider<u16> {
    typedef u32 type;
};
template <> struct Wider<int16_t> {
    typedef int32_t type;
};
template <> struct Wider<u32> {
    typedef u64 type;
};
template <> struct Wider<int32_t> {
    typedef int64_t type;
};
template <> struct Wider<u64> {
    typedef unsigned __int128 type;
};
template <> struct Wider<int64_t> {
    typedef __int128 type;
};
template <class T> static inline T high(T a, T b)
{
    return (T)(((typename Wider<T>::type)a * (typename Wider<T>::type)b) >> (8 * sizeof(T)));
}
template <class T> static void mul_wide(Warp &w, const Ins &i, u32 mask)
{
    typedef typename Wider<T>::type D;
    const T *a = row<T>(w, i.o[1]), *b = row<T>(w, i.o[2]);
    D *d = row<D>(w, i.o[0]);
    EACH_LANE(d[l] = (D)a[l] * (D)b[l];);
}
template <class T> static void mad_wide(Warp &w, const Ins &i, u32 mask)
{
    typedef typename Wider<T>::type D;
    const T *a = row<T>(w, i.o[1]), *b = row<T>(w, i.o[2]);
    D *d = row<D>(w, i.o[0]);
    const D *c = row<D>(w, i.o[3]);
    EACH_LANE(d[l] = (D)a[l] * (D)b[l] + c[l];);
}
/* The ISA leaves division by zero open; so it is an error. */
template <class T, bool REM> static void divide(Warp &w, const Ins &i, u32 mask)
{
    T *d = row<T>(w, i.o[0]);
    const T *a = row<T>(w, i.o[1]), *b = row<T>(w, i.o[2]);
    for (int l = 0; l < 32; l++) {
        if (!(mask >> l & 1))
            continue;
        if (!b[l])
            fault(w, i, l, "integer division by zero");
        if (b[l] == (T)-1 && (T)-1 < 0)
            d[l] = REM ? 0 : (T)-a[l];
        else
            d[l] = REM ? (T)(a[l] % b[l]) : (T)(a[l] / b[l]);
    }
}
template <bool REM> static Handler *divide_handler(Type t)
{
    bool s = t.kind == SIGNED;
    return t.bits == 16   ? s ? divide<int16_t, REM> : divide<u16, REM>
             : t.bits == 32 ? s ? divide<int32_t, REM> : divide<u32, REM>
                            : (s ? divide<int64_t, REM> : divide<u64, REM>);
}

/* add.cc, addc, sub.cc, subc, mad.cc, madc. imm: 1 carry in, 2 carry out, 4 subtract, 8 multiply, 16 its high half;
 * the carry's row is the operand after the last. */
template <class T> static void carried(Warp &w, const Ins &i, u32 mask)
{
    T *d = row<T>(w, i.o[0]);
    int n = i.imm & 8 ? 3 : 2;
    u32 &carry = pred(w, i.o[n + 1]), out = 0;
    for (int l = 0; l < 32; l++) {
        if (!(mask >> l & 1))
            continue;
        T a = row<T>(w, i.o[1])[l], b = row<T>(w, i.o[2])[l], in = i.imm & 1 ? carry >> l & 1 : 0;
        if (i.imm & 8) {
            a = i.imm & 16 ? high<T>(a, b) : (T)(a * b);
            b = row<T>(w, i.o[3])[l];
        }
        typename Wider<T>::type sum =
            i.imm & 4 ? (typename Wider<T>::type)a - b - in : (typename Wider<T>::type)a + b + in;
        d[l] = (T)sum;
        out |= (u32)(sum >> (8 * sizeof(T)) & 1) << l;
    }
    if (i.imm & 2)
        carry = (carry & ~mask) | (out & mask);
}

/* Comparisons -------------------------------------------------------------------------------------------------------- */

enum Compare { EQ, NE, LT, LE, GT, GE, EQU, NEU, LTU, LEU, GTU, GEU, NUM, NAN_ };
static const char *const compare_names[] = {"eq",  "ne",  "lt",  "le",  "gt",  "ge",  "equ",
                                            "neu", "ltu", "leu", "gtu", "geu", "num", "nan"};
template <Compare C, class T> static inline bool compared(T a, T b)
{
    bool unordered = a != a || b != b;
    switch (C) {
    case EQ:
        return a == b;
    case NE:
        return a < b || a > b || (!std::is_floating_point_v<T> && a != b);
    case LT:
        return a < b;
    case LE:
        return a <= b;
    case GT:
        return a > b;
    case GE:
        return a >= b;
    case EQU:
        return unordered || a == b;
    case NEU:
        return unordered || a != b;
    case LTU:
        return unordered || a < b;
    case LEU:
        return unordered || a <= b;
    case GTU:
        return unordered || a > b;
    case GEU:
        return unordered || a >= b;
    case NUM:
        return !unordered;
    default:
        return unordered;
    }
}
/* imm: 0 none, 1 and, 2 or, 3 xor with predicate o[4], negated by imm2. o[0] = p, o[1] = q or -1. */
static void set_predicate(Warp &w, const Ins &i, u32 mask, u32 c)
{
    u32 p = c, q = ~c;
    if (i.imm) {
        u32 with = pred_of(w, i.o[4], i.imm2);
        p = i.imm == 1 ? p & with : i.imm == 2 ? p | with : p ^ with;
        q = i.imm == 1 ? q & with : i.imm == 2 ? q | with : q ^ with;
    }
    if (i.o[0] >= 0)
        pred(w, i.o[0]) = (pred(w, i.o[0]) & ~mask) | (p & mask);
    if (i.o[1] >= 0)
        pred(w, i.o[1]) = (pred(w, i.o[1]) & ~mask) | (q & mask);
}
template <Compare C, class T> static void setp(Warp &w, const Ins &i, u32 mask)
{
    const T *a = row<T>(w, i.o[2]), *b = row<T>(w, i.o[3]);
    u32 c = 0;
    if (std::is_floating_point_v<T> && i.ftz) {
        for (int l = 0; l < 32; l++)
            c |= (u32)compared<C, double>(flush((double)(float)a[l]), (double)b[l]) << l;
    } else {
        for (int l = 0; l < 32; l++)
            c |= (u32)compared<C, T>(a[l], b[l]) << l;
    }
    set_predicate(w, i, mask, c);
}
template <class T> static Handler *setp_of(Compare c)
{
    static Handler *const table[] = {setp<EQ, T>,  setp<NE, T>,  setp<LT, T>,  setp<LE, T>,  setp<GT, T>,
                                     setp<GE, T>,  setp<EQU, T>, setp<NEU, T>, setp<LTU, T>, setp<LEU, T>,
                                     setp<GTU, T>, setp<GEU, T>, setp<NUM, T>, setp<NAN_, T>};
    return table[c];
}
static Handler *setp_handler(Compare c, Type t)
{
    if (t.kind == FLOATING)
        return t.bits == 32 ? setp_of<float>(c) : t.bits == 64 ? setp_of<double>(c) : nullptr;
    bool s = t.kind == SIGNED;
    return t.bits == 16   ? s ? setp_of<int16_t>(c) : setp_of<u16>(c)
             : t.bits == 32 ? s ? setp_of<int32_t>(c) : setp_of<u32>(c)
             : t.bits == 64 ? s ? setp_of<int64_t>(c) : setp_of<u64>(c)
                            : nullptr;
}
/* d = p ? a : b; imm: p is negated */
template <class T> static void selp(Warp &w, const Ins &i, u32 mask)
{
    T *d = row<T>(w, i.o[0]);
    const T *a = row<T>(w, i.o[1]), *b = row<T>(w, i.o[2]);
    u32 p = pred_of(w, i.o[3], i.imm);
    EACH_LANE(d[l] = p >> l & 1 ? a[l] : b[l];);
}

/* Logic on predicates: imm 0 and, 1 or, 2 xor, 3 not, 4 mov; imm2: bits of the negated operands. */
static void predicate_logic(Warp &w, const Ins &i, u32 mask)
{
    u32 a = pred_of(w, i.o[1], i.imm2 & 1), b = i.imm < 3 ? pred_of(w, i.o[2], i.imm2 >> 1 & 1) : 0;
    u32 v = i.imm == 0 ? a & b : i.imm == 1 ? a | b : i.imm == 2 ? a ^ b : i.imm == 3 ? ~a : a;
    u32 &d = pred(w, i.o[0]);
    d = (d & ~mask) | (v & mask);
}

#endif
