/* rope against float64: period, start, n_rotated, types; rows that are copied stay exact. */
#include "op_test.h"

#include <math.h>

static void reference(const op_case *t, dtype round, double *const *out)
{
    const tensor *x = &t->in[0], *table = &t->in[1], *y = &t->out[0];
    int period = t->attr.period ? t->attr.period : x->rows;
    for (int n = 0; n < y->n; n++)
        for (int r = 0; r < y->rows; r++)
            for (int c = 0; c < y->cols; c += 2) {
                double a = value(x, n, r, c), b = value(x, n, r, c + 1), *to = out[0] + row_of(y, n, r) + (size_t)c;
                int i = r % period - t->attr.start;
                bool copied = i < 0 || (t->in[2].type != DT_NONE && r >= value(&t->in[2], n, 0, 0));
                double cosine = copied ? 1 : value(table, 0, i, c), sine = copied ? 0 : value(table, 0, i, c + 1);
                to[0] = copied ? a : rounded(round, a * cosine) - rounded(round, b * sine);
                to[1] = copied ? b : rounded(round, a * sine) + rounded(round, b * cosine);
            }
}

static op_case rope_case(const char *label, dtype type, int n, int rows, int cols, int period, int start)
{
    op_case t = op_case_new(OP_rope, label);
    int table_rows = (period ? period : rows) - start;
    in_normal(&t, 0, type, n, rows, cols);
    in_zero(&t, 1, DT_F32, 1, table_rows, cols);
    for (size_t i = 0; i + 1 < (size_t)table_rows * (size_t)cols; i += 2) {
        double angle = 6.283185307179586 * random_uniform(&t);
        set_value(&t.in[1], i, cos(angle));
        set_value(&t.in[1], i + 1, sin(angle));
    }
    t.attr = (op_attr){.period = period, .start = start};
    t.reference = reference;
    return t;
}

static void shapes(void **state)
{
    (void)state;
    static const dtype types[] = {DT_F32, DT_BF16, DT_F16};
    for (int k = 0; k < 3; k++) {
        op_case t = rope_case("smallest", types[k], 1, 1, 2, 0, 0);
        op_check(&t);
        t = rope_case("odd", types[k], 3, 7, 34, 0, 0);
        op_check(&t);
        t = rope_case("wider than a chunk", types[k], 1, 3, 1030, 0, 0);
        op_check(&t);
        t = rope_case("period and start", types[k], 3, 50, 64, 12, 5);
        op_check(&t);
        t = rope_case("threaded", types[k], 1, 301, 256, 64, 0);
        op_check(&t);
    }
    op_case t = rope_case("bf16 to f32", DT_BF16, 1, 9, 32, 4, 1);
    t.attr.type = DT_F32;
    op_check(&t);
}

static void counts(void **state)
{
    (void)state;
    op_case t = rope_case("n_rotated 0, 13, all", DT_F32, 3, 20, 32, 6, 0);
    in_zero(&t, 2, DT_I32, 3, 1, 1);
    set_value(&t.in[2], 1, 13);
    set_value(&t.in[2], 2, 20);
    op_check(&t);
    t = rope_case("x shared, n_rotated per object", DT_BF16, 1, 20, 32, 6, 2);
    in_ints(&t, 2, 3, 1, 1, 0, 20);
    op_check(&t);
}

static void special_values(void **state)
{
    (void)state;
    op_case t = rope_case("NaN stays in its pair; infinities", DT_F32, 1, 4, 48, 0, 0);
    set_value(&t.in[0], 48 + 3, NAN);
    set_value(&t.in[0], 96 + 8, INFINITY);
    op_check(&t);
}

static void refused(void **state)
{
    (void)state;
    op_case t = rope_case("odd columns", DT_F32, 1, 4, 7, 0, 0);
    op_check_refused(&t);
    t = rope_case("table rows", DT_F32, 1, 4, 8, 0, 0);
    t.attr.start = 1;
    op_check_refused(&t);
    t = rope_case("start at the period", DT_F32, 1, 4, 8, 4, 0);
    t.attr.start = 4;
    op_check_refused(&t);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(shapes),
        cmocka_unit_test(counts),
        cmocka_unit_test(special_values),
        cmocka_unit_test(refused),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
