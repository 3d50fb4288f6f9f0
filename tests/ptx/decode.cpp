/* decode.cpp - one PTX instruction -> one Ins: which handler runs it, where its operands lie. What it does not know is
 * refused; no part of an opcode is skipped. */
#include "bits.h"
#include "collectives.h"
#include "tensor_core.h"

struct Parts { /* an opcode's parts, looked up and crossed off */
    std::vector<std::string_view> all;
    std::vector<bool> used;
    bool has(std::string_view s)
    {
        for (size_t k = 0; k < all.size(); k++)
            if (all[k] == s) {
                used[k] = true;
                return true;
            }
        return false;
    }
};

static int register_at(const Operand &o)
{
    if (o.kind == Operand::SINK)
        return -1;
    if (o.kind != Operand::REG)
        fail("a register was expected");
    return o.at;
}
/* A source as a row of `width` bytes (0: predicate). */
static int source(const Operand &o, int width, Decoder &d)
{
    switch (o.kind) {
    case Operand::REG:
        if (o.width != width)
            fail("an operand has %d bits, the instruction reads %d", o.width * 8, width * 8);
        return o.at;
    case Operand::IMM:
    case Operand::SYM:
        if (o.kind == Operand::SYM && o.space == LOCAL)
            fail("the address of local memory as an operand");
        return d.constant(width == 0   ? (o.value ? ~0ull : 0)
                          : width == 8 ? o.value
                                       : o.value & ((1ull << 8 * width) - 1),
                          width);
    case Operand::FLOAT32:
        if (width != 4)
            fail("an f32 constant where %d bits are read", width * 8);
        return d.constant(o.value, 4);
    case Operand::FLOAT64:
        if (width == 4) { /* 0d in an f32 instruction */
            double v;
            memcpy(&v, &o.value, 8);
            float f = (float)v;
            u32 u;
            memcpy(&u, &f, 4);
            return d.constant(u, 4);
        }
        return d.constant(o.value, 8);
    default:
        fail("an operand of this form is not handled");
    }
}
static int destination(const Operand &o, int width)
{
    if (o.kind == Operand::SINK)
        return -1;
    if (o.kind != Operand::REG || o.width != width)
        fail("the destination has %d bits, the instruction writes %d", o.width * 8, width * 8);
    return o.at;
}
static void address(Ins &i, const Operand &o, Space space, Decoder &d, bool second = false)
{
    if (o.kind != Operand::MEM)
        fail("an address was expected");
    bool wide = true;
    int at = o.at;
    if (o.at >= 0) {
        if (o.width != 8 && !(o.width == 4 && space == SHARED))
            fail("a %d-bit register as an address of this state space", o.width * 8);
        wide = o.width == 8;
    } else if (o.space == LOCAL)
        at = d.local_base();
    (second ? i.wide2 : i.wide) = wide;
    i.o[second ? 1 : 0] = at;
    (second ? i.offset2 : i.offset) = (int64_t)o.value;
}

static void operands(Ins &i, std::vector<Operand> &ops, int n, int width, Decoder &d)
{
    if ((int)ops.size() != n + 1)
        fail("%d operands, %d were expected", (int)ops.size(), n + 1);
    i.o[0] = destination(ops[0], width);
    for (int k = 1; k <= n; k++)
        i.o[k] = source(ops[(size_t)k], width, d);
    if (i.o[0] < 0)
        i.o[0] = d.scratch(width);
}

