/* attention against softmax written out in float64. */
#include "attention_reference.h"

#include "amx_instructions.h"
#include "control.h"

#include <math.h>
#include <stdio.h>
#include <stdlib.h>

typedef struct shape {
    int n, n_shared, rows, keys, heads, dk, dv, groups; /* n_shared: of k and v */
} shape;

static op_case attention_case(const char *label, dtype type, shape s)
{
    op_case t = op_case_new(OP_attention, label);
    in_normal(&t, 0, type, s.n, s.rows, s.heads * s.dk);
    in_normal(&t, 1, type, s.n_shared, s.keys, s.heads * s.dk);
    in_normal(&t, 2, type, s.n_shared, s.keys, s.heads * s.dv);
    t.attr.heads = s.heads;
    t.attr.groups = s.groups;
    t.attr.scale = (float)(1.0 / sqrt(s.dk));
    t.reference = attention_reference;
    return t;
}

static void shapes(void **state)
{
    (void)state;
    static const struct {
        const char *label;
        shape s;
    } cases[] = {
        {"smallest", {1, 1, 1, 1, 1, 1, 1, 0}},
        {"odd", {3, 3, 37, 131, 1, 7, 5, 0}},
        {"shared keys", {3, 1, 19, 77, 2, 6, 10, 0}},
        {"memory", {1, 1, 65, 389, 1, 256, 64, 0}},
        {"self", {1, 1, 40, 140, 1, 256, 256, 0}},
        {"tokens to image", {3, 3, 9, 300, 8, 16, 16, 0}},
        {"image to tokens", {3, 3, 300, 9, 8, 16, 16, 0}},
        {"tokens", {1, 1, 9, 9, 8, 32, 32, 0}},
        {"perceiver", {1, 1, 70, 300, 1, 64, 64, 0}},
        {"perceiver windows", {2, 2, 9, 144, 1, 64, 64, 9}},
        {"row tails", {1, 1, 33, 141, 1, 12, 15, 0}},
        {"many chunks", {1, 1, 700, 17, 1, 8, 8, 0}},
    };
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++)
        for (int half = 0; half < 2; half++) {
            op_case t = attention_case(cases[i].label, half ? DT_BF16 : DT_F32, cases[i].s);
            op_check(&t);
        }
}

static void types(void **state)
{
    (void)state;
    shape s = {2, 2, 21, 45, 2, 8, 12, 0};
    for (int i = 0; i < 16; i++) {
        op_case t = attention_case("types", DT_F32, s);
        for (int j = 0; j < 3; j++)
            if (i >> j & 1)
                in_normal(&t, j, DT_BF16, 2, j ? s.keys : s.rows, j == 2 ? s.heads * s.dv : s.heads * s.dk);
        t.attr.type = i >> 3 & 1 ? DT_BF16 : DT_F32;
        t.plain = (i & 7) == 7 ? DT_BF16 : t.attr.type; /* probabilities are bf16 where all operands are */
        op_check(&t);
    }
}

/* Kernels have tiles for 99, 163 and 227 KiB of shared memory; widths and rows that fill none of them. */
static void tiles(void **state)
{
    (void)state;
    static const size_t limits[3] = {99 * 1024, 163 * 1024, 227 * 1024};
    static const shape cases[] = {
        {1, 1, 150, 200, 1, 256, 64, 0}, {1, 1, 33, 100, 1, 256, 256, 0}, {1, 1, 20, 70, 1, 200, 40, 0},
        {1, 1, 50, 90, 1, 144, 136, 0},  {1, 1, 70, 130, 1, 72, 72, 0},   {1, 1, 129, 65, 1, 96, 96, 0},
        {1, 1, 17, 80, 1, 112, 128, 0},  {2, 1, 40, 65, 1, 32, 24, 0},    {1, 1, 20, 70, 2, 16, 16, 0},
        {1, 1, 130, 70, 1, 64, 64, 0},
    };
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++)
        for (int j = 0; j < (cases[i].dk > 128 ? 3 : 1); j++) {
            op_case t = attention_case("tiles", DT_BF16, cases[i]);
            emu_shared_limit(limits[j]);
            op_check(&t);
            t = attention_case("tiles, f16", DT_F16, cases[i]);
            op_check(&t);
        }
    emu_shared_limit(limits[0]);
}

/* Rows past n_keys hold NaN and must not be looked at. */
static void valid_keys(void **state)
{
    (void)state;
    static const int counts[3] = {1, 129, 200};
    for (int half = 0; half < 2; half++) {
        op_case t = attention_case("n_keys", half ? DT_BF16 : DT_F32, (shape){3, 3, 35, 200, 2, 16, 8, 0});
        in_zero(&t, 3, DT_I32, 3, 1, 1);
        for (int i = 0; i < 3; i++) {
            set_value(&t.in[3], (size_t)i, counts[i]);
            for (int r = counts[i]; r < 200; r++) {
                for (int c = 0; c < 32; c++)
                    set_value(&t.in[1], ((size_t)i * 200 + (size_t)r) * 32 + (size_t)c, NAN);
                for (int c = 0; c < 16; c++)
                    set_value(&t.in[2], ((size_t)i * 200 + (size_t)r) * 16 + (size_t)c, NAN);
            }
        }
        op_check(&t);
    }
}

