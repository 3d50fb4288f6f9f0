/* run.cpp - runs a kernel: blocks one after the other, the warps of a block in an order that the seed chooses.
 *
 * Lanes of a warp that are at the same instruction are a group and run together. A branch that they do not agree on splits
 * the group; groups that meet at an instruction become one. Which group goes on is free (independent thread scheduling):
 * the one that is furthest behind with seed 0, the one that is furthest ahead with seed 1, any of them else, so that code
 * that relies on lanes being together without a .sync instruction changes its results. */
#include "ptx.h"

#include "described_device.h"

#include <algorithm>
#include <cstdio>
#include <cstdlib>

Settings settings = {.seed = 0, .shared_limit = 99 * 1024, .steps = 0};
Running run;
alignas(64) u8 param_buffer[8192];

size_t shared_limit(void)
{
    const described_device *d = device_described();
    return d ? d->shared_limit : settings.shared_limit;
}

static const u64 TOO_LONG = 4000000000ull; /* instructions of a block: it hangs */

static unsigned random_below(unsigned n)
{
    run.random = run.random * 6364136223846793005u + 1442695040888963407u;
    return (unsigned)(((run.random >> 32) * n) >> 32);
}
int lane_order(int k)
{
    return settings.seed == 0 ? k : settings.seed == 1 ? 31 - k : (k * 5 + (int)settings.seed) & 31;
}

/* A warp ------------------------------------------------------------------------------------------------------------------ */

