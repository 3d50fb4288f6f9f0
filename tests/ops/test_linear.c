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
        {"whole large tiles", {1, 256, 64, 256}, 1}, {"128 x 96", {2, 130, 72, 92}, 3},
        {"128 x 128", {1, 250, 40, 500}, 5},         {"more panels than a cache", {2, 4, 2080, 300}, 3},
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

/* Few rows, of which eight warps share the depth: tails of rows, columns and depth. */
static void few_rows(void **state)
{
    (void)state;
    static const shape cases[] = {{1, 1, 8, 1}, {1, 25, 2048, 17}, {3, 9, 264, 40}, {1, 16, 72, 8}, {8, 33, 40, 70}};
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++)
        for (int half = 0; half < 2; half++) {
            op_case t = linear_case("few rows", half ? DT_F16 : DT_BF16, half ? DT_F16 : DT_BF16, cases[i],
                                    i % 2 ? 3 : 5, half ? ACT_RELU : ACT_NONE);
            t.kernels_only = half;
            op_check(&t);
        }
}

/* Rows with weights of their own. */
static void groups(void **state)
{
    (void)state;
    static const struct {
        shape s; /* rows of x, columns out of each group */
        int groups, first;
    } cases[] = {{{1, 6, 256, 40}, 6, 0}, {{3, 9, 24, 33}, 4, 2}, {{20, 7, 64, 8}, 2, 5}, {{2, 5, 21, 7}, 3, 1}};
    static const dtype types[] = {DT_F32, DT_BF16, DT_F16};
    for (int i = 0; i < 12; i++) {
        dtype type = types[i / 4];
        shape s = cases[i % 4].s;
        s.out *= cases[i % 4].groups;
        op_case t = linear_case("groups", type, type, s, i % 2, i % 3 ? ACT_RELU : ACT_GELU);
        t.attr.groups = cases[i % 4].groups;
        t.attr.first = cases[i % 4].first;
        t.kernels_only = type == DT_F16;
        op_check(&t);
    }
}

static void set_turns(op_case *t, int rows, int cols)
{
    in_zero(t, 4, DT_F32, 1, rows, cols);
    for (size_t i = 0; i + 1 < (size_t)rows * (size_t)cols; i += 2) {
        double angle = 6.283185307179586 * random_uniform(t);
        set_value(&t->in[4], i, cos(angle));
        set_value(&t->in[4], i + 1, sin(angle));
    }
}

/* Rotary encoding of the result: all of it, or its first columns; a period, a start and a count of rows. */
static void turns(void **state)
{
    (void)state;
    static const dtype types[] = {DT_F32, DT_BF16, DT_F16};
    for (int k = 0; k < 3; k++) {
        dtype type = types[k];
        op_case t = linear_case("turned", type, type, (shape){3, 19, 40, 34}, 1, ACT_NONE);
        set_turns(&t, 19, 34);
        t.kernels_only = type == DT_F16;
        op_check(&t);
        t = linear_case("first columns turned", type, type, (shape){1, 70, 64, 72}, 3, ACT_NONE);
        set_turns(&t, 70, 12);
        t.attr.count = 36;
        t.kernels_only = type == DT_F16;
        op_check(&t);
        t = linear_case("turned after a start", type, type, (shape){2, 300, 64, 264}, 0, ACT_NONE);
        set_turns(&t, 17, 264);
        in_ints(&t, 5, 2, 1, 1, 200, 290);
        t.attr.period = 30;
        t.attr.start = 13;
        t.kernels_only = type == DT_F16;
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
    t = linear_case("groups beyond x", DT_F32, DT_F32, (shape){1, 2, 3, 4}, 1, ACT_NONE);
    t.attr = (op_attr){.groups = 2, .first = 1};
    op_check_refused(&t);
    t = linear_case("turns of other columns", DT_F32, DT_F32, (shape){1, 2, 3, 4}, 1, ACT_NONE);
    in_normal(&t, 4, DT_F32, 1, 2, 6);
    op_check_refused(&t);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(shapes),   cmocka_unit_test(kernel_tiles), cmocka_unit_test(fused),
        cmocka_unit_test(types),    cmocka_unit_test(not_finite),   cmocka_unit_test(refusals),
        cmocka_unit_test(few_rows), cmocka_unit_test(groups),       cmocka_unit_test(turns),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
