/* time_operator.h - what the programs bench_*.c share: one operator on random inputs, timed.
 *     build/tests/bench_WHAT [threads [repeats [variant [case]]]]      e.g.  bench_attention 2 7 avx512bf16 memory
 * A line per case: milliseconds (median, fastest, slowest; the first run is not counted), the fastest as GFLOP/s and GB/s of
 * operands, and GFLOP/s of CPU time and thread, which says what the code does when the machine is shared. */
#ifndef TIME_OPERATOR_H
#define TIME_OPERATOR_H

#include "cpu_math.h"
#include "op.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

typedef struct bench {
    const op_cpu *const *table;
    int n_threads, repeats;
    const char *wanted; /* part of a case's name */
} bench;

static double seconds(clockid_t clock)
{
    struct timespec t;
    clock_gettime(clock, &t);
    return (double)t.tv_sec + 1e-9 * (double)t.tv_nsec;
}
static int ascending(const void *a, const void *b)
{
    double x = *(const double *)a, y = *(const double *)b;
    return (x > y) - (x < y);
}
static void *memory(size_t n_bytes)
{
    void *p = aligned_alloc(64, (n_bytes + 64) / 64 * 64);
    if (!p) {
        fprintf(stderr, "%zu bytes are not to be had\n", n_bytes);
        exit(1);
    }
    return p;
}
/* [1, rows, cols], from -1 to 1. */
static tensor random_tensor(dtype type, int rows, int cols)
{
    tensor t = {.type = type, .n = 1, .rows = rows, .cols = cols};
    t.data = memory(tensor_bytes(&t));
    uint32_t state = 12345;
    for (size_t i = 0; i < tensor_count(&t); i++) {
        state = state * 1664525u + 1013904223u;
        float v = (float)(state >> 8) * 0x1p-23f - 1.0f;
        store_row((char *)t.data + i * dtype_bytes(type), &v, type, 1);
    }
    return t;
}

/* Times op on `in`, whose data it frees, and prints the line. */
static void time_operator(const bench *b, const char *name, op_id op, tensor in[OP_MAX_IN], const op_attr *attr)
{
    const op_cpu *cpu = b->table[op];
    tensor out = {0};
    const char *wrong = op_table[op]->infer(in, attr, &out), *type = in[0].type == DT_F32 ? "f32" : "bf16";
    if (wrong) {
        fprintf(stderr, "%s: %s\n", name, wrong);
        exit(1);
    }
    out.data = memory(tensor_bytes(&out));
    op_call c = {.in = in, .out = &out, .attr = attr, .n_threads = b->n_threads};
    size_t packed_bytes, n = (size_t)b->repeats;
    c.packed = cpu->pack ? cpu->pack(&c, &packed_bytes) : NULL;
    c.bound = cpu->bind ? cpu->bind(&c) : NULL;
    c.scratch = memory(cpu->scratch_bytes(&c));
    double *wall = memory(n * sizeof *wall), best_cpu = 0;
    cpu->run(&c);
    for (size_t i = 0; i < n; i++) {
        double w = seconds(CLOCK_MONOTONIC), u = seconds(CLOCK_PROCESS_CPUTIME_ID);
        cpu->run(&c);
        wall[i] = seconds(CLOCK_MONOTONIC) - w;
        u = seconds(CLOCK_PROCESS_CPUTIME_ID) - u;
        best_cpu = i == 0 || u < best_cpu ? u : best_cpu;
    }
    qsort(wall, n, sizeof *wall, ascending);
    op_cost cost = op_table[op]->cost(in, &out, attr);
    printf("%-26s %-4s %9.3f ms (%.3f .. %.3f)  %7.1f GF/s  %6.1f GB/s  %7.1f GF/s per CPU second\n", name, type,
           wall[n / 2] * 1e3, wall[0] * 1e3, wall[n - 1] * 1e3, cost.flops / wall[0] * 1e-9,
           (cost.bytes_read + cost.bytes_written) / wall[0] * 1e-9, cost.flops / best_cpu * 1e-9);
    if (cpu->unbind)
        cpu->unbind(c.bound);
    if (cpu->unpack)
        cpu->unpack(c.packed);
    for (int i = 0; i < OP_MAX_IN; i++)
        free(in[i].data);
    free(out.data);
    free(c.scratch);
    free(wall);
}

/* The command line; ends the process where it is wrong. */
static bench bench_of(int argc, char **argv)
{
    bench b = {.n_threads = argc > 1 ? atoi(argv[1]) : 2,
               .repeats = argc > 2 ? atoi(argv[2]) : 5,
               .wanted = argc > 4 ? argv[4] : ""};
    const char *name = "";
    b.table = op_cpu_select(argc > 3 && argv[3][0] ? argv[3] : NULL, &name);
    if (!b.table || b.n_threads < 1 || b.repeats < 1) {
        fprintf(stderr, "usage: %s [threads [repeats [variant [case]]]]\n", argv[0]);
        exit(1);
    }
    printf("%s, %d threads, %d runs\n", name, b.n_threads, b.repeats);
    return b;
}

#endif
