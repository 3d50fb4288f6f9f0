/* gate_present against float64: both forms, every broadcast, NaN in what is not chosen. */
#include "op_test.h"

#include <math.h>

static void reference(const op_case *t, dtype round, double *const *out)
{
    const tensor *x = &t->in[0], *y = &t->in[1], *o = &t->out[0];
    (void)round;
    for (int n = 0; n < o->n; n++)
        for (int r = 0; r < o->rows; r++)
            for (int c = 0; c < o->cols; c++) {
                double a = value(x, n, r, c), b = value(y, n, r, c);
                bool present = value(&t->in[2], n, 0, 0) > (t->in[3].type == DT_NONE ? 0 : value(&t->in[3], n, 0, 0));
                out[0][row_of(o, n, r) + (size_t)c] = present ? a : t->attr.first ? a + b : b;
            }
}

static op_case gate_case(const char *label, int first, dtype type, int x_n, int y_n, int score_n, int rows, int y_rows,
                         int cols)
{
    op_case t = op_case_new(OP_gate_present, label);
    in_normal(&t, 0, type, x_n, rows, cols);
    in_normal(&t, 1, DT_F32, y_n, y_rows, cols);
    in_zero(&t, 2, DT_F32, score_n, 1, 1);
    for (int i = 0; i < score_n; i++)
        set_value(&t.in[2], (size_t)i, i == 1 ? 0.5 : i == 2 ? -3 : 0);
    t.attr.first = first;
    t.reference = reference;
    return t;
}

static void shapes(void **state)
{
    (void)state;
    for (int first = 0; first < 2; first++) {
        op_case t = gate_case("smallest", first, DT_F32, 1, 1, 1, 1, 1, 1);
        op_check(&t);
        t = gate_case("one y row", first, DT_F32, 3, 1, 3, 7, 1, 33);
        op_check(&t);
        t = gate_case("y per object", first, DT_BF16, 3, 3, 3, 7, 7, 33);
        op_check(&t);
        t = gate_case("x shared", first, DT_BF16, 1, 3, 3, 7, 1, 33);
        op_check(&t);
        t = gate_case("threaded", first, DT_F32, 3, 1, 3, 900, 1, 64);
        t.attr.type = DT_BF16;
        op_check(&t);
    }
}

static void special_values(void **state)
{
    (void)state;
    op_case t = gate_case("NaN in what is not chosen", 0, DT_F32, 3, 1, 3, 2, 1, 24);
    for (size_t i = 0; i < 24; i++) {
        set_value(&t.in[0], i, NAN);               /* object 0 is absent  */
        set_value(&t.in[0], 2 * 24 + i, INFINITY); /* object 1 is present */
    }
    op_check(&t);
    t = gate_case("another least score", 0, DT_F32, 3, 1, 3, 2, 1, 24);
    in_zero(&t, 3, DT_F32, 3, 1, 1);
    set_value(&t.in[3], 0, -1);  /* 0 is present                  */
    set_value(&t.in[3], 1, 0.5); /* as much as the score: absent  */
    set_value(&t.in[3], 2, -3.5);
    op_check(&t);
    t = gate_case("a NaN score is absent", 1, DT_F32, 1, 1, 1, 2, 1, 24);
    set_value(&t.in[2], 0, NAN);
    set_value(&t.in[1], 3, NAN);
    op_check(&t);
}

static void refused(void **state)
{
    (void)state;
    op_case t = gate_case("first is 2", 2, DT_F32, 1, 1, 1, 2, 1, 24);
    op_check_refused(&t);
    t = gate_case("batches", 0, DT_F32, 2, 1, 3, 2, 1, 24);
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
