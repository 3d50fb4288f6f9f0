/* max_pool against the definition, exactly: types, odd columns, NaN. */
#include "op_test.h"

#include <math.h>

static void reference(const op_case *t, dtype round, double *const *out)
{
    const tensor *x = &t->in[0], *y = &t->out[0];
    int h = t->attr.h / 2, w = t->attr.w / 2;
    (void)round;
    for (int n = 0; n < y->n; n++)
        for (int r = 0; r < h * w; r++)
            for (int c = 0; c < y->cols; c++) {
                double best = -INFINITY;
                for (int tap = 0; tap < 4; tap++) {
                    double v = value(x, n, (r / w * 2 + tap / 2) * 2 * w + r % w * 2 + tap % 2, c);
                    best = isnan(v) || isnan(best) ? NAN : fmax(best, v);
                }
                out[0][row_of(y, n, r) + (size_t)c] = best;
            }
}

static op_case pool_case(const char *label, dtype type, int n, int h, int w, int cols)
{
    op_case t = op_case_new(OP_max_pool, label);
    in_normal(&t, 0, type, n, h * w, cols);
    t.attr = (op_attr){.h = h, .w = w};
    t.reference = reference;
    t.exact = true;
    return t;
}

static void shapes(void **state)
{
    (void)state;
    static const dtype types[] = {DT_F32, DT_BF16, DT_F16};
    for (int k = 0; k < 3; k++) {
        op_case t = pool_case("smallest", types[k], 1, 2, 2, 1);
        op_check(&t);
        t = pool_case("odd", types[k], 3, 6, 10, 97);
        op_check(&t);
        t = pool_case("wide", types[k], 1, 16, 4, 1031);
        op_check(&t);
    }
    op_case t = pool_case("f32 to bf16", DT_F32, 1, 4, 6, 33);
    t.attr.type = DT_BF16;
    op_check(&t);
}

static void nan_in_every_tap(void **state)
{
    (void)state;
    op_case t = pool_case("a NaN in each of the four taps, infinities", DT_F32, 1, 2, 2, 40);
    for (int tap = 0; tap < 4; tap++) {
        set_value(&t.in[0], (size_t)(tap * 40 + tap), NAN);
        set_value(&t.in[0], (size_t)(tap * 40 + 8 + tap), INFINITY);
        set_value(&t.in[0], (size_t)(tap * 40 + 20), -INFINITY);
    }
    op_check(&t);
}

static void refused(void **state)
{
    (void)state;
    op_case t = pool_case("odd width", DT_F32, 1, 4, 3, 8);
    op_check_refused(&t);
    t = pool_case("rows are not h * w", DT_F32, 1, 4, 4, 8);
    t.attr.h = 6;
    op_check_refused(&t);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(shapes),
        cmocka_unit_test(nan_in_every_tap),
        cmocka_unit_test(refused),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