static bool decode_memory(Ins &i, Parts &p, const std::string_view op, Type t, std::vector<Operand> &ops, Decoder &d)
{
    i.space = p.has("global")                                                   ? GLOBAL
              : p.has("const")                                                  ? GLOBAL
              : p.has("shared") || p.has("shared::cta")                         ? SHARED
              : p.has("local")                                                  ? LOCAL
              : p.has("param") || p.has("param::entry") || p.has("param::func") ? PARAM
                                                                                : GENERIC;
    static const char *const ignored[] = {"nc",      "ca",  "cg",       "cs",      "lu",      "cv",
                                          "wb",      "wt",  "volatile", "relaxed", "acquire", "release",
                                          "acq_rel", "cta", "gpu",      "sys",     "weak",    "cluster"};
    for (const char *s : ignored)
        p.has(s);
    if (op == "ld" || op == "st" || op == "ldu") {
        i.n = p.has("v2") ? 2 : p.has("v4") ? 4 : p.has("v8") ? 8 : 1;
        Operand &memory = ops[op == "st" ? 0 : 1], &data = ops[op == "st" ? 1 : 0];
        if (memory.space == LOCAL && i.space == PARAM)
            i.space = LOCAL; /* a parameter of a function called */
        address(i, memory, i.space, d);
        std::vector<Operand> one = {data}, &list = data.kind == Operand::VEC ? data.parts : one;
        if ((int)list.size() != i.n)
            fail("%d registers for a vector of %d", (int)list.size(), i.n);
        i.size = (u8)(t.bits / 8);
        int width = 0;
        for (const Operand &o : list)
            if (o.kind == Operand::REG)
                width = o.width;
        if (!width)
            width = i.size < 2 ? 2 : i.size;
        if (width < i.size || (width != i.size && t.kind == FLOATING))
            fail("%d bits of memory and a register of %d", t.bits, width * 8);
        for (int k = 0; k < i.n; k++) {
            const Operand &o = list[(size_t)k];
            i.o[1 + k] = op == "st" ? source(o, width, d) : register_at(o);
            if (o.kind == Operand::REG && o.width != width)
                fail("registers of different widths in a vector");
        }
        bool s = op == "st", sign = t.kind == SIGNED;
        i.run = t.bits == 8    ? sign ? move_handler<int8_t>(s, width) : move_handler<u8>(s, width)
                   : t.bits == 16 ? sign ? move_handler<int16_t>(s, width) : move_handler<u16>(s, width)
                   : t.bits == 32 ? sign ? move_handler<int32_t>(s, width) : move_handler<u32>(s, width)
                                  : move_handler<u64>(s, width);
        return true;
    }
    /* atom, red */
    size_t k = op == "atom" ? 1 : 0;
    int width = t.bits / 8;
    i.imm = -1;
    for (int a = 0; a < 10; a++)
        if (p.has(atomic_names[a]))
            i.imm = a;
    if (i.imm < 0 || (t.kind == FLOATING && i.imm != ADD && i.imm != EXCH))
        return false;
    int dest = op == "atom" ? destination(ops[0], width) : -1;
    address(i, ops[k], i.space, d);
    i.o[1] = i.o[0];
    i.o[0] = dest;
    i.o[2] = source(ops[k + 1], width, d);
    if (i.imm == CAS)
        i.o[3] = source(ops[k + 2], width, d);
    i.size = (u8)width;
    i.run = t.kind == FLOATING ? t.bits == 32   ? atomic<float>
                                 : t.bits == 64 ? atomic<double>
                                                : nullptr
            : t.kind == SIGNED ? t.bits == 32 ? atomic<int32_t> : atomic<int64_t>
                               : (t.bits == 32   ? atomic<u32>
                                  : t.bits == 64 ? atomic<u64>
                                                 : nullptr);
    return i.run != nullptr;
}

static bool decode_cvt(Ins &i, Parts &p, std::vector<Operand> &ops, Decoder &d)
{
    std::vector<Type> types;
    for (size_t k = 1; k < p.all.size(); k++) {
        Type t;
        if (type_of(p.all[k], &t)) {
            p.used[k] = true;
            types.push_back(t);
        }
    }
    if (types.size() != 2)
        return false;
    Type to = types[0], from = types[1];
    bool whole = p.has("rni") || p.has("rzi") || p.has("rmi") || p.has("rpi");
    i.round = p.has("rz") || p.has("rzi") ? 1 : p.has("rm") || p.has("rmi") ? 2 : p.has("rp") || p.has("rpi") ? 3 : 0;
    p.has("rn");
    if (to.pair) {
        if (from.bits != 32 || from.pair || ops.size() != 3)
            return false;
        i.imm = p.has("relu");
        operands(i, ops, 2, 4, d);
        i.run = to.bf16 ? cvt_pair_f32<true> : cvt_pair_f32<false>;
        return true;
    }
    if (ops.size() != 2)
        return false;
    int from_width = ops[1].kind == Operand::REG ? ops[1].width : from.bits / 8 < 2 ? 2 : from.bits / 8;
    int to_width = ops[0].width;
    if (from_width * 8 < from.bits || to_width * 8 < to.bits)
        fail("cvt: a register is narrower than its type");
    if ((from.kind == FLOATING && from_width * 8 != from.bits) || (to.kind == FLOATING && to_width * 8 != to.bits))
        fail("cvt: a float register has not its type's width");
    i.o[0] = destination(ops[0], to_width);
    i.o[1] = source(ops[1], from_width, d);
    if (i.o[0] < 0)
        return false;
    if (from.kind == FLOATING && to.kind != FLOATING && !whole)
        fail("cvt: float to integer needs a rounding to a whole number");
    i.imm = pack_type(from, from_width);
    i.imm2 = pack_type(to, to_width);
    i.n = whole;
    i.run = cvt;
    bool plain = !i.ftz && !i.sat && !i.round;
    bool exact_widths = from_width * 8 == from.bits && to_width * 8 == to.bits;
    if (!plain || !exact_widths)
        return true;
    bool fi = from.kind == FLOATING, ti = to.kind == FLOATING;
    if (fi && ti && !whole) {
        if (from.bits == 16 && to.bits == 32)
            i.run = from.bf16 ? cvt_f32_half<true> : cvt_f32_half<false>;
        else if (from.bits == 32 && to.bits == 16)
            i.run = to.bf16 ? cvt_half_f32<true> : cvt_half_f32<false>;
        else if (from.bits == 64 && to.bits == 32)
            i.run = cvt_fast<float, double>;
        else if (from.bits == 32 && to.bits == 64)
            i.run = cvt_fast<double, float>;
    } else if (!fi && !ti) {
        bool s = from.kind == SIGNED;
        if (from.bits == 32 && to.bits == 64)
            i.run = s ? cvt_fast<int64_t, int32_t> : cvt_fast<u64, u32>;
        else if (from.bits == 64 && to.bits == 32)
            i.run = cvt_fast<u32, u64>;
        else if (from.bits == 32 && to.bits == 16)
            i.run = cvt_fast<u16, u32>;
        else if (from.bits == 16 && to.bits == 32)
            i.run = s ? cvt_fast<int32_t, int16_t> : cvt_fast<u32, u16>;
    } else if (!fi && from.bits == 32 && to.bits == 32) {
        i.run = from.kind == SIGNED ? cvt_fast<float, int32_t> : cvt_fast<float, u32>;
    }
    return true;
}

