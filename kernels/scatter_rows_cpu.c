/* scatter_rows on the CPU. */
#include "cpu_math.h"
#include "operands.h"

#include <assert.h>

static void run(const op_call *c)
{
    const tensor *x = &c->in[SCATTER_X], *pool = &c->out[RESULT];
    const int32_t *slot = c->in[SCATTER_SLOT].data;
    size_t cols = (size_t)x->cols, rows = (size_t)x->rows;
#pragma omp parallel for num_threads(threads_for(c, tensor_count(x))) schedule(static)
    for (size_t item = 0; item < (size_t)x->n * rows; item++) {
        size_t i = item / rows, to = (size_t)slot[c->in[SCATTER_SLOT].n == 1 ? 0 : i] * rows + item % rows;
        assert(to < (size_t)pool->rows);
        convert_row((char *)pool->data + to * cols * dtype_bytes(pool->type), pool->type,
                    (const char *)x->data + item * cols * dtype_bytes(x->type), x->type, cols);
    }
}

const op_cpu CPU_FN(scatter_rows_cpu) = {.run = run};
