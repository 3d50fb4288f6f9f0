/* emu.cpp - runs blocks: which thread runs next, what each waits for, and what is wrong when none can run. */
#include "emu.h"
#include "described_device.h"
#include "fibre.h"

#include <cstdarg>
#include <cstdio>
#include <cstdlib>
#if defined(__SANITIZE_ADDRESS__)
#include <sanitizer/asan_interface.h>
#endif

static const int MAX_THREADS = 1024, WARP = 32, MAX_PENDING = 8, MAX_BARRIERS = 16, MAX_STATICS = 32;
static const size_t GUARD_BYTES = 64;
static const unsigned char POISON = 0xFF, GUARD = 0xA5; /* POISON: NaN in f32, f16 and bf16 */

enum wait_kind { READY, AT_BARRIER, AT_COLLECTIVE, EXITED };

typedef struct copy {
    char *to;
    const char *from;
    int n_bytes, group;
    bool valid;
    const char *file;
    int line;
} copy;

typedef struct thread {
    fibre *stack; /* NULL: not started */
    uint3 index;
    wait_kind wait;
    const char *file; /* where it waits */
    int line, vote_result;
    copy *copies;                         /* cp.async not yet waited for, oldest first */
    int n_copies, copies_capacity, group; /* group: of the copies issued next */
} thread;

/* A warp collective that not all lanes have reached. */
typedef struct pending {
    unsigned mask, arrived;
    emu_collective *run;
    const char *file;
    int line;
    void *request[WARP];
} pending;

typedef struct barrier {
    int n_arrived, n_expected, result;
    emu_vote vote;
    const char *file;
    int line;
} barrier;

static struct {
    void (*body)(void *);
    void *user;
    thread threads[MAX_THREADS];
    int n_threads, n_exited, running;
    int ready[MAX_THREADS], first_ready, n_ready; /* a ring */
    pending collectives[MAX_THREADS / WARP][MAX_PENDING];
    barrier barriers[MAX_BARRIERS];
    fibre *idle[MAX_THREADS];
    int n_idle;
    fibre program; /* the stack that called launch() */
    fibre *current;
    unsigned char *shared;
    size_t shared_bytes;
    struct {
        const void *key;
        unsigned char *data;
        size_t n_bytes;
    } statics[MAX_STATICS];
    int n_statics;
    bool failed;
    char text[2048];
} emu;

emu_launch emu_grid;
uint3 emu_thread_index;
static unsigned seed_now;
static uint64_t random_state;
static unsigned long long n_steps, n_questions;
static size_t shared_limit = 99 * 1024;

void emu_seed(unsigned seed)
{
    seed_now = seed;
}
unsigned long long emu_steps(void)
{
    return n_steps;
}
void emu_shared_limit(size_t n_bytes)
{
    shared_limit = n_bytes;
}
size_t device_shared_limit(void)
{
    const described_device *d = device_described();
    n_questions++;
    return d ? d->shared_limit : shared_limit;
}
int device_multiprocessors(void)
{
    const described_device *d = device_described();
    n_questions++;
    return d ? d->multiprocessors : 4;
}
unsigned long long emu_questions(void)
{
    return n_questions;
}

static unsigned random_below(unsigned n)
{
    random_state = random_state * 6364136223846793005u + 1442695040888963407u;
    return (unsigned)(((random_state >> 32) * n) >> 32);
}

/* Scheduling --------------------------------------------------------------------------------------------------------- */

static void add_ready(int t)
{
    emu.threads[t].wait = READY;
    emu.ready[(emu.first_ready + emu.n_ready++) % MAX_THREADS] = t;
}
static int take_ready(void)
{
    int n = emu.n_ready--;
    if (seed_now == 1)
        return emu.ready[(emu.first_ready + n - 1) % MAX_THREADS];
    int first = emu.first_ready;
    if (seed_now > 1) {
        int other = (first + (int)random_below((unsigned)n)) % MAX_THREADS, t = emu.ready[other];
        emu.ready[other] = emu.ready[first];
        emu.ready[first] = t;
    }
    emu.first_ready = (first + 1) % MAX_THREADS;
    return emu.ready[first];
}