static bool decode_mov(Ins &i, Type t, std::vector<Operand> &ops, Decoder &d)
{
    if (t.kind == PREDICATE) {
        i.o[0] = destination(ops[0], 0);
        i.o[1] = source(ops[1], 0, d);
        i.imm = 4;
        i.imm2 = ops[1].negated;
        i.run = predicate_logic;
        return true;
    }
    bool to = ops[0].kind == Operand::VEC, from = ops[1].kind == Operand::VEC;
    if (to != from) {
        std::vector<Operand> &parts = ops[to ? 0 : 1].parts;
        int n = (int)parts.size(), width = t.bits / 8 / n;
        for (int k = 0; k < n; k++)
            i.o[k] = to ? destination(parts[(size_t)k], width) : source(parts[(size_t)k], width, d);
        i.o[n] = to ? source(ops[1], t.bits / 8, d) : destination(ops[0], t.bits / 8);
        i.run = n == 2 && width == 2   ? to ? unpack<u16, u32, 2> : pack<u16, u32, 2>
                  : n == 2 && width == 4 ? to ? unpack<u32, u64, 2> : pack<u32, u64, 2>
                  : n == 4 && width == 2 ? to ? unpack<u16, u64, 4> : pack<u16, u64, 4>
                                         : nullptr;
        return i.run != nullptr;
    }
    if (to)
        return false;
    if (ops[1].kind == Operand::SYM && ops[1].space == LOCAL) {
        i.o[0] = destination(ops[0], 8);
        i.o[1] = d.local_base();
        i.o[2] = d.constant(ops[1].value, 8);
        i.run = int2<[](auto a, auto b) { return a + b; }>({BITS, 64});
        return true;
    }
    operands(i, ops, 1, t.bits / 8, d);
    i.run = t.bits == 16   ? map1<u16, u16, [](u16 a) { return a; }>
            : t.bits == 32 ? map1<u32, u32, [](u32 a) { return a; }>
                           : map1<u64, u64, [](u64 a) { return a; }>;
    return true;
}

static bool decode_mma(Ins &i, Parts &p, std::vector<Operand> &ops, Decoder &d)
{
    i.imm = p.has("m16n8k16") ? 16 : p.has("m16n8k8") ? 8 : p.has("m16n8k4") ? 4 : 0;
    std::vector<std::string_view> types;
    for (size_t k = 1; k < p.all.size(); k++) {
        Type t;
        if (type_of(p.all[k], &t)) {
            types.push_back(p.all[k]);
            p.used[k] = true;
        }
    }
    if (!i.imm || !p.has("sync") || !p.has("aligned") || !p.has("row") || !p.has("col") || types.size() != 4 ||
        ops.size() != 4 || types[0] != "f32" || types[3] != "f32" || types[1] != types[2])
        return false;
    i.imm2 = types[1] == "f16" ? 0 : types[1] == "bf16" ? 1 : types[1] == "tf32" ? 2 : -1;
    if (i.imm2 < 0 || (i.imm2 == 2) != (i.imm != 16 && i.imm2 == 2))
        return false;
    if (i.imm == 4 && i.imm2 != 2)
        return false;
    size_t na = (size_t)(i.imm2 == 2 ? i.imm / 2 : i.imm / 4), want[] = {4, na, na / 2, 4};
    int at = 0;
    for (size_t k = 0; k < 4; k++) {
        std::vector<Operand> &parts = ops[k].parts, one = {ops[k]};
        std::vector<Operand> &list = ops[k].kind == Operand::VEC ? parts : one;
        if (list.size() != want[k])
            fail("mma: %d registers for operand %d, not %d", (int)list.size(), (int)k, (int)want[k]);
        for (Operand &o : list)
            i.o[at++] = k == 0 ? destination(o, 4) : source(o, 4, d);
    }
    i.run = mma;
    i.kind = WARP;
    return true;
}

