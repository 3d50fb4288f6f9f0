/* test_ptx.cpp - single instructions against what the PTX ISA says of them, in the words of another program. A test is a
 * piece of PTX from a, b, c (%a %b %c: b32), %e (b64), %la (lane) to %o (b32) and %q (b64), and what it has to give. */
#include "ptx.h"
#include "tensor_sum.h"

#include <cfenv>
#include <cmath>
#include <cstdio>
#include <cstdlib>
#include <functional>

struct In {
    u32 a, b, c, lane;
    u64 e;
};
struct Test {
    const char *ptx;                                    /* one that begins with a blank has a race */
    std::function<u64(const In &, const In *all)> want; /* low half %o; where the PTX writes %q, all of it */
    bool wide = false, small = false;                   /* small: a, b, c are floats of moderate size */
    int target = 80;
};
static float f(u32 u)
{
    float v;
    memcpy(&v, &u, 4);
    return v;
}
static u32 u(float v)
{
    u32 r;
    memcpy(&r, &v, 4);
    return r;
}
static u32 f16_bits(float v)
{
    _Float16 h = (_Float16)v;
    u16 r;
    memcpy(&r, &h, 2);
    return r;
}

/* 1 + the product of two constant matrices of f16 */
#define MMA(a, b)                                                                                                      \
    "mov.b32 %a, " a "; mov.b32 %b, " b "; mov.b32 %f, 0f3F800000; "                                                   \
    "mma.sync.aligned.m16n8k16.row.col.f32.f16.f16.f32 {%f,%f1,%f2,%f3}, {%a,%a,%a,%a}, {%b,%b}, {%f,%f,%f,%f}; "      \
    "mov.b32 %o, %f;"

