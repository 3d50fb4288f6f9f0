/* access.cpp - an access of a kernel to memory: its bounds, its alignment, its state space, its races; and the message of
 * what is wrong with it. */
#include "ptx.h"

#include <cstdarg>
#include <cstdio>

int n_races, n_shared_races;

/* Races: accesses to one word by different warps of a block with no barrier of the block between them (shared memory), or
 * by different blocks of a launch (global memory), of which one writes, and not both are atomic. Whoever comes second is
 * noted; nothing stops. */
static const u8 SEVERAL = 255;
static const u32 MANY = ~0u;
static const u64 MOST_SHADOWED = 64 << 20; /* bytes of an allocation */

std::string source_of(const Ins &i)
{
    if (i.loc < 0)
        return "";
    const Loc &l = run.k->locs[(size_t)i.loc];
    auto name = [](int file) {
        std::string path = run.k->module->files[file];
        size_t slash = path.rfind('/');
        return slash == std::string::npos ? path : path.substr(slash + 1);
    };
    std::string s = ", " + name(l.file) + ":" + std::to_string(l.line);
    if (l.in_line)
        s += " in " + name(l.in_file) + ":" + std::to_string(l.in_line);
    return s;
}
std::string ptx_text(const Ins &i)
{
    std::string_view t = run.k->module->text;
    for (int line = 1; line < i.line; line++)
        t.remove_prefix(std::min(t.find('\n'), t.size() - 1) + 1);
    std::string s(t.substr(0, t.find('\n')));
    for (char &c : s)
        c = c == '\t' ? ' ' : c;
    while (!s.empty() && s[0] == ' ')
        s.erase(0, 1);
    return s;
}

void fault(Warp &w, const Ins &i, int lane, const char *format, ...)
{
    char what[512];
    va_list args;
    va_start(args, format);
    vsnprintf(what, sizeof what, format, args);
    va_end(args);
    fail("ptx: %s, block (%u,%u,%u), thread %d: %s\n    PTX line %d%s: %s", run.k->name.c_str(), run.at[0], run.at[1],
         run.at[2], w.index * 32 + lane, what, i.line, source_of(i).c_str(), ptx_text(i).c_str());
}

static bool shared_range(u32 address, u32 n, const Ins &i)
{
    for (const Variable &v : run.k->shared)
        if (address >= v.at && address + n <= v.at + v.n_bytes) {
            i.low = v.at;
            i.high = v.at + v.n_bytes;
            return true;
        }
    u32 first = run.k->dynamic_first;
    if (run.k->has_dynamic && address >= first && address + n <= first + run.dynamic_bytes) {
        i.low = first;
        i.high = first + run.dynamic_bytes;
        return true;
    }
    return false;
}
/* Tests hand variables of their own to kernels. Their bounds are not known. */
extern "C" char __executable_start, _end;
extern "C" void *__libc_stack_end;
static bool is_static_or_stack(u64 address, u32 n)
{
    u64 end = address + n;
    return (address >= (u64)(uintptr_t)&__executable_start && end <= (u64)(uintptr_t)&_end) ||
           (address >= run.stack && end <= (u64)(uintptr_t)__libc_stack_end);
}

static int line_of(const Ins &i)
{
    return run.k->locs[(size_t)i.loc].line;
}
static void race(const char *memory, const Ins &i, const Ins *other, Access access, bool wrote)
{
    const Ins *first = other ? other : &i; /* each pair of source lines once */
    if (!run.k->races.insert({i.loc < 0 ? i.line : line_of(i), first->loc < 0 ? first->line : line_of(*first)}).second)
        return;
    n_races++;
    n_shared_races += strstr(memory, "shared") != nullptr;
    fprintf(stderr, "ptx: %s: a race in %s memory\n    PTX line %d%s %s: %s\n", run.k->name.c_str(), memory, i.line,
            source_of(i).c_str(),
            access == READ    ? "reads"
            : access == WRITE ? "writes"
                              : "changes",
            ptx_text(i).c_str());
    if (other)
        fprintf(stderr, "    what PTX line %d%s %s: %s\n", other->line, source_of(*other).c_str(),
                wrote ? "wrote" : "read", ptx_text(*other).c_str());
}
static void touch(Shadow *s, u32 n_words, u32 epoch, u32 who, Access access, const Ins &i, const char *memory)
{
    for (; n_words-- > 0; s++) {
        if (s->epoch != epoch)
            s->epoch = epoch, s->writer = s->reader = 0, s->atomic = false, s->by = nullptr;
        bool atomic = access == ATOMIC && s->atomic;
        if (s->writer && s->writer != who + 1 && !atomic)
            race(memory, i, s->by, access, true);
        else if (access != READ && s->reader && s->reader != who + 1)
            race(memory, i, s->writer ? nullptr : s->by, access, false);
        if (access == READ) {
            s->reader = s->reader && s->reader != who + 1 ? MANY : who + 1;
            if (!s->writer)
                s->by = &i;
        } else {
            s->atomic = access == ATOMIC && (!s->writer || s->atomic);
            s->writer = who + 1;
            s->by = &i;
        }
    }
}
/* Lanes of a warp do not order their accesses by running together: that takes bar.warp.sync or a barrier. */
static void touch_in_warp(Shadow *s, u32 n_words, u32 key, int lane, Access access, const Ins &i)
{
    u8 me = (u8)(lane + 1);
    for (; n_words-- > 0; s++) {
        if (s->key != key)
            s->key = key, s->lane_wrote = s->lane_read = 0;
        if (access != ATOMIC && s->lane_wrote && s->lane_wrote != me)
            race("a warp's shared", i, s->by, access, true);
        else if (access == WRITE && s->lane_read && s->lane_read != me)
            race("a warp's shared", i, s->by, access, false);
        u8 &who = access == READ ? s->lane_read : s->lane_wrote;
        who = who && who != me ? SEVERAL : me;
    }
}
static Shadow shared_shadow[(DYNAMIC_FIRST + DYNAMIC_MOST + 4096) / 4];

