/* mean_rows on the CPU: strips of columns, each summed down all rows; then the excitation, object by object. */
#include "cpu_rows.h"

#include <stdbool.h>

enum { MOST_COLUMNS = 2048, MOST_HIDDEN = 512 };

#define STRIP 64

static bool excites(const op_call *c)
{
    return c->in[1].type != DT_NONE;
}
/* The means as f32, where they are not the result. */
static size_t scratch_bytes(const op_call *c)
{
    return excites(c) ? tensor_count(&c->out[0]) * sizeof(float) : 0;
}

/* y = act(w x + b) */
static void multiply(float *y, const tensor *w, const tensor *b, const float *x, act kind)
{
    float row[MOST_COLUMNS];
    size_t n = (size_t)w->cols;
    for (int o = 0; o < w->rows; o++) {
        float sum = 0;
        load_row(row, element_at(w, 0, (size_t)o * n), w->type, n);
#pragma omp simd reduction(+ : sum)
        for (size_t k = 0; k < n; k++)
            sum += row[k] * x[k];
        y[o] = sum + ((const float *)b->data)[o];
    }
    act_row(kind, y, (size_t)w->rows);
}
static void excite(const op_call *c, int object)
{
    const tensor *y = &c->out[0];
    float hidden[MOST_HIDDEN], *mean = (float *)c->scratch + (size_t)object * (size_t)y->cols, result[MOST_COLUMNS];
    multiply(hidden, &c->in[1], &c->in[2], mean, ACT_RELU);
    multiply(result, &c->in[3], &c->in[4], hidden, ACT_SIGMOID);
    store_row(tensor_at(y, object), result, y->type, (size_t)y->cols);
}

static void run(const op_call *c)
{
    const tensor *x = &c->in[0], *y = &c->out[0];
    size_t cols = (size_t)x->cols, rows = (size_t)x->rows, strips = (cols + STRIP - 1) / STRIP;
#pragma omp parallel for num_threads(threads_for(c, tensor_count(x))) schedule(static)
    for (size_t item = 0; item < (size_t)y->n * strips; item++) {
        double sum[STRIP] = {0};
        float buffer[STRIP];
        int object = (int)(item / strips);
        size_t at = item % strips * STRIP, m = cols - at < STRIP ? cols - at : STRIP;
        for (size_t r = 0; r < rows; r++) {
            const float *v = row_f32(element_at(x, object, r * cols + at), x->type, m, buffer);
            for (size_t i = 0; i < m; i++)
                sum[i] += (double)v[i];
        }
        for (size_t i = 0; i < m; i++)
            buffer[i] = (float)(sum[i] / (double)rows);
        if (excites(c))
            memcpy((float *)c->scratch + (size_t)object * cols + at, buffer, m * sizeof *buffer);
        else
            store_row(element_at(y, object, at), buffer, y->type, m);
    }
    for (int object = 0; excites(c) && object < y->n; object++)
        excite(c, object);
}

const op_cpu CPU_FN(mean_rows_cpu) = {.run = run, .scratch_bytes = scratch_bytes};
