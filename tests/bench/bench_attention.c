/* Times attention and window_attention on the shapes that decide a frame.
 *     build/tests/bench_attention [threads [repeats [variant [case]]]]      e.g.  bench_attention 2 7 avx512bf16 memory
 * One line per shape and type: milliseconds (median, fastest, slowest; the first run is not counted), the fastest as
 * GFLOP/s, and GFLOP/s of CPU time and thread, which says what the code does when the machine is shared. */
#define _GNU_SOURCE
#include "cpu_math.h"
#include "op.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

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
        fprintf(stderr, "bench_attention: %zu bytes are not to be had\n", n_bytes);
        exit(1);
    }
    return p;
}
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

typedef struct shape {
    const char *name;
    op_id op;
    int rows, keys, heads, dk, dv; /* window_attention: side of the grid, window, heads, head width, pool */
} shape;

static const shape shapes[] = {
    {"memory", OP_attention, 4096, 28736, 1, 256, 64},
    {"memory, values not folded", OP_attention, 4096, 28736, 1, 256, 256},
    {"self", OP_attention, 4096, 4096, 1, 256, 256},
    {"tokens to image", OP_attention, 8, 4096, 8, 16, 16},
    {"image to tokens", OP_attention, 4096, 8, 8, 16, 16},
    {"perceiver", OP_attention, 256, 4096, 1, 64, 64},
    {"tiny stage 1", OP_window_attention, 256, 8, 1, 96, 0},
    {"tiny stage 1 to 2", OP_window_attention, 256, 8, 2, 96, 1},
    {"tiny stage 2", OP_window_attention, 128, 4, 2, 96, 0},
    {"tiny stage 3", OP_window_attention, 64, 14, 4, 96, 0},
    {"tiny stage 3, global", OP_window_attention, 64, 0, 4, 96, 0},
    {"tiny stage 4", OP_window_attention, 32, 7, 8, 96, 0},
    {"large stage 1", OP_window_attention, 256, 8, 2, 72, 0},
    {"large stage 3", OP_window_attention, 64, 16, 8, 72, 0},
    {"base stage 3", OP_window_attention, 64, 14, 8, 56, 0},
};

static void time_shape(const op_cpu *cpu, const shape *s, dtype type, int n_threads, int repeats)
{
    tensor in[OP_MAX_IN] = {{0}}, out = {0};
    op_attr attr = {.heads = s->heads, .scale = 0.1f};
    if (s->op == OP_attention) {
        in[0] = random_tensor(type, s->rows, s->heads * s->dk);
        in[1] = random_tensor(type, s->keys, s->heads * s->dk);
        in[2] = random_tensor(type, s->keys, s->heads * s->dv);
    } else {
        attr.h = attr.w = s->rows;
        attr.window = s->keys;
        attr.pool = s->dv;
        in[0] = random_tensor(type, s->rows * s->rows, 3 * s->heads * s->dk);
        in[1] = random_tensor(DT_F32, 1, 3 * s->heads * s->dk);
    }
    const char *wrong = op_table[s->op]->infer(in, &attr, &out);
    if (wrong) {
        fprintf(stderr, "bench_attention: %s\n", wrong);
        exit(1);
    }
    out.data = memory(tensor_bytes(&out));
    op_call c = {.in = in, .out = &out, .attr = &attr, .n_threads = n_threads};
    c.scratch = memory(cpu->scratch_bytes(&c));
    double *wall = memory((size_t)repeats * sizeof *wall), best_cpu = 0;
    cpu->run(&c);
    for (int i = 0; i < repeats; i++) {
        double w = seconds(CLOCK_MONOTONIC), u = seconds(CLOCK_PROCESS_CPUTIME_ID);
        cpu->run(&c);
        wall[i] = seconds(CLOCK_MONOTONIC) - w;
        u = seconds(CLOCK_PROCESS_CPUTIME_ID) - u;
        best_cpu = i == 0 || u < best_cpu ? u : best_cpu;
    }
    qsort(wall, (size_t)repeats, sizeof *wall, ascending);
    double flops = op_table[s->op]->cost(in, &out, &attr).flops;
    printf("%-26s %-4s %9.3f ms (%.3f .. %.3f)  %7.1f GF/s  %7.1f per CPU second\n", s->name,
           type == DT_F32 ? "f32" : "bf16", wall[repeats / 2] * 1e3, wall[0] * 1e3, wall[repeats - 1] * 1e3,
           flops / wall[0] * 1e-9, flops / best_cpu * 1e-9);
    for (int i = 0; i < 3; i++)
        free(in[i].data);
    free(out.data);
    free(c.scratch);
    free(wall);
}

int main(int argc, char **argv)
{
    int n_threads = argc > 1 ? atoi(argv[1]) : 2, repeats = argc > 2 ? atoi(argv[2]) : 5;
    const char *variant = argc > 3 && argv[3][0] ? argv[3] : NULL, *wanted = argc > 4 ? argv[4] : "", *name = "";
    const op_cpu *const *table = op_cpu_select(variant, &name);
    if (!table || n_threads < 1 || repeats < 1) {
        fprintf(stderr, "usage: bench_attention [threads [repeats [variant [case]]]]\n");
        return 1;
    }
    printf("%s, %d threads, %d runs\n", name, n_threads, repeats);
    for (size_t i = 0; i < sizeof shapes / sizeof *shapes; i++)
        for (int half = 0; half < 2; half++)
            if (strstr(shapes[i].name, wanted))
                time_shape(table[shapes[i].op], &shapes[i], half ? DT_BF16 : DT_F32, n_threads, repeats);
    return 0;
}
