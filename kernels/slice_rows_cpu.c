/* slice_rows on the CPU. */
#include "cpu_rows.h"
#include "operands.h"

static void run(const op_call *c)
{
    const tensor *x = &c->in[ONLY_X], *y = &c->out[RESULT];
    size_t rows = (size_t)y->rows, first = (size_t)c->attr->first;
#pragma omp parallel for num_threads(threads_for(c, tensor_count(y))) schedule(static)
    for (size_t item = 0; item < (size_t)y->n * rows; item++)
        copy_rows(y, item % rows, x, first + item % rows, 1, (int)(item / rows));
}

const op_cpu CPU_FN(slice_rows_cpu) = {.run = run};
