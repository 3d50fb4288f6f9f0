/* max_pool on the CPU: one output row of the image at a time. */
#include "cpu_rows.h"
#include "operands.h"

#define CHUNK 512

/* Either operand's NaN wins. Two plain selects, which the compiler vectorises. */
static inline float larger(float a, float b)
{
    float m = a > b ? a : b;
    return a != a ? a : m;
}

/* The maximum of four pixels, columns at..at+m of them. */
static void pool_chunk(const tensor *x, int object, size_t pixel, size_t w, size_t at, size_t m, float *to)
{
    float a[CHUNK], b[CHUNK], c[CHUNK], d[CHUNK];
    size_t cols = (size_t)x->cols;
    const float *p = row_f32(element_at(x, object, pixel * cols + at), x->type, m, a);
    const float *q = row_f32(element_at(x, object, (pixel + 1) * cols + at), x->type, m, b);
    const float *r = row_f32(element_at(x, object, (pixel + w) * cols + at), x->type, m, c);
    const float *s = row_f32(element_at(x, object, (pixel + w + 1) * cols + at), x->type, m, d);
    for (size_t i = 0; i < m; i++)
        to[i] = larger(larger(p[i], q[i]), larger(r[i], s[i]));
}

static void run(const op_call *c)
{
    const tensor *x = &c->in[ONLY_X], *y = &c->out[RESULT];
    size_t h = (size_t)c->attr->h / 2, w = (size_t)c->attr->w / 2, cols = (size_t)x->cols;
#pragma omp parallel for num_threads(threads_for(c, tensor_count(x))) schedule(static)
    for (size_t line = 0; line < (size_t)y->n * h; line++) {
        int object = (int)(line / h);
        for (size_t i = 0; i < w; i++)
            for (size_t at = 0; at < cols; at += CHUNK) {
                float best[CHUNK];
                size_t m = cols - at < CHUNK ? cols - at : CHUNK;
                pool_chunk(x, object, line % h * 4 * w + 2 * i, 2 * w, at, m, best);
                store_row(element_at(y, object, (line % h * w + i) * cols + at), best, y->type, m);
            }
    }
}

const op_cpu CPU_FN(max_pool_cpu) = {.run = run};