static int choose_group(Warp &w)
{
    int best = -1, n = 0;
    for (int g = 0; g < (int)w.groups.size(); g++) {
        if (w.groups[(size_t)g].state != Group::READY)
            continue;
        n++;
        if (best < 0 || (settings.seed == 0   ? w.groups[(size_t)g].pc < w.groups[(size_t)best].pc
                         : settings.seed == 1 ? w.groups[(size_t)g].pc > w.groups[(size_t)best].pc
                                              : random_below((unsigned)n) == 0))
            best = g;
    }
    return best;
}
/* Groups at the same instruction become one. Those that wait there take only lanes that they wait for. */
static void groups_meet(Warp &w)
{
    for (size_t a = 0; a < w.groups.size(); a++)
        for (size_t b = a + 1; b < w.groups.size(); b++) {
            Group &x = w.groups[a], &y = w.groups[b];
            if (x.pc != y.pc || (x.state == Group::AT_SYNC && !(x.want & y.mask)) ||
                (y.state == Group::AT_SYNC && !(y.want & x.mask)))
                continue;
            x.mask |= y.mask;
            x.state = Group::READY;
            w.groups.erase(w.groups.begin() + (int)b--);
        }
}
static void lanes_exit(Warp &w, const Ins &i, u32 mask)
{
    for (int l = 0; l < 32; l++)
        if (mask >> l & 1 && !w.copies[l].empty())
            fault(w, *w.copies[l][0].by, l, "ended with a cp.async that it never waited for");
    (void)i;
    w.live &= ~mask;
    for (Group &g : w.groups) /* those who wait for these lanes look again */
        if (g.state == Group::AT_SYNC)
            g.state = Group::READY;
}
/* Lanes that have to be there before a SYNC or WARP instruction runs. */
static u32 needed(Warp &w, const Ins &i, u32 *mask)
{
    if (i.kind == WARP) {
        if (w.live != ~0u)
            fault(w, i, __builtin_ctz(*mask), "a .aligned instruction of the whole warp, but lanes %#x have ended",
                  ~w.live);
        return ~0u;
    }
    const u32 *m = (const u32 *)(w.r + i.mask_operand);
    u32 want = m[__builtin_ctz(*mask)], same = 0;
    for (int l = 0; l < 32; l++)
        if (*mask >> l & 1) {
            same |= (u32)(m[l] == want) << l;
            if (!(m[l] >> l & 1))
                fault(w, i, l, "the calling lane is not in its own mask %#x", m[l]);
        }
    *mask = same;
    if (want & ~w.exists)
        fault(w, i, __builtin_ctz(same), "the mask %#x has lanes that the block has not", want);
    return want & w.live;
}
static void barrier_check(int id);
static void barrier_arrive(Warp &w, const Ins &i, u32 mask)
{
    int first = __builtin_ctz(mask);
    u32 id = ((const u32 *)(w.r + i.o[0]))[first], threads = i.o[1] < 0 ? 0 : ((const u32 *)(w.r + i.o[1]))[first];
    if (id >= (u32)MAX_BARRIERS || threads % 32 || threads > (u32)run.n_warps * 32)
        fault(w, i, first, "barrier %u of %u threads", id, threads);
    for (int l = 0; l < 32; l++)
        if (mask >> l & 1 &&
            (((const u32 *)(w.r + i.o[0]))[l] != id || (i.o[1] >= 0 && ((const u32 *)(w.r + i.o[1]))[l] != threads)))
            fault(w, i, l, "lanes of a warp name different barriers");
    auto &b = run.barriers[id];
    if (!b.n_arrived) {
        b.threads = (int)threads;
        b.any = false;
        b.all = true;
        b.count = 0;
    } else if (b.threads != (int)threads) {
        fault(w, i, first, "others wait at this barrier for %d threads, not %u", b.threads, threads);
    }
    if (i.o[3] >= 0) {
        u32 p = *(const u32 *)(w.r + i.o[3]);
        p = (i.imm2 ? ~p : p) & mask;
        b.any |= p != 0;
        b.all &= p == mask;
        b.count += __builtin_popcount(p);
    }
    b.n_arrived++;
    w.at_barrier = &i;
    w.groups[0].state = Group::AT_BARRIER;
    barrier_check((int)id);
}
static void barrier_check(int id)
{
    auto &b = run.barriers[id];
    if (!b.n_arrived)
        return;
    int live = 0;
    for (int k = 0; k < run.n_warps; k++)
        live += run.warps[k].live != 0;
    if (b.n_arrived < (b.threads ? b.threads / 32 : live))
        return;
    b.n_arrived = 0;
    if (!b.threads || b.threads == run.n_warps * 32)
        run.epoch++;
    for (int k = 0; k < run.n_warps; k++) {
        Warp &w = run.warps[k];
        if (!w.at_barrier || ((const u32 *)(w.r + w.at_barrier->o[0]))[__builtin_ctz(w.live)] != (u32)id)
            continue;
        const Ins &i = *w.at_barrier;
        u32 mask = w.groups[0].mask;
        if (i.imm == 3) {
            for (int l = 0; l < 32; l++)
                if (mask >> l & 1)
                    ((u32 *)(w.r + i.o[2]))[l] = (u32)b.count;
        } else if (i.imm) {
            u32 &d = *(u32 *)(w.r + i.o[2]);
            d = (d & ~mask) | ((i.imm == 1 ? b.any : b.all) ? mask : 0);
        }
        w.at_barrier = nullptr;
        w.key = ++run.key;
        w.groups[0].state = Group::READY;
        w.groups[0].pc++;
    }
}

