/* pixel_shuffle on the CPU: line by line of the output, in blocks of pixels that stay in the first-level cache. */
#include "cpu_norm.h"
#include "cpu_rows.h"
#include "operands.h"

#include <omp.h>

#define BLOCK 2048 /* elements */

static size_t pixels_per_block(size_t cols)
{
    return cols >= BLOCK ? 1 : BLOCK / cols;
}
static size_t block_floats(size_t cols)
{
    return (pixels_per_block(cols) * cols + 15) / 16 * 16;
}
static size_t scratch_bytes(const op_call *c)
{
    return 2 * (size_t)c->n_threads * block_floats((size_t)c->out[RESULT].cols) * sizeof(float);
}

/* Pixels first .. first + n - 1 of the output's line `line` of an object; block and other hold as many pixels. */
static void run_block(const op_call *c, int object, size_t line, size_t first, size_t n, float *block, float *other)
{
    const tensor *x = &c->in[SHUFFLE_X], *plus = &c->in[SHUFFLE_PLUS], *y = &c->out[RESULT];
    size_t w = (size_t)c->attr->w, cols = (size_t)y->cols, at = (line * 2 * w + first) * cols;
    for (size_t i = 0; i < n; i++) {
        size_t group = line % 2 * 2 + (first + i) % 2, pixel = line / 2 * w + (first + i) / 2;
        load_row(block + i * cols, element_at(x, object, (pixel * 4 + group) * cols), x->type, cols);
    }
    if (plus->type != DT_NONE) {
        const float *more = row_f32(element_at(plus, object, at), plus->type, n * cols, other);
        for (size_t i = 0; i < n * cols; i++)
            block[i] += more[i];
    }
    if (c->in[SHUFFLE_GAIN].type != DT_NONE)
        norm_rows(block, block, c->in[SHUFFLE_GAIN].data, c->in[SHUFFLE_BIAS].data, n, cols, c->attr->eps);
    act_row(c->attr->act, block, n * cols);
    store_row(element_at(y, object, at), block, y->type, n * cols);
}

static void run(const op_call *c)
{
    const tensor *y = &c->out[RESULT];
    size_t lines = 2 * (size_t)c->attr->h, w = 2 * (size_t)c->attr->w, step = pixels_per_block((size_t)y->cols);
#pragma omp parallel for num_threads(threads_for(c, tensor_count(y))) schedule(static)
    for (size_t item = 0; item < (size_t)y->n * lines; item++) {
        size_t floats = block_floats((size_t)y->cols);
        float *block = (float *)c->scratch + 2 * (size_t)omp_get_thread_num() * floats;
        for (size_t first = 0; first < w; first += step)
            run_block(c, (int)(item / lines), item % lines, first, w - first < step ? w - first : step, block,
                      block + floats);
    }
}

const op_cpu CPU_FN(pixel_shuffle_cpu) = {.run = run, .scratch_bytes = scratch_bytes};
