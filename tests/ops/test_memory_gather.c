/* memory_gather against float64: counts from none to all, groups of pointer rows, types; rows past n_keys are untouched
 * (the harness fills outputs with NaN, and the reference says NaN there). */
#include "op_test.h"

#include <math.h>

static double wanted(const op_case *t, dtype round, int n, int r, int c, bool key)
{
    int n_tokens = t->attr.count, cols = t->in[0].cols, groups = t->in[6].cols / cols;
    int n_memory = (int)value(&t->in[5], n, 0, 0) * n_tokens, n_pointers = (int)value(&t->in[8], n, 0, 0);
    if (r < n_memory) {
        int slot = (int)value(&t->in[3], n, r / n_tokens, 0), when = (int)value(&t->in[4], n, r / n_tokens, 0);
        double age = when < 0 ? 0 : value(&t->in[2], 0, when, c);
        double code = rounded(round, value(&t->in[1], 0, r % n_tokens, c) + age);
        return value(&t->in[0], 0, slot * n_tokens + r % n_tokens, c) + (key ? code : 0);
    }
    int pointer = (r - n_memory) / groups, group = (r - n_memory) % groups;
    if (pointer >= n_pointers)
        return NAN;
    double v = value(&t->in[6], 0, (int)value(&t->in[7], n, pointer, 0), group * cols + c);
    return v + (key && t->in[9].type != DT_NONE ? value(&t->in[9], n, pointer, c) : 0);
}

static void reference(const op_case *t, dtype round, double *const *out)
{
    for (int n = 0; n < t->out[0].n; n++) {
        for (int r = 0; r < t->out[0].rows; r++)
            for (int c = 0; c < t->out[0].cols; c++)
                for (int k = 0; k < 2; k++)
                    out[k][row_of(&t->out[0], n, r) + (size_t)c] = wanted(t, round, n, r, c, k == 1);
        out[3][n] = value(&t->in[5], n, 0, 0) * t->attr.count;
        out[2][n] = out[3][n] + value(&t->in[8], n, 0, 0) * (t->in[6].cols / t->in[0].cols);
    }
}

typedef struct sizes {
    int n, n_slots, n_tokens, n_memories, n_pointer_slots, n_pointers, groups, cols;
} sizes;

static op_case gather_case(const char *label, dtype bank, sizes s, int low_frames)
{
    op_case t = op_case_new(OP_memory_gather, label);
    in_normal(&t, 0, bank, 1, s.n_slots * s.n_tokens, s.cols);
    in_normal(&t, 1, DT_F32, 1, s.n_tokens, s.cols);
    in_normal(&t, 2, DT_F32, 1, 7, s.cols);
    in_ints(&t, 3, s.n, s.n_memories, 1, 0, s.n_slots - 1);
    in_ints(&t, 4, s.n, s.n_memories, 1, -1, 6); /* -1: without a code of time */
    in_ints(&t, 5, s.n, 1, 1, low_frames, s.n_memories);
    in_normal(&t, 6, DT_F32, 1, s.n_pointer_slots, s.groups * s.cols);
    in_ints(&t, 7, s.n, s.n_pointers, 1, 0, s.n_pointer_slots - 1);
    in_ints(&t, 8, s.n, 1, 1, 0, s.n_pointers);
    in_normal(&t, 9, DT_F32, s.n, s.n_pointers, s.cols);
    t.attr.count = s.n_tokens;
    t.reference = reference;
    return t;
}

static void shapes(void **state)
{
    (void)state;
    static const dtype types[] = {DT_F32, DT_BF16, DT_F16};
    for (int k = 0; k < 3; k++) {
        op_case t = gather_case("smallest", types[k], (sizes){1, 1, 1, 1, 1, 1, 1, 1}, 1);
        op_check(&t);
        t = gather_case("odd", types[k], (sizes){3, 5, 7, 4, 6, 3, 3, 33}, 0);
        op_check(&t);
        t = gather_case("threaded", types[k], (sizes){1, 9, 256, 7, 20, 16, 4, 64}, 7);
        op_check(&t);
        t = gather_case("to bf16", types[k], (sizes){3, 5, 7, 4, 6, 3, 1, 300}, 0);
        t.attr.type = DT_BF16;
        op_check(&t);
    }
}

static void counts(void **state)
{
    (void)state;
    op_case t = gather_case("none, some and all; no pointer_pos", DT_BF16, (sizes){3, 5, 4, 4, 6, 3, 4, 16}, 0);
    for (int n = 0; n < 3; n++) {
        set_value(&t.in[5], (size_t)n, n == 2 ? 4 : n);
        set_value(&t.in[8], (size_t)n, n == 0 ? 3 : n == 1 ? 0 : 2);
    }
    t.in[9].type = DT_NONE;
    op_check(&t);
    t = gather_case("indices past the counts may be anything", DT_F32, (sizes){1, 5, 4, 4, 6, 3, 1, 16}, 2);
    set_value(&t.in[5], 0, 2);
    set_value(&t.in[8], 0, 1);
    for (size_t i = 2; i < 4; i++)
        set_value(&t.in[3], i, -7);
    set_value(&t.in[7], 2, 1000000);
    op_check(&t);
    t = gather_case("a NaN in the bank", DT_F32, (sizes){1, 2, 3, 2, 2, 2, 1, 24}, 2);
    for (size_t i = 0; i < 2; i++)
        set_value(&t.in[3], i, (double)i);
    set_value(&t.in[0], 24 + 3, NAN);
    op_check(&t);
}

static void refused(void **state)
{
    (void)state;
    op_case t = gather_case("tokens per frame", DT_F32, (sizes){1, 5, 4, 4, 6, 3, 1, 16}, 0);
    t.attr.count = 3;
    op_check_refused(&t);
    t = gather_case("pointer columns", DT_F32, (sizes){1, 5, 4, 4, 6, 3, 2, 16}, 0);
    t.in[6].cols = 31;
    op_check_refused(&t);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(shapes),
        cmocka_unit_test(counts),
        cmocka_unit_test(refused),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