/* Runs the warp for at most `budget` instructions, or until it waits or has ended. */
static void warp_run(Warp &w, int budget)
{
    const Ins *code = run.k->code.data();
    const int n_code = (int)run.k->code.size();
    while (budget > 0) {
        if (w.groups.size() > 1)
            groups_meet(w);
        int chosen = choose_group(w);
        if (chosen < 0)
            return;
        for (;;) {
            Group *g = &w.groups[(size_t)chosen];
            if (g->pc >= n_code)
                fail("ptx: %s: runs past its end", run.k->name.c_str());
            const Ins &i = code[g->pc];
            u32 mask = g->mask;
            if (i.guard >= 0) {
                u32 p = *(const u32 *)(w.r + i.guard);
                mask &= i.guard_not ? ~p : p;
            }
            i.count++;
            budget--;
            run.block_steps++;
            w.now = mask;
            bool reschedule = false;
            switch (i.kind) {
            case PLAIN:
                if (mask)
                    i.run(w, i, mask);
                g->pc++;
                break;
            case BRANCH: {
                u32 other = g->mask & ~mask;
                if (!mask) {
                    g->pc++;
                } else if (!other) {
                    g->pc = i.target;
                } else {
                    if (i.uniform)
                        fault(w, i, __builtin_ctz(mask), "bra.uni that lanes %#x of %#x take", mask, g->mask);
                    g->mask = mask;
                    int next = g->pc + 1;
                    g->pc = i.target;
                    w.groups.push_back({other, next, Group::READY, 0});
                    reschedule = true;
                }
                break;
            }
            case EXIT:
                g->mask &= ~mask;
                g->pc++;
                lanes_exit(w, i, mask);
                if (!g->mask) {
                    w.groups.erase(w.groups.begin() + chosen);
                    if (!w.live)
                        for (int b = 0; b < MAX_BARRIERS; b++)
                            barrier_check(b);
                }
                reschedule = true;
                break;
            case SYNC:
            case WARP:
            case BARRIER: {
                if (!mask) {
                    g->pc++;
                    break;
                }
                u32 parts = mask, want = i.kind == BARRIER ? w.live : needed(w, i, &parts);
                if (parts != g->mask) { /* the others do not execute it, or with another mask */
                    u32 others = g->mask & ~parts, skip = g->mask & ~mask;
                    int pc = g->pc;
                    g->mask = parts;
                    if (skip)
                        w.groups.push_back({skip, pc + 1, Group::READY, 0});
                    if (others & ~skip)
                        w.groups.push_back({others & ~skip, pc, Group::READY, 0});
                    g = &w.groups[(size_t)chosen];
                }
                if (want & ~g->mask) {
                    g->state = Group::AT_SYNC;
                    g->want = want;
                    reschedule = true;
                } else if (i.kind == BARRIER) {
                    barrier_arrive(w, i, g->mask);
                    reschedule = true;
                } else {
                    i.run(w, i, g->mask);
                    if (i.kind == SYNC && g->mask == w.live && i.orders)
                        w.key = ++run.key;
                    g->pc++;
                }
                break;
            }
            }
            if (reschedule)
                break;
            if (w.groups.size() > 1) {
                bool other_turn = settings.seed > 1 && random_below(16) == 0;
                for (const Group &other : w.groups) {
                    int pc = w.groups[(size_t)chosen].pc;
                    if (&other != &w.groups[(size_t)chosen])
                        other_turn |=
                            other.pc == pc || (settings.seed == 0 && other.state == Group::READY && other.pc < pc);
                }
                if (other_turn)
                    break;
            }
            if (budget <= 0)
                return;
        }
    }
}

/* Blocks ------------------------------------------------------------------------------------------------------------------- */

static bool is_ready(const Warp &w)
{
    for (const Group &g : w.groups)
        if (g.state == Group::READY)
            return true;
    return false;
}
static void report_deadlock(void)
{
    std::string list;
    char text[600];
    for (int k = 0; k < run.n_warps && list.size() < 1200; k++) {
        Warp &w = run.warps[k];
        if (w.groups.empty())
            snprintf(text, sizeof text, "\n    warp %d has ended", k), list += text;
        for (const Group &g : w.groups) {
            const Ins &i = run.k->code[(size_t)g.pc];
            snprintf(text, sizeof text, "\n    warp %d, lanes %#x wait at PTX line %d%s: %.100s", k, g.mask, i.line,
                     source_of(i).c_str(), ptx_text(i).c_str());
            list += text;
        }
    }
    fail("ptx: %s, block (%u,%u,%u): divergence, no thread can go on:%s", run.k->name.c_str(), run.at[0], run.at[1],
         run.at[2], list.c_str());
}

