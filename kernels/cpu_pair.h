/* cpu_pair.h - walks two broadcast inputs and an output in short runs of f32. */
#ifndef CPU_PAIR_H
#define CPU_PAIR_H

#include "cpu_math.h"
#include "operands.h"

#define PAIR_CHUNK 1024

/* f(c, object, out, x, y, m): m consecutive elements of one object; out may be x or y. */
typedef void pair_fn(const op_call *c, int object, float *out, const float *x, const float *y, size_t m);

/* in[0] = x [n|1, R, C], in[1] = y [n|1, R|1, C]  ->  out[0] [n, R, C], any float types. */
static inline void pair_run(const op_call *c, pair_fn *f)
{
    const tensor *x = &c->in[SUM_X], *y = &c->in[SUM_Y], *out = &c->out[RESULT];
    size_t per_object = (size_t)out->rows * (size_t)out->cols;
    size_t span = y->rows == x->rows ? per_object : (size_t)out->cols; /* y repeats after a span */
    size_t chunks = (span + PAIR_CHUNK - 1) / PAIR_CHUNK, spans = per_object / span;
    size_t n_items = (size_t)out->n * spans * chunks;
#pragma omp parallel for num_threads(threads_for(c, tensor_count(out))) schedule(static)
    for (size_t item = 0; item < n_items; item++) {
        float xs[PAIR_CHUNK], ys[PAIR_CHUNK], *result = xs;
        size_t in_span = item % chunks * PAIR_CHUNK, object = item / chunks / spans;
        size_t at = item / chunks % spans * span + in_span;
        size_t m = span - in_span < PAIR_CHUNK ? span - in_span : PAIR_CHUNK;
        char *to = (char *)tensor_at(out, (int)object) + at * dtype_bytes(out->type);
        const char *from_x = (const char *)tensor_at(x, (int)object) + at * dtype_bytes(x->type);
        const char *from_y =
            (const char *)tensor_at(y, (int)object) + (spans == 1 ? at : in_span) * dtype_bytes(y->type);
        if (out->type == DT_F32)
            result = (float *)to;
        f(c, (int)object, result, row_f32(from_x, x->type, m, xs), row_f32(from_y, y->type, m, ys), m);
        if (result == xs)
            store_row(to, xs, out->type, m);
    }
}

#endif
