/* slice_rows, exactly. */
#include "op_test.h"

#include <math.h>

static void reference(const op_case *t, dtype round, double *const *out)
{
    const tensor *x = &t->in[0], *y = &t->out[0];
    (void)round;
    for (int n = 0; n < y->n; n++)
        for (int r = 0; r < y->rows; r++)
            for (int c = 0; c < y->cols; c++)
                out[0][row_of(y, n, r) + (size_t)c] = value_at(
                    x, ((size_t)n * (size_t)x->rows + (size_t)(r + t->attr.first)) * (size_t)x->cols + (size_t)c);
}

static op_case slice_case(const char *label, dtype type, int n, int rows, int cols, int first, int count)
{
    op_case t = op_case_new(OP_slice_rows, label);
    if (type == DT_I32)
        in_ints(&t, 0, n, rows, cols, -1000000, 1000000);
    else
        in_normal(&t, 0, type, n, rows, cols);
    t.attr = (op_attr){.first = first, .count = count};
    t.reference = reference;
    t.exact = true;
    return t;
}

static void shapes(void **state)
{
    (void)state;
    op_case t = slice_case("smallest", DT_F32, 1, 1, 1, 0, 1);
    op_check(&t);
    t = slice_case("middle", DT_BF16, 3, 9, 33, 2, 5);
    op_check(&t);
    t = slice_case("last row", DT_F16, 3, 9, 33, 8, 1);
    op_check(&t);
    t = slice_case("integers", DT_I32, 3, 9, 2, 1, 3);
    op_check(&t);
    t = slice_case("threaded, f32 to bf16", DT_F32, 3, 99, 300, 1, 97);
    set_value(&t.in[0], 301, NAN);
    t.attr.type = DT_BF16;
    op_check(&t);
}

static void refused(void **state)
{
    (void)state;
    op_case t = slice_case("past the end", DT_F32, 1, 4, 8, 2, 3);
    op_check_refused(&t);
    t = slice_case("first overflows", DT_F32, 1, 4, 8, 2147483647, 2147483647);
    op_check_refused(&t);
    t = slice_case("nothing", DT_F32, 1, 4, 8, 2, 0);
    op_check_refused(&t);
    t = slice_case("integers to floats", DT_I32, 1, 4, 8, 0, 1);
    t.attr.type = DT_F32;
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