u8 *memory_at(Warp &w, const Ins &i, Space space, u64 address, u32 n, int lane, int access)
{
    const bool store = access != READ;
    const char *verb = store ? "writes" : "reads";
    if (space == GENERIC) {
        u64 shared = address - (u64)(uintptr_t)run.shared;
        if (shared < DYNAMIC_MOST + DYNAMIC_FIRST) {
            space = SHARED;
            address = shared;
        } else {
            u64 local = address - (u64)(uintptr_t)w.local;
            space = w.local && local < 32ull * run.k->local_bytes ? LOCAL : GLOBAL;
        }
    }
    /* A vector is aligned to all of it. */
    if ((address & (n - 1)) && !(n & (n - 1)))
        fault(w, i, lane, "misaligned: %s %u bytes at %#llx", verb, n, (unsigned long long)address);
    switch (space) {
    case SHARED:
        if (address >> 32 ||
            (!(i.space == SHARED && address >= i.low && address + n <= i.high) && !shared_range((u32)address, n, i))) {
            i.low = 1, i.high = 0;
            std::string list;
            char text[200];
            for (const Variable &v : run.k->shared) {
                snprintf(text, sizeof text, " %s %#x..%#x", v.name.c_str(), v.at, v.at + v.n_bytes);
                list += text;
            }
            snprintf(text, sizeof text, " dynamic %#x..%#x", run.k->dynamic_first,
                     run.k->dynamic_first + run.dynamic_bytes);
            list += text;
            fault(w, i, lane, "%s %u bytes of shared memory out of bounds, at %#llx; there is%s", verb, n,
                  (unsigned long long)address, list.c_str());
        }
        if (settings.races && n >= 4) {
            touch_in_warp(shared_shadow + address / 4, n / 4, w.key, lane, (Access)access, i);
            touch(shared_shadow + address / 4, n / 4, run.epoch, (u32)w.index, (Access)access, i, "shared");
        }
        return run.shared + address;
    case LOCAL: {
        u64 at = address - (u64)(uintptr_t)w.local - (u64)lane * run.k->local_bytes;
        if (at + n > run.k->local_bytes)
            fault(w, i, lane, "%s %u bytes of local memory out of bounds", verb, n);
        return (u8 *)(uintptr_t)address;
    }
    case PARAM: {
        u64 at = address - (u64)(uintptr_t)param_buffer;
        if (at + n > run.k->param_bytes || store)
            fault(w, i, lane, "%s %u bytes of parameters out of bounds", verb, n);
        return (u8 *)(uintptr_t)address;
    }
    default: {
        if (address >= i.low && address + n <= i.high) {
            if (settings.races && n >= 4 && i.high - i.low <= MOST_SHADOWED) {
                Allocation *a = (Allocation *)i.where;
                if (a->words.empty())
                    a->words.resize((size_t)(i.high - i.low + 3) / 4 + 1);
                touch(a->words.data() + (address - i.low) / 4, n / 4, run.launch, run.block_number, (Access)access, i,
                      "global");
            }
            return (u8 *)(uintptr_t)address;
        }
        Allocation *a = allocation_of(address);
        if (a && a->end >= address + n) {
            i.low = a->first;
            i.high = a->end;
            i.where = a;
            return memory_at(w, i, GLOBAL, address, n, lane, access);
        }
        if (address - (u64)(uintptr_t)run.shared < DYNAMIC_MOST + DYNAMIC_FIRST)
            fault(w, i, lane, "%s global memory at an address of shared memory", verb);
        char near[160] = "";
        if (a)
            snprintf(near, sizeof near, "; %lld bytes behind the start of an allocation of %llu",
                     (long long)(address - a->first), (unsigned long long)(a->end - a->first));
        if (is_static_or_stack(address, n))
            return (u8 *)(uintptr_t)address;
        const Allocation *next = allocation_behind(address);
        if (next && next->first - address < 4096)
            snprintf(near + strlen(near), sizeof near - strlen(near), "; %lld bytes before an allocation of %llu",
                     (long long)(next->first - address), (unsigned long long)(next->end - next->first));
        fault(w, i, lane, "%s %u bytes of global memory out of bounds, at %#llx%s", verb, n,
              (unsigned long long)address, near);
    }
    }
}
void shared_to_generic(Warp &w, const Ins &i, u32 mask)
{
    u64 *d = (u64 *)(w.r + i.o[0]);
    const u64 *a = (const u64 *)(w.r + i.o[1]);
    for (int l = 0; l < 32; l++)
        if (mask >> l & 1)
            d[l] = a[l] + (u64)(uintptr_t)run.shared;
}
void generic_to_shared(Warp &w, const Ins &i, u32 mask)
{
    u64 *d = (u64 *)(w.r + i.o[0]);
    const u64 *a = (const u64 *)(w.r + i.o[1]);
    for (int l = 0; l < 32; l++)
        if (mask >> l & 1) {
            d[l] = a[l] - (u64)(uintptr_t)run.shared;
            if (d[l] > DYNAMIC_MOST + DYNAMIC_FIRST)
                fault(w, i, l, "cvta.to.shared of an address outside shared memory");
        }
}
