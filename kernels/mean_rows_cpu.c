/* mean_rows on the CPU: strips of columns, each summed down all rows. */
#include "cpu_rows.h"

#define STRIP 64

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
        store_row(element_at(y, object, at), buffer, y->type, m);
    }
}

const op_cpu CPU_FN(mean_rows_cpu) = {.run = run};