static void block_begin(void)
{
    Kernel &k = *run.k;
    u32 n = run.block[0] * run.block[1] * run.block[2];
    for (const Variable &v : k.shared)
        memset(run.shared + v.at, 0xFF, v.n_bytes);
    if (run.dynamic_bytes && k.has_dynamic)
        memset(run.shared + k.dynamic_first, 0xFF, run.dynamic_bytes);
    memset(run.barriers, 0, sizeof run.barriers);
    run.block_steps = 0;
    run.epoch++;
    for (int x = 0; x < run.n_warps; x++) {
        Warp &w = run.warps[x];
        u32 lanes = n - (u32)x * 32;
        w.live = w.exists = lanes >= 32 ? ~0u : (1u << lanes) - 1;
        w.groups.assign(1, {w.live, 0, Group::READY, 0});
        w.at_barrier = nullptr;
        w.key = ++run.key;
        for (int l = 0; l < 32; l++) {
            w.copies[l].clear();
            w.group[l] = 0;
        }
        for (const auto &s : k.specials)
            if (s.name.compare(0, 6, "%ctaid") == 0)
                for (int l = 0; l < 32; l++)
                    ((u32 *)(w.r + s.at))[l] = run.at[s.name[7] - 'x'];
    }
}
static void warp_begin(Warp &w) /* once a launch: rows that no block changes */
{
    Kernel &k = *run.k;
    memset(w.r, 0xCD, (size_t)k.n_bytes);
    for (const auto &c : k.constants)
        for (int l = 0; l < (c.width ? 32 : 1); l++)
            memcpy(w.r + c.at + l * c.width, &c.value, c.width ? (size_t)c.width : 4);
    if (k.local_base >= 0)
        for (int l = 0; l < 32; l++)
            ((u64 *)(w.r + k.local_base))[l] = (u64)(uintptr_t)(w.local + (size_t)l * k.local_bytes);
    for (const auto &s : k.specials)
        for (u32 l = 0; l < 32; l++) {
            u32 t = (u32)w.index * 32 + l, v = 0;
            u32 tid[3] = {t % run.block[0], t / run.block[0] % run.block[1], t / run.block[0] / run.block[1]};
            int axis = s.name.size() > 2 ? s.name.back() - 'x' : 0;
            if (s.name.compare(0, 5, "%tid.") == 0)
                v = tid[axis];
            else if (s.name.compare(0, 6, "%ntid.") == 0)
                v = run.block[axis];
            else if (s.name.compare(0, 8, "%nctaid.") == 0)
                v = run.grid[axis];
            else if (s.name.compare(0, 7, "%ctaid.") == 0)
                v = 0; /* block_begin */
            else if (s.name == "%laneid")
                v = l;
            else if (s.name == "%warpid")
                v = (u32)w.index;
            else if (s.name == "%nwarpid")
                v = (u32)run.n_warps;
            else if (s.name == "%lanemask_eq")
                v = 1u << l;
            else if (s.name == "%lanemask_lt")
                v = (1u << l) - 1;
            else if (s.name == "%lanemask_le")
                v = (2u << l) - 1;
            else if (s.name == "%lanemask_gt")
                v = ~((2u << l) - 1);
            else if (s.name == "%lanemask_ge")
                v = ~((1u << l) - 1);
            else if (s.name == "%dynamic_smem_size")
                v = run.dynamic_bytes;
            else if (s.name == "%smid")
                v = 0;
            else
                fail("special register %s is not covered", s.name.c_str());
            ((u32 *)(w.r + s.at))[l] = v;
        }
}

static void block_run(void)
{
    int first = 0;
    for (;;) {
        int ready[MAX_WARPS], n = 0;
        for (int k = 0; k < run.n_warps; k++)
            if (is_ready(run.warps[k]))
                ready[n++] = k;
        if (!n)
            break;
        if (run.block_steps > TOO_LONG)
            fail("ptx: %s: a block ran %llu instructions and has not ended", run.k->name.c_str(),
                 (unsigned long long)run.block_steps);
        if (settings.seed == 0) { /* the next one, in turn */
            int next = ready[0];
            for (int k = n; k-- > 0;)
                if (ready[k] >= first)
                    next = ready[k];
            warp_run(run.warps[next], 100000);
            first = next + 1;
        } else if (settings.seed == 1) {
            int next = ready[n - 1];
            for (int k = 0; k < n; k++)
                if (ready[k] < first)
                    next = ready[k];
            warp_run(run.warps[next], 100000);
            first = next;
        } else {
            warp_run(run.warps[ready[random_below((unsigned)n)]], 1 + (int)random_below(2000));
        }
    }
    for (int k = 0; k < run.n_warps; k++)
        if (!run.warps[k].groups.empty())
            report_deadlock();
}

