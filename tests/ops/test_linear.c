/* linear against sums in float64. */
#include "linear_reference.h"

#include <math.h>

typedef struct shape {
    int n, rows, in, out;
} shape;

/* with: bit 0 a bias, bit 1 a residual per object, bit 2 a shared one. */
static op_case linear_case(const char *label, dtype x, dtype w, shape s, int with, act kind)
{
    op_case t = op_case_new(OP_linear, label);
    in_normal(&t, 0, x, s.n, s.rows, s.in);
    in_normal(&t, 1, w, 1, s.out, s.in);
    if (with & 1)
        in_normal(&t, 2, DT_F32, 1, 1, s.out);
    if (with & 6)
        in_normal(&t, 3, x, with & 2 ? s.n : 1, s.rows, s.out);
    t.weights = 1u << 1 | 1u << 2;
    t.attr.act = kind;
    t.reference = linear_reference;
    return t;
}

static void shapes(void **state)
{
    (void)state;
    static const struct {
        const char *label;
        shape s;
    } cases[] = {
        {"smallest", {1, 1, 1, 1}},  {"odd", {3, 19, 71, 33}},          {"one row", {3, 1, 256, 64}},
        {"tokens", {2, 8, 256, 64}}, {"narrow", {1, 66, 256, 4}},       {"wide", {1, 19, 96, 288}},
        {"deep", {1, 9, 768, 40}},   {"memory keys", {1, 70, 64, 128}},
    };
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++)
        for (int half = 0; half < 2; half++) {
            dtype type = half ? DT_BF16 : DT_F32;
            op_case t = linear_case(cases[i].label, type, type, cases[i].s, 1, ACT_NONE);
            op_check(&t);
        }
}

/* Each tile size of the kernels, whole and with tails, few and many stages; shared x and residual. */
static void kernel_tiles(void **state)
{
    (void)state;
    static const struct {
        const char *label;
        shape s;
        int with;
    } cases[] = {
        {"small tiles", {1, 32, 160, 70}, 3},        {"medium tiles", {2, 45, 200, 72}, 5},
        {"one medium tile", {1, 64, 32, 64}, 0},     {"large tiles", {2, 130, 72, 264}, 3},
        {"whole large tiles", {1, 256, 64, 256}, 1},
    };
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++)
        for (int half = 0; half < 2; half++) {
            dtype type = half ? DT_F16 : DT_BF16;
            op_case t = linear_case(cases[i].label, type, type, cases[i].s, cases[i].with, half ? ACT_RELU : ACT_GELU);
            t.kernels_only = half;
            op_check(&t);
        }
    op_case t = linear_case("x shared, residual per object", DT_BF16, DT_BF16, (shape){1, 40, 64, 24}, 1, ACT_NONE);
    in_normal(&t, 3, DT_F32, 3, 40, 24);
    op_check(&t);
}

/* Every activation, with and without bias and residual. */
static void fused(void **state)
{
    (void)state;
    static const act acts[] = {ACT_NONE, ACT_RELU, ACT_GELU, ACT_SIGMOID};
    for (int i = 0; i < 32; i++) {
        dtype type = i & 16 ? DT_BF16 : DT_F32;
        static const int with[] = {0, 1, 3, 5};
        op_case t = linear_case("fused", type, type, (shape){3, 7, 24, 40}, with[i / 4 % 4], acts[i % 4]);
        op_check(&t);
    }
}

/* Every mixture of types of x, w, residual and out. */
static void types(void **state)
{
    (void)state;
    static const dtype all[] = {DT_F32, DT_BF16, DT_F16};
    for (int i = 0; i < 36; i++) {
        op_case t = linear_case("types", all[i % 2], all[i / 2 % 3], (shape){2, 9, 21, 18}, 1, ACT_GELU);
        in_normal(&t, 3, all[i / 6 % 3], 2, 9, 18);
        t.attr.type = all[i / 18];
        op_check(&t);
    }
}

static void not_finite(void **state)
{
    (void)state;
    for (int half = 0; half < 2; half++) {
        dtype type = half ? DT_BF16 : DT_F32;
        op_case t = linear_case("not finite", type, type, (shape){2, 9, 32, 20}, 3, ACT_NONE);
        set_value(&t.in[0], 40, NAN);
        set_value(&t.in[0], 100, INFINITY);
        set_value(&t.in[3], 7, NAN);
        op_check(&t);
    }
}

static void refusals(void **state)
{
    (void)state;
    op_case t = linear_case("w", DT_F32, DT_F32, (shape){1, 2, 3, 4}, 1, ACT_NONE);
    in_normal(&t, 1, DT_F32, 1, 4, 5);
    op_check_refused(&t);
    t = linear_case("b", DT_F32, DT_F32, (shape){1, 2, 3, 4}, 1, ACT_NONE);
    in_normal(&t, 2, DT_F32, 1, 1, 3);
    op_check_refused(&t);
    t = linear_case("residual", DT_F32, DT_F32, (shape){1, 2, 3, 4}, 1, ACT_NONE);
    in_normal(&t, 3, DT_F32, 1, 1, 4);
    op_check_refused(&t);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(shapes), cmocka_unit_test(kernel_tiles), cmocka_unit_test(fused),
        cmocka_unit_test(types),  cmocka_unit_test(not_finite),   cmocka_unit_test(refusals),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
