/* window_partition, exactly. */
#include "op_test.h"

#include <math.h>

static void reference(const op_case *t, dtype round, double *const *out)
{
    const tensor *x = &t->in[0], *y = &t->out[0];
    int side = t->attr.window, w = t->attr.w;
    (void)round;
    for (int n = 0; n < y->n; n++)
        for (int r = 0; r < y->rows; r++) {
            int iy = r / w, ix = r % w, window = iy / side * (w / side) + ix / side;
            int to = window * side * side + iy % side * side + ix % side;
            for (int c = 0; c < y->cols; c++)
                out[0][row_of(y, n, to) + (size_t)c] = value(x, n, r, c);
        }
}

static op_case window_case(const char *label, dtype type, int n, int h, int w, int window, int cols)
{
    op_case t = op_case_new(OP_window_partition, label);
    in_normal(&t, 0, type, n, h * w, cols);
    set_value(&t.in[0], 0, NAN);
    t.attr = (op_attr){.h = h, .w = w, .window = window};
    t.reference = reference;
    t.exact = true;
    return t;
}

static void shapes(void **state)
{
    (void)state;
    op_case t = window_case("smallest", DT_F32, 1, 1, 1, 1, 1);
    op_check(&t);
    t = window_case("odd", DT_BF16, 3, 6, 9, 3, 5);
    op_check(&t);
    t = window_case("one window", DT_F16, 3, 4, 4, 4, 33);
    op_check(&t);
    t = window_case("threaded", DT_F32, 1, 64, 64, 4, 64);
    op_check(&t);
    t = window_case("bf16 to f32", DT_BF16, 1, 8, 4, 2, 7);
    t.attr.type = DT_F32;
    op_check(&t);
}

static void refused(void **state)
{
    (void)state;
    op_case t = window_case("does not divide", DT_F32, 1, 6, 6, 4, 8);
    op_check_refused(&t);
    t = window_case("rows", DT_F32, 1, 6, 6, 3, 8);
    t.attr.h = 9;
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
