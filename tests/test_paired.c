/* Pairs: the interval of a known case, and that looking four times still errs at most once in twenty. */
#include "paired.h"

#include <math.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>

#include <cmocka.h>

static uint64_t seed = 1;

static double uniform(void)
{
    seed = seed * 6364136223846793005u + 1442695040888963407u;
    return ((double)(seed >> 11) + 0.5) / 0x1p53;
}

static double normal(void)
{
    return sqrt(-2 * log(uniform())) * cos(2 * 3.14159265358979 * uniform());
}

/* Pairs until one look finds a difference, or all are done. */
static paired_result compare(double percent, double spread)
{
    samples a = {0}, b = {0};
    paired_result r = {0};
    for (int i = 0; i < PAIRED_MOST && !r.differs; i++) {
        double drift = exp(0.3 * normal()); /* of the machine, which meets both */
        assert_int_equal(samples_add(&a, 10 * drift, NULL), SAM_OK);
        assert_int_equal(samples_add(&b, 10 * drift * (1 + percent / 100) * exp(spread * normal()), NULL), SAM_OK);
        if (paired_is_look(i + 1))
            r = paired_judge(&a, &b, i + 1);
    }
    samples_free(&a);
    samples_free(&b);
    return r;
}

static void a_known_case(void **state)
{
    (void)state;
    static const double ratios[4] = {1.02, 1.03, 1.01, 1.02};
    samples a = {0}, b = {0};
    for (int i = 0; i < 4; i++) {
        samples_add(&a, 5 + i, NULL);
        samples_add(&b, (5 + i) * ratios[i], NULL);
    }
    paired_result r = paired_judge(&a, &b, 4);
    /* scipy: log ratios have mean 0.0197784, standard error 0.0040028; t(0.99375, 3) = 5.39195 */
    printf("%.4f (%.4f to %.4f)\n", r.percent, r.low, r.high);
    assert_true(fabs(r.percent - 100 * (exp(0.0197784) - 1)) < 1e-3);
    assert_true(fabs(r.low - 100 * (exp(0.0197784 - 5.39195 * 0.0040028) - 1)) < 1e-2);
    assert_true(!r.differs && r.low < 0);
    samples_free(&a);
    samples_free(&b);
    assert_true(paired_is_look(4) && paired_is_look(32) && !paired_is_look(5) && !paired_is_look(3));
    assert_true(!paired_is_b_first(0) && paired_is_b_first(1) && paired_is_b_first(3) && !paired_is_b_first(4));
}

static void errors_are_rare(void **state)
{
    (void)state;
    enum { TRIALS = 4000 };
    int n_false = 0, n_found = 0, n_pairs = 0, n_covered = 0;
    for (int i = 0; i < TRIALS; i++) {
        n_false += compare(0, 0.03).differs;
        paired_result r = compare(5, 0.03);
        n_found += r.differs && r.percent > 0;
        n_covered += r.low <= 5 && 5 <= r.high;
        n_pairs += r.n;
    }
    printf("same: %.3f found to differ; 5 %% slower: %.3f found, after %.1f pairs; %.3f intervals hold it\n",
           (double)n_false / TRIALS, (double)n_found / TRIALS, (double)n_pairs / TRIALS, (double)n_covered / TRIALS);
    assert_true(n_false <= 0.05 * TRIALS && n_found > 0.99 * TRIALS && n_covered >= 0.95 * TRIALS);
}

int main(void)
{
    const struct CMUnitTest tests[] = {cmocka_unit_test(a_known_case), cmocka_unit_test(errors_are_rare)};
    return cmocka_run_group_tests(tests, NULL, NULL);
}