static const Test tests[] = {
    {"add.s32 %o, %a, %b;", [](const In &i, const In *) -> u64 { return i.a + i.b; }},
    {"mul.hi.s32 %o, %a, %b;",
     [](const In &i, const In *) -> u64 { return (u32)(((int64_t)(int)i.a * (int)i.b) >> 32); }},
    {"mul.hi.u32 %o, %a, %b;", [](const In &i, const In *) -> u64 { return (u32)(((u64)i.a * i.b) >> 32); }},
    {"mul.wide.s32 %q, %a, %b;", [](const In &i, const In *) -> u64 { return (u64)((int64_t)(int)i.a * (int)i.b); },
     true},
    {"mad.lo.s32 %o, %a, %b, %c;", [](const In &i, const In *) -> u64 { return i.a * i.b + i.c; }},
    {"add.cc.u32 %o, %a, %b; addc.u32 %o, %c, 0;",
     [](const In &i, const In *) -> u64 { return i.c + (((u64)i.a + i.b) >> 32); }},
    {"sub.cc.u32 %o, %a, %b; subc.u32 %o, %c, 0;", [](const In &i, const In *) -> u64 { return i.c - (i.a < i.b); }},
    {"mad.lo.cc.u32 %o, %a, %b, %c; madc.hi.u32 %o, %a, %b, 7;",
     [](const In &i, const In *) -> u64 {
         return (u32)(((u64)i.a * i.b) >> 32) + 7 + (u32)(((u64)(u32)(i.a * i.b) + i.c) >> 32);
     }},
    {"shl.b32 %o, %a, %la;", [](const In &i, const In *) -> u64 { return i.a << i.lane; }},
    {"shl.b32 %o, %a, 32;", [](const In &, const In *) -> u64 { return 0; }},
    {"shr.s32 %o, %a, 40;", [](const In &i, const In *) -> u64 { return (int)i.a < 0 ? ~0u : 0; }},
    {"shf.l.wrap.b32 %o, %a, %b, %la;",
     [](const In &i, const In *) -> u64 { return i.lane ? i.b << i.lane | i.a >> (32 - i.lane) : i.b; }},
    {"shf.r.clamp.b32 %o, %a, %b, 33;", [](const In &i, const In *) -> u64 { return i.b; }},
    {"prmt.b32 %o, %a, %b, 0x7531;",
     [](const In &i, const In *) -> u64 {
         return (i.a >> 8 & 255) | (i.a >> 24) << 8 | (i.b >> 8 & 255) << 16 | (i.b >> 24) << 24;
     }},
    {"prmt.b32 %o, %a, %b, 0x000B;",
     [](const In &i, const In *) -> u64 { return (i.a >> 31 ? 255 : 0) | (i.a & 255) * 0x01010100u; }},
    {"bfe.u32 %o, %a, 5, 11;", [](const In &i, const In *) -> u64 { return i.a >> 5 & 2047; }},
    {"bfe.s32 %o, %a, 24, 12;", [](const In &i, const In *) -> u64 { return (u32)((int)i.a >> 24); }},
    {"bfi.b32 %o, %a, %b, 8, 4;", [](const In &i, const In *) -> u64 { return (i.b & ~0xF00u) | (i.a & 15) << 8; }},
    {"lop3.b32 %o, %a, %b, %c, 0xE8;",
     [](const In &i, const In *) -> u64 { return (i.a & i.b) | (i.a & i.c) | (i.b & i.c); }},
    {"lop3.b32 %o, %a, %b, %c, 0xCA;", [](const In &i, const In *) -> u64 { return (i.a & i.b) | (~i.a & i.c); }},
    {"brev.b32 %o, %a;",
     [](const In &i, const In *) -> u64 {
         u32 r = 0;
         for (int k = 0; k < 32; k++)
             r = r << 1 | (i.a >> k & 1);
         return r;
     }},
    {"bfind.shiftamt.u32 %o, %a;", [](const In &i, const In *) -> u64 { return i.a ? __builtin_clz(i.a) : ~0u; }},
    {"clz.b32 %o, %a;", [](const In &i, const In *) -> u64 { return i.a ? __builtin_clz(i.a) : 32; }},
    {"div.s32 %o, %a, 7;", [](const In &i, const In *) -> u64 { return (u32)((int)i.a / 7); }},
    {"rem.u64 %q, %e, 1000003;", [](const In &i, const In *) -> u64 { return i.e % 1000003; }, true},
    {"min.s32 %o, %a, %b;", [](const In &i, const In *) -> u64 { return (int)i.a < (int)i.b ? i.a : i.b; }},
    {"cvt.s64.s32 %q, %a;", [](const In &i, const In *) -> u64 { return (u64)(int64_t)(int)i.a; }, true},
    {"cvt.s32.s8 %o, %a;", [](const In &i, const In *) -> u64 { return (u32)(int8_t)i.a; }},
    {"cvt.sat.u8.s32 %o, %a;",
     [](const In &i, const In *) -> u64 {
         int v = (int)i.a;
         return v < 0 ? 0 : v > 255 ? 255 : v;
     }},
    {"cvt.rn.f32.s32 %o, %a;", [](const In &i, const In *) -> u64 { return u((float)(int)i.a); }},
    {"cvt.rzi.s32.f32 %o, %a;",
     [](const In &i, const In *) -> u64 {
         float v = f(i.a);
         return v != v ? 0 : v >= 0x1p31f ? 0x7FFFFFFFu : v <= -0x1p31f ? 0x80000000u : (u32)(int)v;
     }},
    {"cvt.rni.s32.f32 %o, %a;", [](const In &i, const In *) -> u64 { return (u32)(int)std::nearbyint(f(i.a)); }, false,
     true},
    {"cvt.rn.f16.f32 %h, %a; cvt.u32.u16 %o, %h;", [](const In &i, const In *) -> u64 { return f16_bits(f(i.a)); },
     false, true},
    {"cvt.rn.f16x2.f32 %o, %a, %b;",
     [](const In &i, const In *) -> u64 { return f16_bits(f(i.a)) << 16 | f16_bits(f(i.b)); }, false, true},
    {"cvt.rn.bf16x2.f32 %o, %a, %b;",
     [](const In &i, const In *) -> u64 {
         auto bf = [](u32 x) { return (x + 0x7FFF + (x >> 16 & 1)) >> 16; };
         return bf(i.a) << 16 | bf(i.b);
     },
     false, true},
    {"cvt.f32.f16 %o, %ha;",
     [](const In &i, const In *) -> u64 {
         u16 h = (u16)i.a;
         _Float16 v;
         memcpy(&v, &h, 2);
         return v != v ? ~0ull : u((float)v);
     }},
    {"fma.rn.f32 %o, %a, %b, %c;", [](const In &i, const In *) -> u64 { return u(std::fma(f(i.a), f(i.b), f(i.c))); },
     false, true},
    {"fma.rm.f32 %o, %a, %b, %c;",
     [](const In &i, const In *) -> u64 { /* exactly in double where the exponents are near */
                                          double exact = (double)f(i.a) * f(i.b) + f(i.c);
                                          float r = (float)exact;
                                          if (r > exact)
                                              r = std::nextafter(r, -INFINITY);
                                          return u(r);
     },
     false, true},
    {"min.f32 %o, %a, 0f7FC00000;", [](const In &i, const In *) -> u64 { return i.a; }, false, true},
    {"copysign.f32 %o, %a, %b;",
     [](const In &i, const In *) -> u64 { return (i.b & 0x7FFFFFFF) | (i.a & 0x80000000u); }},
    {"setp.ltu.f32 %p, %a, 0f7FC00000; selp.b32 %o, 1, 2, %p;", [](const In &, const In *) -> u64 { return 1; }, false,
     true},
    {"setp.lt.f32 %p, %a, 0f7FC00000; selp.b32 %o, 1, 2, %p;", [](const In &, const In *) -> u64 { return 2; }, false,
     true},
    {"setp.lt.and.s32 %p|%p2, %a, %b, %odd; selp.b32 %o, 1, 0, %p; selp.b32 %c, 2, 0, %p2; or.b32 %o, %o, %c;",
     [](const In &i, const In *) -> u64 {
         bool c = (int)i.a < (int)i.b, odd = i.lane & 1;
         return (c && odd) | (!c && odd) << 1;
     }},
    {"shfl.sync.up.b32 %o|%p, %a, 3, 0, -1;",
     [](const In &i, const In *all) -> u64 { return all[i.lane < 3 ? i.lane : i.lane - 3].a; }},
    {"shfl.sync.down.b32 %o|%p, %a, 5, 0x1F, -1;",
     [](const In &i, const In *all) -> u64 { return all[i.lane + 5 > 31 ? i.lane : i.lane + 5].a; }},
    {"shfl.sync.down.b32 %o|%p, %a, 1, 0x181F, -1; @!%p mov.b32 %o, 9;",
     [](const In &i, const In *all) -> u64 { return i.lane % 8 == 7 ? 9 : all[i.lane + 1].a; }},
    {"shfl.sync.bfly.b32 %o, %a, 16, 31, -1;", [](const In &i, const In *all) -> u64 { return all[i.lane ^ 16].a; }},
    {"shfl.sync.idx.b32 %o, %a, 2, 0x1C1F, -1;",
     [](const In &i, const In *all) -> u64 { return all[(i.lane & ~3u) + 2].a; }},
    {"vote.sync.ballot.b32 %o, %odd, -1;", [](const In &, const In *) -> u64 { return 0xAAAAAAAAu; }},
    {"redux.sync.max.s32 %o, %a, -1;",
     [](const In &, const In *all) -> u64 {
         int m = (int)all[0].a;
         for (int k = 1; k < 32; k++)
             m = std::max(m, (int)all[k].a);
         return (u32)m;
     }},
    {"bar.red.popc.u32 %o, 0, %odd;", [](const In &, const In *) -> u64 { return 16; }},
    /* a loop of another length in each lane, then a shuffle of all */
    {"mov.b32 %o, 0; mov.b32 %c, %la; L1: add.s32 %o, %o, %c; sub.s32 %c, %c, 1; setp.gt.s32 %p, %c, 0; @%p bra L1; shfl.sync.bfly.b32 %o, %o, 1, 31, -1;",
     [](const In &i, const In *) -> u64 {
         u32 n = i.lane ^ 1;
         return n * (n + 1) / 2;
     }},
    /* two halves that wait at different places of the text */
    {"@%odd bra L2; shfl.sync.bfly.b32 %o, %a, 2, 31, 0x55555555; bra L3; L2: shfl.sync.bfly.b32 %o, %a, 4, 31, 0xAAAAAAAA; L3: bar.warp.sync -1;",
     [](const In &i, const In *all) -> u64 { return all[i.lane ^ (i.lane & 1 ? 4 : 2)].a; }},
    /* lanes that read what another one wrote, with and without bar.warp.sync; all lanes write one word */
    {"shl.b32 %c, %la, 2; add.s32 %c, %c, %s; st.shared.b32 [%c], %a; bar.warp.sync -1; xor.b32 %c, %c, 4; ld.shared.b32 %o, [%c];",
     [](const In &i, const In *all) -> u64 { return all[i.lane ^ 1].a; }},
    {" shl.b32 %c, %la, 2; add.s32 %c, %c, %s; st.shared.b32 [%c], %a; xor.b32 %c, %c, 4; ld.shared.b32 %o, [%c];",
     [](const In &i, const In *all) -> u64 { return all[i.lane ^ 1].a; }},
    {" st.shared.b32 [%s], 5; bar.sync 0; ld.shared.b32 %o, [%s];", [](const In &, const In *) -> u64 { return 5; }},
    {"atom.shared.add.u32 %c, [%s+4], 3;", [](const In &, const In *) -> u64 { return 0; }},
    {"mov.b64 {%o, %c}, %e; mov.b64 %q, {%c, %o};",
     [](const In &i, const In *) -> u64 { return i.e >> 32 | i.e << 32; }, true},
    /* ldmatrix: row r of matrix k is lane 8 k + r; here x2.trans of words written by lanes to shared memory */
    {"shl.b32 %c, %la, 4; add.s32 %c, %c, %s; st.shared.v4.b32 [%c], {%a, %a, %a, %b}; bar.sync 0; ldmatrix.sync.aligned.m8n8.x2.trans.shared.b16 {%o, %b}, [%c]; xor.b32 %o, %o, %b;",
     [](const In &i, const In *all) -> u64 {
         auto at = [&](int m, int r, int c) {
             u32 w = c < 6 ? all[8 * m + r].a : all[8 * m + r].b;
             return w >> (c % 2 * 16) & 0xFFFF;
         };
         int g = (int)i.lane / 4, t = (int)i.lane % 4 * 2;
         return (at(0, t, g) | at(0, t + 1, g) << 16) ^ (at(1, t, g) | at(1, t + 1, g) << 16);
     }},
    /* 1 + 16 x 2^-24: kept by both, lost by f32 sums; 1 + 16 x 2^-25: cut by the 24 bits of 8.x, kept by the 25 of 9.0 */
    {MMA("0x0C000C00", "0x0C000C00"), [](const In &, const In *) -> u64 { return u(1 + 0x1p-20f); }},
    {MMA("0x0C000C00", "0x08000800"), [](const In &, const In *) -> u64 { return u(1); }},
    {MMA("0x0C000C00", "0x08000800"), [](const In &, const In *) -> u64 { return u(1 + 0x1p-21f); }, false, false, 90},
    /* towards zero, and not by two's complement: 1 - 16 x 2^-26 */
    {MMA("0x88008800", "0x08000800"), [](const In &, const In *) -> u64 { return u(1); }, false, false, 90},
    /* infinite x 0: the NaN of tensor cores */
    {MMA("0x7C007C00", "0"), [](const In &, const In *) -> u64 { return 0x7FFFFFFF; }},
};

