/* mlp against float64: every width of the kernels, tails of rows, columns and hidden units; norm, biases, residual; taps and
 * gate over grids of odd sizes. */
#include "mlp_reference.h"

#include <math.h>
#include <stdlib.h>

/* with: bit 0 a norm, bit 1 biases, bit 2 a residual. */
static op_case mlp_case(const char *label, dtype type, int n, int rows, int cols, int hidden, int with)
{
    op_case t = op_case_new(OP_mlp, label);
    in_normal(&t, 0, type, n, rows, cols);
    in_uniform(&t, 1, type, 1, hidden, cols, -0.3, 0.3);
    in_uniform(&t, 3, type, 1, cols, hidden, -0.3, 0.3);
    if (with & 2) {
        in_normal(&t, 2, DT_F32, 1, 1, hidden);
        in_normal(&t, 4, DT_F32, 1, 1, cols);
    }
    if (with & 1) {
        in_uniform(&t, 5, DT_F32, 1, 1, cols, 0.5, 2);
        in_uniform(&t, 6, DT_F32, 1, 1, cols, -1, 1);
    }
    if (with & 4)
        in_normal(&t, 7, type, n, rows, cols);
    t.attr = (op_attr){.act = ACT_GELU, .eps = 1e-6f};
    t.reference = mlp_reference;
    return t;
}

static void shapes(void **state)
{
    (void)state;
    static const int cases[][5] = {
        {1, 1, 8, 8, 0},      {2, 19, 48, 96, 6},   {1, 40, 64, 256, 7},  {1, 65, 96, 384, 7}, {3, 9, 80, 72, 1},
        {1, 70, 112, 200, 7}, {1, 17, 144, 64, 3},  {1, 33, 192, 136, 7}, {1, 5, 224, 896, 5}, {1, 20, 200, 40, 2},
        {1, 1100, 96, 64, 7}, {2, 600, 64, 128, 4}, {1, 256, 192, 64, 7}, {1, 600, 48, 96, 7}, {1, 20, 64, 96, 7},
    };
    for (size_t i = 0; i < 2 * sizeof cases / sizeof *cases; i++) {
        const int *s = cases[i / 2];
        op_case t = mlp_case("shapes", i % 2 ? DT_F16 : DT_BF16, s[0], s[1], s[2], s[3], s[4]);
        op_check(&t);
    }
    op_case t = mlp_case("relu", DT_F16, 1, 7, 40, 56, 6);
    t.attr.act = ACT_RELU;
    op_check(&t);
}

/* with: bit 1 biases, bit 3 a gate. */
static op_case taps_case(const char *label, dtype type, int n, int h, int w, int cols, int hidden, int with)
{
    op_case t = mlp_case(label, type, n, h * w, cols, hidden, with & 2);
    in_normal(&t, 8, type, 1, cols, 9);
    if (with & 2)
        in_normal(&t, 9, DT_F32, 1, 1, cols);
    if (with & 8)
        in_uniform(&t, 10, type, n, 1, cols, 0, 1);
    t.weights = 1u << 8;
    t.attr.h = h;
    t.attr.w = w;
    return t;
}

/* Every tile of the kernels, grids that are smaller and larger than it, and their borders. */
static void taps(void **state)
{
    (void)state;
    static const int cases[][6] = {
        {1, 1, 1, 8, 16, 2},     {1, 3, 5, 16, 40, 10},   {2, 9, 7, 48, 96, 8},    {1, 40, 27, 48, 96, 10},
        {1, 17, 33, 64, 72, 2},  {1, 36, 31, 96, 64, 10}, {3, 5, 6, 80, 48, 10},   {1, 6, 11, 112, 64, 2},
        {1, 9, 4, 136, 64, 8},   {1, 5, 9, 192, 384, 10}, {1, 16, 17, 184, 72, 2}, {2, 20, 15, 192, 136, 10},
        {1, 2, 13, 224, 64, 10}, {1, 19, 1, 24, 56, 10},
    };
    for (size_t i = 0; i < 2 * sizeof cases / sizeof *cases; i++) {
        const int *s = cases[i / 2];
        op_case t = taps_case("taps", i % 2 ? DT_F16 : DT_BF16, s[0], s[1], s[2], s[3], s[4], s[5]);
        op_check(&t);
    }
}

static void not_finite(void **state)
{
    (void)state;
    op_case t = mlp_case("a NaN and an infinity", DT_BF16, 1, 6, 32, 64, 4);
    set_value(&t.in[0], 33, NAN);
    set_value(&t.in[7], 70, INFINITY);
    op_check(&t);
    t = taps_case("a NaN under the taps", DT_F16, 1, 6, 12, 48, 64, 10);
    set_value(&t.in[0], 30 * 48 + 5, NAN);
    op_check(&t);
}

static void refused(void **state)
{
    (void)state;
    op_case t = mlp_case("f32", DT_F32, 1, 2, 16, 16, 0);
    op_check_refused(&t);
    t = mlp_case("too wide", DT_BF16, 1, 2, 232, 16, 0);
    op_check_refused(&t);
    t = mlp_case("w2 of other shape", DT_BF16, 1, 2, 16, 24, 0);
    in_normal(&t, 3, DT_BF16, 1, 24, 16);
    op_check_refused(&t);
    t = mlp_case("gain alone", DT_BF16, 1, 2, 16, 24, 0);
    in_normal(&t, 5, DT_F32, 1, 1, 16);
    op_check_refused(&t);
    t = taps_case("taps and a residual", DT_BF16, 1, 2, 3, 16, 24, 0);
    in_normal(&t, 7, DT_BF16, 1, 6, 16);
    op_check_refused(&t);
    t = taps_case("taps of another grid", DT_BF16, 1, 2, 3, 16, 24, 0);
    t.attr.h = 3;
    op_check_refused(&t);
    t = taps_case("seven taps", DT_BF16, 1, 2, 3, 16, 24, 0);
    in_normal(&t, 8, DT_BF16, 1, 16, 7);
    op_check_refused(&t);
    t = taps_case("gate of one object", DT_BF16, 2, 2, 3, 16, 24, 0);
    in_normal(&t, 10, DT_BF16, 1, 1, 16);
    op_check_refused(&t);
    t = mlp_case("gate alone", DT_BF16, 1, 2, 16, 24, 0);
    in_normal(&t, 10, DT_BF16, 1, 1, 16);
    op_check_refused(&t);
}

int main(void)
{
    const struct CMUnitTest tests[] = {cmocka_unit_test(shapes), cmocka_unit_test(taps), cmocka_unit_test(not_finite),
                                       cmocka_unit_test(refused)};
    return cmocka_run_group_tests(tests, NULL, NULL);
}
