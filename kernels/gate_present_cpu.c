/* gate_present on the CPU. */
#include "cpu_pair.h"

static void gate_chunk(const op_call *c, int object, float *out, const float *x, const float *y, size_t m)
{
    int present = *(const float *)tensor_at(&c->in[2], object) > 0;
    if (!present && c->attr->first == 1)
        for (size_t i = 0; i < m; i++)
            out[i] = x[i] + y[i];
    else
        memmove(out, present ? x : y, m * sizeof *out);
}

static void run(const op_call *c)
{
    pair_run(c, gate_chunk);
}

const op_cpu CPU_FN(gate_present_cpu) = {.run = run};
