/* linear_reference.h - what a product must be: op_reference of OP_linear. */
#ifndef LINEAR_REFERENCE_H
#define LINEAR_REFERENCE_H

#include "op_test.h"

static void linear_reference(const op_case *t, dtype round, double *const *out)
{
    const tensor *x = &t->in[0], *w = &t->in[1], *b = &t->in[2], *residual = &t->in[3];
    for (int i = 0; i < t->out[0].n; i++)
        for (int r = 0; r < x->rows; r++)
            for (int o = 0; o < w->rows; o++) {
                double y = 0;
                for (int k = 0; k < x->cols; k++)
                    y = rounded(sum_type(round), y + value(x, i, r, k) * value(w, 0, o, k));
                if (b->type != DT_NONE)
                    y = rounded(sum_type(round), y + value(b, 0, 0, o));
                y = rounded(round, act_reference(t->attr.act, rounded(round, y)));
                if (residual->type != DT_NONE)
                    y += value(residual, i, r, o);
                out[0][row_of(&t->out[0], i, r) + (size_t)o] = y;
            }
}

#endif
