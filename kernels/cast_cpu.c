/* cast on the CPU. */
#include "cpu_math.h"
#include "operands.h"

#define CHUNK 8192

static void run(const op_call *c)
{
    const tensor *x = &c->in[ONLY_X], *y = &c->out[RESULT];
    size_t n = tensor_count(x);
#pragma omp parallel for num_threads(threads_for(c, n)) schedule(static)
    for (size_t i = 0; i < n; i += CHUNK)
        convert_row((char *)y->data + i * dtype_bytes(y->type), y->type,
                    (const char *)x->data + i * dtype_bytes(x->type), x->type, n - i < CHUNK ? n - i : CHUNK);
}

const op_cpu CPU_FN(cast_cpu) = {.run = run};
