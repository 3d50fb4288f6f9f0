/* Packed masks against loops over pixels, for each instruction set. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "packed_mask.h"

enum { MAX_W = 200, MAX_H = 9, MAX_WORDS = (MAX_W + 63) / 64 };

static const char *const variants[] = {"baseline", "avx2"};
static const int widths[] = {1, 7, 8, 15, 16, 17, 63, 64, 65, 100, 127, 128, 129, 191, MAX_W};
#define COUNT(a) (sizeof(a) / sizeof *(a))

static uint32_t next_random(uint32_t *state)
{
    *state = *state * 1664525u + 1013904223u;
    return *state >> 8;
}

static void check_row(const mask_loops *loops, int w, int value, uint32_t *seed)
{
    uint8_t px[MAX_W] = {0}, back[MAX_W + 1];
    uint64_t row[MAX_WORDS + 1];
    int n = 0;
    memset(row, 0xAB, sizeof row);
    memset(back, 0xCD, sizeof back);
    for (int x = 0; x < w; x++)
        px[x] =
            (uint8_t)(next_random(seed) % 3 ? next_random(seed) % 4 : next_random(seed)); /* 0 and `value` are common */
    loops->pack(px, (size_t)w, value, row);
    loops->unpack(row, (size_t)w, back);
    size_t n_words = mask_row_words(w);
    for (int x = 0; x < (int)n_words * 64; x++) {
        int want = x < w && (value ? px[x] == value : px[x] != 0);
        assert_int_equal(row[x / 64] >> x % 64 & 1, want);
        assert_int_equal(((const uint8_t *)row)[x / 8] >> x % 8 & 1, want);
        if (x < w)
            assert_int_equal(back[x], want);
        n += want;
    }
    assert_true(row[n_words] == UINT64_C(0xABABABABABABABAB)); /* nothing beyond */
    assert_int_equal(back[w], 0xCD);
    assert_int_equal(loops->count(row, n_words), n);
    assert_int_equal(loops->count_both(row, row, n_words), n);
}

static void test_rows(void **state)
{
    (void)state;
    uint32_t seed = 3;
    int n_rows = 0, n_variants = 0;
    for (size_t v = 0; v < COUNT(variants); v++) {
        const mask_loops *loops = mask_loops_select(variants[v]);
        n_variants += loops != NULL;
        for (size_t i = 0; i < COUNT(widths) && loops; i++)
            for (int repeat = 0; repeat < 20; repeat++, n_rows++)
                check_row(loops, widths[i], repeat % 2 ? 1 + repeat / 2 % 3 : 0, &seed);
    }
    assert_true(n_variants > 0);
    printf("%d rows, %d instruction sets\n", n_rows, n_variants);
}

static void test_both(void **state)
{
    (void)state;
    const uint64_t a[3] = {~UINT64_C(0), 0x8000000000000001, 5}, b[3] = {0xFF, 0x8000000000000000, 3};
    assert_int_equal(mask_count(a, 3), 64 + 2 + 2);
    assert_int_equal(mask_count_both(a, b, 3), 8 + 1 + 1);
}

/* Empty, full, one pixel in a corner or on a word's border, noise. */
static int drawn(int pattern, int x, int y, int w, int h, uint32_t *seed)
{
    switch (pattern) {
    case 0:
    case 1:
        return pattern;
    case 2:
        return x == 0 && y == 0;
    case 3:
        return x == w - 1 && y == h - 1;
    case 4:
        return x == w / 2 && y == h / 2;
    case 5:
        return (x == 63 || x == 64) && y == h - 1;
    default:
        return next_random(seed) % 50 == 0;
    }
}

static void test_measure(void **state)
{
    (void)state;
    uint32_t seed = 9;
    int n_masks = 0;
    for (size_t i = 0; i < COUNT(widths); i++)
        for (int h = 1; h <= MAX_H; h += 4)
            for (int pattern = 0; pattern < 9; pattern++, n_masks++) {
                int w = widths[i], area = 0, want[4] = {w, h, -1, -1};
                packed_mask *m = malloc(packed_mask_bytes(w, h)); /* as long as asked for, for sanitizers */
                assert_non_null(m);
                memset(m, 0x77, packed_mask_bytes(w, h));
                for (int y = 0; y < h; y++) {
                    uint8_t px[MAX_W];
                    for (int x = 0; x < w; x++) {
                        px[x] = (uint8_t)drawn(pattern, x, y, w, h, &seed);
                        if (!px[x])
                            continue;
                        area++;
                        want[0] = x < want[0] ? x : want[0];
                        want[1] = y < want[1] ? y : want[1];
                        want[2] = x > want[2] ? x : want[2];
                        want[3] = y;
                    }
                    mask_pack(px, (size_t)w, 0, mask_rows(m) + (size_t)y * mask_row_words(w));
                }
                packed_mask_measure(m, w, h);
                assert_int_equal(m->area, area);
                assert_memory_equal(m->box, want, sizeof want);
                free(m);
            }
    printf("%d masks, boxes and areas\n", n_masks);
}

int main(void)
{
    const struct CMUnitTest tests[] = {cmocka_unit_test(test_rows), cmocka_unit_test(test_both),
                                       cmocka_unit_test(test_measure)};
    return cmocka_run_group_tests(tests, NULL, NULL);
}
