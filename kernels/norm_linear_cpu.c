/* norm_linear on the CPU: row by row. What kernels are compared with; models use layernorm and linear here. */
#include "cpu_norm.h"
#include "operands.h"

enum { MOST_COLUMNS = 512 };

static void run(const op_call *c)
{
    const tensor *x = &c->in[NORM_LINEAR_X], *w = &c->in[NORM_LINEAR_W], *b = &c->in[NORM_LINEAR_BIAS],
                 *plus = &c->in[NORM_LINEAR_PLUS], *y = &c->out[NORM_LINEAR_Y], *norm = &c->out[NORM_LINEAR_NORMED];
    size_t cols = (size_t)x->cols, outs = (size_t)w->rows, n_rows = (size_t)x->n * (size_t)x->rows;
    size_t plus_rows = (size_t)plus->n * (size_t)plus->rows;
#pragma omp parallel for num_threads(c->n_threads) schedule(static)
    for (size_t r = 0; r < n_rows; r++) {
        float u[MOST_COLUMNS], row[MOST_COLUMNS];
        uint16_t rounded[MOST_COLUMNS];
        load_row(row, (const uint16_t *)x->data + r * cols, x->type, cols);
        norm_row(u, row, c->in[NORM_LINEAR_GAIN].data, c->in[NORM_LINEAR_NORM_BIAS].data, cols, c->attr->eps);
        store_row((uint16_t *)norm->data + r * cols, u, x->type, cols);
        if (plus->type != DT_NONE) {
            load_row(row, (const uint16_t *)plus->data + r % plus_rows * cols, plus->type, cols);
            for (size_t i = 0; i < cols; i++)
                u[i] += row[i];
        }
        store_row(rounded, u, x->type, cols);
        load_row(u, rounded, x->type, cols);
        for (size_t o = 0; o < outs; o++) {
            float sum = 0;
            load_row(row, (const uint16_t *)w->data + o * cols, w->type, cols);
#pragma omp simd reduction(+ : sum)
            for (size_t k = 0; k < cols; k++)
                sum += row[k] * u[k];
            sum += b->type != DT_NONE ? ((const float *)b->data)[o] : 0;
            act_row(c->attr->act, &sum, 1);
            store_row((uint16_t *)y->data + r * outs + o, &sum, y->type, 1);
        }
    }
}

const op_cpu CPU_FN(norm_linear_cpu) = {.run = run};
