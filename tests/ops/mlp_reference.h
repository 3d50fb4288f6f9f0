/* mlp_reference.h - what an MLP must be, with its norm, taps, gate and residual: op_reference of OP_mlp. */
#ifndef MLP_REFERENCE_H
#define MLP_REFERENCE_H

#include "op_test.h"

#include <math.h>
#include <stdlib.h>

enum { MOST = 1024 };

static void norm_reference(const op_case *t, dtype round, double *v, int cols)
{
    double mean = 0, var = 0;
    for (int c = 0; c < cols; c++)
        mean += v[c] / cols;
    for (int c = 0; c < cols; c++)
        var += (v[c] - mean) * (v[c] - mean) / cols;
    for (int c = 0; c < cols; c++)
        v[c] = rounded(round, (v[c] - mean) / sqrt(var + (double)t->attr.eps) * value(&t->in[5], 0, 0, c) +
                                  value(&t->in[6], 0, 0, c));
}

static double dot(const tensor *w, const tensor *b, int o, const double *x, dtype round)
{
    double sum = b->type != DT_NONE ? value(b, 0, 0, o) : 0;
    for (int k = 0; k < w->cols; k++)
        sum = rounded(sum_type(round), sum + value(w, 0, o, k) * x[k]);
    return sum;
}

/* Channel c of what taps, their bias and the gate make of pixel r. */
static double convolved(const op_case *t, dtype round, int n, int r, int c)
{
    const tensor *x = &t->in[0], *taps = &t->in[8];
    double sum = 0;
    for (int tap = 0; tap < 9; tap++) {
        int row = r / t->attr.w + tap / 3 - 1, col = r % t->attr.w + tap % 3 - 1;
        if (row >= 0 && row < t->attr.h && col >= 0 && col < t->attr.w)
            sum = rounded(sum_type(round), sum + value(x, n, row * t->attr.w + col, c) * value(taps, 0, c, tap));
    }
    if (t->in[9].type != DT_NONE)
        sum += value(&t->in[9], 0, 0, c);
    return rounded(round, t->in[10].type != DT_NONE ? value(&t->in[10], n, 0, c) * sum : sum);
}

static void mlp_reference(const op_case *t, dtype round, double *const *out)
{
    const tensor *x = &t->in[0], *w1 = &t->in[1], *w2 = &t->in[3], *residual = &t->in[7];
    double v[MOST], h[MOST];
    assert_true(x->cols <= MOST && w1->rows <= MOST);
    for (int n = 0; n < x->n; n++)
        for (int r = 0; r < x->rows; r++) {
            for (int c = 0; c < x->cols; c++)
                v[c] = t->in[8].type != DT_NONE ? convolved(t, round, n, r, c) : value(x, n, r, c);
            if (t->in[5].type != DT_NONE)
                norm_reference(t, round, v, x->cols);
            for (int j = 0; j < w1->rows; j++)
                h[j] = rounded(round, act_reference(t->attr.act, dot(w1, &t->in[2], j, v, round)));
            for (int o = 0; o < x->cols; o++)
                out[0][row_of(x, n, r) + (size_t)o] =
                    dot(w2, &t->in[4], o, h, round) + (residual->type != DT_NONE  ? value(residual, n, r, o)
                                                       : t->in[8].type != DT_NONE ? v[o]
                                                                                  : 0);
        }
}

#endif
