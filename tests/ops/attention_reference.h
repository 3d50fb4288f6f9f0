/* attention_reference.h - softmax written out: op_reference of OP_attention. */
#ifndef ATTENTION_REFERENCE_H
#define ATTENTION_REFERENCE_H

#include "op_test.h"

#include <math.h>
#include <stdlib.h>

static int positive(int n)
{
    return n > 0 ? n : 1;
}

/* One query of one head: its row of q, keys first..first + n. `p` has room for n. */
static void one_query(const op_case *t, dtype round, int object, int r, int head, int first, int n, double *p,
                      double *out)
{
    const tensor *q = &t->in[0], *k = &t->in[1], *v = &t->in[2];
    int heads = positive(t->attr.heads), qc = t->attr.q_col, kc = t->attr.k_col, vc = t->attr.v_col;
    int dk = (t->attr.qk_cols ? t->attr.qk_cols : q->cols) / heads, dv = t->out[0].cols / heads;
    dtype sum = sum_type(round);
    double most = -INFINITY, total = 0;
    for (int j = 0; j < n; j++) {
        double s = 0;
        for (int d = 0; d < dk; d++)
            s = rounded(sum,
                        s + value(q, object, r, qc + head * dk + d) * value(k, object, first + j, kc + head * dk + d));
        p[j] = rounded(sum, s * t->attr.scale);
        most = p[j] > most ? p[j] : most;
    }
    for (int j = 0; j < n; j++) {
        p[j] = rounded(sum, exp(rounded(sum, p[j] - most)));
        total = rounded(sum, total + p[j]);
    }
    for (int d = 0; d < dv; d++) {
        double y = 0;
        for (int j = 0; j < n; j++)
            y = rounded(sum, y + rounded(round, p[j]) * value(v, object, first + j, vc + head * dv + d));
        out[head * dv + d] = rounded(sum, y / total);
    }
}

static void attention_reference(const op_case *t, dtype round, double *const *out)
{
    const tensor *q = &t->in[0], *k = &t->in[1], *n_keys = &t->in[3];
    int heads = positive(t->attr.heads), groups = positive(t->attr.groups);
    int n_q = q->rows / groups, n_k = k->rows / groups;
    double *p = calloc((size_t)k->rows, sizeof *p);
    assert_non_null(p);
    for (int i = 0; i < t->out[0].n; i++)
        for (int r = 0; r < q->rows; r++)
            for (int h = 0; h < heads; h++) {
                int n = n_keys->type == DT_NONE ? n_k : (int)value(n_keys, i, 0, 0);
                one_query(t, round, i, r, h, r / n_q * n_k, n, p, out[0] + row_of(&t->out[0], i, r));
            }
    free(p);
}

#endif
