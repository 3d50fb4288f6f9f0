/* Which variant of the CPU operators is chosen, on processors and kernels that are not this machine's. */
#include "cpu_select.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>

#include <cmocka.h>

#include "op.h"

typedef struct machine {
    const char *name;
    cpu_facts facts;
    const char *best, *bf16; /* expected: the choice, and words of the note on bf16 */
} machine;

#ifdef __x86_64__
static const machine machines[] = {
    {"an old processor", {0}, NULL, "by way of fp32"},
    {"SSE4.2", {.v2 = 1}, "baseline", "by way of fp32"},
    {"AMD Zen 3", {.v2 = 1, .avx2 = 1}, "avx2", "by way of fp32"},
    {"Intel Ice Lake", {.v2 = 1, .avx2 = 1, .avx512 = 1}, "avx512", "by way of fp32"},
    {"AMD Zen 5", {.v2 = 1, .avx2 = 1, .avx512 = 1, .avx512bf16 = 1}, "avx512bf16", "native"},
    {"Sapphire Rapids",
     {.v2 = 1, .avx2 = 1, .avx512 = 1, .avx512bf16 = 1, .amx = 1, .amx_allowed = 1, .slow_bf16 = 1},
     "avx512amx",
     "tiles"},
    {"Sapphire Rapids, tiles refused",
     {.v2 = 1, .avx2 = 1, .avx512 = 1, .avx512bf16 = 1, .amx = 1, .slow_bf16 = 1},
     "avx512",
     "without its tiles"},
    {"a later one with fast bf16, tiles refused",
     {.v2 = 1, .avx2 = 1, .avx512 = 1, .avx512bf16 = 1, .amx = 1},
     "avx512bf16",
     "native"},
};
#elif defined(__aarch64__)
static const machine machines[] = {{"Jetson Orin", {0}, "baseline", "by way of fp32"},
                                   {"Neoverse N2", {.neon_bf16 = 1}, "neonbf16", "native"}};
#else
static const machine machines[] = {{"any", {0}, "baseline", "by way of fp32"}};
#endif

static void chosen(void **state)
{
    (void)state;
    for (size_t i = 0; i < sizeof machines / sizeof *machines; i++) {
        const machine *m = &machines[i];
        const char *best = cpu_variant_best(&m->facts);
        printf("  %s: %s; %s\n", m->name, best ? best : "none", cpu_bf16_note(&m->facts));
        if (m->best)
            assert_string_equal(best, m->best);
        else
            assert_null(best);
        assert_non_null(strstr(cpu_bf16_note(&m->facts), m->bf16));
    }
}

/* Every variant has a table or a reason, on this machine; and a machine with tiles that it may not use says so. */
static void reasons(void **state)
{
    (void)state;
    cpu_facts here = cpu_facts_here();
    const char *name;
    for (int i = 0; (name = cpu_variant_name(i)); i++) {
        const char *lacks = cpu_variant_lacks(&here, name), *passed_over = cpu_variant_passed_over(&here, name);
        printf("  %s: %s%s%s\n", name, lacks ? lacks : "can run here", passed_over ? "; " : "",
               passed_over ? passed_over : "");
        assert_true(!lacks == (op_cpu_select(name, NULL) != NULL));
        assert_true(op_cpu_level(name) >= 0 || lacks);
    }
    /* Two ways to ask for the best: one reads the processor again, the other does not. */
    assert_int_equal(op_cpu_level(NULL), op_cpu_level(cpu_variant_best(&here)));
    assert_string_equal(cpu_variant_lacks(&here, "sse9"), "not in this build");
    assert_null(op_cpu_select("sse9", NULL));
#ifdef __x86_64__
    cpu_facts refused = {.v2 = 1, .avx2 = 1, .avx512 = 1, .avx512bf16 = 1, .amx = 1, .slow_bf16 = 1};
    assert_non_null(strstr(cpu_variant_lacks(&refused, "avx512amx"), "the kernel does not grant"));
    assert_null(cpu_variant_lacks(&refused, "avx512bf16"));
    assert_non_null(strstr(cpu_variant_passed_over(&refused, "avx512bf16"), "half the rate"));
#endif
}

/* Tiles have a rate where a variant has tiles, on the twin too. */
static void tile_peak(void **state)
{
    (void)state;
    const char *name;
    for (int i = 0; (name = cpu_variant_name(i)); i++) {
        double rate = cpu_tile_gflop_s(name, 2);
        int has_tiles = !strcmp(name, "avx512amx") || !strcmp(name, "avx2twin") || !strcmp(name, "neonbf16");
        printf("  %s: products of tiles reach %.1f GFLOP/s on two threads\n", name, rate);
        assert_true((rate > 0) == (has_tiles && op_cpu_select(name, NULL)));
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {cmocka_unit_test(chosen), cmocka_unit_test(reasons),
                                       cmocka_unit_test(tile_peak)};
    return cmocka_run_group_tests(tests, NULL, NULL);
}