/* Scores in the hundreds that rise block after block, and fall: the running maximum is raised and kept. */
static void large_scores(void **state)
{
    (void)state;
    for (int i = 0; i < 4; i++) {
        op_case t =
            attention_case(i & 2 ? "falling" : "rising", i & 1 ? DT_BF16 : DT_F32, (shape){1, 1, 34, 700, 1, 16, 8, 0});
        for (int r = 0; r < 700; r++)
            for (int c = 0; c < 16; c++) {
                size_t at = (size_t)r * 16 + (size_t)c;
                set_value(&t.in[1], at, value_at(&t.in[1], at) * (i & 2 ? 700 - r : r) / 50.0);
            }
        op_check(&t);
    }
}

/* A NaN in a query stays in that query's row; one in a value row reaches every query of its object. */
static void not_finite(void **state)
{
    (void)state;
    for (int i = 0; i < 6; i++) {
        op_case t = attention_case("not finite", i & 1 ? DT_BF16 : DT_F32, (shape){2, 2, 40, 150, 1, 8, 6, 0});
        int input = i / 2;
        set_value(&t.in[input], 5, input == 2 ? INFINITY : NAN);
        op_check(&t);
    }
}

/* A query whose scores are all -infinity has no weights: NaN, in its row alone. */
static void no_weights(void **state)
{
    (void)state;
    for (int half = 0; half < 2; half++) {
        op_case t = attention_case("no weights", half ? DT_BF16 : DT_F32, (shape){1, 1, 20, 150, 1, 32, 8, 0});
        for (size_t r = 0; r < 150; r++)
            set_value(&t.in[1], r * 32, 0.5 + random_uniform(&t));
        set_value(&t.in[0], 3 * 32, -INFINITY);
        op_check(&t);
    }
}

/* q, k and v as columns of wider tensors: side by side in one, or wherever they lie. */
static void columns(void **state)
{
    (void)state;
    static const dtype types[] = {DT_F32, DT_BF16, DT_F16};
    for (int i = 0; i < 6; i++) {
        static const shape wide[] = {{2, 2, 37, 37, 2, 64 * 3 / 2, 16, 0}, {3, 1, 70, 130, 1, 280, 72, 0}};
        op_case t = attention_case("columns", types[i / 2], wide[i % 2]);
        t.attr.qk_cols = i % 2 ? 256 : 64, t.attr.v_cols = i % 2 ? 64 : 32;
        t.attr.q_col = i % 2 ? 16 : 128, t.attr.k_col = i % 2 ? 24 : 0, t.attr.v_col = i % 2 ? 8 : 0;
        t.attr.scale = 0.1f;
        t.kernels_only = types[i / 2] == DT_F16;
        op_check(&t);
    }
    op_case t = attention_case("columns beyond the tensor", DT_F32, (shape){1, 1, 4, 5, 1, 16, 8, 0});
    t.attr.qk_cols = 8, t.attr.k_col = 9;
    op_check_refused(&t);
}

/* The products on tiles that cpu_flash_amx.h says it takes: 16 keys x 16 queries x 32 wide, 16 dv x 16 queries x 32 keys;
 * and tiles are begun and ended by each thread. Nothing is counted where the processor has the instructions itself. */
static void tile_products(void **state)
{
    (void)state;
    static const struct {
        shape s;
        long dots;
    } cases[] = {
        {{1, 1, 65, 389, 1, 256, 64, 0},
         25 * 5 * 8 + 4 * 5 * 13}, /* 389 keys: 8 + 8 + 8 + 1 groups, 4 + 4 + 4 + 1 steps */
        {{1, 1, 16, 128, 1, 72, 40, 0}, 8 * 1 * 3 + 3 * 1 * 4},
        {{2, 2, 9, 9, 8, 16, 16, 0}, 16 * 2}, /* narrow rows are padded */
        {{1, 1, 40, 40, 1, 7, 8, 0}, 0},      /* an odd width is not for tiles */
    };
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        op_case t = attention_case("tile products", DT_BF16, cases[i].s);
        op_check(&t);
        amx_counts n = amx_instructions_counts();
        if (n.begins == 0) /* no such instruction trapped */
            continue;
        printf("  %ld products, %ld loads, %ld stores, %ld zeros\n", n.dots, n.loads, n.stores, n.zeros);
        assert_int_equal(n.dots, cases[i].dots);
        assert_int_equal(n.begins, 2);
        assert_int_equal(n.ends, 2);
    }
}

static void refusals(void **state)
{
    (void)state;
    op_case t = attention_case("heads", DT_F32, (shape){1, 1, 4, 4, 1, 6, 6, 0});
    t.attr.heads = 4;
    op_check_refused(&t);
    t = attention_case("columns", DT_F32, (shape){1, 1, 4, 4, 1, 6, 6, 0});
    in_normal(&t, 1, DT_F32, 1, 4, 8);
    op_check_refused(&t);
    t = attention_case("groups", DT_F32, (shape){1, 1, 4, 4, 1, 6, 6, 3});
    op_check_refused(&t);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(shapes),       cmocka_unit_test(types),      cmocka_unit_test(valid_keys),
        cmocka_unit_test(large_scores), cmocka_unit_test(not_finite), cmocka_unit_test(refusals),
        cmocka_unit_test(tiles),        cmocka_unit_test(columns),    cmocka_unit_test(tile_products),
        cmocka_unit_test(no_weights),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
