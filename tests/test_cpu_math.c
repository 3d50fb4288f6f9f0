/* cpu_math.h over its whole range: conversions exhaustively against IEEE 754 by definition, exp, GELU and sigmoid against
 * libm in double; GELU and sigmoid also as every instruction set compiles them. */
#include "cpu_math.h"
#include "cpu_select.h"
#include "op_test.h"

#include <stdio.h>
#include <stdlib.h>

/* A 16-bit pattern's value, by the harness. */
static double decode(uint16_t h, dtype type)
{
    tensor t = {.data = &h, .type = type, .n = 1, .rows = 1, .cols = 1};
    return value_at(&t, 0);
}
static float widen(uint16_t h, dtype type)
{
    return type == DT_BF16 ? bf16_to_f32(h) : f16_to_f32(h);
}
static uint16_t narrow(float f, dtype type)
{
    return type == DT_BF16 ? f32_to_bf16(f) : f32_to_f16(f);
}
static void check_narrow(float f, dtype type)
{
    double want = rounded(type, (double)f), got = decode(narrow(f, type), type);
    bool good = isnan(want) ? isnan(got) : got == want && !signbit(got) == !signbit(want);
    if (!good)
        fail_msg("%a as %s: got %a, want %a", (double)f, dtype_name(type), got, want);
}

static void every_half(void **state)
{
    (void)state;
    for (dtype type = DT_BF16; type <= DT_F16; type++) {
        for (uint32_t h = 0; h < 65536; h++) {
            double want = decode((uint16_t)h, type);
            float got = widen((uint16_t)h, type);
            assert_true(isnan(want) ? isnan(got) : (double)got == want && !signbit(got) == !signbit(want));
            if (!isnan(want))
                assert_int_equal(narrow(got, type), h);
            assert_true(!isnan(want) || isnan(widen(narrow(got, type), type)));
        }
        printf("  %s: 65536 patterns there and back\n", dtype_name(type));
    }
}

/* Between every two neighbours: the tie and the floats on either side of it; and floats from everywhere. */
static void every_rounding(void **state)
{
    (void)state;
    for (dtype type = DT_BF16; type <= DT_F16; type++) {
        for (uint32_t h = 0; h < 65535; h++) {
            double a = decode((uint16_t)h, type), b = decode((uint16_t)(h + 1), type);
            if (!isfinite(a) || !isfinite(b))
                continue;
            float middle = (float)((a + b) / 2);
            check_narrow(middle, type);
            check_narrow(nextafterf(middle, INFINITY), type);
            check_narrow(nextafterf(middle, -INFINITY), type);
        }
        uint32_t n = 0;
        for (uint64_t u = 0; u < 0x100000000u; u += 997, n++)
            check_narrow(bits_float((uint32_t)u), type);
        printf("  f32 to %s: every tie, its neighbours, and %u floats\n", dtype_name(type), n);
    }
}

static void exp_accuracy(void **state)
{
    (void)state;
    double worst = 0, where = 0;
    for (double v = -86.5; v < 88.72; v += 1.3e-4) {
        float x = (float)v;
        double want = exp((double)x), error = fabs((double)exp_fast(x) - want) / want;
        where = error > worst ? (double)x : where;
        worst = fmax(worst, error);
    }
    printf("  exp_fast on [-86.5, 88.72]: worst relative error %.3g at %.6g\n", worst, where);
    assert_true(worst <= 1e-7);
    assert_true(exp_fast(0.0f) == 1.0f && exp_fast(-86.6f) == 0.0f && exp_fast(-INFINITY) == 0.0f);
    assert_true(isinf(exp_fast(88.73f)) && isinf(exp_fast(1e30f)) && isinf(exp_fast(INFINITY)));
    assert_true(isnan(exp_fast(NAN)));
}

#define N_SAMPLES 400000

/* Dense where the functions bend, and all magnitudes of both signs. */
static float sample(int i)
{
    if (i < N_SAMPLES / 2)
        return (float)(-20 + 40.0 * i / (N_SAMPLES / 2));
    float magnitude = (float)pow(10, -44 + 82.0 * (i - N_SAMPLES / 2) / (N_SAMPLES / 2));
    return i % 2 ? magnitude : -magnitude;
}

/* Absolute error of act over the samples; an error of a large result counts in units of the result. */
static double act_error(const op_cpu *cpu, act kind, float *x, float *y)
{
    op_attr attr = {.act = kind};
    tensor in = {.data = x, .type = DT_F32, .n = 1, .rows = 1, .cols = N_SAMPLES}, out = in;
    out.data = y;
    op_call call = {.in = &in, .out = &out, .attr = &attr, .n_threads = 1};
    double worst = 0;
    cpu->run(&call);
    for (int i = 0; i < N_SAMPLES; i++) {
        double want = act_reference(kind, (double)x[i]);
        if (!isfinite((double)y[i]))
            return INFINITY;
        worst = fmax(worst, fabs((double)y[i] - want) / fmax(1, fabs(want)));
    }
    return worst;
}

static void activation_accuracy(void **state)
{
    (void)state;
    float *x = malloc(N_SAMPLES * sizeof *x), *y = malloc(N_SAMPLES * sizeof *y);
    assert_true(x && y);
    for (int i = 0; i < N_SAMPLES; i++)
        x[i] = sample(i);
    const char *name;
    for (int v = 0; (name = cpu_variant_name(v)); v++) {
        const op_cpu *const *table = op_cpu_select(name, NULL);
        if (!table)
            continue;
        double gelu = act_error(table[OP_activation], ACT_GELU, x, y);
        double sigmoid = act_error(table[OP_activation], ACT_SIGMOID, x, y);
        printf("  %s: worst error of GELU %.3g, of sigmoid %.3g\n", name, gelu, sigmoid);
        assert_true(gelu <= 1e-7 && sigmoid <= 1e-7);
    }
    free(x);
    free(y);
}

/* Near 0 GELU is x / 2: the relative error counts there. */
static void gelu_near_zero(void **state)
{
    (void)state;
    double worst = 0;
    for (double v = 1e-30; v < 0.5; v *= 1.001)
        for (int sign = -1; sign <= 1; sign += 2) {
            double x = (double)(float)(sign * v), want = act_reference(ACT_GELU, x);
            worst = fmax(worst, fabs((double)act_apply(ACT_GELU, (float)x) - want) / fabs(want));
        }
    printf("  GELU on +-[1e-30, 0.5]: worst relative error %.3g\n", worst);
    assert_true(worst <= 5e-7);
}

static void special_values(void **state)
{
    (void)state;
    for (int kind = ACT_NONE; kind <= ACT_SIGMOID; kind++) {
        assert_true(isnan(act_apply((act)kind, NAN)));
        assert_true(act_apply((act)kind, INFINITY) == (kind == ACT_SIGMOID ? 1.0f : INFINITY));
    }
    assert_true(act_apply(ACT_GELU, -INFINITY) == 0 && act_apply(ACT_SIGMOID, -INFINITY) == 0);
    assert_true(act_apply(ACT_RELU, -INFINITY) == 0 && act_apply(ACT_SIGMOID, 0) == 0.5f);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(every_half),          cmocka_unit_test(every_rounding), cmocka_unit_test(exp_accuracy),
        cmocka_unit_test(activation_accuracy), cmocka_unit_test(gelu_near_zero), cmocka_unit_test(special_values),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
