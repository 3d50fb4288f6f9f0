/* time_encoding on the CPU: a few rows, so in double with libm. */
#include "cpu_rows.h"
#include "operands.h"

static void run(const op_call *c)
{
    const tensor *ages = &c->in[ONLY_X], *y = &c->out[RESULT];
    size_t cols = (size_t)y->cols, half = cols / 2, size = dtype_bytes(y->type);
    for (size_t r = 0; r < (size_t)y->n * (size_t)y->rows; r++) {
        double age = (double)((const float *)ages->data)[r];
        char *row = (char *)y->data + r * cols * size;
        for (size_t i = 0; i < half; i++) {
            double phase = age / pow(10000.0, 2.0 * (double)(i / 2) / (double)half);
            float code[2] = {(float)sin(phase), (float)cos(phase)};
            store_row(row + i * size, &code[0], y->type, 1);
            store_row(row + (half + i) * size, &code[1], y->type, 1);
        }
    }
}

const op_cpu CPU_FN(time_encoding_cpu) = {.run = run};
