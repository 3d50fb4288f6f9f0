/* rope on the CPU: row by row. */
#include "cpu_rows.h"

#define CHUNK 512 /* even: pairs stay together */

static void turn(float *y, const float *x, const float *table, size_t n)
{
    for (size_t i = 0; i < n; i += 2) {
        float a = x[i], b = x[i + 1], cosine = table[i], sine = table[i + 1];
        y[i] = a * cosine - b * sine;
        y[i + 1] = a * sine + b * cosine;
    }
}

static void run(const op_call *c)
{
    const tensor *x = &c->in[0], *table = &c->in[1], *counts = &c->in[2], *y = &c->out[0];
    size_t rows = (size_t)x->rows, cols = (size_t)x->cols, start = (size_t)c->attr->start;
    size_t period = c->attr->period ? (size_t)c->attr->period : rows;
#pragma omp parallel for num_threads(threads_for(c, tensor_count(y))) schedule(static)
    for (size_t item = 0; item < (size_t)y->n * rows; item++) {
        int object = (int)(item / rows);
        size_t r = item % rows, i = r % period;
        size_t n_rotated = counts->type != DT_NONE ? (size_t) * (const int32_t *)tensor_at(counts, object) : rows;
        if (i < start || r >= n_rotated) {
            copy_rows(y, r, x, r, 1, object);
            continue;
        }
        for (size_t at = 0; at < cols; at += CHUNK) {
            float values[CHUNK], turned[CHUNK];
            size_t m = cols - at < CHUNK ? cols - at : CHUNK;
            const float *from = row_f32(element_at(x, object, r * cols + at), x->type, m, values);
            turn(turned, from, element_at(table, 0, (i - start) * cols + at), m);
            store_row(element_at(y, object, r * cols + at), turned, y->type, m);
        }
    }
}

const op_cpu CPU_FN(rope_cpu) = {.run = run};