static void switch_to(fibre *to)
{
    fibre *from = emu.current;
    if (from == to)
        return;
    emu.current = to;
    fibre_switch(from, to);
}
static void resume(int t)
{
    emu.running = t;
    emu_thread_index = emu.threads[t].index;
}

static void thread_exited(thread *me)
{
    if (me->n_copies)
        emu_fault("ended with a cp.async that it never waited for", me->copies[0].file, me->copies[0].line);
    me->wait = EXITED;
    emu.n_exited++;
}

/* Runs threads from the start until none is ready; a thread that waited is continued on its own stack. */
static void worker(void)
{
    fibre_begin(&emu.program);
    for (;;) {
        while (emu.n_ready) {
            int t = take_ready();
            n_steps++;
            resume(t);
            if (!emu.threads[t].stack) {
                emu.threads[t].stack = emu.current;
                emu.body(emu.user);
                thread_exited(&emu.threads[emu.running]);
            } else {
                /* This stack has nothing to keep: it goes back, whoever needs one starts here again. */
                emu.idle[emu.n_idle++] = emu.current;
                switch_to(emu.threads[t].stack);
            }
        }
        emu.idle[emu.n_idle++] = emu.current;
        switch_to(&emu.program);
    }
}

/* The running thread waits; others run. Returns when it is ready and chosen. */
static void give_way(void)
{
    int me = emu.running;
    if (!emu.n_ready) {
        switch_to(&emu.program); /* a deadlock, which the launcher reports; never comes back */
        return;
    }
    int t = take_ready();
    n_steps++;
    if (t != me) {
        thread *next = &emu.threads[t];
        if (!next->stack) {
            /* An idle stack takes it from the ring again, in front. */
            emu.first_ready = (emu.first_ready + MAX_THREADS - 1) % MAX_THREADS;
            emu.ready[emu.first_ready] = t;
            emu.n_ready++;
            n_steps--;
            if (!emu.n_idle)
                emu.idle[emu.n_idle++] = fibre_new(worker);
            fibre *to = emu.idle[--emu.n_idle];
            if (!to) {
                fprintf(stderr, "emulator: no memory for stacks\n");
                abort();
            }
            switch_to(to);
        } else {
            resume(t);
            switch_to(next->stack);
        }
    }
    resume(me);
}

static void fail_text(const char *format, ...)
{
    if (emu.failed)
        return;
    emu.failed = true;
    int at = snprintf(emu.text, sizeof emu.text, "emulator: block (%u,%u,%u): ", emu_grid.block_index.x,
                      emu_grid.block_index.y, emu_grid.block_index.z);
    va_list args;
    va_start(args, format);
    vsnprintf(emu.text + at, sizeof emu.text - (size_t)at, format, args);
    va_end(args);
}

void emu_fault(const char *what, const char *file, int line)
{
    fail_text("thread %d: %s (%s:%d)", emu.running, what, file, line);
    switch_to(&emu.program);
    abort(); /* nothing continues a failed kernel */
}

/* Groups of consecutive threads that wait at the same place. */
static void report_deadlock(void)
{
    char list[1500];
    size_t at = 0;
    list[0] = 0;
    for (int t = 0; t < emu.n_threads && at + 160 < sizeof list;) {
        const thread *a = &emu.threads[t];
        int end = t + 1;
        while (end < emu.n_threads && emu.threads[end].wait == a->wait &&
               (a->wait == EXITED || (emu.threads[end].line == a->line && emu.threads[end].file == a->file)))
            end++;
        const char *name = a->file && strrchr(a->file, '/') ? strrchr(a->file, '/') + 1 : a->file;
        at += (size_t)snprintf(list + at, sizeof list - at, "\n    threads %d..%d ", t, end - 1);
        if (a->wait == EXITED)
            at += (size_t)snprintf(list + at, sizeof list - at, "have ended");
        else
            at += (size_t)snprintf(list + at, sizeof list - at, "wait at a %s, %s:%d",
                                   a->wait == AT_BARRIER ? "barrier" : "warp collective", name, a->line);
        t = end;
    }
    fail_text("divergence, no thread can go on:%s", list);
}

