/* memory.h - handlers of loads, stores, atomics and cp.async (PTX ISA, "Data Movement and Conversion Instructions"). */
#ifndef PTX_MEMORY_H
#define PTX_MEMORY_H

#include "lanes.h"

#include <algorithm>

static inline u64 address_of(Warp &w, int at, bool wide, int64_t offset, int l)
{
    u64 base = at < 0 ? 0 : wide ? row<u64>(w, at)[l] : row<u32>(w, at)[l];
    return base + (u64)offset;
}
/* M: in memory, R: in the register. o[0] address, o[1..] registers. */
template <class M, class R> static void load(Warp &w, const Ins &i, u32 mask)
{
    for (int l = 0; l < 32; l++) {
        if (!(mask >> l & 1))
            continue;
        u64 a = address_of(w, i.o[0], i.wide, i.offset, l);
        const M *p = (const M *)memory_at(w, i, i.space, a, (u32)sizeof(M) * i.n, l, false);
        M v[8];
        memcpy(v, p, sizeof(M) * i.n); /* address and destination may be the same register */
        for (int k = 0; k < i.n; k++)
            if (i.o[1 + k] >= 0)
                row<R>(w, i.o[1 + k])[l] = (R)v[k];
    }
}
template <class M, class R> static void store(Warp &w, const Ins &i, u32 mask)
{
    for (int l = 0; l < 32; l++) {
        if (!(mask >> l & 1))
            continue;
        u64 a = address_of(w, i.o[0], i.wide, i.offset, l);
        M *p = (M *)memory_at(w, i, i.space, a, (u32)sizeof(M) * i.n, l, true);
        for (int k = 0; k < i.n; k++)
            p[k] = (M)row<R>(w, i.o[1 + k])[l];
    }
}
template <class M> static Handler *move_handler(bool is_store, int width)
{
    if (is_store)
        return width == 2 ? store<M, u16> : width == 4 ? store<M, u32> : store<M, u64>;
    typedef std::conditional_t<std::is_signed_v<M>, int16_t, u16> R16;
    typedef std::conditional_t<std::is_signed_v<M>, int32_t, u32> R32;
    typedef std::conditional_t<std::is_signed_v<M>, int64_t, u64> R64;
    return width == 2 ? load<M, R16> : width == 4 ? load<M, R32> : load<M, R64>;
}

/* imm: operation. o[0] d or -1, o[1] address, o[2], o[3] operands */
enum Atomic { ADD, MIN, MAX, AND, OR, XOR, EXCH, CAS, INC, DEC };
static const char *const atomic_names[] = {"add", "min", "max", "and", "or", "xor", "exch", "cas", "inc", "dec"};
template <class T> static void atomic(Warp &w, const Ins &i, u32 mask)
{
    for (int k = 0; k < 32; k++) {
        int l = lane_order(k);
        if (!(mask >> l & 1))
            continue;
        u64 a = address_of(w, i.o[1], i.wide, i.offset, l);
        T *p = (T *)memory_at(w, i, i.space, a, sizeof(T), l, 2);
        T old = *p, b = row<T>(w, i.o[2])[l], v = b;
        if constexpr (std::is_floating_point_v<T>) {
            v = i.imm == ADD ? old + b : b;
        } else {
            switch (i.imm) {
            case ADD:
                v = old + b;
                break;
            case MIN:
                v = std::min(old, b);
                break;
            case MAX:
                v = std::max(old, b);
                break;
            case AND:
                v = old & b;
                break;
            case OR:
                v = old | b;
                break;
            case XOR:
                v = old ^ b;
                break;
            case CAS:
                v = old == b ? row<T>(w, i.o[3])[l] : old;
                break;
            case INC:
                v = old >= b ? 0 : old + 1;
                break;
            case DEC:
                v = old == 0 || old > b ? b : old - 1;
                break;
            }
        }
        *p = v;
        if (i.o[0] >= 0)
            row<T>(w, i.o[0])[l] = old;
    }
}

static void copy_now(Warp &w, const Copy &c, int lane)
{
    u8 *p = memory_at(w, *c.by, SHARED, c.to, (u32)c.n_bytes, lane, WRITE);
    if (c.n_read)
        memcpy(p, memory_at(w, *c.by, GLOBAL, c.from, (u32)c.n_read, lane, READ), (size_t)c.n_read);
    memset(p + c.n_read, 0, (size_t)(c.n_bytes - c.n_read));
}
/* cp.async: o[0] target in shared memory, o[1] source, o[2] bytes to read or -1; size: bytes to write */
static void cp_async(Warp &w, const Ins &i, u32 mask)
{
    for (int l = 0; l < 32; l++) {
        if (!(mask >> l & 1))
            continue;
        u64 to = address_of(w, i.o[0], i.wide, i.offset, l), from = address_of(w, i.o[1], i.wide2, i.offset2, l);
        u32 n_read = i.o[2] < 0 ? i.size : row<u32>(w, i.o[2])[l];
        if (n_read > i.size)
            fault(w, i, l, "cp.async: reads %u bytes, copies %d", n_read, i.size);
        u8 *p = memory_at(w, i, SHARED, to, i.size, l, true);
        if (n_read) {
            memory_at(w, i, GLOBAL, from, n_read, l, false);
            if (from % i.size)
                fault(w, i, l, "cp.async: source %#llx is not a multiple of %d", (unsigned long long)from, i.size);
        }
        if (settings.seed == 1) /* the earliest moment: who still reads what was there sees it go */
            copy_now(w, {(u32)to, from, i.size, (int)n_read, 0, i.line, &i}, l);
        else /* the last one; until then neither what was there, nor what is coming */
            memset(p, 0xFF, i.size);
        w.copies[l].push_back({(u32)to, from, i.size, (int)n_read, w.group[l], i.line, &i});
    }
}
static void cp_async_commit(Warp &w, const Ins &, u32 mask)
{
    for (int l = 0; l < 32; l++)
        w.group[l] += mask >> l & 1;
}
static void cp_async_wait(Warp &w, const Ins &i, u32 mask) /* imm: groups left; < 0: all copies, committed or not */
{
    for (int l = 0; l < 32; l++) {
        if (!(mask >> l & 1) || w.copies[l].empty())
            continue;
        size_t kept = 0;
        for (Copy &c : w.copies[l]) {
            if (i.imm >= 0 && c.group >= w.group[l] - i.imm) {
                w.copies[l][kept++] = c;
                continue;
            }
            if (settings.seed != 1)
                copy_now(w, c, l);
        }
        w.copies[l].resize(kept);
    }
}

#endif
