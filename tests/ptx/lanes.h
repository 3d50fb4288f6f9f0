/* lanes.h - an instruction's work on the lanes of a warp that take part, and the types of PTX. */
#ifndef PTX_LANES_H
#define PTX_LANES_H

#include "ptx.h"

#include <cmath>

template <class T> static inline T *row(Warp &w, int at)
{
    return (T *)(w.r + at);
}
static inline u32 &pred(Warp &w, int at)
{
    return *(u32 *)(w.r + at);
}
static inline u32 pred_of(Warp &w, int at, int negated)
{
    return negated ? ~pred(w, at) : pred(w, at);
}
#define EACH_LANE(...)                                                                                                 \
    do {                                                                                                               \
        if (mask == ~0u) {                                                                                             \
            _Pragma("GCC ivdep") for (int l = 0; l < 32; l++)                                                          \
            {                                                                                                          \
                __VA_ARGS__                                                                                            \
            }                                                                                                          \
        } else {                                                                                                       \
            for (int l = 0; l < 32; l++)                                                                               \
                if (mask >> l & 1) {                                                                                   \
                    __VA_ARGS__                                                                                        \
                }                                                                                                      \
        }                                                                                                              \
    } while (0)

template <class D, class A, auto F> static void map1(Warp &w, const Ins &i, u32 mask)
{
    D *d = row<D>(w, i.o[0]);
    const A *a = row<A>(w, i.o[1]);
    EACH_LANE(d[l] = (D)F(a[l]););
}
template <class D, class A, class B, auto F> static void map2(Warp &w, const Ins &i, u32 mask)
{
    D *d = row<D>(w, i.o[0]);
    const A *a = row<A>(w, i.o[1]);
    const B *b = row<B>(w, i.o[2]);
    EACH_LANE(d[l] = (D)F(a[l], b[l]););
}
template <class D, class A, class B, class C, auto F> static void map3(Warp &w, const Ins &i, u32 mask)
{
    D *d = row<D>(w, i.o[0]);
    const A *a = row<A>(w, i.o[1]);
    const B *b = row<B>(w, i.o[2]);
    const C *c = row<C>(w, i.o[3]);
    EACH_LANE(d[l] = (D)F(a[l], b[l], c[l]););
}

/* Types ---------------------------------------------------------------------------------------------------------- */

enum Class { BITS, UNSIGNED, SIGNED, FLOATING, PREDICATE };
struct Type {
    Class kind;
    int bits;
    bool bf16 = false, pair = false; /* pair: two 16-bit floats in 32 bits */
};
static bool type_of(std::string_view s, Type *t)
{
    if (s == "pred") {
        *t = {PREDICATE, 1};
        return true;
    }
    if (s == "f16x2" || s == "bf16x2") {
        *t = {FLOATING, 32, s[0] == 'b', true};
        return true;
    }
    if (s == "bf16" || s == "tf32") {
        *t = {FLOATING, s == "bf16" ? 16 : 32, s == "bf16"};
        return true;
    }
    if (s.size() < 2 || !strchr("busf", s[0]))
        return false;
    int bits = 0;
    for (char c : s.substr(1)) {
        if (c < '0' || c > '9')
            return false;
        bits = bits * 10 + c - '0';
    }
    *t = {s[0] == 'b' ? BITS : s[0] == 'u' ? UNSIGNED : s[0] == 's' ? SIGNED : FLOATING, bits};
    return true;
}

#endif
