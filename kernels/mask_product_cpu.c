/* mask_product on the CPU: pixel by pixel, each read once for all vectors. */
#include "cpu_rows.h"
#include "operands.h"

#define COLS 256 /* columns converted at a time */

static size_t scratch_bytes(const op_call *c)
{
    return tensor_count(&c->in[PRODUCT_HYPER]) * sizeof(float);
}

static float dot(const float *a, const float *b, size_t n)
{
    float sum = 0;
#pragma omp simd reduction(+ : sum)
    for (size_t i = 0; i < n; i++)
        sum += a[i] * b[i];
    return sum;
}

static void run(const op_call *c)
{
    const tensor *hyper = &c->in[PRODUCT_HYPER], *x = &c->in[PRODUCT_X], *y = &c->out[RESULT];
    size_t n_vectors = (size_t)hyper->rows, cols = (size_t)x->cols, n_pixels = (size_t)x->rows;
    float *weights = c->scratch, *out = y->data;
    load_row(weights, hyper->data, hyper->type, tensor_count(hyper));
#pragma omp parallel for num_threads(threads_for(c, tensor_count(x) * (size_t)y->n)) schedule(static)
    for (size_t item = 0; item < (size_t)y->n * n_pixels; item++) {
        size_t object = item / n_pixels, pixel = item % n_pixels;
        const float *w = weights + (hyper->n == 1 ? 0 : object) * n_vectors * cols;
        float *to = out + object * n_vectors * n_pixels + pixel, buffer[COLS];
        for (size_t at = 0; at < cols; at += COLS) {
            size_t m = cols - at < COLS ? cols - at : COLS;
            const float *from = row_f32(element_at(x, (int)object, pixel * cols + at), x->type, m, buffer);
            for (size_t k = 0; k < n_vectors; k++) {
                float sum = dot(w + k * cols + at, from, m);
                to[k * n_pixels] = at ? to[k * n_pixels] + sum : sum;
            }
        }
    }
}

const op_cpu CPU_FN(mask_product_cpu) = {.run = run, .scratch_bytes = scratch_bytes};
