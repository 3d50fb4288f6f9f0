/* mask_product against float64: pixels that do not fill a block, more columns than a block, types, sharing. */
#include "op_test.h"

#include <math.h>

static void reference(const op_case *t, dtype round, double *const *out)
{
    const tensor *hyper = &t->in[0], *x = &t->in[1], *y = &t->out[0];
    for (int n = 0; n < y->n; n++)
        for (int k = 0; k < y->rows; k++)
            for (int r = 0; r < y->cols; r++) {
                double sum = 0;
                for (int c = 0; c < x->cols; c++)
                    sum = rounded(sum_type(round), sum + rounded(round, value(hyper, n, k, c) * value(x, n, r, c)));
                out[0][row_of(y, n, k) + (size_t)r] = sum;
            }
}

static op_case product_case(const char *label, dtype hyper, int hyper_n, dtype x, int x_n, int k, int rows, int cols)
{
    op_case t = op_case_new(OP_mask_product, label);
    in_normal(&t, 0, hyper, hyper_n, k, cols);
    in_normal(&t, 1, x, x_n, rows, cols);
    t.reference = reference;
    return t;
}

static void shapes(void **state)
{
    (void)state;
    op_case t = product_case("smallest", DT_F32, 1, DT_F32, 1, 1, 1, 1);
    op_check(&t);
    t = product_case("odd", DT_F32, 3, DT_F32, 3, 4, 37, 13);
    op_check(&t);
    t = product_case("x shared", DT_BF16, 3, DT_BF16, 1, 3, 16, 32);
    op_check(&t);
    t = product_case("hyper shared", DT_F32, 1, DT_F16, 3, 5, 31, 32);
    op_check(&t);
    t = product_case("many columns", DT_BF16, 1, DT_F32, 1, 4, 50, 257);
    op_check(&t);
    t = product_case("threaded", DT_F32, 3, DT_BF16, 3, 4, 1500, 32);
    op_check(&t);
}

static void special_values(void **state)
{
    (void)state;
    op_case t = product_case("NaN and infinity stay in their pixel", DT_F32, 1, DT_F32, 1, 4, 40, 32);
    set_value(&t.in[1], 32 * 17 + 3, NAN);
    set_value(&t.in[1], 32 * 39 + 31, INFINITY);
    op_check(&t);
}

static void refused(void **state)
{
    (void)state;
    op_case t = product_case("bf16 output", DT_F32, 1, DT_F32, 1, 4, 8, 8);
    t.attr.type = DT_BF16;
    op_check_refused(&t);
    t = product_case("columns", DT_F32, 1, DT_F32, 1, 4, 8, 8);
    t.in[0].cols = 7;
    op_check_refused(&t);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(shapes),
        cmocka_unit_test(special_values),
        cmocka_unit_test(refused),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
