/* mask_upscale against float64: factors, edges, both modes, types. */
#include "op_test.h"

#include <math.h>

/* PyTorch's upsample_bilinear2d, align_corners false: positions below 0 are 0, beyond the last the last. */
static double bilinear(const op_case *t, dtype round, int n, int iy, int ix)
{
    int h = t->attr.h, w = t->attr.w;
    double y = fmax((iy + 0.5) / t->attr.kernel - 0.5, 0), x = fmax((ix + 0.5) / t->attr.kernel - 0.5, 0), v = 0;
    for (int tap = 0; tap < 4; tap++) {
        int py = (int)y + tap / 2, px = (int)x + tap % 2;
        double weight = (tap / 2 ? y - floor(y) : 1 - (y - floor(y))) * (tap % 2 ? x - floor(x) : 1 - (x - floor(x)));
        if (weight > 0)
            v += rounded(round, weight * value(&t->in[0], n, 0, (py < h ? py : h - 1) * w + (px < w ? px : w - 1)));
    }
    return rounded(round, v);
}

static void reference(const op_case *t, dtype round, double *const *out)
{
    int k = t->attr.kernel, wide = t->attr.w * k;
    for (int n = 0; n < t->out[0].n; n++)
        for (int r = 0; r < t->out[0].rows; r++) {
            double v = bilinear(t, sum_type(round), n, r / wide, r % wide);
            v = value(&t->in[1], n, 0, 0) != 0 ? v > 0 : rounded(round, 1 / (1 + rounded(round, exp(-v))));
            out[0][row_of(&t->out[0], n, r)] = rounded(round, v * t->attr.scale) + t->attr.bias;
        }
}

static op_case mask_case(const char *label, int n, int h, int w, int factor)
{
    op_case t = op_case_new(OP_mask_upscale, label);
    in_uniform(&t, 0, DT_F32, n, 1, h * w, -12, 12);
    in_zero(&t, 1, DT_I32, n, 1, 1);
    for (int i = 0; i < n; i++)
        set_value(&t.in[1], (size_t)i, i == 1);
    t.attr = (op_attr){.h = h, .w = w, .kernel = factor, .scale = 20, .bias = -10};
    t.reference = reference;
    return t;
}

static void shapes(void **state)
{
    (void)state;
    op_case t = mask_case("smallest", 1, 1, 1, 1);
    op_check(&t);
    t = mask_case("one pixel", 3, 1, 1, 4);
    op_check(&t);
    t = mask_case("odd, factor 3", 3, 5, 7, 3);
    op_check(&t);
    t = mask_case("factor 2", 3, 9, 6, 2);
    op_check(&t);
    t = mask_case("threaded", 3, 33, 64, 4);
    op_check(&t);
    t = mask_case("threaded, to bf16", 3, 33, 64, 4);
    t.attr.type = DT_BF16;
    op_check(&t);
    t = mask_case("binarise shared", 3, 4, 4, 4);
    in_ints(&t, 1, 1, 1, 1, 1, 1);
    op_check(&t);
}

static void special_values(void **state)
{
    (void)state;
    op_case t = mask_case("NaN reaches its neighbours, -1024 gives the bias", 1, 6, 6, 4);
    set_value(&t.in[0], 14, NAN);
    for (size_t i = 24; i < 36; i++)
        set_value(&t.in[0], i, -1024);
    op_check(&t);
}

static void refused(void **state)
{
    (void)state;
    op_case t = mask_case("grid", 1, 4, 4, 4);
    t.attr.w = 5;
    op_check_refused(&t);
    t = mask_case("no factor", 1, 4, 4, 4);
    t.attr.kernel = 0;
    op_check_refused(&t);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(shapes),
        cmocka_unit_test(special_values),
        cmocka_unit_test(refused),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
