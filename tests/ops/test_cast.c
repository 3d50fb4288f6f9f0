/* cast, exactly: every pair of types, ties, overflow, subnormals, NaN. */
#include "op_test.h"

#include <math.h>

static void reference(const op_case *t, dtype round, double *const *out)
{
    (void)round;
    for (size_t i = 0; i < tensor_count(&t->in[0]); i++)
        out[0][i] = value_at(&t->in[0], i);
}

static op_case cast_case(const char *label, dtype from, dtype to, int n, int rows, int cols)
{
    op_case t = op_case_new(OP_cast, label);
    in_normal(&t, 0, from, n, rows, cols);
    t.attr.type = to;
    t.reference = reference;
    t.exact = true;
    return t;
}

static void types(void **state)
{
    (void)state;
    static const dtype kinds[] = {DT_F32, DT_BF16, DT_F16};
    for (int k = 0; k < 9; k++) {
        op_case t = cast_case("smallest", kinds[k / 3], kinds[k % 3], 1, 1, 1);
        op_check(&t);
        t = cast_case("odd", kinds[k / 3], kinds[k % 3], 3, 101, 83);
        op_check(&t);
    }
}

static void special_values(void **state)
{
    (void)state;
    static const double values[] = {
        NAN,         INFINITY,    -INFINITY,  0,          65504,    65519.99,    65520,      -65536,
        1e30,        0x1p-24,     0x1p-25,    0x1.8p-25,  0x1p-14,  0x1.ffcp-15, 1 + 0x1p-8, 1 + 0x3p-8,
        1 + 0x1p-11, 1 + 0x3p-11, 0x1.ffp127, 0x1.FEp127, 0x1p-133, 0x1p-134,    0x1p-149,   -0x1.8p-133,
    };
    for (dtype to = DT_F32; to <= DT_F16; to++) {
        op_case t = cast_case("special values", DT_F32, to, 1, 3, 24);
        for (size_t i = 0; i < 24; i++)
            set_value(&t.in[0], 24 + i, values[i]);
        op_check(&t);
    }
}

static void refused(void **state)
{
    (void)state;
    op_case t = cast_case("no type", DT_F32, DT_NONE, 1, 1, 4);
    op_check_refused(&t);
    t = cast_case("to integers", DT_F32, DT_I32, 1, 1, 4);
    op_check_refused(&t);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(types),
        cmocka_unit_test(special_values),
        cmocka_unit_test(refused),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
