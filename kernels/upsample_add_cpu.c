/* upsample_add on the CPU: one line of the output image at a time. */
#include "cpu_rows.h"
#include "operands.h"

#define CHUNK 512

static void run(const op_call *c)
{
    const tensor *x = &c->in[SUM_X], *y = &c->in[SUM_Y], *out = &c->out[RESULT];
    size_t h = 2 * (size_t)c->attr->h, w = 2 * (size_t)c->attr->w, cols = (size_t)x->cols;
#pragma omp parallel for num_threads(threads_for(c, tensor_count(out))) schedule(static)
    for (size_t line = 0; line < (size_t)out->n * h; line++) {
        int object = (int)(line / h);
        for (size_t i = 0; i < w; i++) {
            size_t to = (line % h * w + i) * cols, from = (line % h / 2 * (w / 2) + i / 2) * cols;
            for (size_t at = 0; at < cols; at += CHUNK) {
                float xs[CHUNK], ys[CHUNK], sum[CHUNK];
                size_t m = cols - at < CHUNK ? cols - at : CHUNK;
                const float *a = row_f32(element_at(x, object, to + at), x->type, m, xs);
                const float *b = row_f32(element_at(y, object, from + at), y->type, m, ys);
                for (size_t k = 0; k < m; k++)
                    sum[k] = a[k] + b[k];
                store_row(element_at(out, object, to + at), sum, out->type, m);
            }
        }
    }
}

const op_cpu CPU_FN(upsample_add_cpu) = {.run = run};
