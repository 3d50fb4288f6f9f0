/* gate_present on the CPU. */
#include "cpu_pair.h"
#include "operands.h"

static void gate_chunk(const op_call *c, int object, float *out, const float *x, const float *y, size_t m)
{
    const tensor *least = &c->in[GATE_LEAST_SCORE];
    int present = *(const float *)tensor_at(&c->in[GATE_SCORE], object) >
                  (least->type == DT_NONE ? 0 : *(const float *)tensor_at(least, object));
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
