/* Times linear on the shapes that decide a frame.
 *     build/tests/bench_linear [threads [repeats [variant]]]      e.g.  bench_linear 2 7 avx512amx
 * One line per shape in bf16: milliseconds (median, fastest, slowest; the first run is not counted), the fastest as GFLOP/s and GB/s. */
#define _GNU_SOURCE
#include "cpu_math.h"
#include "op.h"
#include "dnnl_product.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

static double seconds(void)
{
    struct timespec t;
    clock_gettime(CLOCK_MONOTONIC, &t);
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
        fprintf(stderr, "bench_linear: %zu bytes are not to be had\n", n_bytes);
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
    int rows, in, out;
    act act;
    bool residual;
} shape;

static const shape shapes[] = {
    {"tiny stage 1, qkv", 65536, 96, 288, ACT_NONE, false},
    {"tiny stage 1, projection", 65536, 96, 96, ACT_NONE, true},
    {"tiny stage 1, MLP in", 65536, 96, 384, ACT_GELU, false},
    {"tiny stage 1, MLP out", 65536, 384, 96, ACT_NONE, true},
    {"tiny stage 2, MLP in", 16384, 192, 768, ACT_GELU, false},
    {"tiny stage 2, MLP out", 16384, 768, 192, ACT_NONE, true},
    {"tiny stage 3, qkv", 4096, 384, 1152, ACT_NONE, false},
    {"tiny stage 3, MLP in", 4096, 384, 1536, ACT_GELU, false},
    {"tiny stage 3, MLP out", 4096, 1536, 384, ACT_NONE, true},
    {"tiny stage 4, MLP in", 1024, 768, 3072, ACT_GELU, false},
    {"attend, projection", 4096, 256, 256, ACT_NONE, true},
    {"attend, keys", 28736, 64, 256, ACT_NONE, false},
    {"attend, MLP in", 4096, 256, 2048, ACT_RELU, false},
    {"attend, MLP out", 4096, 2048, 256, ACT_NONE, true},
};

static void time_shape(const op_cpu *cpu, const shape *s, int n_threads, int repeats)
{
    tensor in[OP_MAX_IN] = {{0}}, out = {0};
    op_attr attr = {.act = s->act};
    in[PRODUCT_X] = random_tensor(DT_BF16, s->rows, s->in);
    in[PRODUCT_W] = random_tensor(DT_BF16, s->out, s->in);
    in[PRODUCT_B] = random_tensor(DT_F32, 1, s->out);
    if (s->residual)
        in[PRODUCT_RESIDUAL] = random_tensor(DT_BF16, s->rows, s->out);
    const char *wrong = op_table[OP_linear]->infer(in, &attr, &out);
    if (wrong) {
        fprintf(stderr, "bench_linear: %s\n", wrong);
        exit(1);
    }
    out.data = memory(tensor_bytes(&out));
    op_call c = {.in = in, .out = &out, .attr = &attr, .n_threads = n_threads};
    size_t packed_bytes;
    c.packed = cpu->pack(&c, &packed_bytes);
    c.bound = cpu->bind(&c);
    c.scratch = memory(cpu->scratch_bytes(&c));
    double *wall = memory((size_t)repeats * sizeof *wall);
    cpu->run(&c);
    for (int i = 0; i < repeats; i++) {
        double start = seconds();
        cpu->run(&c);
        wall[i] = seconds() - start;
    }
    qsort(wall, (size_t)repeats, sizeof *wall, ascending);
    op_cost cost = op_table[OP_linear]->cost(in, &out, &attr);
    printf("%-26s %9.3f ms (%.3f .. %.3f)  %7.1f GF/s  %6.1f GB/s\n", s->name, wall[repeats / 2] * 1e3, wall[0] * 1e3,
           wall[repeats - 1] * 1e3, cost.flops / wall[0] * 1e-9, (cost.bytes_read + cost.bytes_written) / wall[0] * 1e-9);
    cpu->unbind(c.bound);
    cpu->unpack((void *)c.packed);
    for (int i = 0; i < OP_MAX_IN; i++)
        free(in[i].data);
    free(out.data);
    free(c.scratch);
    free(wall);
}

int main(int argc, char **argv)
{
    int n_threads = argc > 1 ? atoi(argv[1]) : 2, repeats = argc > 2 ? atoi(argv[2]) : 5;
    const char *variant = argc > 3 && argv[3][0] ? argv[3] : NULL, *name = "";
    const op_cpu *const *table = op_cpu_select(variant, &name);
    if (!table || n_threads < 1 || repeats < 1) {
        fprintf(stderr, "usage: bench_linear [threads [repeats [variant]]]\n");
        return 1;
    }
    printf("%s, %d threads, %d runs\n", name, n_threads, repeats);
    for (size_t i = 0; i < sizeof shapes / sizeof *shapes; i++)
        time_shape(table[OP_linear], &shapes[i], n_threads, repeats);
    return 0;
}
