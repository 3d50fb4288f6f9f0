/* layernorm on the CPU: blocks of rows that stay in the first-level cache, so that short rows (4 channels in the mask
 * downsampler) still convert and activate in full vectors. */
#include "cpu_math.h"

#include <omp.h>

#define BLOCK 2048 /* elements */

static size_t rows_per_block(size_t cols)
{
    return cols >= BLOCK ? 1 : BLOCK / cols;
}
static size_t block_floats(size_t cols)
{
    return (rows_per_block(cols) * cols + 15) / 16 * 16;
}
static size_t scratch_bytes(const op_call *c)
{
    return (size_t)c->n_threads * block_floats((size_t)c->in[0].cols) * sizeof(float);
}

static inline void norm_row(float *y, const float *x, const float *gain, const float *bias, size_t cols, float eps)
{
    float sum = 0, squares = 0;
#pragma omp simd reduction(+ : sum)
    for (size_t i = 0; i < cols; i++)
        sum += x[i];
    float mean = sum / (float)cols;
#pragma omp simd reduction(+ : squares)
    for (size_t i = 0; i < cols; i++) {
        float d = x[i] - mean;
        squares += d * d;
    }
    float inverse = 1.0f / sqrtf(squares / (float)cols + eps);
    for (size_t i = 0; i < cols; i++)
        y[i] = (x[i] - mean) * inverse * gain[i] + bias[i];
}

/* Rows of the mask downsampler, 4 and 16 channels, are too short for a loop; a constant length unrolls. */
static void norm_rows(float *y, const float *x, const float *gain, const float *bias, size_t rows, size_t cols,
                      float eps)
{
    if (cols == 4)
        for (size_t i = 0; i < rows; i++)
            norm_row(y + i * 4, x + i * 4, gain, bias, 4, eps);
    else if (cols == 16)
        for (size_t i = 0; i < rows; i++)
            norm_row(y + i * 16, x + i * 16, gain, bias, 16, eps);
    else
        for (size_t i = 0; i < rows; i++)
            norm_row(y + i * cols, x + i * cols, gain, bias, cols, eps);
}

static void run(const op_call *c)
{
    const tensor *x = &c->in[0], *y = &c->out[0];
    const float *gain = c->in[1].data, *bias = c->in[2].data;
    size_t cols = (size_t)x->cols, n_rows = (size_t)x->n * (size_t)x->rows, step = rows_per_block(cols);
#pragma omp parallel for num_threads(threads_for(c, n_rows *cols)) schedule(static)
    for (size_t r = 0; r < n_rows; r += step) {
        size_t rows = n_rows - r < step ? n_rows - r : step;
        float *block = (float *)c->scratch + (size_t)omp_get_thread_num() * block_floats(cols);
        char *to = (char *)y->data + r * cols * dtype_bytes(y->type);
        float *norm = y->type == DT_F32 ? (float *)to : block;
        const float *from =
            row_f32((const char *)x->data + r * cols * dtype_bytes(x->type), x->type, rows * cols, block);
        norm_rows(norm, from, gain, bias, rows, cols, c->attr->eps);
        act_row(c->attr->act, norm, rows * cols);
        if (norm == block)
            store_row(to, block, y->type, rows * cols);
    }
}

const op_cpu CPU_FN(layernorm_cpu) = {.run = run, .scratch_bytes = scratch_bytes};
