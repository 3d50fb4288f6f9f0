/* amx_instructions.c - see amx_instructions.h. VEX as in Intel's manual, volume 2, section 2.3; opcodes from its chapter
 * on the tile instructions. */
#define _GNU_SOURCE /* REG_RIP */
#define CPU_AMX_TWIN
#include "amx_instructions.h"

#include "cpu_amx.h"

#include <signal.h>
#include <stdatomic.h>
#include <stdlib.h>
#include <ucontext.h>
#include <unistd.h>

#if defined(__x86_64__)

enum { BEGINS, ENDS, ZEROS, LOADS, STORES, DOTS, N_COUNTS };

static _Thread_local amx_tiles tiles;
static _Thread_local int configured;
static atomic_long counts[N_COUNTS];
static struct sigaction before;

static void stop(const char *why)
{
    ssize_t unused = write(2, why, strlen(why));
    (void)unused;
    _exit(99);
}

/* Registers in the order of their numbers. */
static uint64_t reg(const ucontext_t *u, int number)
{
    static const int order[16] = {REG_RAX, REG_RCX, REG_RDX, REG_RBX, REG_RSP, REG_RBP, REG_RSI, REG_RDI,
                                  REG_R8,  REG_R9,  REG_R10, REG_R11, REG_R12, REG_R13, REG_R14, REG_R15};
    return (uint64_t)u->uc_mcontext.gregs[order[number]];
}

typedef struct instruction {
    int opcode, prefix, l, w; /* prefix: 0 none, 1 66, 2 F3, 3 F2 */
    int mod, r, rm, v;        /* with the high bits of VEX        */
    char *address;            /* of the memory operand's base     */
    uint64_t index;           /* scaled: for tiles the stride     */
    size_t n_bytes;
} instruction;

/* Address of [base + index * scale + displacement] without the index, which tile instructions use as a stride. */
static void decode_memory(const ucontext_t *u, const uint8_t *at, int x, int b, instruction *i)
{
    size_t n = 1; /* after ModRM */
    int base = i->rm & 7, has_index = 0;
    uint64_t address = 0, index = 0;
    if ((i->rm & 7) == 4) {
        int sib = at[n++], number = (sib >> 3 & 7) | x << 3;
        base = sib & 7;
        has_index = number != 4;
        index = has_index ? reg(u, number) << (sib >> 6) : 0;
    }
    int no_base = i->mod == 0 && base == 5;
    if (no_base || i->mod == 2) {
        int32_t far;
        memcpy(&far, at + n, 4);
        n += 4;
        address += (uint64_t)(int64_t)far;
    } else if (i->mod == 1) {
        address += (uint64_t)(int64_t)(int8_t)at[n++];
    }
    i->n_bytes += n;
    if (no_base && (i->rm & 7) == 5) /* relative to the next instruction */
        address += (uint64_t)u->uc_mcontext.gregs[REG_RIP] + i->n_bytes;
    else if (!no_base)
        address += reg(u, base | b << 3);
    i->address = (char *)(uintptr_t)address;
    i->index = index;
}

/* C4 [RXB mmmmm] [W vvvv L pp] opcode ModRM, or C5, whose map 0F has none of ours. Returns 0 if it is no such one. */
static int decode(const ucontext_t *u, instruction *i)
{
    const uint8_t *at = (const uint8_t *)(uintptr_t)u->uc_mcontext.gregs[REG_RIP];
    if (at[0] != 0xC4 || (at[1] & 31) != 2)
        return 0;
    int r = !(at[1] & 0x80), x = !(at[1] & 0x40), b = !(at[1] & 0x20);
    *i = (instruction){.opcode = at[3], .prefix = at[2] & 3, .l = at[2] >> 2 & 1, .w = at[2] >> 7, .n_bytes = 4};
    i->v = ~(at[2] >> 3) & 15;
    i->mod = at[4] >> 6;
    i->r = (at[4] >> 3 & 7) | r << 3;
    i->rm = at[4] & 7;
    if (i->mod != 3)
        decode_memory(u, at + 4, x, b, i);
    else
        i->n_bytes += 1, i->rm |= b << 3;
    return !i->w && !i->l;
}

static void configure(const instruction *i)
{
    static const uint8_t wanted[64] = {
        [0] = 1,   [16] = 64, [18] = 64, [20] = 64, [22] = 64, [24] = 64, [26] = 64, [28] = 64, [30] = 64,
        [48] = 16, [49] = 16, [50] = 16, [51] = 16, [52] = 16, [53] = 16, [54] = 16, [55] = 16};
    if (memcmp(i->address, wanted, sizeof wanted))
        stop("amx_instructions: LDTILECFG with another configuration than eight tiles of 16 x 64\n");
    configured = 1;
    amx_begin(&tiles);
}

/* Returns which of the counts it is, or -1. */
static int execute(const instruction *i)
{
    int in_registers = i->mod == 3, with_stride = !in_registers && (i->rm & 7) == 4;
    if (i->opcode == 0x49 && i->prefix == 0 && !in_registers && i->r == 0)
        return configure(i), BEGINS;
    if (i->opcode == 0x49 && i->prefix == 0 && in_registers && i->r == 0 && i->rm == 0)
        return amx_end(&tiles), configured = 0, ENDS;
    if (!configured)
        stop("amx_instructions: a tile is used without a configuration\n");
    if (i->r > 7 || (in_registers && i->rm > 7))
        return -1;
    if (i->opcode == 0x49 && i->prefix == 3 && in_registers && i->rm == 0)
        return amx_zero(&tiles, i->r), ZEROS;
    if (i->opcode == 0x4B && i->prefix == 3 && with_stride)
        return amx_load(&tiles, i->r, i->address, (size_t)i->index), LOADS;
    if (i->opcode == 0x4B && i->prefix == 2 && with_stride)
        return amx_store(&tiles, i->r, i->address, (size_t)i->index), STORES;
    /* Equal registers are an invalid opcode on the hardware. */
    if (i->opcode == 0x5C && i->prefix == 2 && in_registers && i->v < 8 && i->r != i->rm && i->r != i->v &&
        i->rm != i->v)
        return amx_dot(&tiles, i->r, i->rm, i->v), DOTS;
    return -1;
}

static void on_illegal(int signal_number, siginfo_t *info, void *context)
{
    ucontext_t *u = context;
    instruction i;
    (void)signal_number;
    (void)info;
    int done = decode(u, &i) ? execute(&i) : -1;
    if (done < 0)
        stop("amx_instructions: an illegal instruction that is none of those known here\n");
    atomic_fetch_add_explicit(&counts[done], 1, memory_order_relaxed);
    u->uc_mcontext.gregs[REG_RIP] += (greg_t)i.n_bytes;
}

int amx_instructions_begin(void)
{
    struct sigaction a = {.sa_sigaction = on_illegal, .sa_flags = SA_SIGINFO};
    sigemptyset(&a.sa_mask);
    for (int k = 0; k < N_COUNTS; k++)
        atomic_store(&counts[k], 0);
    return sigaction(SIGILL, &a, &before);
}

void amx_instructions_end(void)
{
    sigaction(SIGILL, &before, NULL);
}

amx_counts amx_instructions_counts(void)
{
    return (amx_counts){.begins = counts[BEGINS],
                        .ends = counts[ENDS],
                        .zeros = counts[ZEROS],
                        .loads = counts[LOADS],
                        .stores = counts[STORES],
                        .dots = counts[DOTS]};
}

#else

int amx_instructions_begin(void)
{
    return -1;
}
void amx_instructions_end(void)
{
}
amx_counts amx_instructions_counts(void)
{
    return (amx_counts){0};
}

#endif