/* Waiting ------------------------------------------------------------------------------------------------------------ */

int emu_barrier(int id, int n_threads, emu_vote vote, int predicate, const char *file, int line)
{
    thread *me = &emu.threads[emu.running];
    if (id < 0 || id >= MAX_BARRIERS || n_threads < 0 || n_threads > emu.n_threads || n_threads % WARP)
        emu_fault("barrier number or thread count out of range", file, line);
    barrier *b = &emu.barriers[id];
    int expected = n_threads ? n_threads : emu.n_threads;
    if (!b->n_arrived)
        *b = {0, expected, vote == EMU_VOTE_AND, vote, file, line};
    if (b->n_expected != expected || (!n_threads && (b->line != line || b->file != file)))
        emu_fault("divergence: other threads of the block wait at another barrier", file, line);
    b->n_arrived++;
    if (vote == EMU_VOTE_AND)
        b->result &= predicate != 0;
    else if (vote == EMU_VOTE_OR)
        b->result |= predicate != 0;
    else
        b->result += predicate != 0;
    me->wait = AT_BARRIER;
    me->file = file;
    me->line = line;
    me->vote_result = id;
    if (b->n_arrived == b->n_expected) {
        b->n_arrived = 0;
        for (int t = 0; t < emu.n_threads; t++)
            if (emu.threads[t].wait == AT_BARRIER && emu.threads[t].vote_result == id) {
                emu.threads[t].vote_result = b->result;
                add_ready(t);
            }
    }
    give_way();
    return me->vote_result;
}

void emu_collect(unsigned mask, emu_collective *run, void *request, const char *file, int line)
{
    int warp = emu.running / WARP, lane = emu.running % WARP;
    pending *p = emu.collectives[warp], *free_one = nullptr, *mine = nullptr;
    if (!(mask >> lane & 1))
        emu_fault("the calling lane is not in its own mask", file, line);
    int in_warp = emu.n_threads - warp * WARP < WARP ? emu.n_threads - warp * WARP : WARP;
    if (in_warp < WARP && mask >> in_warp)
        emu_fault("the mask has lanes that the block has not", file, line);
    for (int i = 0; i < MAX_PENDING; i++) {
        if (!p[i].arrived)
            free_one = free_one ? free_one : &p[i];
        else if (p[i].mask == mask && p[i].run == run && p[i].file == file && p[i].line == line)
            mine = &p[i];
        else if (p[i].mask >> lane & 1 && p[i].arrived & mask)
            /* They wait for this lane, and it is about to wait for them. */
            emu_fault("divergence: other lanes of the warp wait at another collective, or with another mask", file,
                      line);
    }
    if (!mine) {
        if (!free_one)
            emu_fault("too many parts of a warp wait", file, line);
        mine = free_one;
        mine->mask = mask;
        mine->run = run;
        mine->file = file;
        mine->line = line;
    }
    mine->arrived |= 1u << lane;
    mine->request[lane] = request;
    if (mine->arrived != mask) {
        thread *me = &emu.threads[emu.running];
        me->wait = AT_COLLECTIVE;
        me->file = file;
        me->line = line;
        give_way();
        return;
    }
    const char *wrong = run(mine->request, mask);
    if (wrong)
        emu_fault(wrong, file, line);
    mine->arrived = 0;
    for (int i = 0; i < WARP; i++)
        if (mask >> i & 1 && i != lane)
            add_ready(warp * WARP + i);
    if (seed_now == 0)
        return; /* else this lane is not always the first to go on */
    add_ready(emu.running);
    give_way();
}

/* Shared memory and cp.async ----------------------------------------------------------------------------------------- */

