/* add against float64: every broadcast, mixed types, special values. */
#include "op_test.h"

#include <math.h>

static void reference(const op_case *t, dtype round, double *const *out)
{
    const tensor *x = &t->in[0], *y = &t->in[1], *o = &t->out[0];

    for (int n = 0; n < o->n; n++)
        for (int r = 0; r < o->rows; r++)
            for (int c = 0; c < o->cols; c++)
                out[0][row_of(o, n, r) + (size_t)c] =
                    value(x, n, r, c) + rounded(round, t->attr.scale * value(y, n, r, c));
}

static op_case pair_case(const char *label, dtype x_type, int x_n, dtype y_type, int y_n, int rows, int y_rows,
                         int cols)
{
    op_case t = op_case_new(OP_add, label);
    in_normal(&t, 0, x_type, x_n, rows, cols);
    in_normal(&t, 1, y_type, y_n, y_rows, cols);
    t.attr.scale = 0.7f;
    t.reference = reference;
    return t;
}

static void broadcasts(void **state)
{
    (void)state;
    op_case t = pair_case("smallest", DT_F32, 1, DT_F32, 1, 1, 1, 1);
    op_check(&t);
    t = pair_case("one y row", DT_F32, 3, DT_F32, 3, 7, 1, 33);
    op_check(&t);
    t = pair_case("y shared", DT_F32, 3, DT_F32, 1, 7, 7, 33);
    op_check(&t);
    t = pair_case("x shared", DT_F32, 1, DT_F32, 3, 7, 7, 33);
    op_check(&t);
    t = pair_case("x shared, one y row", DT_F32, 1, DT_F32, 3, 7, 1, 33);
    op_check(&t);
    t = pair_case("threaded", DT_F32, 3, DT_F32, 1, 101, 101, 131);
    op_check(&t);
    t = pair_case("threaded, long rows", DT_F32, 3, DT_F32, 1, 9, 1, 2311);
    op_check(&t);
}

static void types(void **state)
{
    (void)state;
    static const dtype kinds[] = {DT_F32, DT_BF16, DT_F16};
    for (int i = 0; i < 9; i++) {
        op_case t = pair_case("types", kinds[i / 3], 1, kinds[i % 3], 3, 5, 5, 257);
        op_check(&t);
    }
    op_case t = pair_case("output type", DT_BF16, 3, DT_F32, 3, 64, 1, 96);
    t.attr.type = DT_F32;
    op_check(&t);
}

static void special_values(void **state)
{
    (void)state;
    op_case t = pair_case("NaN and infinities", DT_BF16, 1, DT_F32, 1, 3, 1, 40);
    set_value(&t.in[0], 41, NAN);
    set_value(&t.in[0], 42, INFINITY);
    set_value(&t.in[1], 2, -INFINITY);
    set_value(&t.in[1], 39, NAN);
    set_value(&t.in[1], 30, 0);
    set_value(&t.in[0], 30, INFINITY);
    op_check(&t);
}

static void refused(void **state)
{
    (void)state;
    op_case t = pair_case("batches 2 and 3", DT_F32, 2, DT_F32, 3, 4, 4, 8);
    op_check_refused(&t);
    t = pair_case("rows", DT_F32, 1, DT_F32, 1, 4, 2, 8);
    op_check_refused(&t);
    t = pair_case("integers", DT_I32, 1, DT_F32, 1, 4, 4, 8);
    op_check_refused(&t);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(broadcasts),
        cmocka_unit_test(types),
        cmocka_unit_test(special_values),
        cmocka_unit_test(refused),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
