/* pixel_shuffle: alone exactly, with sum, norm and activation within rounding. */
#include "op_test.h"

#include <math.h>

static void reference(const op_case *t, dtype round, double *const *out)
{
    const tensor *x = &t->in[0], *y = &t->out[0];
    (void)round;
    for (int n = 0; n < x->n; n++)
        for (int r = 0; r < x->rows; r++)
            for (int c = 0; c < x->cols; c++) {
                int tap = c / y->cols, line = r / t->attr.w * 2 + tap / 2, column = r % t->attr.w * 2 + tap % 2;
                out[0][row_of(y, n, line * 2 * t->attr.w + column) + (size_t)(c % y->cols)] = value(x, n, r, c);
            }
}

static op_case shuffle_case(const char *label, dtype type, int n, int h, int w, int cols)
{
    op_case t = op_case_new(OP_pixel_shuffle, label);
    in_normal(&t, 0, type, n, h * w, 4 * cols);
    t.attr = (op_attr){.h = h, .w = w};
    t.reference = reference;
    t.exact = true;
    return t;
}

/* The rows of the plain shuffle are summed, normed and activated in place; plain sums over columns are f32's, one by one. */
static void reference_all(const op_case *t, dtype round, double *const *out)
{
    const tensor *plus = &t->in[1], *gain = &t->in[2], *bias = &t->in[3], *y = &t->out[0];
    dtype sums = round == DT_NONE ? DT_NONE : DT_F32;
    reference(t, round, out);
    for (int n = 0; n < y->n; n++)
        for (int r = 0; r < y->rows; r++) {
            double *v = out[0] + row_of(y, n, r), mean = 0, var = 0;
            for (int c = 0; c < y->cols; c++) {
                v[c] = rounded(round, v[c] + (plus->type != DT_NONE ? value(plus, n, r, c) : 0));
                mean = rounded(sums, mean + v[c]);
            }
            mean = rounded(sums, mean / y->cols);
            for (int c = 0; c < y->cols; c++)
                var = rounded(sums, var + (v[c] - mean) * (v[c] - mean));
            var = rounded(sums, var / y->cols);
            for (int c = 0; c < y->cols; c++) {
                if (gain->type != DT_NONE)
                    v[c] = rounded(round, rounded(round, (v[c] - mean) / sqrt(var + (double)t->attr.eps)) *
                                              value(gain, 0, 0, c)) +
                           value(bias, 0, 0, c);
                v[c] = act_reference(t->attr.act, rounded(round, v[c]));
            }
        }
}

static void fused(void **state)
{
    (void)state;
    static const dtype types[] = {DT_F32, DT_BF16, DT_F16};
    for (int k = 0; k < 12; k++) {
        static const int cols[] = {64, 7, 32, 200};
        int c = cols[k % 4], n = k % 3 + 1;
        op_case t = shuffle_case("sum, norm, activation", types[k / 4], n, 3, 5, c);
        t.exact = false;
        t.reference = reference_all;
        t.attr.act = k % 2 ? ACT_GELU : ACT_RELU;
        t.attr.eps = 1e-6f;
        in_normal(&t, 1, types[k % 3], k % 2 ? 1 : n, 4 * 15, c);
        if (k % 4 != 2) {
            in_uniform(&t, 2, DT_F32, 1, 1, c, 0.5, 2);
            in_uniform(&t, 3, DT_F32, 1, 1, c, -1, 1);
        }
        op_check(&t);
    }
}

static void shapes(void **state)
{
    (void)state;
    static const dtype types[] = {DT_F32, DT_BF16, DT_F16};
    for (int k = 0; k < 3; k++) {
        op_case t = shuffle_case("smallest", types[k], 1, 1, 1, 1);
        op_check(&t);
        t = shuffle_case("odd", types[k], 3, 5, 3, 7);
        op_check(&t);
        t = shuffle_case("threaded", types[k], 1, 16, 32, 64);
        op_check(&t);
    }
    op_case t = shuffle_case("bf16 to f16, NaN", DT_BF16, 1, 4, 2, 200);
    set_value(&t.in[0], 17, NAN);
    set_value(&t.in[0], 19, INFINITY);
    t.attr.type = DT_F16;
    op_check(&t);
}

static void refused(void **state)
{
    (void)state;
    op_case t = shuffle_case("columns not four groups", DT_F32, 1, 2, 2, 4);
    t.in[0].cols = 15;
    op_check_refused(&t);
    t = shuffle_case("gain alone", DT_F32, 1, 2, 2, 4);
    in_normal(&t, 2, DT_F32, 1, 1, 4);
    op_check_refused(&t);
    t = shuffle_case("plus of other rows", DT_F32, 1, 2, 2, 4);
    in_normal(&t, 1, DT_F32, 1, 4, 4);
    op_check_refused(&t);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(shapes),
        cmocka_unit_test(fused),
        cmocka_unit_test(refused),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
