/* concat_rows on the CPU. */
#include "cpu_rows.h"
#include "operands.h"

static void run(const op_call *c)
{
    const tensor *a = &c->in[CONCAT_A], *b = &c->in[CONCAT_B], *y = &c->out[RESULT];
    size_t rows = (size_t)y->rows, rows_a = (size_t)a->rows;
#pragma omp parallel for num_threads(threads_for(c, tensor_count(y))) schedule(static)
    for (size_t item = 0; item < (size_t)y->n * rows; item++) {
        size_t r = item % rows;
        copy_rows(y, r, r < rows_a ? a : b, r < rows_a ? r : r - rows_a, 1, (int)(item / rows));
    }
}

const op_cpu CPU_FN(concat_rows_cpu) = {.run = run};
