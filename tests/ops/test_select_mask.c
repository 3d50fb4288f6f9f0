/* select_mask, exactly: a table of situations worked out by hand, and random ones against the rule. */
#include "op_test.h"

#include <math.h>
#include <stdlib.h>

static int best_of(const op_case *t, int n)
{
    int best = 1;
    for (int k = 2; k < 4; k++) {
        double v = value(&t->in[1], n, 0, k), b = value(&t->in[1], n, 0, best);
        if (v > b || (isnan(v) && !isnan(b)))
            best = k;
    }
    return best;
}

static void reference(const op_case *t, dtype round, double *const *out)
{
    const tensor *masks = &t->in[0], *tokens = &t->in[3];
    (void)round;
    for (int n = 0; n < t->out[0].n; n++) {
        int mode = (int)value(&t->in[4], n, 0, 0), several = mode % 2, chosen = several ? best_of(t, n) : 0;
        if (several && mode & 4 && t->in[5].type != DT_NONE)
            chosen = (int)value(&t->in[5], n, 0, 0);
        double least = t->in[6].type == DT_NONE ? 0 : value(&t->in[6], n, 0, 0);
        double inner = 0, outer = 0;
        for (int i = 0; i < masks->cols; i++) {
            inner += value(masks, n, 0, i) > t->attr.scale;
            outer += value(masks, n, 0, i) > -t->attr.scale;
        }
        if (!several && outer > 0 && (float)(inner / outer) < t->attr.bias) /* the original divides in f32 */
            chosen = best_of(t, n);
        bool hidden = mode & 2 && t->in[2].type != DT_NONE && !(value(&t->in[2], n, 0, 0) > least);
        for (int i = 0; i < masks->cols; i++)
            out[0][row_of(&t->out[0], n, 0) + (size_t)i] = hidden ? -1024 : value(masks, n, chosen, i);
        out[1][n] = value(&t->in[1], n, 0, chosen);
        for (int c = 0; c < tokens->cols; c++)
            out[2][row_of(&t->out[2], n, 0) + (size_t)c] = value(tokens, n, several ? chosen : 0, c);
        out[3][n] = chosen;
    }
}

static op_case mask_case(const char *label, int n, int n_pixels, dtype token_type, int cols)
{
    op_case t = op_case_new(OP_select_mask, label);
    in_normal(&t, 0, DT_F32, n, 4, n_pixels);
    in_uniform(&t, 1, DT_F32, n, 1, 4, 0, 1);
    in_normal(&t, 2, DT_F32, n, 1, 1);
    in_normal(&t, 3, token_type, n, 4, cols);
    in_ints(&t, 4, n, 1, 1, 0, 3);
    t.attr = (op_attr){.scale = 0.05f, .bias = 0.98f};
    t.reference = reference;
    t.exact = true;
    return t;
}

static void shapes(void **state)
{
    (void)state;
    op_case t = mask_case("smallest", 1, 1, DT_F32, 1);
    op_check(&t);
    t = mask_case("odd", 3, 37, DT_BF16, 33);
    op_check(&t);
    t = mask_case("large", 1, 256 * 256, DT_F32, 256);
    op_check(&t);
    t = mask_case("objects", 24, 1000, DT_BF16, 256);
    op_check(&t);
}

static void every_mode(void **state)
{
    (void)state;
    static const char *const labels[] = {"single", "several", "single, gated", "several, gated"};
    for (int k = 0; k < 16; k++) {
        op_case t = mask_case(labels[k % 4], 1, 40, DT_F32, 24);
        set_value(&t.in[4], 0, k % 4);
        set_value(&t.in[2], 0, k / 4 % 2 ? 3 : 0);
        /* Masks 0: large values only (stable), or as they are (not stable). */
        for (size_t i = 0; k >= 8 && i < 40; i++)
            set_value(&t.in[0], i, i % 2 ? 7 : -7);
        op_check(&t);
    }
}

static void chosen_elsewhere(void **state)
{
    (void)state;
    for (int mode = 0; mode < 8; mode++) {
        op_case t = mask_case(mode & 4 ? "a choice of another's" : "a choice that does not count", 3, 40, DT_BF16, 24);
        in_ints(&t, 5, 3, 1, 1, 1, 3);
        in_zero(&t, 6, DT_F32, 3, 1, 1);
        for (size_t n = 0; n < 3; n++) {
            set_value(&t.in[4], n, mode);
            set_value(&t.in[5], n, (double)n + 1);
            set_value(&t.in[2], n, n == 2 ? -1 : -0.5); /* at the least score, it is absent */
            set_value(&t.in[6], n, -1);
        }
        op_check(&t);
    }
}

static void edges(void **state)
{
    (void)state;
    op_case t = mask_case("empty mask 0 is stable", 1, 40, DT_F32, 24);
    for (size_t i = 0; i < 40; i++)
        set_value(&t.in[0], i, -5);
    set_value(&t.in[4], 0, 0);
    op_check(&t);

    t = mask_case("equal iou: the first of masks 1..3, although mask 0 has more", 1, 40, DT_F32, 24);
    for (size_t k = 0; k < 4; k++)
        set_value(&t.in[1], k, k ? 0.5 : 0.9);
    set_value(&t.in[4], 0, 1);
    op_check(&t);

    t = mask_case("a NaN iou counts as the largest; a NaN score is absent", 1, 40, DT_F32, 24);
    set_value(&t.in[1], 2, NAN);
    set_value(&t.in[2], 0, NAN);
    set_value(&t.in[4], 0, 3);
    op_check(&t);

    for (int sign = -1; sign <= 1; sign += 2) {
        t = mask_case(sign < 0 ? "values at -delta are outside" : "values at delta are not inside", 1, 50, DT_F32, 24);
        for (size_t i = 0; i < 50; i++)
            set_value(&t.in[0], i, i < 5 ? sign * (double)t.attr.scale : 1);
        set_value(&t.in[4], 0, 0);
        op_check(&t);
    }

    t = mask_case("no score: nothing is gated; threshold 0: mask 0 whatever it is", 1, 50, DT_F32, 24);
    free(t.in[2].data);
    t.in[2] = (tensor){.type = DT_NONE};
    t.attr.bias = 0;
    set_value(&t.in[4], 0, 2);
    op_check(&t);

    t = mask_case("49 of 50 is stable, at the threshold", 1, 50, DT_F32, 24);
    for (size_t i = 0; i < 50; i++)
        set_value(&t.in[0], i, i ? 1 : 0);
    t.attr.bias = 0.98f;
    set_value(&t.in[4], 0, 0);
    op_check(&t);
}

static void refused(void **state)
{
    (void)state;
    op_case t = mask_case("three masks", 1, 40, DT_F32, 24);
    t.in[0].rows = 3;
    op_check_refused(&t);
    t = mask_case("mode is not an integer", 1, 40, DT_F32, 24);
    t.in[4].type = DT_F32;
    op_check_refused(&t);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(shapes), cmocka_unit_test(every_mode), cmocka_unit_test(chosen_elsewhere),
        cmocka_unit_test(edges),  cmocka_unit_test(refused),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
