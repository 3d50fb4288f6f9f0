/* add on the CPU. */
#include "cpu_pair.h"

static void add_chunk(const op_call *c, int object, float *out, const float *x, const float *y, size_t m)
{
    (void)object;
    float scale = c->attr->scale;
    for (size_t i = 0; i < m; i++)
        out[i] = x[i] + scale * y[i];
}

static void run(const op_call *c)
{
    pair_run(c, add_chunk);
}

const op_cpu CPU_FN(add_cpu) = {.run = run};
