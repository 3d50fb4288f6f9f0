/* mean_rows against float64: long sums with a large offset, NaN stays in its column. */
#include "op_test.h"

#include <math.h>

static void reference(const op_case *t, dtype round, double *const *out)
{
    const tensor *x = &t->in[0];
    /* Plain only rounds the result: the operator promises a double sum. */
    (void)round;
    for (int n = 0; n < x->n; n++)
        for (int c = 0; c < x->cols; c++) {
            double sum = 0;
            for (int r = 0; r < x->rows; r++)
                sum += value(x, n, r, c);
            out[0][row_of(&t->out[0], n, 0) + (size_t)c] = sum / x->rows;
        }
}

static op_case mean_case(const char *label, dtype type, int n, int rows, int cols)
{
    op_case t = op_case_new(OP_mean_rows, label);
    in_uniform(&t, 0, type, n, rows, cols, 10, 12);
    t.reference = reference;
    return t;
}

/* One of the products of squeeze-excite, its sums as the f32 that the operator promises. */
static void dense(const tensor *w, const tensor *b, const double *x, dtype round, act kind, double *y)
{
    for (int o = 0; o < w->rows; o++) {
        double sum = value(b, 0, 0, o);
        for (int k = 0; k < w->cols; k++)
            sum = rounded(sum_type(round), sum + value(w, 0, o, k) * x[k]);
        y[o] = act_reference(kind, sum);
    }
}
static void excite_reference(const op_case *t, dtype round, double *const *out)
{
    double mean[512], hidden[512];
    assert_true(t->in[0].cols <= 512 && t->in[1].rows <= 512);
    reference(t, round, out);
    for (int n = 0; n < t->in[0].n; n++) {
        double *y = out[0] + row_of(&t->out[0], n, 0);
        for (int c = 0; c < t->in[0].cols; c++)
            mean[c] = rounded(sum_type(round), y[c]);
        dense(&t->in[1], &t->in[2], mean, round, ACT_RELU, hidden);
        dense(&t->in[3], &t->in[4], hidden, round, ACT_SIGMOID, y);
    }
}

static void excitation(void **state)
{
    (void)state;
    static const int cases[][4] = {{1, 300, 48, 16}, {3, 70, 97, 24}, {2, 65, 384, 96}, {1, 1, 8, 1}};
    static const dtype types[] = {DT_F32, DT_BF16, DT_F16};
    for (int i = 0; i < 12; i++) {
        const int *s = cases[i % 4];
        op_case t = mean_case("squeeze-excite", types[i / 4], s[0], s[1], s[2]);
        in_uniform(&t, 0, types[i / 4], s[0], s[1], s[2], -1, 2);
        in_uniform(&t, 1, types[i / 4], 1, s[3], s[2], -0.1, 0.1);
        in_normal(&t, 2, DT_F32, 1, 1, s[3]);
        in_uniform(&t, 3, types[i % 3], 1, s[2], s[3], -0.3, 0.3);
        in_normal(&t, 4, DT_F32, 1, 1, s[2]);
        t.reference = excite_reference;
        op_check(&t);
    }
    op_case t = mean_case("biases missing", DT_F32, 1, 4, 8);
    in_normal(&t, 1, DT_F32, 1, 2, 8);
    in_normal(&t, 3, DT_F32, 1, 8, 2);
    op_check_refused(&t);
}

static void shapes(void **state)
{
    (void)state;
    static const dtype types[] = {DT_F32, DT_BF16, DT_F16};
    for (int k = 0; k < 3; k++) {
        op_case t = mean_case("smallest", types[k], 1, 1, 1);
        op_check(&t);
        t = mean_case("odd", types[k], 3, 7, 97);
        op_check(&t);
        t = mean_case("long", types[k], 1, 4096, 24);
        op_check(&t);
    }
    op_case t = mean_case("bf16 to f32", DT_BF16, 3, 300, 65);
    t.attr.type = DT_F32;
    op_check(&t);
}

static void special_values(void **state)
{
    (void)state;
    op_case t = mean_case("NaN and infinity", DT_F32, 1, 5, 24);
    set_value(&t.in[0], 24 + 3, NAN);
    set_value(&t.in[0], 48 + 5, INFINITY);
    op_check(&t);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(shapes),
        cmocka_unit_test(excitation),
        cmocka_unit_test(special_values),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
