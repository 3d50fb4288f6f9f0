/* activation against float64: all kinds and types, special values. */
#include "op_test.h"

#include <math.h>

static void reference(const op_case *t, dtype round, double *const *out)
{
    (void)round;
    for (size_t i = 0; i < tensor_count(&t->in[0]); i++)
        out[0][i] = act_reference(t->attr.act, value_at(&t->in[0], i));
}

static op_case act_case(const char *label, act kind, dtype type, int n, int rows, int cols)
{
    op_case t = op_case_new(OP_activation, label);
    in_uniform(&t, 0, type, n, rows, cols, -8, 8);
    t.attr.act = kind;
    t.reference = reference;
    return t;
}

static void kinds(void **state)
{
    (void)state;
    static const dtype types[] = {DT_F32, DT_BF16, DT_F16};
    static const char *const names[] = {"none", "relu", "gelu", "sigmoid"};
    for (int k = 0; k < 12; k++) {
        act kind = (act)(k % 4);
        op_case t = act_case(names[kind], kind, types[k / 4], 1, 1, 1);
        set_value(&t.in[0], 0, 1.25); /* below 0 GELU is a small difference, and one number has no larger beside it */
        op_check(&t);
        t = act_case(names[kind], kind, types[k / 4], 3, 61, 129);
        op_check(&t);
    }
    op_case t = act_case("bf16 to f32", ACT_GELU, DT_BF16, 1, 7, 33);
    t.attr.type = DT_F32;
    op_check(&t);
}

static void special_values(void **state)
{
    (void)state;
    static const double values[] = {NAN, INFINITY, -INFINITY, 0, -1e30, 1e30, -100, 100};
    for (int kind = ACT_NONE; kind <= ACT_SIGMOID; kind++) {
        op_case t = act_case("special values", (act)kind, DT_F32, 1, 3, 24);
        for (int i = 0; i < 8; i++)
            set_value(&t.in[0], (size_t)(24 + i), values[i]);
        op_check(&t);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {cmocka_unit_test(kinds), cmocka_unit_test(special_values)};
    return cmocka_run_group_tests(tests, NULL, NULL);
}
