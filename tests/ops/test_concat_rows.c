/* concat_rows, exactly. */
#include "op_test.h"

#include <math.h>

static void reference(const op_case *t, dtype round, double *const *out)
{
    const tensor *a = &t->in[0], *b = &t->in[1], *y = &t->out[0];
    (void)round;
    for (int n = 0; n < y->n; n++)
        for (int r = 0; r < y->rows; r++)
            for (int c = 0; c < y->cols; c++)
                out[0][row_of(y, n, r) + (size_t)c] =
                    r < a->rows ? value_at(a, row_of(a, a->n == 1 ? 0 : n, r) + (size_t)c)
                                : value_at(b, row_of(b, b->n == 1 ? 0 : n, r - a->rows) + (size_t)c);
}

static op_case concat_case(const char *label, dtype a, int a_n, int a_rows, dtype b, int b_n, int b_rows, int cols)
{
    op_case t = op_case_new(OP_concat_rows, label);
    in_normal(&t, 0, a, a_n, a_rows, cols);
    in_normal(&t, 1, b, b_n, b_rows, cols);
    set_value(&t.in[0], 0, NAN);
    set_value(&t.in[1], 0, -INFINITY);
    t.reference = reference;
    t.exact = true;
    return t;
}

static void shapes(void **state)
{
    (void)state;
    op_case t = concat_case("smallest", DT_F32, 1, 1, DT_F32, 1, 1, 1);
    op_check(&t);
    t = concat_case("a shared", DT_F32, 1, 6, DT_F32, 3, 3, 33);
    op_check(&t);
    t = concat_case("b shared", DT_BF16, 3, 2, DT_BF16, 1, 7, 33);
    op_check(&t);
    t = concat_case("types", DT_F32, 3, 5, DT_BF16, 3, 4, 300);
    op_check(&t);
    t = concat_case("types", DT_F16, 3, 5, DT_BF16, 3, 4, 300);
    op_check(&t);
    t = concat_case("threaded", DT_BF16, 3, 50, DT_F32, 3, 80, 256);
    t.attr.type = DT_F32;
    op_check(&t);
}

static void refused(void **state)
{
    (void)state;
    op_case t = concat_case("columns", DT_F32, 1, 2, DT_F32, 1, 2, 8);
    t.in[1].cols = 7;
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
