/* Times linear on the shapes that decide a frame, in bf16: time_operator.h. */
#define _GNU_SOURCE
#include "time_operator.h"

#include "dnnl_product.h"

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

int main(int argc, char **argv)
{
    bench b = bench_of(argc, argv);
    for (size_t i = 0; i < sizeof shapes / sizeof *shapes; i++) {
        const shape *s = &shapes[i];
        if (!strstr(s->name, b.wanted))
            continue;
        tensor in[OP_MAX_IN] = {{0}};
        in[PRODUCT_X] = random_tensor(DT_BF16, s->rows, s->in);
        in[PRODUCT_W] = random_tensor(DT_BF16, s->out, s->in);
        in[PRODUCT_B] = random_tensor(DT_F32, 1, s->out);
        if (s->residual)
            in[PRODUCT_RESIDUAL] = random_tensor(DT_BF16, s->rows, s->out);
        time_operator(&b, s->name, OP_linear, in, &(op_attr){.act = s->act});
    }
    return 0;
}
