/* Which copy of the CPU operators this machine runs; see cpu_select.h. */
#define _DEFAULT_SOURCE 1 /* syscall */
#include "cpu_select.h"

#include "op.h"

#include <stdio.h>
#include <string.h>
#ifdef __x86_64__
#include <cpuid.h>
#include <sys/syscall.h>
#include <unistd.h>
#elif defined(__aarch64__)
#include <sys/auxv.h>
#endif

typedef struct variant {
    const char *name;
    const op_cpu *const *table;
    const char *(*lacks)(const cpu_facts *f);
    double (*amx_peak)(int n_threads);
} variant;

#define VARIANT(name)                                                                                                  \
    extern const op_cpu *const op_cpu_table_##name[OP_COUNT];                                                          \
    double amx_peak_##name(int n_threads);

VARIANT(baseline)

#ifdef __x86_64__
VARIANT(avx2)
VARIANT(avx2twin)
VARIANT(avx512)
VARIANT(avx512bf16)
VARIANT(avx512amx)

static const char processor_lacks[] = "this processor lacks it";

static const char *lacks_v2(const cpu_facts *f)
{
    return f->v2 ? NULL : processor_lacks;
}
static const char *lacks_avx2(const cpu_facts *f)
{
    return f->avx2 ? NULL : processor_lacks;
}
static const char *lacks_avx512(const cpu_facts *f)
{
    return f->avx512 ? NULL : processor_lacks;
}
static const char *lacks_avx512bf16(const cpu_facts *f)
{
    return f->avx512bf16 ? NULL : processor_lacks;
}
static const char *lacks_avx512amx(const cpu_facts *f)
{
    if (!f->avx512bf16 || !f->amx)
        return processor_lacks;
    return f->amx_allowed ? NULL
                          : "the processor has AMX, the kernel does not grant its tiles to this process (Linux 5.16 or "
                            "later does, unless a sandbox forbids arch_prctl)";
}
#else
static const char *lacks_nothing(const cpu_facts *f)
{
    (void)f;
    return NULL;
}
#endif

#ifdef __aarch64__
VARIANT(neonbf16)

static const char *lacks_neon_bf16(const cpu_facts *f)
{
    return f->neon_bf16 ? NULL
                        : "this processor lacks it (FEAT_BF16: Neoverse V1, N2 and later; not Jetson Orin's cores)";
}
#endif

#define OF(name, lacks)                                                                                                \
    {                                                                                                                  \
#name, op_cpu_table_##name, lacks, amx_peak_##name                                                             \
    }

/* Best first. */
static const variant variants[] = {
#ifdef __x86_64__
    OF(avx512amx, lacks_avx512amx), OF(avx512bf16, lacks_avx512bf16), OF(avx512, lacks_avx512),
    OF(avx2, lacks_avx2),           OF(avx2twin, lacks_avx2),         OF(baseline, lacks_v2),
#else
#ifdef __aarch64__
    OF(neonbf16, lacks_neon_bf16),
#endif
    OF(baseline, lacks_nothing),
#endif
};
enum { N_VARIANTS = sizeof variants / sizeof *variants };

static const variant *variant_named(const char *name)
{
    for (int i = 0; i < N_VARIANTS; i++)
        if (!strcmp(variants[i].name, name))
            return &variants[i];
    return NULL;
}

const char *cpu_variant_name(int i)
{
    return i >= 0 && i < N_VARIANTS ? variants[i].name : NULL;
}

const char *cpu_variant_lacks(const cpu_facts *f, const char *name)
{
    const variant *v = variant_named(name);
    return v ? v->lacks(f) : "not in this build";
}

const char *cpu_variant_passed_over(const cpu_facts *f, const char *name)
{
    if (!strcmp(name, "avx2twin"))
        return "for tests: the tile kernels with the tiles in C";
    if (!strcmp(name, "avx512bf16") && f->slow_bf16)
        return "this processor's AVX512_BF16 products run at half the rate of f32";
    return NULL;
}

const char *cpu_variant_best(const cpu_facts *f)
{
    for (int i = 0; i < N_VARIANTS; i++)
        if (!variants[i].lacks(f) && !cpu_variant_passed_over(f, variants[i].name))
            return variants[i].name;
    return NULL;
}

const char *cpu_bf16_note(const cpu_facts *f)
{
    const char *best = cpu_variant_best(f);
    if (best && !strcmp(best, "avx512amx"))
        return "products on tiles (AMX_BF16): --precision bf16 is by far the faster choice";
    if (best && !strcmp(best, "avx512bf16"))
        return "native products (AVX512_BF16): --precision bf16 is the faster choice";
    if (best && !strcmp(best, "neonbf16"))
        return "native products (BFMMLA): --precision bf16 is the faster choice";
    if (f->slow_bf16)
        return "without its tiles this processor has no bf16 products faster than fp32: --precision bf16 halves memory, but "
               "is computed by way of fp32";
    return "no bf16 instructions: --precision bf16 halves memory, but is computed by way of fp32 and slower than fp32";
}