unsigned char *dynamic_shared(void)
{
    return emu.shared;
}
void *emu_static_shared(const void *key, size_t n_bytes)
{
    int i = 0;
    while (i < emu.n_statics && emu.statics[i].key != key)
        i++;
    if (i == emu.n_statics) {
        if (i == MAX_STATICS)
            emu_fault("too many SHARED arrays", "emu.cpp", __LINE__);
        emu.statics[emu.n_statics++] = {key, (unsigned char *)aligned_alloc(128, (n_bytes + 127) / 128 * 128), n_bytes};
        memset(emu.statics[i].data, POISON, n_bytes);
    }
    return emu.statics[i].data;
}
static bool is_shared(const void *p, size_t n)
{
    const unsigned char *at = (const unsigned char *)p;
    if (at >= emu.shared && at + n <= emu.shared + emu.shared_bytes)
        return true;
    for (int i = 0; i < emu.n_statics; i++)
        if (at >= emu.statics[i].data && at + n <= emu.statics[i].data + emu.statics[i].n_bytes)
            return true;
    return false;
}
bool emu_is_shared(const void *p, size_t n)
{
    return is_shared(p, n);
}

void emu_cp_async(void *to, const void *from, int n_bytes, bool valid, const char *file, int line)
{
    thread *me = &emu.threads[emu.running];
    if ((uintptr_t)to % (size_t)n_bytes || (valid && (uintptr_t)from % (size_t)n_bytes))
        emu_fault("cp_async: address is not a multiple of its size", file, line);
    if (!is_shared(to, (size_t)n_bytes))
        emu_fault("cp_async: the target is not in shared memory", file, line);
    if (me->n_copies == me->copies_capacity) {
        me->copies_capacity = me->copies_capacity ? 2 * me->copies_capacity : 32;
        me->copies = (copy *)realloc(me->copies, (size_t)me->copies_capacity * sizeof(copy));
    }
    /* From now on the target holds nothing: neither what was there, nor what is coming. */
    memset(to, POISON, (size_t)n_bytes);
    me->copies[me->n_copies++] = {(char *)to, (const char *)from, n_bytes, me->group, valid, file, line};
}
void emu_cp_async_commit(void)
{
    emu.threads[emu.running].group++;
}
void emu_cp_async_wait(int n_left)
{
    thread *me = &emu.threads[emu.running];
    int kept = 0;
    for (int i = 0; i < me->n_copies; i++) {
        copy *c = &me->copies[i];
        if (c->group >= me->group - n_left) {
            me->copies[kept++] = *c;
            continue;
        }
        if (c->valid)
            memcpy(c->to, c->from, (size_t)c->n_bytes);
        else
            memset(c->to, 0, (size_t)c->n_bytes);
    }
    me->n_copies = kept;
}

/* Blocks --------------------------------------------------------------------------------------------------------------- */

static void block_begin(dim3 block)
{
    emu.first_ready = emu.n_ready = emu.n_exited = 0;
    memset(emu.barriers, 0, sizeof emu.barriers);
    int t = 0;
    for (unsigned z = 0; z < block.z; z++)
        for (unsigned y = 0; y < block.y; y++)
            for (unsigned x = 0; x < block.x; x++, t++) {
                thread *me = &emu.threads[t];
                me->stack = nullptr;
                me->index = {x, y, z};
                me->group = me->n_copies = 0;
                me->file = nullptr;
                add_ready(t);
            }
    for (int w = 0; w < (emu.n_threads + WARP - 1) / WARP; w++)
        for (int i = 0; i < MAX_PENDING; i++)
            emu.collectives[w][i].arrived = 0;
    memset(emu.shared, POISON, emu.shared_bytes);
    for (int i = 0; i < emu.n_statics; i++)
        memset(emu.statics[i].data, POISON, emu.statics[i].n_bytes);
}

static void block_run(void)
{
    emu.current = &emu.program;
    if (!emu.n_idle)
        emu.idle[emu.n_idle++] = fibre_new(worker);
    switch_to(emu.idle[--emu.n_idle]);
    if (emu.failed || emu.n_exited == emu.n_threads)
        return;
    report_deadlock();
}

