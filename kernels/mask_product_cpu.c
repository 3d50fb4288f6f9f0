/* mask_product on the CPU. Pixels are taken 16 at a time and transposed, so that the sums of 16 pixels are one vector. */
#include "cpu_rows.h"

#define PIXELS 16
#define COLS   64 /* columns transposed at a time */

static size_t scratch_bytes(const op_call *c)
{
    return tensor_count(&c->in[0]) * sizeof(float);
}

/* to[c][p] = column at+c of pixel p; pixels past the last are 0. */
static void transpose(float to[COLS][PIXELS], const tensor *x, int object, size_t pixel, size_t at, size_t m)
{
    size_t cols = (size_t)x->cols, left = (size_t)x->rows - pixel;
    for (size_t p = 0; p < PIXELS; p++) {
        float buffer[COLS];
        if (p >= left) {
            for (size_t i = 0; i < m; i++)
                to[i][p] = 0;
            continue;
        }
        const float *from = row_f32(element_at(x, object, (pixel + p) * cols + at), x->type, m, buffer);
        for (size_t i = 0; i < m; i++)
            to[i][p] = from[i];
    }
}

static void run(const op_call *c)
{
    const tensor *hyper = &c->in[0], *x = &c->in[1], *y = &c->out[0];
    size_t n_vectors = (size_t)hyper->rows, cols = (size_t)x->cols, n_pixels = (size_t)x->rows;
    size_t blocks = (n_pixels + PIXELS - 1) / PIXELS;
    float *weights = c->scratch, *out = y->data;
    load_row(weights, hyper->data, hyper->type, tensor_count(hyper));
#pragma omp parallel for num_threads(threads_for(c, tensor_count(x) * (size_t)y->n)) schedule(static)
    for (size_t item = 0; item < (size_t)y->n * blocks; item++) {
        size_t object = item / blocks, pixel = item % blocks * PIXELS;
        size_t n = n_pixels - pixel < PIXELS ? n_pixels - pixel : PIXELS;
        const float *w = weights + (hyper->n == 1 ? 0 : object) * n_vectors * cols;
        float *to = out + object * n_vectors * n_pixels + pixel, block[COLS][PIXELS];
        for (size_t at = 0; at < cols; at += COLS) {
            size_t m = cols - at < COLS ? cols - at : COLS;
            transpose(block, x, (int)object, pixel, at, m);
            for (size_t k = 0; k < n_vectors; k++) {
                float sum[PIXELS] = {0};
                for (size_t i = 0; i < m; i++)
                    for (size_t p = 0; p < PIXELS; p++)
                        sum[p] += w[k * cols + at + i] * block[i][p];
                for (size_t p = 0; p < n; p++)
                    to[k * n_pixels + p] = at ? to[k * n_pixels + p] + sum[p] : sum[p];
            }
        }
    }
}

const op_cpu CPU_FN(mask_product_cpu) = {.run = run, .scratch_bytes = scratch_bytes};
