/* collectives.h - handlers by which the lanes of a warp exchange values: shfl, vote, redux, ldmatrix. */
#ifndef PTX_COLLECTIVES_H
#define PTX_COLLECTIVES_H

#include "memory.h"

/* o[0] d, o[1] p or -1, o[2] a, o[3] b, o[4] c; imm: 0 up, 1 down, 2 bfly, 3 idx */
static void shfl(Warp &w, const Ins &i, u32 mask)
{
    u32 a[32], p = 0;
    memcpy(a, row<u32>(w, i.o[2]), sizeof a);
    u32 *d = row<u32>(w, i.o[0]), out[32];
    for (int lane = 0; lane < 32; lane++) {
        if (!(mask >> lane & 1))
            continue;
        int b = (int)row<u32>(w, i.o[3])[lane] & 31, c = (int)row<u32>(w, i.o[4])[lane];
        int clamp = c & 31, segment = c >> 8 & 31;
        int max_lane = (lane & segment) | (clamp & ~segment), min_lane = lane & segment, j, ok;
        switch (i.imm) {
        case 0:
            j = lane - b;
            ok = j >= max_lane;
            break;
        case 1:
            j = lane + b;
            ok = j <= max_lane;
            break;
        case 2:
            j = lane ^ b;
            ok = j <= max_lane;
            break;
        default:
            j = min_lane | (b & ~segment);
            ok = j <= max_lane;
            break;
        }
        if (!ok)
            j = lane;
        if (!(mask >> j & 1))
            fault(w, i, lane, "shfl: reads lane %d, which does not take part", j);
        out[lane] = a[j];
        p |= (u32)ok << lane;
    }
    for (int l = 0; l < 32; l++)
        if (mask >> l & 1)
            d[l] = out[l];
    if (i.o[1] >= 0)
        pred(w, i.o[1]) = (pred(w, i.o[1]) & ~mask) | (p & mask);
}
/* o[0] d, o[1] predicate negated by imm2; imm: 0 any, 1 all, 2 uni, 3 ballot */
static void vote(Warp &w, const Ins &i, u32 mask)
{
    u32 p = pred_of(w, i.o[1], i.imm2) & mask, v;
    if (i.imm == 3) {
        u32 *d = row<u32>(w, i.o[0]);
        EACH_LANE(d[l] = p;);
        return;
    }
    v = i.imm == 0 ? p != 0 : i.imm == 1 ? p == mask : p == mask || p == 0;
    u32 &d = pred(w, i.o[0]);
    d = (d & ~mask) | (v ? mask : 0);
}
static void active_mask(Warp &w, const Ins &i, u32 mask)
{
    u32 *d = row<u32>(w, i.o[0]);
    EACH_LANE(d[l] = mask;);
}
/* imm: an Atomic; imm2: signed */
static void redux(Warp &w, const Ins &i, u32 mask)
{
    const u32 *a = row<u32>(w, i.o[1]);
    bool first = true;
    u32 v = 0;
    for (int l = 0; l < 32; l++) {
        if (!(mask >> l & 1))
            continue;
        u32 b = a[l];
        bool less = i.imm2 ? (int32_t)b < (int32_t)v : b < v;
        v = first          ? b
            : i.imm == ADD ? v + b
            : i.imm == MIN ? less ? b : v
            : i.imm == MAX ? less ? v : b
            : i.imm == AND ? v & b
            : i.imm == OR  ? v | b
                           : v ^ b;
        first = false;
    }
    u32 *d = row<u32>(w, i.o[0]);
    EACH_LANE(d[l] = v;);
}
static void nothing(Warp &, const Ins &, u32)
{
}
static void trap(Warp &w, const Ins &i, u32 mask)
{
    fault(w, i, __builtin_ctz(mask), "trap");
}

/* ldmatrix: n 8x8 matrices of 16-bit elements, lane 8 k + r names row r of matrix k. Lane t gets elements 2 (t % 4) and
 * the next of row t / 4 of each; with .trans rows 2 (t % 4) and the next of column t / 4. o[0] address, o[1..] d */
static void ldmatrix(Warp &w, const Ins &i, u32)
{
    u16 m[4][8][8];
    for (int lane = 0; lane < 8 * i.n; lane++)
        memcpy(m[lane / 8][lane % 8],
               memory_at(w, i, i.space, address_of(w, i.o[0], i.wide, i.offset, lane), 16, lane, false), 16);
    for (int k = 0; k < i.n; k++) {
        u32 *d = row<u32>(w, i.o[1 + k]);
        for (int lane = 0; lane < 32; lane++) {
            int r = lane / 4, c = lane % 4 * 2;
            d[lane] = i.imm ? m[k][c][r] | (u32)m[k][c + 1][r] << 16 : m[k][r][c] | (u32)m[k][r][c + 1] << 16;
        }
    }
}

#endif
