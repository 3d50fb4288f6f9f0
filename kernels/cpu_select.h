/* cpu_select.h - which copies of the CPU operators a processor may run, and why not the others. op.h has the choice itself
 * (op_cpu_select); this is what `doctor` and tests need besides. */
#ifndef CPU_SELECT_H
#define CPU_SELECT_H

#ifdef __cplusplus
extern "C" {
#endif

/* What processor and kernel offer. */
typedef struct cpu_facts {
    int v2, avx2, avx512, avx512bf16; /* x86-64-v2, -v3, -v4, and AVX512_BF16                           */
    int amx;                          /* amx_tile and amx_bf16                                          */
    int amx_allowed;                  /* the kernel saves tiles, and grants them to this process        */
    int slow_bf16;                    /* AVX512_BF16's products run at half the rate of f32             */
    int neon_bf16;                    /* Arm's FEAT_BF16: BFMMLA                                        */
} cpu_facts;

/* Of this machine. Asks the kernel for tiles, which it then grants to all threads of the process. */
cpu_facts cpu_facts_here(void);

/* Variant number i, best first; NULL after the last. "avx2twin" is for tests and never chosen by itself. */
const char *cpu_variant_name(int i);
/* Why a machine cannot run the variant, or NULL. Unknown names: "not in this build". */
const char *cpu_variant_lacks(const cpu_facts *f, const char *variant);
/* Why the variant is not chosen by itself although it can run, or NULL. */
const char *cpu_variant_passed_over(const cpu_facts *f, const char *variant);
/* The variant that is chosen by itself, NULL if none can run. */
const char *cpu_variant_best(const cpu_facts *f);
/* How that variant computes in bf16, and whether bf16 or fp32 is the faster choice, in a sentence. */
const char *cpu_bf16_note(const cpu_facts *f);

/* What products of tiles alone reach with the variant (NULL: the best) on n_threads threads; 0: it has no tiles. */
double cpu_tile_gflop_s(const char *variant, int n_threads);

#ifdef __cplusplus
}
#endif

#endif
