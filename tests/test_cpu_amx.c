/* The tile unit (kernels/cpu_amx.h) against float64: its C twin, or on Arm that on BFMMLA. */
#ifndef __aarch64__
#define CPU_AMX_TWIN
#endif
#include "cpu_amx.h"
#include "cpu_select.h"

#include "op_test.h"

#include <math.h>
#include <stdio.h>
#include <string.h>

enum { N = 16, STRIDE = 80 };

static float bf16(uint16_t h)
{
    uint32_t u = (uint32_t)h << 16;
    float f;
    memcpy(&f, &u, 4);
    return f;
}
static uint16_t top_half(float f)
{
    uint32_t u;
    memcpy(&u, &f, 4);
    return (uint16_t)(u >> 16);
}

/* Rows are STRIDE bytes apart; what lies between is a NaN that must not be read, nor written. */
typedef struct matrix {
    uint16_t row[N][STRIDE / 2];
} matrix;

static void fill(op_case *t, matrix *x)
{
    memset(x, 0xFF, sizeof *x);
    for (int r = 0; r < N; r++)
        for (int c = 0; c < 2 * N; c++)
            x->row[r][c] = top_half((float)(2 * random_uniform(t) - 1));
}

static void product(void **state)
{
    (void)state;
    op_case random = op_case_new(OP_attention, "tiles");
    double worst = 0;
    for (int seed = 0; seed < 50; seed++) {
        matrix a, b;
        float c[N][STRIDE / 4], out[N][STRIDE / 4];
        fill(&random, &a);
        fill(&random, &b);
        memset(out, 0xFF, sizeof out);
        for (int i = 0; i < N; i++)
            for (int j = 0; j < STRIDE / 4; j++)
                c[i][j] = (float)(2 * random_uniform(&random) - 1);
        amx_tiles x;
        amx_begin(&x);
        amx_load(&x, 1, c, STRIDE);
        amx_load(&x, 6, a.row, STRIDE);
        amx_load(&x, 7, b.row, STRIDE);
        amx_dot(&x, 1, 6, 7);
        amx_dot(&x, 0, 6, 7); /* starts at zero */
        amx_store(&x, 1, out, STRIDE);
        for (int i = 0; i < N; i++) {
            assert_true(isnan(out[i][N]));
            for (int j = 0; j < N; j++) {
                double sum = 0, size = 0;
                for (int k = 0; k < 2 * N; k++) {
                    double p = (double)bf16(a.row[i][k]) * (double)bf16(b.row[k / 2][2 * j + k % 2]);
                    sum += p;
                    size += fabs(p);
                }
                double error = fabs(out[i][j] - (c[i][j] + sum)) / (size + fabs(c[i][j]));
                worst = error > worst ? error : worst;
            }
        }
        float without[N][N];
        amx_store(&x, 0, without, 64);
        assert_true(fabs((double)out[3][5] - (double)c[3][5] - (double)without[3][5]) < 1e-5);
        amx_zero(&x, 1);
        amx_store(&x, 1, without, 64);
        assert_true(without[15][15] == 0);
        amx_end(&x);
    }
    printf("  tiles: worst error %.2e of the sum of magnitudes\n", worst);
    assert_true(worst <= 16 * 0x1p-24);
}

/* A row of A with a NaN makes its row of C one, a column of B its column; subnormals are zero, infinities stay. */
static void special_values(void **state)
{
    (void)state;
    matrix a, b;
    float out[N][N];
    op_case random = op_case_new(OP_attention, "special values");
    fill(&random, &a);
    fill(&random, &b);
    a.row[2][31] = 0x7FC0; /* NaN        */
    b.row[9][2 * 4] = 0x7FC0;
    a.row[5][0] = 0x7F80; /* infinity   */
    for (int k = 0; k < 2 * N; k++)
        a.row[7][k] = 0x0001; /* subnormals */
    amx_tiles x;
    amx_begin(&x);
    amx_load(&x, 2, a.row, STRIDE);
    amx_load(&x, 3, b.row, STRIDE);
    amx_dot(&x, 4, 2, 3);
    amx_store(&x, 4, out, sizeof out[0]);
    for (int i = 0; i < N; i++)
        for (int j = 0; j < N; j++) {
            assert_true(!isnan(out[i][j]) == (i != 2 && j != 4));
            assert_true(!isinf(out[i][j]) == (i != 5 || j == 4));
            assert_true(i != 7 || j == 4 || out[i][j] == 0);
        }
}

int main(void)
{
#ifdef __aarch64__
    if (!cpu_facts_here().neon_bf16) {
        printf("skipped: this processor has no BFMMLA\n");
        return 0;
    }
#endif
    const struct CMUnitTest tests[] = {cmocka_unit_test(product), cmocka_unit_test(special_values)};
    return cmocka_run_group_tests(tests, NULL, NULL);
}
