/* Which copy of the CPU operators this machine runs. */
#include "op.h"

#include <stdio.h>
#include <string.h>

typedef struct variant {
    const char *name;
    const op_cpu *const *table;
    int (*usable)(void);
} variant;

static int always(void)
{
    return 1;
}

extern const op_cpu *const op_cpu_table_baseline[OP_COUNT];

#ifdef __x86_64__
extern const op_cpu *const op_cpu_table_avx2[OP_COUNT];
extern const op_cpu *const op_cpu_table_avx512[OP_COUNT];
extern const op_cpu *const op_cpu_table_avx512bf16[OP_COUNT];

static int has_v2(void)
{
    return __builtin_cpu_supports("sse4.2") && __builtin_cpu_supports("popcnt");
}
static int has_avx2(void)
{
    return has_v2() && __builtin_cpu_supports("avx2") && __builtin_cpu_supports("fma") &&
           __builtin_cpu_supports("bmi2");
}
static int has_avx512(void)
{
    return has_avx2() && __builtin_cpu_supports("avx512f") && __builtin_cpu_supports("avx512bw") &&
           __builtin_cpu_supports("avx512vl") && __builtin_cpu_supports("avx512dq") &&
           __builtin_cpu_supports("avx512cd");
}
static int has_avx512bf16(void)
{
    return has_avx512() && __builtin_cpu_supports("avx512bf16");
}
#endif

/* Best first. */
static const variant variants[] = {
#ifdef __x86_64__
    {"avx512bf16", op_cpu_table_avx512bf16, has_avx512bf16},
    {"avx512", op_cpu_table_avx512, has_avx512},
    {"avx2", op_cpu_table_avx2, has_avx2},
    {"baseline", op_cpu_table_baseline, has_v2},
#else
    {"baseline", op_cpu_table_baseline, always},
#endif
};

const op_cpu *const *op_cpu_select(const char *wanted, const char **name)
{
    for (size_t i = 0; i < sizeof variants / sizeof *variants; i++) {
        if ((wanted && strcmp(wanted, variants[i].name)) || !variants[i].usable())
            continue;
        if (name)
            *name = variants[i].name;
        return variants[i].table;
    }
    return NULL;
}

int op_cpu_level(const char *wanted)
{
    const char *name = NULL;
    if (!op_cpu_select(wanted, &name))
        return -1;
    return !strncmp(name, "avx512", 6) ? 2 : !strcmp(name, "avx2");
}

const char *cpu_features(char *text, size_t n_bytes)
{
    (void)always;
#ifdef __x86_64__
    snprintf(text, n_bytes, "%s%s%s%s", has_v2() ? "sse4.2" : "", has_avx2() ? " avx2 fma" : "",
             has_avx512() ? " avx512" : "", has_avx512bf16() ? " avx512_bf16" : "");
#else
    snprintf(text, n_bytes, "%s", "generic");
#endif
    return text;
}