static bool decode_any(Ins &i, Parts &p, std::vector<Operand> &ops, Decoder &d)
{
    const std::string_view op = p.all[0];
    p.used[0] = true;
    Type t = {BITS, 0};
    for (size_t k = p.all.size(); k-- > 1;) /* the last type */
        if (type_of(p.all[k], &t)) {
            if (op != "cvt" && op != "mma")
                p.used[k] = true;
            break;
        }
    const int width = t.bits / 8;
    const bool is_float = t.kind == FLOATING;
    i.ftz = p.has("ftz");
    i.sat = p.has("sat");
    if (op == "cvt")
        return decode_cvt(i, p, ops, d);
    if (op == "mma")
        return decode_mma(i, p, ops, d);
    if (op == "mov")
        return decode_mov(i, t, ops, d);
    if (op == "ld" || op == "st" || op == "ldu" || op == "atom" || op == "red")
        return decode_memory(i, p, op, t, ops, d);

    if (op == "bra") {
        i.kind = BRANCH;
        i.uniform = p.has("uni");
        return true;
    }
    if (op == "ret" || op == "exit") {
        p.has("uni");
        i.kind = EXIT;
        return true;
    }
    if (op == "trap") {
        i.run = trap;
        return true;
    }
    if (op == "membar" || op == "fence") {
        for (size_t k = 1; k < p.all.size(); k++)
            p.used[k] = true;
        i.run = nothing;
        return true;
    }
    if (op == "bar" || op == "barrier") {
        bool warp = p.has("warp");
        i.aligned = op == "bar" || p.has("aligned");
        p.has("cta");
        if (warp) { /* bar.warp.sync mask */
            if (!p.has("sync"))
                return false;
            i.kind = SYNC;
            i.mask_operand = source(ops[0], 4, d);
            i.orders = true;
            i.run = nothing;
            return true;
        }
        i.kind = BARRIER;
        /* o[0] number, o[1] threads or -1, o[2] result or -1, o[3] predicate; imm 0 sync, 1 or, 2 and, 3 popc */
        i.o[1] = i.o[2] = i.o[3] = -1;
        if (p.has("red")) {
            i.imm = p.has("or") ? 1 : p.has("and") ? 2 : p.has("popc") ? 3 : 0;
            if (!i.imm)
                return false;
            i.o[2] = destination(ops[0], i.imm == 3 ? 4 : 0);
            i.o[0] = source(ops[1], 4, d);
            if (ops.size() == 4)
                i.o[1] = source(ops[2], 4, d);
            i.o[3] = source(ops.back(), 0, d);
            i.imm2 = ops.back().negated;
            return true;
        }
        if (!p.has("sync"))
            return false; /* arrive */
        i.o[0] = source(ops[0], 4, d);
        if (ops.size() == 2)
            i.o[1] = source(ops[1], 4, d);
        return true;
    }
    if (op == "shfl") {
        if (!p.has("sync") || ops.size() != 5)
            return false;
        i.imm = p.has("up") ? 0 : p.has("down") ? 1 : p.has("bfly") ? 2 : p.has("idx") ? 3 : -1;
        const Operand &dst = ops[0];
        i.o[0] = destination(dst.parts.size() == 2 && dst.kind != Operand::VEC ? dst.parts[0] : dst, 4);
        i.o[1] = dst.parts.size() == 2 ? destination(dst.parts[1], 0) : -1;
        for (size_t k = 1; k < 4; k++)
            i.o[k + 1] = source(ops[k], 4, d);
        i.kind = SYNC;
        i.mask_operand = source(ops[4], 4, d);
        i.run = shfl;
        return i.imm >= 0;
    }
    if (op == "vote") {
        i.imm = p.has("any") ? 0 : p.has("all") ? 1 : p.has("uni") ? 2 : p.has("ballot") ? 3 : -1;
        if (!p.has("sync") || i.imm < 0)
            return false;
        i.o[0] = destination(ops[0], i.imm == 3 ? 4 : 0);
        i.o[1] = source(ops[1], 0, d);
        i.imm2 = ops[1].negated;
        i.kind = SYNC;
        i.mask_operand = source(ops[2], 4, d);
        i.run = vote;
        return true;
    }
    if (op == "redux") {
        i.imm = p.has("add")   ? ADD
                : p.has("min") ? MIN
                : p.has("max") ? MAX
                : p.has("and") ? AND
                : p.has("or")  ? OR
                : p.has("xor") ? XOR
                               : -1;
        i.imm2 = t.kind == SIGNED;
        if (!p.has("sync") || i.imm < 0 || is_float)
            return false;
        i.o[0] = destination(ops[0], 4);
        i.o[1] = source(ops[1], 4, d);
        i.kind = SYNC;
        i.mask_operand = source(ops[2], 4, d);
        i.run = redux;
        return true;
    }
    if (op == "activemask") {
        i.o[0] = destination(ops[0], 4);
        i.run = active_mask;
        return true;
    }
    if (op == "ldmatrix") {
        i.n = p.has("x1") ? 1 : p.has("x2") ? 2 : p.has("x4") ? 4 : 0;
        i.imm = p.has("trans");
        i.space = p.has("shared") || p.has("shared::cta") ? SHARED : GENERIC;
        i.size = 16;
        if (!i.n || !p.has("sync") || !p.has("aligned") || !p.has("m8n8"))
            return false;
        address(i, ops[1], i.space, d);
        std::vector<Operand> one = {ops[0]}, &list = ops[0].kind == Operand::VEC ? ops[0].parts : one;
        if ((int)list.size() != i.n)
            fail("ldmatrix: %d registers, not %d", (int)list.size(), i.n);
        for (int k = 0; k < i.n; k++)
            i.o[1 + k] = destination(list[(size_t)k], 4);
        i.kind = WARP;
        i.run = ldmatrix;
        return true;
    }
    if (op == "cp") {
        if (!p.has("async"))
            return false;
        if (p.has("commit_group")) {
            i.run = cp_async_commit;
            return true;
        }
        if (p.has("wait_all") || p.has("wait_group")) {
            i.imm = p.has("wait_all") ? -1 : (int)ops[0].value;
            if (!p.has("wait_all") && ops[0].kind != Operand::IMM)
                return false;
            i.run = cp_async_wait;
            return true;
        }
        bool cg = p.has("cg");
        if ((!cg && !p.has("ca")) || !(p.has("shared") || p.has("shared::cta")) || !p.has("global"))
            return false;
        p.has("L2::128B"), p.has("L2::256B"), p.has("L2::64B");
        address(i, ops[0], SHARED, d);
        address(i, ops[1], GLOBAL, d, true);
        i.size = (u8)ops[2].value;
        if (ops[2].kind != Operand::IMM || (i.size != 16 && (cg || (i.size != 4 && i.size != 8))))
            fail("cp.async of %d bytes", i.size);
        i.o[2] = ops.size() > 3 ? source(ops[3], 4, d) : -1;
        i.space = SHARED;
        i.run = cp_async;
        return true;
    }
    if (op == "cvta") {
        bool to = p.has("to");
        Space s = p.has("shared") || p.has("shared::cta")                                 ? SHARED
                  : p.has("global") || p.has("const") || p.has("local") || p.has("param") ? GLOBAL
                                                                                          : GENERIC;
        if (s == GENERIC || width != 8)
            return false;
        if (ops[1].kind == Operand::SYM && ops[1].space == LOCAL) {
            Type b64 = {BITS, 64};
            return decode_mov(i, b64, ops, d);
        }
        i.space = s;
        i.o[0] = destination(ops[0], 8);
        i.o[1] = source(ops[1], 8, d);
        i.run = s != SHARED ? map1<u64, u64, [](u64 a) { return a; }> : to ? generic_to_shared : shared_to_generic;
        return true;
    }
    if (op == "setp") {
        int c = -1;
        for (int k = 0; k < 14; k++)
            if (p.has(compare_names[k]))
                c = k;
        /* lo, ls, hi, hs are lt, le, gt, ge of unsigned numbers */
        c = p.has("lo") ? LT : p.has("ls") ? LE : p.has("hi") ? GT : p.has("hs") ? GE : c;
        i.imm = p.has("and") ? 1 : p.has("or") ? 2 : p.has("xor") ? 3 : 0;
        if (c < 0 || ops.size() != (i.imm ? 4u : 3u))
            return false;
        const Operand &dst = ops[0];
        i.o[0] = destination(dst.parts.size() == 2 ? dst.parts[0] : dst, 0);
        i.o[1] = dst.parts.size() == 2 ? destination(dst.parts[1], 0) : -1;
        i.o[2] = source(ops[1], width, d);
        i.o[3] = source(ops[2], width, d);
        if (i.imm) {
            i.o[4] = source(ops[3], 0, d);
            i.imm2 = ops[3].negated;
        }
        if (i.ftz)
            return false;
        i.run = setp_handler((Compare)c, t);
        return i.run != nullptr;
    }
    if (op == "selp") {
        i.o[0] = destination(ops[0], width);
        i.o[1] = source(ops[1], width, d);
        i.o[2] = source(ops[2], width, d);
        i.o[3] = source(ops[3], 0, d);
        i.imm = ops[3].negated;
        i.run = width == 2 ? selp<u16> : width == 4 ? selp<u32> : selp<u64>;
        return true;
    }
    if (t.kind == PREDICATE) {
        i.imm = op == "and" ? 0 : op == "or" ? 1 : op == "xor" ? 2 : op == "not" ? 3 : -1;
        if (i.imm < 0)
            return false;
        i.o[0] = destination(ops[0], 0);
        for (size_t k = 1; k < ops.size(); k++) {
            i.o[k] = source(ops[k], 0, d);
            i.imm2 |= ops[k].negated << (k - 1);
        }
        i.run = predicate_logic;
        return true;
    }

    /* Arithmetic on floats. */
    if (is_float && (t.bits == 16 || t.pair)) {
        static const char *const names[] = {"add", "sub", "mul", "fma", "min", "max", "neg", "abs"};
        i.imm = -1;
        for (int k = 0; k < 8; k++)
            if (op == names[k])
                i.imm = k;
        p.has("rn");
        i.imm2 = t.bf16 | t.pair << 1;
        if (i.imm < 0 || i.ftz)
            return false;
        operands(i, ops, i.imm == 3 ? 3 : i.imm >= 6 ? 1 : 2, t.pair ? 4 : 2, d);
        i.run = half_math;
        return true;
    }
    if (is_float) {
        bool approx = p.has("approx"), full = p.has("full");
        i.round = p.has("rz") ? 1 : p.has("rm") ? 2 : p.has("rp") ? 3 : 0;
        p.has("rn");
        int n = 2;
        if (op == "add")
            i.run = float_handler<2, [](auto a, auto b) { return a + b; }>(t);
        else if (op == "sub")
            i.run = float_handler<2, [](auto a, auto b) { return a - b; }>(t);
        else if (op == "mul")
            i.run = float_handler<2, [](auto a, auto b) { return a * b; }>(t);
        else if (op == "div") /* .full and .approx: 2 ulp; not used by code without fast math */
            i.run = float_handler<2, [](auto a, auto b) { return a / b; }>(t);
        else if (op == "fma" || op == "mad") {
            n = 3;
            i.run = float_handler<3, [](auto a, auto b, auto c) { return std::fma(a, b, c); }>(t);
        } else if (op == "min" || op == "max") {
            bool nan = p.has("NaN");
            i.run = op == "min" ? nan ? float_handler<2, [](auto a, auto b) { return least<true>(a, b); }>(t)
                                      : float_handler<2, [](auto a, auto b) { return least<false>(a, b); }>(t)
                    : nan ? float_handler<2, [](auto a, auto b) { return -least<true>(-a, -b); }>(t)
                                : float_handler<2, [](auto a, auto b) { return -least<false>(-a, -b); }>(t);
        } else if (op == "copysign")
            i.run = float_handler<2, [](auto a, auto b) { return std::copysign(b, a); }>(t);
        else {
            n = 1;
            if (op == "neg")
                i.run = float_handler<1, [](auto a) { return -a; }>(t);
            else if (op == "abs")
                i.run = float_handler<1, [](auto a) { return std::fabs(a); }>(t);
            else if (op == "sqrt")
                i.run = float_handler<1, [](auto a) { return std::sqrt(a); }>(t);
            else if (op == "rcp" && !approx)
                i.run = float_handler<1, [](auto a) { return 1 / a; }>(t);
            else if (op == "rcp" && t.bits == 64) /* rcp.approx.ftz.f64: 20 bits of mantissa, the low word is 0 */
                i.run = floats<1, double, [](double a) {
                    double v = 1 / a;
                    u64 u;
                    memcpy(&u, &v, 8);
                    u &= 0xFFFFFFFF00000000ull;
                    memcpy(&v, &u, 8);
                    return v;
                }>;
            else if (op == "rcp")
                i.run = floats<1, float, approx_rcp>;
            else if (op == "rsqrt" && t.bits == 32)
                i.run = floats<1, float, approx_rsqrt>;
            else if (op == "ex2" && t.bits == 32)
                i.run = floats<1, float, approx_ex2>;
            else if (op == "lg2" && t.bits == 32)
                i.run = floats<1, float, approx_lg2>;
            else if (op == "sin" && t.bits == 32)
                i.run = floats<1, float, [](float a) { return std::sin(a); }>;
            else if (op == "cos" && t.bits == 32)
                i.run = floats<1, float, [](float a) { return std::cos(a); }>;
            else if (op == "tanh" && t.bits == 32)
                i.run = floats<1, float, [](float a) { return std::tanh(a); }>;
            else
                return false;
        }
        (void)full;
        if (!i.run)
            return false;
        operands(i, ops, n, width, d);
        return true;
    }

    /* Integers. */
    bool cc = p.has("cc");
    bool lo = p.has("lo"), hi = p.has("hi"), wide = p.has("wide");
    if (cc || op == "addc" || op == "subc" || op == "madc") {
        bool mul = op == "mad" || op == "madc";
        i.imm = (op == "addc" || op == "subc" || op == "madc" ? 1 : 0) | (cc ? 2 : 0) |
                (op == "sub" || op == "subc" ? 4 : 0) | (mul ? 8 : 0) | (hi ? 16 : 0);
        operands(i, ops, mul ? 3 : 2, width, d);
        i.o[mul ? 4 : 3] = d.carry();
        if (t.kind == SIGNED && hi)
            return false;
        i.run = t.bits == 32 ? carried<u32> : carried<u64>;
        return true;
    }
    if (op == "add" || op == "sub" || op == "min" || op == "max" || op == "and" || op == "or" || op == "xor") {
        if (i.sat)
            return false;
        i.run = op == "add"   ? int2<[](auto a, auto b) { return a + b; }>(t)
                : op == "sub" ? int2<[](auto a, auto b) { return a - b; }>(t)
                : op == "min" ? int2<[](auto a, auto b) { return a < b ? a : b; }>(t)
                : op == "max" ? int2<[](auto a, auto b) { return a < b ? b : a; }>(t)
                : op == "and" ? int2<[](auto a, auto b) { return a & b; }>(t)
                : op == "or"  ? int2<[](auto a, auto b) { return a | b; }>(t)
                              : int2<[](auto a, auto b) { return a ^ b; }>(t);
        operands(i, ops, 2, width, d);
        return true;
    }
    if (op == "mul" || op == "mad") {
        bool mad = op == "mad", s = t.kind == SIGNED;
        if (lo + hi + wide != 1)
            return false;
        if (wide) {
            i.o[0] = destination(ops[0], 2 * width);
            i.o[1] = source(ops[1], width, d);
            i.o[2] = source(ops[2], width, d);
            if (mad)
                i.o[3] = source(ops[3], 2 * width, d);
            i.run = mad ? t.bits == 16 ? s ? mad_wide<int16_t> : mad_wide<u16>
                          : s ? mad_wide<int32_t>
                                       : mad_wide<u32>
                        : (t.bits == 16 ? s ? mul_wide<int16_t> : mul_wide<u16>
                           : s ? mul_wide<int32_t>
                                        : mul_wide<u32>);
            return true;
        }
        operands(i, ops, mad ? 3 : 2, width, d);
        i.run = mad && lo ? int3<[](auto a, auto b, auto c) { return (decltype(a))((u64)a * (u64)b + (u64)c); }>(t)
                : mad     ? int3<[](auto a, auto b, auto c) { return (decltype(a))(high<decltype(a)>(a, b) + c); }>(t)
                : lo      ? int2<[](auto a, auto b) { return (decltype(a))((u64)a * (u64)b); }>(t)
                          : int2<[](auto a, auto b) { return high<decltype(a)>(a, b); }>(t);
        return true;
    }
    if (op == "div" || op == "rem") {
        operands(i, ops, 2, width, d);
        i.run = op == "div" ? divide_handler<false>(t) : divide_handler<true>(t);
        return true;
    }
    if (op == "neg" || op == "abs" || op == "not" || op == "cnot") {
        operands(i, ops, 1, width, d);
        i.run = op == "neg"   ? int1<[](auto a) { return -a; }>(t)
                : op == "abs" ? int1<[](auto a) { return abs_of(a); }>(t)
                : op == "not" ? int1<[](auto a) { return ~a; }>(t)
                              : int1<[](auto a) { return a == 0; }>(t);
        return true;
    }
    if (op == "shl" || op == "shr") {
        i.o[0] = destination(ops[0], width);
        i.o[1] = source(ops[1], width, d);
        i.o[2] = source(ops[2], 4, d);
        bool s = t.kind == SIGNED;
        if (op == "shl")
            i.run = t.bits == 16   ? map2<u16, u16, u32, shift_left<u16>>
                    : t.bits == 32 ? map2<u32, u32, u32, shift_left<u32>>
                                   : map2<u64, u64, u32, shift_left<u64>>;
        else
            i.run =
                t.bits == 16
                    ? s ? map2<int16_t, int16_t, u32, shift_right<int16_t>> : map2<u16, u16, u32, shift_right<u16>>
                : t.bits == 32
                    ? s ? map2<int32_t, int32_t, u32, shift_right<int32_t>> : map2<u32, u32, u32, shift_right<u32>>
                    : (s ? map2<int64_t, int64_t, u32, shift_right<int64_t>> : map2<u64, u64, u32, shift_right<u64>>);
        return true;
    }
    if (op == "shf") {
        i.imm = p.has("l");
        i.imm2 = p.has("wrap");
        p.has("r"), p.has("clamp");
        operands(i, ops, 3, 4, d);
        i.run = funnel;
        return true;
    }
    if (op == "lop3") {
        if (ops.size() != 5)
            return false;
        for (size_t k = 0; k < 4; k++)
            i.o[k] = k == 0 ? destination(ops[0], 4) : source(ops[k], 4, d);
        i.imm = (int)ops[4].value;
        i.run = lop3;
        return true;
    }
    if (op == "prmt") {
        operands(i, ops, 3, 4, d);
        i.run = map3<u32, u32, u32, u32, permuted>;
        for (const char *mode : {"f4e", "b4e", "rc8", "ecl", "ecr", "rc16"})
            if (p.has(mode))
                return false;
        return true;
    }
    if (op == "bfe" || op == "bfi") {
        i.o[0] = destination(ops[0], width);
        i.o[1] = source(ops[1], width, d);
        size_t k = 2;
        if (op == "bfi")
            i.o[k] = source(ops[k], width, d), k++;
        i.o[k] = source(ops[k], 4, d), k++;
        i.o[k] = source(ops[k], 4, d);
        bool s = t.kind == SIGNED;
        i.run = op == "bfi"    ? t.bits == 32 ? bfi<u32> : bfi<u64>
                   : t.bits == 32 ? s ? bfe<int32_t> : bfe<u32>
                                  : (s ? bfe<int64_t> : bfe<u64>);
        return true;
    }
    if (op == "popc" || op == "clz" || op == "bfind") {
        i.o[0] = destination(ops[0], 4);
        i.o[1] = source(ops[1], width, d);
        bool s = t.kind == SIGNED;
        i.imm = p.has("shiftamt");
        if (op == "bfind")
            i.run = t.bits == 32 ? s ? bfind<int32_t> : bfind<u32> : (s ? bfind<int64_t> : bfind<u64>);
        else if (op == "popc")
            i.run = t.bits == 32 ? map1<u32, u32, [](u32 a) { return __builtin_popcount(a); }>
                                 : map1<u32, u64, [](u64 a) { return __builtin_popcountll(a); }>;
        else
            i.run = t.bits == 32 ? map1<u32, u32, [](u32 a) { return a ? __builtin_clz(a) : 32; }>
                                 : map1<u32, u64, [](u64 a) { return a ? __builtin_clzll(a) : 64; }>;
        return true;
    }
    if (op == "brev" && t.bits == 32) {
        operands(i, ops, 1, 4, d);
        i.run = map1<u32, u32, reversed>;
        return true;
    }
    return false;
}

void decode(Ins &i, std::string_view opcode, std::vector<Operand> &ops, Decoder &d)
{
    Parts p;
    for (size_t at = 0; at <= opcode.size();) {
        size_t end = std::min(opcode.find('.', at), opcode.size());
        p.all.push_back(opcode.substr(at, end - at));
        at = end + 1;
    }
    p.used.assign(p.all.size(), false);
    if (!decode_any(i, p, ops, d))
        fail("instruction not covered: %.*s", (int)opcode.size(), opcode.data());
    for (size_t k = 0; k < p.used.size(); k++)
        if (!p.used[k])
            fail("instruction not covered: .%.*s of %.*s", (int)p.all[k].size(), p.all[k].data(), (int)opcode.size(),
                 opcode.data());
}
