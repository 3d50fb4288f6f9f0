/* Frames that come at a fixed rate, by a clock of the test's own: which are in time, late and dropped. */
#include "pace.h"

#include <math.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdio.h>

#include <cmocka.h>

static double clock_now;

static double read_clock(void)
{
    return clock_now;
}

static void sleep_for(double ms)
{
    clock_now += ms;
}

/* Frames 1 to n at 10 a second, each tracked in its time of `work`, which is used in turn. */
static pace run(int n, const double *work, int n_work)
{
    pace p = {.fps = 10, .clock_ms = read_clock, .sleep_ms = sleep_for};
    int n_tracked = 0;
    clock_now = 1234;
    pace_begin(&p);
    for (int i = 1; i <= n; i++) {
        if (!pace_wait(&p, i, i == n))
            continue;
        assert_true(clock_now >= p.begin_ms + 100 * i - 1e-6); /* never before it is there */
        clock_now += work[n_tracked++ % n_work];
        pace_done(&p, i);
    }
    printf("%d in time, %d late, %d dropped: %.3f\n", p.n_on_time, p.n_late, p.n_dropped, pace_share(&p));
    assert_int_equal(p.n_on_time + p.n_late + p.n_dropped, n);
    return p;
}

static void counts(void **state)
{
    (void)state;
    pace p = run(20, (const double[]){60}, 1);
    assert_true(p.n_on_time == 20 && pace_share(&p) == 1);
    assert_true(fabs(clock_now - (1234 + 2000 + 60)) < 1e-6); /* it waited for each */
    /* 250 ms each: of frames 1.. those tracked are 1, 3, 6, 8, 11, ...: the newest when the one before is done. */
    p = run(11, (const double[]){250}, 1);
    assert_true(p.n_on_time == 0 && p.n_late == 5 && p.n_dropped == 6);
    /* One slow frame makes its successor late, not more: the next is waited for again. */
    p = run(6, (const double[]){10, 180, 50, 10, 10, 10}, 6);
    assert_true(p.n_late == 2 && p.n_on_time == 4 && p.n_dropped == 0);
    assert_true(isnan(pace_share(&(pace){.fps = 10})));
}

int main(void)
{
    const struct CMUnitTest tests[] = {cmocka_unit_test(counts)};
    return cmocka_run_group_tests(tests, NULL, NULL);
}
