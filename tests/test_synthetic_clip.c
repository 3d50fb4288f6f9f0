/* The clip that reference outputs were made from is the clip that C tests draw. */
#include "synthetic_clip.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdlib.h>

#include <cmocka.h>

static uint64_t checksum(int n_frames, int width, int height, uint64_t seed)
{
    size_t n_pixels = (size_t)width * (size_t)height;
    uint8_t *rgb = malloc(n_pixels * 3), *ids = malloc(n_pixels);
    assert_non_null(rgb);
    assert_non_null(ids);
    uint64_t h = SYNTHETIC_FNV_START;
    for (int t = 0; t < n_frames; t++) {
        synthetic_frame(width, height, seed, t, rgb, ids);
        h = synthetic_fnv1a(rgb, n_pixels * 3, h);
        h = synthetic_fnv1a(ids, n_pixels, h);
    }
    free(rgb);
    free(ids);
    return h;
}

/* Expected values: synthetic_clip.checksum(10) and synthetic_clip.checksum(3, 97, 61, 5) of tests/parity. */
static void test_same_bytes_as_python(void **state)
{
    (void)state;
    assert_int_equal(checksum(10, SYNTHETIC_WIDTH, SYNTHETIC_HEIGHT, SYNTHETIC_SEED), UINT64_C(0x554DCD2E99AE45BB));
    assert_int_equal(checksum(3, 97, 61, 5), UINT64_C(0x8867956F3B093207));
}

/* Expected values: hash_weights.sample_indices(1000000, 2048), first two and last. */
static void test_sample_indices(void **state)
{
    (void)state;
    int64_t at[2048];
    synthetic_sample_indices(4096, 2048, at);
    for (int i = 0; i < 2048; i++)
        assert_in_range(at[i], 2 * i, 2 * i + 1);
    synthetic_sample_indices(1000000, 2048, at);
    assert_int_equal(at[0], 335);
    assert_int_equal(at[1], 532);
    assert_int_equal(at[2047], 999563);
    synthetic_sample_indices(5, 2048, at);
    assert_int_equal(at[4], 4);
}

int main(void)
{
    const struct CMUnitTest tests[] = {cmocka_unit_test(test_same_bytes_as_python),
                                       cmocka_unit_test(test_sample_indices)};
    return cmocka_run_group_tests(tests, NULL, NULL);
}
