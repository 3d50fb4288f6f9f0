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
        cmocka_unit_test(special_values),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
