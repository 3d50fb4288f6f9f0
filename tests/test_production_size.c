/* Operators at the sizes that models run them at (1024 px, bank full), where kernels take other tiles, splits and libraries than
 * at the sizes of tests/ops. Sampled rows against float64; rows are independent of each other in all of these. On the device
 * where there is one (label `device`), else on the CPU. */
#include "op_device.h" /* op_test.h, after error.h: cmocka makes a macro of `fail` */

#include "ops/attention_reference.h"
#include "ops/linear_reference.h"
#include "ops/mlp_reference.h"

enum { SAMPLED = 8 };

static void linear(void **state)
{
    (void)state;
    static const struct {
        const char *label;
        int rows, in, out, act;
    } cases[] = {{"second product of a trunk's MLP", 4096, 1536, 384, ACT_NONE},
                 {"first product", 4096, 384, 1536, ACT_GELU},
                 {"keys of a full bank", 28736, 64, 256, ACT_NONE}};
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        op_case t = op_case_new(OP_linear, cases[i].label);
        in_normal(&t, 0, DT_BF16, 1, cases[i].rows, cases[i].in);
        in_normal(&t, 1, DT_BF16, 1, cases[i].out, cases[i].in);
        in_normal(&t, 2, DT_F32, 1, 1, cases[i].out);
        t.weights = 1u << 1 | 1u << 2;
        t.attr.act = (act)cases[i].act;
        t.reference = linear_reference;
        op_check_rows(&t, 1u << 0, SAMPLED);
    }
}

static void attention(void **state)
{
    (void)state;
    op_case t = op_case_new(OP_attention, "memory attention, bank full");
    in_normal(&t, 0, DT_BF16, 1, test_cuda() ? 4096 : 512, 256);
    in_normal(&t, 1, DT_BF16, 1, 28736, 256);
    in_normal(&t, 2, DT_BF16, 1, 28736, 64);
    t.attr.heads = 1;
    t.attr.scale = 1.0f / 16;
    t.reference = attention_reference;
    op_check_rows(&t, 1u << 0, SAMPLED);
}

static void mlp(void **state)
{
    (void)state;
    static const int sizes[][2] = {{65536, 96}, {16384, 224}};
    for (size_t i = 0; i < sizeof sizes / sizeof *sizes; i++) {
        int rows = sizes[i][0], cols = sizes[i][1];
        op_case t = op_case_new(OP_mlp, "of a trunk's early stages");
        in_normal(&t, 0, DT_BF16, 1, rows, cols);
        in_normal(&t, 1, DT_BF16, 1, 4 * cols, cols);
        in_normal(&t, 2, DT_F32, 1, 1, 4 * cols);
        in_normal(&t, 3, DT_BF16, 1, cols, 4 * cols);
        in_normal(&t, 4, DT_F32, 1, 1, cols);
        t.weights = 0x1E;
        t.attr.act = ACT_GELU;
        t.reference = mlp_reference;
        op_check_rows(&t, 1u << 0, SAMPLED);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {cmocka_unit_test(linear), cmocka_unit_test(attention), cmocka_unit_test(mlp)};
    return cmocka_run_group_tests(tests, NULL, NULL);
}