static u32 seed = 1;
static u32 random32(void)
{
    seed = seed * 1664525 + 1013904223;
    return (seed >> 16) ^ (seed * 2654435761u);
}

/* What truncated sums cost attention: sum of p v over the keys of a full bank, p of a softmax and v positive, both bf16, by mma of
 * 16 keys. Relative to float64; f32 sums in the order of keys beside it. */
static bool truncation(void)
{
    bool good = true;
    for (int n_keys : {2048, 28736})
        for (int target : {80, 90}) {
            const int at_once = target >= 90 ? 16 : 8, fraction = target >= 90 ? 25 : 24;
            double exact = 0, bias = 0, plain_bias = 0;
            for (int repeat = 0; repeat < 8; repeat++) {
                float sum = 0, plain = 0;
                exact = 0;
                for (int k = 0; k < n_keys; k += at_once) {
                    Term p[16], v[16];
                    for (int i = 0; i < at_once; i++) {
                        u32 a = (0x3D800000u + (random32() & 0x01FFFFFFu)) & 0xFFFF0000u;
                        u32 b = (0x3F000000u + (random32() & 0x00FFFFFFu)) & 0xFFFF0000u;
                        exact += (double)f(a) * (double)f(b);
                        plain += f(a) * f(b);
                        p[i] = term_of(f(a), -126);
                        v[i] = term_of(f(b), -126);
                    }
                    sum = tensor_sum(p, v, at_once, sum, fraction);
                }
                bias += ((double)sum - exact) / exact / 8;
                plain_bias += std::fabs((double)plain - exact) / exact / 8;
            }
            printf("sm_%d, %5d keys: truncated sums are %.1e of themselves too small; f32 sums %.0e off\n", target,
                   n_keys, -bias, plain_bias);
            good &= bias < 0 && bias > -1e-3;
        }
    return good;
}