const op_cpu *const *op_cpu_select(const char *wanted, const char **name)
{
    cpu_facts f = cpu_facts_here();
    const char *chosen = wanted ? wanted : cpu_variant_best(&f);
    const variant *v = chosen ? variant_named(chosen) : NULL;
    if (!v || v->lacks(&f))
        return NULL;
    if (name)
        *name = v->name;
    return v->table;
}

double cpu_tile_gflop_s(const char *wanted, int n_threads)
{
    const char *name = NULL;
    return op_cpu_select(wanted, &name) ? variant_named(name)->amx_peak(n_threads) : 0;
}

/* Without asking the processor: CPUID leaves a virtual machine, which takes some microseconds, and loops over the rows of
 * a mask ask for the best level. The C runtime has read these bits at the start of the process. */
static cpu_facts vectors_here(void)
{
#ifdef __x86_64__
    cpu_facts f = {.v2 = __builtin_cpu_supports("sse4.2") && __builtin_cpu_supports("popcnt")};
    f.avx2 = f.v2 && __builtin_cpu_supports("avx2") && __builtin_cpu_supports("fma") && __builtin_cpu_supports("bmi2");
    f.avx512 = f.avx2 && __builtin_cpu_supports("avx512f") && __builtin_cpu_supports("avx512bw") &&
               __builtin_cpu_supports("avx512vl") && __builtin_cpu_supports("avx512dq") &&
               __builtin_cpu_supports("avx512cd");
    f.avx512bf16 = f.avx512 && __builtin_cpu_supports("avx512bf16");
    return f;
#else
    return (cpu_facts){.v2 = 1};
#endif
}

int op_cpu_level(const char *wanted)
{
    const char *name = NULL;
    if (!wanted) {
        cpu_facts f = vectors_here();
        return f.v2 ? f.avx2 + f.avx512 : -1;
    }
    if (!op_cpu_select(wanted, &name))
        return -1;
    return !strncmp(name, "avx512", 6) ? 2 : !strncmp(name, "avx2", 4);
}

#ifdef __x86_64__
/* Golden Cove servers, Sapphire and Emerald Rapids (family 6, models 143 and 207): measured, vdpbf16ps 108 to 115 GF/s a
 * core, f32 multiply-adds 220 to 237. On AMD's Zen 4 and 5 it is twice f32. */
static int has_slow_bf16(void)
{
    unsigned a, b, c, d, vendor[3];
    if (!__get_cpuid(0, &a, &vendor[0], &vendor[2], &vendor[1]) || memcmp(vendor, "GenuineIntel", 12) ||
        !__get_cpuid(1, &a, &b, &c, &d))
        return 0;
    unsigned family = a >> 8 & 15, model = (a >> 4 & 15) | (a >> 12 & 0xF0);
    return family == 6 && (model == 143 || model == 207);
}

static int has_amx(void)
{
    unsigned a, b, c, d;
    return __get_cpuid_count(7, 0, &a, &b, &c, &d) && (d >> 22 & 1) && (d >> 24 & 1); /* AMX-BF16, AMX-TILE */
}

/* Linux saves the 8 KiB of tiles only for processes that asked (Documentation/arch/x86/xstate.rst). The grant is the
 * process's, and asking again changes nothing. */
static int amx_granted(void)
{
    enum { ARCH_REQ_XCOMP_PERM = 0x1023, XFEATURE_XTILEDATA = 18, TILE_STATES = 3 << 17 };
    unsigned a, b, c, d, low, high;
    if (!__get_cpuid(1, &a, &b, &c, &d) || !(c >> 27 & 1)) /* OSXSAVE */
        return 0;
    __asm__ volatile("xgetbv" : "=a"(low), "=d"(high) : "c"(0));
    (void)high;
    return (low & TILE_STATES) == TILE_STATES && !syscall(SYS_arch_prctl, ARCH_REQ_XCOMP_PERM, XFEATURE_XTILEDATA);
}

cpu_facts cpu_facts_here(void)
{
    cpu_facts f = vectors_here();
    f.amx = has_amx();
    f.amx_allowed = f.amx && amx_granted();
    f.slow_bf16 = f.avx512bf16 && has_slow_bf16();
    return f;
}
#elif defined(__aarch64__)
cpu_facts cpu_facts_here(void)
{
    enum { HWCAP2_FEAT_BF16 = 1 << 14 }; /* Linux, Documentation/arch/arm64/elf_hwcaps.rst */
    return (cpu_facts){.neon_bf16 = (getauxval(AT_HWCAP2) & HWCAP2_FEAT_BF16) != 0};
}
#else
cpu_facts cpu_facts_here(void)
{
    return (cpu_facts){0};
}
#endif

const char *cpu_features(char *text, size_t n_bytes)
{
    cpu_facts f = cpu_facts_here();
#ifdef __x86_64__
    snprintf(text, n_bytes, "%s%s%s%s%s", f.v2 ? "sse4.2" : "", f.avx2 ? " avx2 fma" : "", f.avx512 ? " avx512" : "",
             f.avx512bf16 ? " avx512_bf16" : "", f.amx ? " amx_tile amx_bf16" : "");
#elif defined(__aarch64__)
    snprintf(text, n_bytes, "neon%s", f.neon_bf16 ? " bf16" : "");
#else
    (void)f;
    snprintf(text, n_bytes, "%s", "generic");
#endif
    return text;
}
