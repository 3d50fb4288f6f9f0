/* rope on the CPU: row by row. */
#include "cpu_rows.h"
#include "cpu_turn.h"
#include "operands.h"

#define CHUNK 512 /* even: pairs stay together */

static void run(const op_call *c)
{
    const tensor *x = &c->in[ROPE_X], *table = &c->in[ROPE_TABLE], *counts = &c->in[ROPE_N_ROTATED],
                 *y = &c->out[RESULT];
    size_t rows = (size_t)x->rows, cols = (size_t)x->cols;
#pragma omp parallel for num_threads(threads_for(c, tensor_count(y))) schedule(static)
    for (size_t item = 0; item < (size_t)y->n * rows; item++) {
        int object = (int)(item / rows);
        size_t r = item % rows;
        long angles = turn_of_row(c->attr, counts, object, (int)r, x->rows);
        if (angles < 0) {
            copy_rows(y, r, x, r, 1, object);
            continue;
        }
        for (size_t at = 0; at < cols; at += CHUNK) {
            float values[CHUNK], turned[CHUNK];
            size_t m = cols - at < CHUNK ? cols - at : CHUNK;
            const float *from = row_f32(element_at(x, object, r * cols + at), x->type, m, values);
            turn(turned, from, element_at(table, 0, (size_t)angles * cols + at), m);
            store_row(element_at(y, object, r * cols + at), turned, y->type, m);
        }
    }
}

const op_cpu CPU_FN(rope_cpu) = {.run = run};