int main(void)
{
    if (!freopen("/dev/null", "w", stderr)) /* races are meant */
        return 2;
    int bad = 0;
    struct Row {
        u32 a, b, c, o;
        u64 e, q;
    };
    Row *rows = (Row *)(uintptr_t)global_variable(32 * sizeof(Row), 64);
    for (const Test &t : tests)
        for (unsigned round = 0; round < 3; round++) {
            settings.seed = round;
            settings.target = t.target;
            std::string text =
                ".version 8.0\n.target sm_80\n.address_size 64\n.visible .entry t(.param .u64 p)\n{\n.reg .pred %p, %p2, "
                "%odd;\n.reg .b16 %h, %ha;\n.reg .b32 %a, %b, %c, %o, %la, %s;\n.reg .b64 %e, %q, %x;\n.reg .f32 %f, %f1, %f2, %f3;\n.shared .align 16 "
                ".b8 sMem[512];\nmov.u32 %la, %tid.x;\nmov.u32 %s, sMem;\nld.param.u64 %x, [p];\nmad.wide.u32 %x, %la, 32, "
                "%x;\nld.global.v2.b32 {%a, %b}, [%x];\nld.global.b32 %c, [%x+8];\nld.global.u64 %e, [%x+16];\nmov.b64 %q, "
                "0;\nmov.b32 %o, 0;\nand.b32 %s, %la, 1;\nsetp.ne.s32 %odd, %s, 0;\nmov.u32 %s, sMem;\ncvt.u16.u32 %ha, "
                "%a;\n";
            text += t.ptx;
            text += "\nst.global.b32 [%x+12], %o;\nst.global.u64 [%x+24], %q;\nret;\n}\n";
            Module m;
            In all[32];
            for (u32 l = 0; l < 32; l++) {
                Row &r = rows[l];
                r = {random32(), random32(), random32(), 0, (u64)random32() << 32 | random32(), 0};
                if (t.small) /* around 1, both signs */
                    r.a = (r.a & 0x83FFFFFF) | 0x3C000000, r.b = (r.b & 0x83FFFFFF) | 0x3C000000,
                    r.c = (r.c & 0x83FFFFFF) | 0x3C000000;
                all[l] = {r.a, r.b, r.c, l, r.e};
            }
            const char *wrong;
            int races = n_races;
            try {
                module_load(m, text);
                u32 one[3] = {1, 1, 1}, block[3] = {32, 1, 1};
                void *p = rows, *args[] = {&p};
                wrong = launch_kernel(m.kernels["t"], one, block, 0, args);
            } catch (Error &e) {
                wrong = strdup(e.text.c_str());
            }
            for (u32 l = 0; l < 32 && !wrong; l++) {
                u64 want = t.want(all[l], all), got = t.wide ? rows[l].q : rows[l].o;
                if (want == ~0ull ? f(rows[l].o) == f(rows[l].o) : got != (t.wide ? want : (u32)want)) {
                    printf("lane %u, seed %u: %s\n  a %08x b %08x c %08x: got %llx, want %llx\n", l, round, t.ptx,
                           all[l].a, all[l].b, all[l].c, (unsigned long long)got, (unsigned long long)want);
                    wrong = "";
                }
            }
            if (!wrong && (n_races > races) != (t.ptx[0] == ' ')) {
                printf("%s\n  %d races\n", t.ptx, n_races - races);
                wrong = "";
            }
            if (wrong && *wrong)
                printf("%s\n  %s\n", t.ptx, wrong);
            bad += wrong != nullptr;
        }
    printf("%zu instructions and sequences, 3 orders of lanes: %d wrong\n", sizeof tests / sizeof *tests, bad);
    return bad != 0 || !truncation();
}
