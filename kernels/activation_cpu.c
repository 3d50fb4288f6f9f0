/* activation on the CPU. */
#include "cpu_math.h"
#include "operands.h"

#define CHUNK 1024

static void run(const op_call *c)
{
    const tensor *x = &c->in[ONLY_X], *y = &c->out[RESULT];
    size_t n = tensor_count(x);
#pragma omp parallel for num_threads(threads_for(c, n)) schedule(static)
    for (size_t i = 0; i < n; i += CHUNK) {
        float values[CHUNK];
        size_t m = n - i < CHUNK ? n - i : CHUNK;
        load_row(values, (const char *)x->data + i * dtype_bytes(x->type), x->type, m);
        act_row(c->attr->act, values, m);
        store_row((char *)y->data + i * dtype_bytes(y->type), values, y->type, m);
    }
}

const op_cpu CPU_FN(activation_cpu) = {.run = run};
