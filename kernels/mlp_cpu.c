/* mlp on the CPU: row by row. What kernels are compared with; models use two linears through oneDNN here. */
#include "cpu_norm.h"
#include "operands.h"

#include <omp.h>

/* Floats of scratch: x or y, norm(x), one row of weights, the hidden row. */
static size_t row_floats(const op_call *c)
{
    size_t width = (size_t)c->in[MLP_X].cols, hidden = (size_t)c->in[MLP_W1].rows;
    return 2 * width + 2 * hidden + 2 * 16;
}
static size_t scratch_bytes(const op_call *c)
{
    return (size_t)c->n_threads * row_floats(c) * sizeof(float);
}

static void round_row(float *v, dtype type, size_t n)
{
    for (size_t i = 0; i < n; i++) {
        if (type == DT_BF16)
            v[i] = bf16_to_f32(f32_to_bf16(v[i]));
        else
            v[i] = f16_to_f32(f32_to_f16(v[i]));
    }
}

static float half_at(const tensor *t, size_t i)
{
    uint16_t bits = ((const uint16_t *)t->data)[i];
    return t->type == DT_BF16 ? bf16_to_f32(bits) : f16_to_f32(bits);
}

/* y [o] = w x + b */
static void multiply(float *y, const tensor *w, const tensor *b, const float *x, float *row)
{
    size_t n = (size_t)w->cols;
    for (int o = 0; o < w->rows; o++) {
        float sum = 0;
        load_row(row, (const uint16_t *)w->data + (size_t)o * n, w->type, n);
#pragma omp simd reduction(+ : sum)
        for (size_t k = 0; k < n; k++)
            sum += row[k] * x[k];
        y[o] = sum + (b->type != DT_NONE ? ((const float *)b->data)[o] : 0);
    }
}

/* u of row r of all: what the taps and the gate make of x. */
static void convolve_row(float *u, const op_call *c, size_t r)
{
    const tensor *x = &c->in[MLP_X], *taps = &c->in[MLP_TAPS], *bias = &c->in[MLP_TAP_BIAS], *gate = &c->in[MLP_GATE];
    int h = c->attr->h, w = c->attr->w, object = (int)(r / (size_t)x->rows), pixel = (int)(r % (size_t)x->rows);
    for (int k = 0; k < x->cols; k++) {
        float sum = 0, factor = 1;
        for (int tap = 0; tap < 9; tap++) {
            int row = pixel / w + tap / 3 - 1, col = pixel % w + tap % 3 - 1;
            if (row >= 0 && row < h && col >= 0 && col < w)
                sum += half_at(taps, (size_t)k * 9 + (size_t)tap) *
                       half_at(x, ((size_t)object * (size_t)x->rows + (size_t)(row * w + col)) * (size_t)x->cols +
                                      (size_t)k);
        }
        if (bias->type != DT_NONE)
            sum += ((const float *)bias->data)[k];
        if (gate->type != DT_NONE)
            factor = half_at(gate, (size_t)object * (size_t)x->cols + (size_t)k);
        u[k] = factor * sum;
    }
    round_row(u, x->type, (size_t)x->cols);
}

static void run(const op_call *c)
{
    const tensor *x = &c->in[MLP_X], *w1 = &c->in[MLP_W1], *w2 = &c->in[MLP_W2], *residual = &c->in[MLP_RESIDUAL],
                 *y = c->out;
    size_t width = (size_t)x->cols, hidden = (size_t)w1->rows, n_rows = (size_t)x->n * (size_t)x->rows;
#pragma omp parallel for num_threads(c->n_threads) schedule(static)
    for (size_t r = 0; r < n_rows; r++) {
        float *in = (float *)c->scratch + (size_t)omp_get_thread_num() * row_floats(c), *norm = in + width;
        float *h = norm + width, *row = h + hidden; /* row: as long as the longer of both */
        uint16_t *result = (uint16_t *)y->data + r * width;
        const void *more = residual->type != DT_NONE ? (const uint16_t *)residual->data + r * width : NULL;
        if (c->in[MLP_TAPS].type != DT_NONE) {
            convolve_row(in, c, r);
            store_row(result, in, y->type, width); /* exact: it is rounded */
            more = result;
        } else {
            load_row(in, (const uint16_t *)x->data + r * width, x->type, width);
        }
        if (c->in[MLP_GAIN].type != DT_NONE) {
            norm_rows(norm, in, c->in[MLP_GAIN].data, c->in[MLP_NORM_BIAS].data, 1, width, c->attr->eps);
            round_row(norm, x->type, width);
            memcpy(in, norm, width * sizeof *in);
        }
        multiply(h, w1, &c->in[MLP_BIAS1], in, width > hidden ? norm : row);
        act_row(c->attr->act, h, hidden);
        round_row(h, x->type, hidden);
        multiply(in, w2, &c->in[MLP_BIAS2], h, row);
        if (more) {
            load_row(norm, more, y->type, width);
            for (size_t i = 0; i < width; i++)
                in[i] += norm[i];
        }
        store_row(result, in, y->type, width);
    }
}

const op_cpu CPU_FN(mlp_cpu) = {.run = run, .scratch_bytes = scratch_bytes};
