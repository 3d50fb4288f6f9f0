/* layernorm against float64: short and long rows, a large common offset, special values, types. */
#include "op_test.h"

#include <math.h>

static void reference(const op_case *t, dtype round, double *const *out)
{
    const tensor *x = &t->in[0], *gain = &t->in[1], *bias = &t->in[2];
    dtype sums = sum_type(round);
    for (int n = 0; n < x->n; n++)
        for (int r = 0; r < x->rows; r++) {
            double mean = 0, var = 0;
            for (int c = 0; c < x->cols; c++)
                mean = rounded(sums, mean + value(x, n, r, c));
            mean = rounded(sums, mean / x->cols);
            for (int c = 0; c < x->cols; c++)
                var = rounded(sums, var + pow(rounded(sums, value(x, n, r, c) - mean), 2));
            double inverse = rounded(sums, 1 / sqrt(var / x->cols + (double)t->attr.eps));
            for (int c = 0; c < x->cols; c++) {
                double v = rounded(round, (value(x, n, r, c) - mean) * inverse);
                v = rounded(round, v * value(gain, 0, 0, c));
                v = rounded(round, v + value(bias, 0, 0, c));
                v = act_reference(t->attr.act, v);
                out[0][row_of(x, n, r) + (size_t)c] = v;
                if (out[1])
                    out[1][row_of(x, n, r) + (size_t)c] = v + value(&t->in[3], n, r, c);
            }
        }
}

static op_case layernorm_case(const char *label, dtype type, int n, int rows, int cols, act kind)
{
    op_case t = op_case_new(OP_layernorm, label);
    in_normal(&t, 0, type, n, rows, cols);
    in_uniform(&t, 1, DT_F32, 1, 1, cols, 0.5, 2);
    in_uniform(&t, 2, DT_F32, 1, 1, cols, -1, 1);
    t.attr = (op_attr){.eps = 1e-6f, .act = kind};
    t.reference = reference;
    return t;
}

static void shapes(void **state)
{
    (void)state;
    static const dtype types[] = {DT_F32, DT_BF16, DT_F16};
    for (int k = 0; k < 3; k++) {
        op_case t = layernorm_case("smallest", types[k], 1, 1, 1, ACT_NONE);
        op_check(&t);
        t = layernorm_case("odd", types[k], 3, 7, 97, ACT_NONE);
        op_check(&t);
        t = layernorm_case("4 channels", types[k], 1, 5000, 4, ACT_GELU);
        op_check(&t);
        t = layernorm_case("16 channels", types[k], 3, 130, 16, ACT_NONE);
        op_check(&t);
        t = layernorm_case("threaded", types[k], 3, 99, 256, ACT_NONE);
        op_check(&t);
        static const int wide[] = {257, 384, 640, 832, 1280}; /* rows that a warp holds in 2 to 5 pieces */
        for (size_t i = 0; i < sizeof wide / sizeof *wide; i++) {
            int cols = wide[i];
            t = layernorm_case("wide", types[k], 2, 9, cols, ACT_NONE);
            op_check(&t);
            t = layernorm_case("wide, whole chunks", types[k], 2, 9, cols / 8 * 8, ACT_GELU);
            op_check(&t);
        }
        t = layernorm_case("longest", types[k], 1, 9, 5120, ACT_RELU);
        op_check(&t);
    }
}

/* The second output, plus shared by all objects or not, of another type; blocks of rows that end within an object. */
static void plus(void **state)
{
    (void)state;
    static const dtype types[] = {DT_F32, DT_BF16, DT_F16};
    for (int k = 0; k < 9; k++) {
        static const int shapes[3][3] = {{3, 9, 33}, {2, 25, 256}, {3, 70, 40}};
        const int *s = shapes[k / 3];
        op_case t = layernorm_case("plus", types[k % 3], s[0], s[1], s[2], k % 2 ? ACT_RELU : ACT_NONE);
        in_normal(&t, 3, types[k / 3], k % 2 ? 1 : s[0], s[1], s[2]);
        op_check(&t);
    }
}

static void output_type(void **state)
{
    (void)state;
    op_case t = layernorm_case("f32 to bf16", DT_F32, 1, 5, 33, ACT_NONE);
    t.attr.type = DT_BF16;
    op_check(&t);
    t = layernorm_case("bf16 to f32", DT_BF16, 1, 5, 33, ACT_NONE);
    t.attr.type = DT_F32;
    op_check(&t);
}

/* E[x^2] - E[x]^2 would lose everything here. */
static void large_offset(void **state)
{
    (void)state;
    op_case t = layernorm_case("offset 1000", DT_F32, 1, 4, 128, ACT_NONE);
    for (size_t i = 0; i < tensor_count(&t.in[0]); i++)
        set_value(&t.in[0], i, value_at(&t.in[0], i) + 1000);
    op_check(&t);
}

static void special_values(void **state)
{
    (void)state;
    op_case t = layernorm_case("a NaN, an infinity and a constant row", DT_F32, 1, 5, 24, ACT_RELU);
    set_value(&t.in[0], 24 + 3, NAN);
    set_value(&t.in[0], 2 * 24 + 5, INFINITY);
    for (size_t i = 3 * 24; i < 4 * 24; i++)
        set_value(&t.in[0], i, 0.75);
    op_check(&t);
}

static void refused(void **state)
{
    (void)state;
    op_case t = layernorm_case("gain too short", DT_F32, 1, 5, 24, ACT_NONE);
    t.in[1].cols = 23;
    op_check_refused(&t);
    t = layernorm_case("bf16 bias", DT_F32, 1, 5, 24, ACT_NONE);
    t.in[2].type = DT_BF16;
    op_check_refused(&t);
    t = layernorm_case("plus of other rows", DT_F32, 1, 5, 24, ACT_NONE);
    in_normal(&t, 3, DT_F32, 1, 1, 24);
    op_check_refused(&t);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(shapes),         cmocka_unit_test(output_type), cmocka_unit_test(large_offset),
        cmocka_unit_test(special_values), cmocka_unit_test(refused),     cmocka_unit_test(plus),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
