/* Masks without overlap against the official formula, applied pixel by pixel. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "resolve_overlap.h"

#include <math.h>

enum { MAX_OBJECTS = 5, MAX_PX = 5000 };

typedef struct planes {
    float logits[MAX_OBJECTS][MAX_PX];
    uint8_t masks[MAX_OBJECTS][MAX_PX + 1];
} planes;

static uint32_t next_random(uint32_t *state)
{
    *state = *state * 1664525u + 1013904223u;
    return *state >> 8;
}

/* torch.argmax: the first of the highest; any NaN is higher than numbers, and the first NaN wins. */
static int argmax(const planes *p, int k, size_t i)
{
    int best = 0;
    for (int o = 0; o < k; o++)
        if (isnan(p->logits[o][i]))
            return o;
    for (int o = 1; o < k; o++)
        if (p->logits[o][i] > p->logits[best][i])
            best = o;
    return best;
}

static int expected(const planes *p, int k, int o, size_t i)
{
    float v = p->logits[o][i];
    if (k > 1 && argmax(p, k, i) != o)
        v = v > -10 ? -10 : v;
    return v > 0;
}

static void run(planes *p, int k, size_t n_px, int n_threads)
{
    const float *logits[MAX_OBJECTS];
    uint8_t *masks[MAX_OBJECTS];
    for (int o = 0; o < k; o++) {
        logits[o] = p->logits[o];
        masks[o] = p->masks[o];
    }
    memset(p->masks, 7, sizeof p->masks);
    resolve_overlap(logits, masks, k, n_px, n_threads);
}

static void test_against_formula(void **state)
{
    (void)state;
    static const size_t counts[] = {1, 3, 1023, 1024, 1025, MAX_PX};
    static const float special[] = {0, -0.0f, NAN, INFINITY, -INFINITY};
    planes *p = malloc(sizeof *p);
    assert_non_null(p);
    uint32_t seed = 1;
    size_t n_compared = 0;
    for (int k = 1; k <= MAX_OBJECTS; k++)
        for (size_t c = 0; c < sizeof counts / sizeof *counts; c++)
            for (int n_threads = 1; n_threads <= 2; n_threads++) {
                for (int o = 0; o < k; o++)
                    for (size_t i = 0; i < counts[c]; i++) { /* few values, so that ties are common */
                        uint32_t r = next_random(&seed);
                        p->logits[o][i] = r % 16 ? (float)(int)(r / 16 % 9) - 4 : special[r / 16 % 5];
                    }
                run(p, k, counts[c], n_threads);
                for (int o = 0; o < k; o++) {
                    for (size_t i = 0; i < counts[c]; i++)
                        assert_int_equal(p->masks[o][i], expected(p, k, o, i));
                    assert_int_equal(p->masks[o][counts[c]], 7); /* nothing beyond the plane */
                    n_compared += counts[c];
                }
            }
    printf("%zu pixels as the official formula has them\n", n_compared);
    free(p);
}

static void test_first_of_equals_wins(void **state)
{
    (void)state;
    static planes p;
    p.logits[0][0] = p.logits[1][0] = p.logits[2][0] = 3;
    run(&p, 3, 1, 1);
    assert_int_equal(p.masks[0][0], 1);
    assert_int_equal(p.masks[1][0], 0);
    assert_int_equal(p.masks[2][0], 0);
}

int main(void)
{
    const struct CMUnitTest tests[] = {cmocka_unit_test(test_against_formula),
                                       cmocka_unit_test(test_first_of_equals_wins)};
    return cmocka_run_group_tests(tests, NULL, NULL);
}
