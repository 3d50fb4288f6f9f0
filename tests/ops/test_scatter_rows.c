/* scatter_rows, exactly; slots nobody names stay as they were (the harness fills outputs with NaN). */
#include "op_test.h"

#include <math.h>

static void reference(const op_case *t, dtype round, double *const *out)
{
    const tensor *x = &t->in[0], *pool = &t->out[0];
    size_t size = (size_t)x->rows * (size_t)x->cols;
    (void)round;
    for (size_t i = 0; i < (size_t)pool->rows * (size_t)pool->cols; i++)
        out[0][i] = NAN;
    for (int n = 0; n < x->n; n++)
        for (size_t i = 0; i < size; i++)
            out[0][(size_t)value(&t->in[1], n, 0, 0) * size + i] = value_at(x, (size_t)n * size + i);
}

static op_case scatter_case(const char *label, dtype type, int n, int rows, int cols, int slots, const int *slot)
{
    op_case t = op_case_new(OP_scatter_rows, label);
    in_normal(&t, 0, type, n, rows, cols);
    in_ints(&t, 1, n, 1, 1, 0, 0);
    for (int i = 0; i < n; i++)
        set_value(&t.in[1], (size_t)i, slot[i]);
    t.attr.count = slots;
    t.reference = reference;
    t.exact = true;
    return t;
}

static void shapes(void **state)
{
    (void)state;
    op_case t = scatter_case("smallest", DT_F32, 1, 1, 1, 1, (int[]){0});
    op_check(&t);
    t = scatter_case("three objects, first and last slot", DT_BF16, 3, 5, 33, 7, (int[]){6, 0, 3});
    op_check(&t);
    t = scatter_case("threaded, f32 to bf16", DT_F32, 2, 99, 300, 4, (int[]){2, 1});
    set_value(&t.in[0], 301, NAN);
    t.attr.type = DT_BF16;
    op_check(&t);
}

static void refused(void **state)
{
    (void)state;
    op_case t = scatter_case("no slots", DT_F32, 1, 4, 8, 0, (int[]){0});
    op_check_refused(&t);
    t = scatter_case("pool overflows", DT_F32, 1, 4, 8, 2147483647, (int[]){0});
    op_check_refused(&t);
    t = scatter_case("a slot too few", DT_F32, 3, 4, 8, 4, (int[]){0, 1, 2});
    t.in[1].n = 2;
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
