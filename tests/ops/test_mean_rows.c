/* mean_rows against float64: long sums with a large offset, NaN stays in its column. */
#include "op_test.h"

#include <math.h>

/* Element [n, r, c] of x, or of what the taps make of it. */
static double element(const op_case *t, int n, int r, int c)
{
    const op_attr *a = &t->attr;
    double sum = t->in[6].type != DT_NONE ? value(&t->in[6], 0, 0, c) : 0;
    if (t->in[5].type == DT_NONE)
        return value(&t->in[0], n, r, c);
    for (int tap = 0; tap < 9; tap++) {
        int row = r / a->w + tap / 3 - 1, col = r % a->w + tap % 3 - 1;
        if (row >= 0 && row < a->h && col >= 0 && col < a->w)
            sum += value(&t->in[0], n, row * a->w + col, c) * value(&t->in[5], 0, c, tap);
    }
    return sum;
}

static void reference(const op_case *t, dtype round, double *const *out)
{
    const tensor *x = &t->in[0];
    /* Plain only rounds the result: the operator promises a double sum; but not to taps. */
    dtype running = t->in[5].type == DT_NONE ? DT_NONE : sum_type(round);
    for (int n = 0; n < x->n; n++)
        for (int c = 0; c < x->cols; c++) {
            double sum = 0;
            for (int r = 0; r < x->rows; r++)
                sum = rounded(running, sum + element(t, n, r, c));
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

/* Grids with every kind of border: one line, one column, one pixel, more than a slice. */
static void taps(void **state)
{
    (void)state;
    static const int cases[][4] = {{1, 1, 1, 8},  {2, 1, 9, 16},   {1, 7, 1, 24},
                                   {3, 5, 6, 97}, {1, 23, 31, 48}, {1, 2, 2, 5}};
    static const dtype types[] = {DT_F32, DT_BF16, DT_F16};
    for (int i = 0; i < 12; i++) {
        const int *s = cases[i % 6];
        op_case t = mean_case("taps", types[i % 3], s[0], s[1] * s[2], s[3]);
        in_uniform(&t, 0, types[i % 3], s[0], s[1] * s[2], s[3], -1, 2);
        in_normal(&t, 5, types[(i + i / 6) % 3], 1, s[3], 9);
        if (i % 4)
            in_normal(&t, 6, DT_F32, 1, 1, s[3]);
        t.attr.h = s[1];
        t.attr.w = s[2];
        t.attr.type = i < 6 ? DT_NONE : DT_F32;
        if (i % 4 > 1) {
            in_uniform(&t, 1, DT_BF16, 1, 6, s[3], -0.1, 0.1);
            in_normal(&t, 2, DT_F32, 1, 1, 6);
            in_uniform(&t, 3, DT_BF16, 1, s[3], 6, -0.3, 0.3);
            in_normal(&t, 4, DT_F32, 1, 1, s[3]);
            t.reference = excite_reference;
        }
        op_check(&t);
    }
    op_case t = mean_case("taps of another grid", DT_F32, 1, 12, 8);
    in_normal(&t, 5, DT_F32, 1, 8, 9);
    t.attr.h = 4;
    t.attr.w = 4;
    op_check_refused(&t);
    t = mean_case("tap_bias alone", DT_F32, 1, 12, 8);
    in_normal(&t, 6, DT_F32, 1, 1, 8);
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
        cmocka_unit_test(taps),
        cmocka_unit_test(special_values),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
