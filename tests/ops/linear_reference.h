/* linear_reference.h - what a product must be: op_reference of OP_linear. */
#ifndef LINEAR_REFERENCE_H
#define LINEAR_REFERENCE_H

#include "op_test.h"

static void linear_reference_groups(const op_case *t, dtype round, double *const *out)
{
    const tensor *x = &t->in[0], *w = &t->in[1], *b = &t->in[2], *y = &t->out[0];
    for (int i = 0; i < y->n; i++)
        for (int g = 0; g < y->rows; g++)
            for (int o = 0; o < y->cols; o++) {
                double v = 0;
                for (int k = 0; k < x->cols; k++)
                    v = rounded(sum_type(round),
                                v + value(x, i, t->attr.first + g, k) * value(w, 0, g * y->cols + o, k));
                if (b->type != DT_NONE)
                    v = rounded(sum_type(round), v + value(b, 0, 0, g * y->cols + o));
                out[0][row_of(y, i, g) + (size_t)o] = act_reference(t->attr.act, rounded(round, v));
            }
}

/* Turns y as rope does. */
static void linear_reference_turn(const op_case *t, dtype round, double *y)
{
    const tensor *table = &t->in[4], *shape = &t->out[0];
    int period = t->attr.period ? t->attr.period : shape->rows, count = t->attr.count ? t->attr.count : shape->cols;
    for (int n = 0; n < shape->n; n++)
        for (int r = 0; r < shape->rows; r++)
            for (int c = 0; c < count; c += 2) {
                double *to = y + row_of(shape, n, r) + (size_t)c, a = rounded(round, to[0]), b = rounded(round, to[1]);
                int i = r % period - t->attr.start;
                if (i < 0 || (t->in[5].type != DT_NONE && r >= value(&t->in[5], n, 0, 0)))
                    continue;
                double cosine = value(table, 0, i, c % table->cols), sine = value(table, 0, i, c % table->cols + 1);
                to[0] = rounded(round, a * cosine) - rounded(round, b * sine);
                to[1] = rounded(round, a * sine) + rounded(round, b * cosine);
            }
}

static void linear_reference(const op_case *t, dtype round, double *const *out)
{
    const tensor *x = &t->in[0], *w = &t->in[1], *b = &t->in[2], *residual = &t->in[3];
    if (t->attr.groups > 1) {
        linear_reference_groups(t, round, out);
        return;
    }
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
    if (t->in[4].type != DT_NONE)
        linear_reference_turn(t, round, out[0]);
}

#endif
