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

/* Room for the widest and for the narrowest plane. */
enum { MASK_WORDS = 4 + MAX_PX };

typedef struct planes {
    float logits[MAX_OBJECTS][MAX_PX];
    uint64_t masks[MAX_OBJECTS][MASK_WORDS + 1];
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

static void run(planes *p, int k, int w, int h, int n_threads)
{
    const float *logits[MAX_OBJECTS];
    packed_mask *masks[MAX_OBJECTS];
    for (int o = 0; o < k; o++) {
        logits[o] = p->logits[o];
        masks[o] = (packed_mask *)p->masks[o];
    }
    memset(p->masks, 7, sizeof p->masks);
    resolve_overlap(logits, masks, k, w, h, n_threads);
}

static int pixel(const planes *p, int o, int w, size_t i)
{
    const uint64_t *rows = mask_rows_of((const packed_mask *)p->masks[o]);
    size_t x = i % (size_t)w;
    return (int)(rows[i / (size_t)w * mask_row_words(w) + x / 64] >> x % 64 & 1);
}

static void test_against_formula(void **state)
{
    (void)state;
    static const int sizes[][2] = {{1, 1},    {3, 1},    {1, 50},     {63, 3},  {65, 7},
                                   {1024, 2}, {1025, 3}, {MAX_PX, 1}, {100, 50}};
    static const float special[] = {0, -0.0f, NAN, INFINITY, -INFINITY};
    planes *p = malloc(sizeof *p);
    assert_non_null(p);
    uint32_t seed = 1;
    size_t n_compared = 0;
    for (int k = 1; k <= MAX_OBJECTS; k++)
        for (size_t c = 0; c < sizeof sizes / sizeof *sizes; c++)
            for (int n_threads = 1; n_threads <= 2; n_threads++) {
                int w = sizes[c][0], h = sizes[c][1];
                size_t n_px = (size_t)w * (size_t)h, n_bytes = packed_mask_bytes(w, h);
                for (int o = 0; o < k; o++)
                    for (size_t i = 0; i < n_px; i++) { /* few values, so that ties are common */
                        uint32_t r = next_random(&seed);
                        p->logits[o][i] = r % 16 ? (float)(int)(r / 16 % 9) - 4 : special[r / 16 % 5];
                    }
                run(p, k, w, h, n_threads);
                for (int o = 0; o < k; o++) {
                    for (size_t i = 0; i < n_px; i++)
                        assert_int_equal(pixel(p, o, w, i), expected(p, k, o, i));
                    assert_int_equal(((const uint8_t *)p->masks[o])[n_bytes], 7); /* nothing beyond the mask */
                    n_compared += n_px;
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
    run(&p, 3, 1, 1, 1);
    for (int o = 0; o < 3; o++)
        assert_int_equal(pixel(&p, o, 1, 0), o == 0);
}

int main(void)
{
    const struct CMUnitTest tests[] = {cmocka_unit_test(test_against_formula),
                                       cmocka_unit_test(test_first_of_equals_wins)};
    return cmocka_run_group_tests(tests, NULL, NULL);
}