static void check_launch(const Kernel &k)
{
    u64 n = (u64)run.block[0] * run.block[1] * run.block[2];
    if (n < 1 || n > (u64)k.max_threads || n > 1024 || run.block[2] > 64)
        fail("ptx: %s: a block of %llu threads, at most %d", k.name.c_str(), (unsigned long long)n, k.max_threads);
    if (!run.grid[0] || !run.grid[1] || !run.grid[2] || run.grid[0] > 0x7FFFFFFFu || run.grid[1] > 65535 ||
        run.grid[2] > 65535)
        fail("ptx: %s: a grid of %u x %u x %u", k.name.c_str(), run.grid[0], run.grid[1], run.grid[2]);
    if (k.static_shared > 48 * 1024)
        fail("ptx: %s: %u bytes of static shared memory", k.name.c_str(), k.static_shared);
    size_t total = (size_t)k.static_shared + run.dynamic_bytes;
    if (total > shared_limit() || run.dynamic_bytes > (u32)k.max_dynamic_shared)
        fail(
            "ptx: %s: %u static and %u dynamic bytes of shared memory; at most %zu, and %d dynamic ones were asked for",
            k.name.c_str(), k.static_shared, run.dynamic_bytes, shared_limit(), k.max_dynamic_shared);
}

static u8 *grown(u8 *old, size_t *size, size_t need)
{
    if (*size >= need)
        return old;
    free(old);
    *size = (need + 4095) / 4096 * 4096;
    return (u8 *)aligned_alloc(4096, *size);
}

const char *launch_kernel(Kernel &k, const u32 grid[3], const u32 block[3], size_t dynamic_shared, void **args)
{
    try {
        if (!k.ready)
            kernel_prepare(k);
        run.k = &k;
        run.stack = (u64)(uintptr_t)__builtin_frame_address(0);
        memcpy(run.grid, grid, sizeof run.grid);
        memcpy(run.block, block, sizeof run.block);
        run.dynamic_bytes = (u32)dynamic_shared;
        check_launch(k);
        run.launch++;
        for (size_t p = 0; p < k.params.size(); p++)
            memcpy(param_buffer + k.params[p].at, args[p], k.params[p].n_bytes);
        run.n_warps = (int)((block[0] * block[1] * block[2] + 31) / 32);
        if (!run.shared) { /* address 0 is as badly aligned as it may be */
            run.shared = (u8 *)aligned_alloc(4096, DYNAMIC_FIRST + DYNAMIC_MOST + 4096);
        }
        run.registers = grown(run.registers, &run.registers_size, (size_t)k.n_bytes * (size_t)run.n_warps);
        run.local = grown(run.local, &run.local_size, (size_t)k.local_bytes * 32 * (size_t)run.n_warps);
        if (k.local_bytes)
            memset(run.local, 0xFF, (size_t)k.local_bytes * 32 * (size_t)run.n_warps);
        if (k.allocations_seen != allocations_changed() || k.has_dynamic) {
            k.allocations_seen = allocations_changed();
            for (const Ins &i : k.code)
                i.low = 1, i.high = 0;
        }
        for (int x = 0; x < run.n_warps; x++) {
            Warp &w = run.warps[x];
            w.index = x;
            w.r = run.registers + (size_t)x * (size_t)k.n_bytes;
            w.local = k.local_bytes ? run.local + (size_t)x * 32 * k.local_bytes : nullptr;
            warp_begin(w);
        }
        run.random = 0x9E3779B97F4A7C15u * (settings.seed + 1);
        u64 n = (u64)grid[0] * grid[1] * grid[2], step = 1, first = 0;
        if (settings.seed == 1) {
            step = n - 1;
            first = n - 1;
        } else if (settings.seed > 1) {
            first = random_below((unsigned)n);
        }
        for (u64 x = 0, b = first; x < n; x++, b = (b + step) % n) {
            run.block_number = (u32)b;
            run.at[0] = (u32)(b % grid[0]);
            run.at[1] = (u32)(b / grid[0] % grid[1]);
            run.at[2] = (u32)(b / grid[0] / grid[1]);
            block_begin();
            block_run();
            settings.steps += run.block_steps;
        }
        return nullptr;
    } catch (Error &e) {
        run.text = e.text;
        return run.text.c_str();
    }
}
