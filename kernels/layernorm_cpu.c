/* layernorm on the CPU: blocks of rows that stay in the first-level cache, so that short rows (4 channels in the mask
 * downsampler) still convert and activate in full vectors. */
#include "cpu_norm.h"
#include "operands.h"

#include <omp.h>

#define BLOCK 2048 /* elements */

/* Whole fours: cpu_norm.h. */
static size_t rows_per_block(size_t cols)
{
    return cols >= BLOCK / 4 ? 4 : BLOCK / cols / 4 * 4;
}
static size_t block_floats(size_t cols)
{
    return (rows_per_block(cols) * cols + 15) / 16 * 16;
}
static size_t thread_floats(size_t cols)
{
    return block_floats(cols) + norm_room_floats(cols);
}
static size_t scratch_bytes(const op_call *c)
{
    return (size_t)c->n_threads * thread_floats((size_t)c->in[LAYERNORM_X].cols) * sizeof(float);
}

/* Elements from `at` on of y + plus; norm holds y. */
static void add_plus(const op_call *c, size_t at, const float *norm, size_t n)
{
    const tensor *plus = &c->in[LAYERNORM_PLUS], *sum = &c->out[LAYERNORM_SUM];
    size_t per_object = (size_t)plus->rows * (size_t)plus->cols, cols = (size_t)plus->cols;
    for (size_t i = 0; i < n; i += cols) { /* row by row: where it is shared, it begins again with each object */
        size_t from = plus->n == 1 ? (at + i) % per_object : at + i;
        for (size_t k = 0; k < cols; k += 256) {
            float values[256];
            size_t m = cols - k < 256 ? cols - k : 256;
            load_row(values, (const char *)plus->data + (from + k) * dtype_bytes(plus->type), plus->type, m);
            for (size_t j = 0; j < m; j++)
                values[j] += norm[i + k + j];
            store_row((char *)sum->data + (at + i + k) * dtype_bytes(sum->type), values, sum->type, m);
        }
    }
}

/* The norm of a block: `final` if that is all there is to do, of y's type in `to`; else f32, in `norm`. */
static void norm_block(const op_call *c, const char *from, char *to, float *norm, size_t rows, bool final, float *room)
{
    const float *gain = c->in[LAYERNORM_GAIN].data, *bias = c->in[LAYERNORM_BIAS].data;
    const tensor *x = &c->in[LAYERNORM_X], *y = &c->out[LAYERNORM_Y];
    size_t cols = (size_t)x->cols;
    size_t done = norm_whole_fours(final ? to : (char *)norm, final ? y->type : DT_F32, from, x->type, gain, bias, rows,
                                   cols, c->attr->eps, room);
    if (done == rows)
        return;
    size_t at = done * cols, rest = (rows - done) * cols;
    const float *in = row_f32(from + at * dtype_bytes(x->type), x->type, rest, norm + at);
    norm_rows(norm + at, in, gain, bias, rows - done, cols, c->attr->eps);
    if (final && y->type != DT_F32)
        store_row(to + at * dtype_bytes(y->type), norm + at, y->type, rest);
}

static void run(const op_call *c)
{
    const tensor *x = &c->in[LAYERNORM_X], *y = &c->out[LAYERNORM_Y];
    size_t cols = (size_t)x->cols, n_rows = (size_t)x->n * (size_t)x->rows, step = rows_per_block(cols);
    bool adds = c->in[LAYERNORM_PLUS].type != DT_NONE, final = c->attr->act == ACT_NONE && !adds;
#pragma omp parallel for num_threads(threads_for(c, n_rows *cols)) schedule(static)
    for (size_t r = 0; r < n_rows; r += step) {
        size_t rows = n_rows - r < step ? n_rows - r : step;
        float *block = (float *)c->scratch + (size_t)omp_get_thread_num() * thread_floats(cols);
        char *to = (char *)y->data + r * cols * dtype_bytes(y->type);
        float *norm = y->type == DT_F32 ? (float *)to : block;
        norm_block(c, (const char *)x->data + r * cols * dtype_bytes(x->type), to, norm, rows, final,
                   block + block_floats(cols));
        if (final)
            continue;
        act_row(c->attr->act, norm, rows * cols);
        if (norm == block)
            store_row(to, block, y->type, rows * cols);
        if (adds)
            add_plus(c, r * cols, norm, rows * cols);
    }
}

const op_cpu CPU_FN(layernorm_cpu) = {.run = run, .scratch_bytes = scratch_bytes};
