/* norm_linear against float64: few rows and many, tails of rows, columns and depth, a shared plus, not finite values. */
#include "op_test.h"

#include <math.h>

enum { MOST = 512 };

static void reference(const op_case *t, dtype round, double *const *out)
{
    const tensor *x = &t->in[0], *w = &t->in[1], *b = &t->in[2], *plus = &t->in[5];
    double u[MOST];
    assert_true(x->cols <= MOST);
    for (int n = 0; n < x->n; n++)
        for (int r = 0; r < x->rows; r++) {
            double mean = 0, var = 0;
            for (int c = 0; c < x->cols; c++)
                mean += value(x, n, r, c) / x->cols;
            for (int c = 0; c < x->cols; c++)
                var += (value(x, n, r, c) - mean) * (value(x, n, r, c) - mean) / x->cols;
            for (int c = 0; c < x->cols; c++) {
                u[c] = (value(x, n, r, c) - mean) / sqrt(var + (double)t->attr.eps) * value(&t->in[3], 0, 0, c) +
                       value(&t->in[4], 0, 0, c);
                out[1][row_of(x, n, r) + (size_t)c] = u[c];
                u[c] = rounded(round, plus->type != DT_NONE ? u[c] + value(plus, n, r, c) : u[c]);
            }
            for (int o = 0; o < w->rows; o++) {
                double sum = b->type != DT_NONE ? value(b, 0, 0, o) : 0;
                for (int k = 0; k < w->cols; k++)
                    sum = rounded(sum_type(round), sum + value(w, 0, o, k) * u[k]);
                out[0][row_of(&t->out[0], n, r) + (size_t)o] = act_reference(t->attr.act, sum);
            }
        }
}

/* with: bit 0 a bias, bit 1 plus, bit 2 plus shared by all objects. */
static op_case norm_case(const char *label, dtype type, int n, int rows, int cols, int outs, int with, act kind)
{
    op_case t = op_case_new(OP_norm_linear, label);
    in_normal(&t, 0, type, n, rows, cols);
    in_uniform(&t, 1, type, 1, outs, cols, -0.3, 0.3);
    if (with & 1)
        in_normal(&t, 2, DT_F32, 1, 1, outs);
    in_uniform(&t, 3, DT_F32, 1, 1, cols, 0.5, 2);
    in_uniform(&t, 4, DT_F32, 1, 1, cols, -1, 1);
    if (with & 6)
        in_normal(&t, 5, type, with & 4 ? 1 : n, rows, cols);
    t.attr = (op_attr){.act = kind, .eps = 1e-5f};
    t.reference = reference;
    return t;
}

static void shapes(void **state)
{
    (void)state;
    static const int cases[][6] = {
        {1, 1, 8, 1, 0, ACT_NONE},     {1, 25, 256, 40, 3, ACT_RELU},   {1, 33, 32, 19, 1, ACT_GELU},
        {2, 25, 64, 8, 7, ACT_NONE},   {1, 64, 288, 9, 2, ACT_NONE},    {3, 25, 256, 72, 3, ACT_RELU},
        {2, 41, 40, 130, 5, ACT_NONE}, {1, 7, 512, 16, 1, ACT_SIGMOID}, {1, 70, 512, 65, 3, ACT_NONE},
    };
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        const int *s = cases[i];
        op_case t = norm_case("shapes", i % 2 ? DT_F16 : DT_BF16, s[0], s[1], s[2], s[3], s[4], (act)s[5]);
        op_check(&t);
    }
}

static void not_finite(void **state)
{
    (void)state;
    op_case t = norm_case("a NaN in x", DT_F16, 1, 9, 48, 24, 3, ACT_NONE);
    set_value(&t.in[0], 2 * 48 + 5, NAN);
    op_check(&t);
}

static void refused(void **state)
{
    (void)state;
    op_case t = norm_case("f32", DT_F32, 1, 2, 16, 8, 1, ACT_NONE);
    op_check_refused(&t);
    t = norm_case("too wide", DT_BF16, 1, 2, 520, 8, 1, ACT_NONE);
    op_check_refused(&t);
    t = norm_case("b of other length", DT_BF16, 1, 2, 16, 8, 0, ACT_NONE);
    in_normal(&t, 2, DT_F32, 1, 1, 16);
    op_check_refused(&t);
    t = norm_case("plus of one row", DT_BF16, 1, 2, 16, 8, 0, ACT_NONE);
    in_normal(&t, 5, DT_BF16, 1, 1, 16);
    op_check_refused(&t);
}

int main(void)
{
    const struct CMUnitTest tests[] = {cmocka_unit_test(shapes), cmocka_unit_test(not_finite),
                                       cmocka_unit_test(refused)};
    return cmocka_run_group_tests(tests, NULL, NULL);
}
