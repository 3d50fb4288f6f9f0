/* pixel_shuffle, exactly. */
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
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(shapes),
        cmocka_unit_test(refused),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
