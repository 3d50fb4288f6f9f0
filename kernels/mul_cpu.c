/* mul on the CPU. */
#include "cpu_pair.h"

static void mul_chunk(const op_call *c, int object, float *out, const float *x, const float *y, size_t m)
{
    (void)object;
    (void)c;
    for (size_t i = 0; i < m; i++)
        out[i] = x[i] * y[i];
}

static void run(const op_call *c)
{
    pair_run(c, mul_chunk);
}

const op_cpu CPU_FN(mul_cpu) = {.run = run};
