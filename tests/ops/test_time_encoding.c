/* time_encoding against float64. */
#include "op_test.h"

#include <math.h>

static void reference(const op_case *t, dtype round, double *const *out)
{
    const tensor *y = &t->out[0];
    int half = y->cols / 2;
    for (int n = 0; n < y->n; n++)
        for (int r = 0; r < y->rows; r++)
            for (int i = 0; i < half; i++) {
                double exponent = rounded(round, 2.0 * floor(i / 2.0) / half);
                double phase = rounded(round, value(&t->in[0], n, r, 0) / rounded(round, pow(10000, exponent)));
                out[0][row_of(y, n, r) + (size_t)i] = sin(phase);
                out[0][row_of(y, n, r) + (size_t)(half + i)] = cos(phase);
            }
}

static op_case age_case(const char *label, int n, int rows, int count, dtype type)
{
    op_case t = op_case_new(OP_time_encoding, label);
    in_uniform(&t, 0, DT_F32, n, rows, 1, -2, 16);
    t.attr = (op_attr){.count = count, .type = type};
    t.reference = reference;
    return t;
}

static void shapes(void **state)
{
    (void)state;
    op_case t = age_case("smallest", 1, 1, 2, DT_NONE);
    op_check(&t);
    t = age_case("odd half", 3, 5, 38, DT_NONE);
    op_check(&t);
    t = age_case("a model's", 3, 16, 256, DT_F32);
    set_value(&t.in[0], 3, 0);
    op_check(&t);
    t = age_case("to bf16, a NaN age", 1, 3, 64, DT_BF16);
    set_value(&t.in[0], 1, NAN);
    op_check(&t);
}

static void refused(void **state)
{
    (void)state;
    op_case t = age_case("odd count", 1, 3, 63, DT_F32);
    op_check_refused(&t);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(shapes),
        cmocka_unit_test(refused),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
