/* bits.h - handlers of shifts, bit fields, permutations and mov (PTX ISA, "Logic and Shift Instructions", prmt, mov). */
#ifndef PTX_BITS_H
#define PTX_BITS_H

#include "lanes.h"

#include <algorithm>

template <class T> static inline T shift_left(T a, u32 by)
{
    return by >= 8 * sizeof(T) ? 0 : (T)(a << by);
}
template <class T> static inline T shift_right(T a, u32 by)
{
    u32 top = 8 * sizeof(T) - 1;
    return by > top ? (T)(a < 0 ? -1 : 0) : (T)(a >> by);
}
static u32 reversed(u32 v)
{
    u32 r = 0;
    for (int k = 0; k < 32; k++)
        r |= (v >> k & 1) << (31 - k);
    return r;
}
static u32 permuted(u32 a, u32 b, u32 c)
{
    u64 bytes = a | (u64)b << 32;
    u32 r = 0;
    for (int k = 0; k < 4; k++) {
        u32 s = c >> (4 * k) & 15;
        u8 v = (u8)(bytes >> (8 * (s & 7)));
        if (s & 8)
            v = v & 0x80 ? 0xFF : 0;
        r |= (u32)v << (8 * k);
    }
    return r;
}
static void lop3(Warp &w, const Ins &i, u32 mask)
{
    u32 *d = row<u32>(w, i.o[0]);
    const u32 *a = row<u32>(w, i.o[1]), *b = row<u32>(w, i.o[2]), *c = row<u32>(w, i.o[3]);
    for (int l = 0; l < 32; l++) {
        if (!(mask >> l & 1))
            continue;
        u32 r = 0;
        for (int k = 0; k < 8; k++)
            if (i.imm >> k & 1)
                r |= (k & 4 ? a[l] : ~a[l]) & (k & 2 ? b[l] : ~b[l]) & (k & 1 ? c[l] : ~c[l]);
        d[l] = r;
    }
}
/* imm: 1 left; imm2: 1 wrap, else clamp */
static void funnel(Warp &w, const Ins &i, u32 mask)
{
    u32 *d = row<u32>(w, i.o[0]);
    const u32 *a = row<u32>(w, i.o[1]), *b = row<u32>(w, i.o[2]), *c = row<u32>(w, i.o[3]);
    EACH_LANE(u32 by = i.imm2      ? c[l] & 31
                       : c[l] < 32 ? c[l]
                                   : 32;
              u64 v = (u64)b[l] << 32 | a[l]; d[l] = i.imm ? (u32)(v << by >> 32) : (u32)(v >> by););
}
template <class T> static inline T extracted(T a, u32 from, u32 n) /* bfe */
{
    const u32 top = 8 * sizeof(T) - 1;
    typedef std::make_unsigned_t<T> U;
    from &= 255;
    n &= 255;
    U sign = std::is_signed_v<T> && n ? (U)a >> std::min(from + n - 1, top) & 1 : 0, r = 0;
    for (u32 k = 0; k <= top; k++)
        r |= (U)(k < n && from + k <= top ? (U)a >> (from + k) & 1 : sign) << k;
    return (T)r;
}
template <class T> static void bfe(Warp &w, const Ins &i, u32 mask)
{
    EACH_LANE(row<T>(w, i.o[0])[l] =
                  extracted<T>(row<T>(w, i.o[1])[l], row<u32>(w, i.o[2])[l], row<u32>(w, i.o[3])[l]););
}
template <class T> static void bfi(Warp &w, const Ins &i, u32 mask)
{
    const u32 top = 8 * sizeof(T) - 1;
    for (int l = 0; l < 32; l++) {
        if (!(mask >> l & 1))
            continue;
        T a = row<T>(w, i.o[1])[l], r = row<T>(w, i.o[2])[l];
        u32 from = row<u32>(w, i.o[3])[l] & 255, n = row<u32>(w, i.o[4])[l] & 255;
        for (u32 k = 0; k < n && from + k <= top; k++)
            r = (r & ~((T)1 << (from + k))) | (T)(a >> k & 1) << (from + k);
        row<T>(w, i.o[0])[l] = r;
    }
}
template <class T> static inline u32 top_bit(T a, bool shift_amount)
{
    typedef std::make_unsigned_t<T> U;
    U v = std::is_signed_v<T> && a < 0 ? ~(U)a : (U)a;
    if (!v)
        return ~0u;
    u32 at = 63 - (u32)__builtin_clzll((u64)v);
    return shift_amount ? 8 * sizeof(T) - 1 - at : at;
}
template <class T> static void bfind(Warp &w, const Ins &i, u32 mask)
{
    EACH_LANE(row<u32>(w, i.o[0])[l] = top_bit<T>(row<T>(w, i.o[1])[l], i.imm););
}

/* mov: copies, packs and unpacks: o[0..n-1] = parts, o[n] = whole. */
template <class P, class T, int N> static void pack(Warp &w, const Ins &i, u32 mask)
{
    T *d = row<T>(w, i.o[N]);
    for (int l = 0; l < 32; l++) {
        if (!(mask >> l & 1))
            continue;
        T v = 0;
        for (int k = 0; k < N; k++)
            v |= (T)row<P>(w, i.o[k])[l] << (8 * sizeof(P) * k);
        d[l] = v;
    }
}
template <class P, class T, int N> static void unpack(Warp &w, const Ins &i, u32 mask)
{
    for (int l = 0; l < 32; l++) {
        if (!(mask >> l & 1))
            continue;
        T v = row<T>(w, i.o[N])[l];
        for (int k = 0; k < N; k++)
            if (i.o[k] >= 0)
                row<P>(w, i.o[k])[l] = (P)(v >> (8 * sizeof(P) * k));
    }
}

#endif
