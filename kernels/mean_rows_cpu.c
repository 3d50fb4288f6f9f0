/* mean_rows on the CPU: strips of columns, each summed down all rows, or down the rows that each tap reaches; then the
 * excitation, object by object. */
#include "cpu_rows.h"
#include "operands.h"

#include <stdbool.h>

enum { MOST_COLUMNS = 2048, MOST_HIDDEN = 512 };

#define STRIP 64

static bool excites(const op_call *c)
{
    return c->in[MEAN_W1].type != DT_NONE;
}
/* The means as f32, where they are not the result. */
static size_t scratch_bytes(const op_call *c)
{
    return excites(c) ? tensor_count(&c->out[RESULT]) * sizeof(float) : 0;
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
    const tensor *y = &c->out[RESULT];
    float hidden[MOST_HIDDEN], *mean = (float *)c->scratch + (size_t)object * (size_t)y->cols, result[MOST_COLUMNS];
    multiply(hidden, &c->in[MEAN_W1], &c->in[MEAN_BIAS1], mean, ACT_RELU);
    multiply(result, &c->in[MEAN_W2], &c->in[MEAN_BIAS2], hidden, ACT_SIGMOID);
    store_row(tensor_at(y, object), result, y->type, (size_t)y->cols);
}

/* Whether tap `tap` of some output lies on pixel r. */
static bool reaches(const op_attr *a, size_t r, int tap)
{
    int y = (int)r / a->w - (tap / 3 - 1), x = (int)r % a->w - (tap % 3 - 1);
    return y >= 0 && y < a->h && x >= 0 && x < a->w;
}
/* Sums of columns at .. at + m of what the taps make of x; buffer is for a row. */
static void sum_tapped(double *sum, const op_call *c, int object, size_t at, size_t m, float *buffer)
{
    const tensor *x = &c->in[MEAN_X], *taps = &c->in[MEAN_TAPS], *bias = &c->in[MEAN_TAP_BIAS];
    size_t rows = (size_t)x->rows;
    double tapped[9][STRIP] = {{0}};
    for (size_t r = 0; r < rows; r++) {
        const float *v = row_f32(element_at(x, object, r * (size_t)x->cols + at), x->type, m, buffer);
        for (int tap = 0; tap < 9; tap++)
            for (size_t i = 0; reaches(c->attr, r, tap) && i < m; i++)
                tapped[tap][i] += (double)v[i];
    }
    for (size_t i = 0; i < m; i++) {
        float weight[9];
        load_row(weight, element_at(taps, 0, (at + i) * 9), taps->type, 9);
        sum[i] = bias->type != DT_NONE ? (double)((const float *)bias->data)[at + i] * (double)rows : 0;
        for (int tap = 0; tap < 9; tap++)
            sum[i] += (double)weight[tap] * tapped[tap][i];
    }
}

static void run(const op_call *c)
{
    const tensor *x = &c->in[MEAN_X], *y = &c->out[RESULT];
    size_t cols = (size_t)x->cols, rows = (size_t)x->rows, strips = (cols + STRIP - 1) / STRIP;
#pragma omp parallel for num_threads(threads_for(c, tensor_count(x))) schedule(static)
    for (size_t item = 0; item < (size_t)y->n * strips; item++) {
        double sum[STRIP] = {0};
        float buffer[STRIP];
        int object = (int)(item / strips);
        size_t at = item % strips * STRIP, m = cols - at < STRIP ? cols - at : STRIP;
        if (c->in[MEAN_TAPS].type != DT_NONE)
            sum_tapped(sum, c, object, at, m, buffer);
        for (size_t r = 0; c->in[MEAN_TAPS].type == DT_NONE && r < rows; r++) {
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
