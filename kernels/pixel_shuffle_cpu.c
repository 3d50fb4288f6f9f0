/* pixel_shuffle on the CPU: each input pixel gives two neighbours on each of two output lines. */
#include "cpu_rows.h"

static void run(const op_call *c)
{
    const tensor *x = &c->in[0], *y = &c->out[0];
    size_t h = (size_t)c->attr->h, w = (size_t)c->attr->w, pair = (size_t)x->cols / 2;
#pragma omp parallel for num_threads(threads_for(c, tensor_count(x))) schedule(static)
    for (size_t line = 0; line < (size_t)y->n * 2 * h; line++) {
        int object = (int)(line / (2 * h));
        size_t to = line % (2 * h), dy = to % 2;
        for (size_t i = 0; i < w; i++)
            convert_row(element_at(y, object, (to * w + i) * pair), y->type,
                        element_at(x, object, (to / 2 * w + i) * 2 * pair + dy * pair), x->type, pair);
    }
}

const op_cpu CPU_FN(pixel_shuffle_cpu) = {.run = run};