/* Takes the stacks of a kernel that stopped in the middle. */
static void abandon(void)
{
    for (int t = 0; t < emu.n_threads; t++) {
        thread *me = &emu.threads[t];
        if (me->wait == EXITED || !me->stack)
            continue;
        bool idle = false;
        for (int i = 0; i < emu.n_idle && !idle; i++)
            idle = emu.idle[i] == me->stack;
        if (!idle) {
            fibre_restart(me->stack, worker);
            emu.idle[emu.n_idle++] = me->stack;
        }
    }
}

#if defined(__SANITIZE_ADDRESS__)
static void guard_poison(unsigned char *guard, bool on)
{
    if (on)
        __asan_poison_memory_region(guard, GUARD_BYTES);
    else
        __asan_unpoison_memory_region(guard, GUARD_BYTES);
}
static void guard_check(const unsigned char *)
{
}
#else
static void guard_poison(unsigned char *, bool)
{
}
static void guard_check(const unsigned char *guard)
{
    for (size_t k = GUARD_BYTES; k > 0 && !emu.failed; k--)
        if (guard[k - 1] != GUARD)
            fail_text("wrote up to %zu bytes past dynamic shared memory", k);
}
#endif

static const char *check_launch(dim3 grid, dim3 block, size_t shared_bytes)
{
    uint64_t n = (uint64_t)block.x * block.y * block.z;
    if (n < 1 || n > (uint64_t)MAX_THREADS || block.z > 64)
        return "emulator: a block has 1 to 1024 threads";
    if (!grid.x || !grid.y || !grid.z || grid.x > 0x7FFFFFFFu || grid.y > 65535 || grid.z > 65535)
        return "emulator: the grid is empty or too large (y and z at most 65535)";
    const described_device *d = device_described();
    if (shared_bytes > (d ? d->shared_limit : shared_limit))
        return "emulator: more shared memory than device_shared_limit()";
    return nullptr;
}

const char *emu_run(dim3 grid, dim3 block, size_t shared_bytes, void (*body)(void *), void *user)
{
    const char *wrong = check_launch(grid, block, shared_bytes);
    if (wrong)
        return wrong;
    emu.body = body;
    emu.user = user;
    emu.failed = false;
    emu.n_threads = (int)(block.x * block.y * block.z);
    emu.shared_bytes = shared_bytes;
    /* Builds without AddressSanitizer compare the guard after each block; with it an access stops where it happens. */
    unsigned char *memory = (unsigned char *)aligned_alloc(128, (shared_bytes + GUARD_BYTES + 127) / 128 * 128);
    emu.shared = memory;
    memset(memory + shared_bytes, GUARD, GUARD_BYTES);
    guard_poison(memory + shared_bytes, true);
    emu_grid.grid = grid;
    emu_grid.block = block;
    random_state = 0x9E3779B97F4A7C15u * (seed_now + 1);
    uint64_t n_blocks = (uint64_t)grid.x * grid.y * grid.z, step = 1, first = 0;
    if (seed_now == 1) {
        step = n_blocks - 1; /* -1: descending */
        first = n_blocks - 1;
    } else if (seed_now > 1) {
        first = random_below((unsigned)n_blocks);
    }
    for (uint64_t i = 0, b = first; i < n_blocks && !emu.failed; i++, b = (b + step) % n_blocks) {
        emu_grid.block_index = {(unsigned)(b % grid.x), (unsigned)(b / grid.x % grid.y),
                                (unsigned)(b / grid.x / grid.y)};
        block_begin(block);
        block_run();
        guard_check(memory + shared_bytes);
    }
    guard_poison(memory + shared_bytes, false);
    if (emu.failed)
        abandon();
    free(memory);
    for (int i = 0; i < emu.n_statics; i++)
        free(emu.statics[i].data);
    emu.n_statics = 0;
    return emu.failed ? emu.text : nullptr;
}
