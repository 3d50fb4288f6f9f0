/* window_partition on the CPU: a line of a window is contiguous on both sides. */
#include "cpu_rows.h"
#include "operands.h"

static void run(const op_call *c)
{
    const tensor *x = &c->in[ONLY_X], *y = &c->out[RESULT];
    size_t side = (size_t)c->attr->window, w = (size_t)c->attr->w, across = w / side;
    size_t lines = (size_t)c->attr->h * across; /* lines of windows per image, in output order */
#pragma omp parallel for num_threads(threads_for(c, tensor_count(y))) schedule(static)
    for (size_t item = 0; item < (size_t)y->n * lines; item++) {
        size_t line = item % lines, window = line / side;
        size_t iy = window / across * side + line % side, ix = window % across * side;
        copy_rows(y, line * side, x, iy * w + ix, side, (int)(item / lines));
    }
}

const op_cpu CPU_FN(window_partition_cpu) = {.run = run};
