/* Times attention and window_attention on the shapes that decide a frame, in f32 and bf16: time_operator.h. */
#define _GNU_SOURCE
#include "time_operator.h"

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

static void time_shape(const bench *b, const shape *s, dtype type)
{
    tensor in[OP_MAX_IN] = {{0}};
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
    time_operator(b, s->name, s->op, in, &attr);
}

int main(int argc, char **argv)
{
    bench b = bench_of(argc, argv);
    for (size_t i = 0; i < sizeof shapes / sizeof *shapes; i++)
        for (int half = 0; half < 2; half++)
            if (strstr(shapes[i].name, b.wanted))
                time_shape(&b, &shapes[i], half ? DT_BF16 : DT_F32);
    return 0;
}
