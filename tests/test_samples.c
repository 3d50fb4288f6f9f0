/* What percentiles need, and what is said of too few samples. */
#include "samples.h"
#include "spread.h"

#include <math.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdio.h>

#include <cmocka.h>

/* 1 - P(none beyond) - P(one beyond), by the binomial distribution itself. */
static double two_beyond(int percent, size_t n)
{
    double p = percent / 100.0, count = (double)n;
    return 1 - pow(p, count) - count * (1 - p) * pow(p, count - 1);
}

static void needs(void **state)
{
    (void)state;
    static const int percents[] = {75, 90, 95, 99};
    for (int i = 0; i < 4; i++) {
        size_t n = percentile_needs(percents[i]);
        printf("p%d: %zu samples; two lie beyond it with %.5f, of one less with %.5f\n", percents[i], n,
               two_beyond(percents[i], n), two_beyond(percents[i], n - 1));
        assert_true(two_beyond(percents[i], n) >= 0.99 && two_beyond(percents[i], n - 1) < 0.99);
    }
    assert_int_equal(percentile_needs(50), 1);
    assert_int_equal(percentile_needs(90), 64);
    assert_int_equal(percentile_needs(99), 662);
}

static void left_out_below(void **state)
{
    (void)state;
    samples s = {0};
    for (int i = 0; i < 63; i++)
        assert_int_equal(samples_add(&s, i, NULL), SAM_OK);
    assert_true(isnan(samples_percentile(&s, 0, 90)));
    assert_true(samples_percentile(&s, 0, 50) == 31);
    assert_int_equal(samples_add(&s, 63, NULL), SAM_OK);
    assert_true(fabs(samples_percentile(&s, 0, 90) - 0.9 * 63) < 1e-9);
    assert_true(isnan(samples_percentile(&s, 1, 90))); /* from the second on they are 63 again */
    spread r = spread_of(&s, 0);
    assert_true(r.n == 64 && r.max == 63 && isnan(r.p95) && isnan(r.p99));
    json_t *json = spread_json(&r);
    assert_non_null(json);
    assert_true(json_is_null(json_object_get(json, "p99")));
    json_decref(json);
    samples_free(&s);
    r = spread_of(&s, 0);
    assert_true(!r.n && isnan(r.p99) && isnan(samples_percentile(&s, 0, 50)));
}

int main(void)
{
    const struct CMUnitTest tests[] = {cmocka_unit_test(needs), cmocka_unit_test(left_out_below)};
    return cmocka_run_group_tests(tests, NULL, NULL);
}
