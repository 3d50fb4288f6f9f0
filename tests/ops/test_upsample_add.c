/* upsample_add against float64. */
#include "op_test.h"

#include <math.h>

static void reference(const op_case *t, dtype round, double *const *out)
{
    const tensor *x = &t->in[0], *y = &t->in[1], *o = &t->out[0];
    int w = t->attr.w;
    (void)round;
    for (int n = 0; n < o->n; n++)
        for (int r = 0; r < o->rows; r++)
            for (int c = 0; c < o->cols; c++) {
                int line = r / (2 * w), column = r % (2 * w);
                out[0][row_of(o, n, r) + (size_t)c] = value(x, n, r, c) + value(y, n, line / 2 * w + column / 2, c);
            }
}

static op_case up_case(const char *label, dtype x_type, int x_n, dtype y_type, int y_n, int h, int w, int cols)
{
    op_case t = op_case_new(OP_upsample_add, label);
    in_normal(&t, 0, x_type, x_n, 4 * h * w, cols);
    in_normal(&t, 1, y_type, y_n, h * w, cols);
    t.attr = (op_attr){.h = h, .w = w};
    t.reference = reference;
    return t;
}

static void shapes(void **state)
{
    (void)state;
    op_case t = up_case("smallest", DT_F32, 1, DT_F32, 1, 1, 1, 1);
    op_check(&t);
    t = up_case("odd", DT_F32, 3, DT_F32, 3, 3, 5, 33);
    op_check(&t);
    t = up_case("x shared", DT_BF16, 1, DT_BF16, 3, 3, 2, 33);
    op_check(&t);
    t = up_case("y shared", DT_F16, 3, DT_F32, 1, 3, 2, 33);
    op_check(&t);
    t = up_case("threaded, wide", DT_BF16, 1, DT_F32, 1, 4, 5, 1030);
    op_check(&t);
    t = up_case("bf16 to f32", DT_BF16, 1, DT_F32, 1, 4, 5, 256);
    t.attr.type = DT_F32;
    op_check(&t);
}

static void special_values(void **state)
{
    (void)state;
    op_case t = up_case("a NaN below covers four pixels", DT_F32, 1, DT_F32, 1, 2, 2, 24);
    set_value(&t.in[1], 24 + 3, NAN);
    set_value(&t.in[0], 96 + 5, -INFINITY);
    op_check(&t);
}

static void refused(void **state)
{
    (void)state;
    op_case t = up_case("rows", DT_F32, 1, DT_F32, 1, 2, 3, 8);
    t.attr.h = 3;
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
