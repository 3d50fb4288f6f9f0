/* point_tokens against float64: every label, several sides and types. */
#include "op_test.h"

#include <math.h>

static void reference(const op_case *t, dtype round, double *const *out)
{
    const tensor *points = &t->in[0], *y = &t->out[0];
    int half = y->cols / 2;
    for (int n = 0; n < y->n; n++)
        for (int r = 0; r < y->rows; r++)
            for (int c = 0; c < y->cols; c++) {
                double label = value(&t->in[1], n, r, 0), phase = 0, v = 0;
                for (int axis = 0; axis < 2; axis++) {
                    double place = rounded(round, (value(points, n, r, axis) + 0.5) / t->attr.scale);
                    phase += rounded(round, rounded(round, 2 * place - 1) * value(&t->in[2], 0, axis, c % half));
                }
                phase = rounded(round, 2 * acos(-1.0) * phase);
                if (label >= 0)
                    v = rounded(round, c < half ? sin(phase) : cos(phase));
                if (label >= -1 && label <= 3)
                    v += value(&t->in[4 + (int)label], 0, 0, c);
                out[0][row_of(y, n, r) + (size_t)c] = v;
            }
}

static op_case token_case(const char *label, int n, int n_points, int cols)
{
    op_case t = op_case_new(OP_point_tokens, label);
    in_uniform(&t, 0, DT_F32, n, n_points, 2, -10, 1034);
    in_ints(&t, 1, n, n_points, 1, -2, 4);
    in_normal(&t, 2, DT_F32, 1, 2, cols / 2);
    for (int i = 3; i < 8; i++)
        in_normal(&t, i, DT_F32, 1, 1, cols);
    t.attr.scale = 1024;
    t.reference = reference;
    return t;
}

static void shapes(void **state)
{
    (void)state;
    op_case t = token_case("smallest", 1, 1, 2);
    op_check(&t);
    t = token_case("every label", 1, 7, 256);
    for (int i = 0; i < 7; i++)
        set_value(&t.in[1], (size_t)i, i - 2);
    op_check(&t);
    t = token_case("objects", 3, 9, 254);
    t.attr.scale = 512;
    op_check(&t);
    t = token_case("to bf16", 3, 5, 256);
    t.attr.type = DT_BF16;
    op_check(&t);
}

/* An unused slot may hold anything. */
static void special_values(void **state)
{
    (void)state;
    op_case t = token_case("NaN in unused points and in a used one", 1, 3, 64);
    for (int i = 0; i < 3; i++) {
        set_value(&t.in[0], (size_t)(2 * i), NAN);
        set_value(&t.in[1], (size_t)i, i - 2);
    }
    op_check(&t);
}

static void refused(void **state)
{
    (void)state;
    op_case t = token_case("label count", 1, 3, 64);
    t.in[1].rows = 2;
    op_check_refused(&t);
    t = token_case("embedding width", 1, 3, 64);
    t.in[7].cols = 63;
    op_check_refused(&t);
    t = token_case("no side", 1, 3, 64);
    t.attr.scale = 0;
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
