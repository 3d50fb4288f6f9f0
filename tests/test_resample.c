/* Resizing against Pillow, torch and torchvision (resample_fixtures.h), for every instruction set. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "op.h"
#include "packed_mask.h"
#include "resample_fixtures.h"

#include <math.h>

#define COUNT(a) (sizeof(a) / sizeof *(a))
static const char *const variants[] = {"baseline", "avx2", "avx512"};

static uint8_t byte(size_t i)
{
    uint32_t v = (uint32_t)i * 2654435761u;
    v = (v ^ v >> 15) * 2246822519u;
    v = (v ^ v >> 13) * 3266489917u;
    return (uint8_t)(v >> 24);
}

static void *take(size_t n_bytes)
{
    void *p = malloc(n_bytes ? n_bytes : 1);
    assert_non_null(p);
    return p;
}

/* Rows are `pad` bytes further apart than they need; what lies between must not be read as pixels. */
static uint8_t *make_rgb(int w, int h, size_t pad)
{
    size_t row = 3 * (size_t)w;
    uint8_t *rgb = take((size_t)h * (row + pad));
    memset(rgb, 0xEE, (size_t)h * (row + pad));
    for (size_t i = 0; i < (size_t)h * row; i++)
        rgb[i / row * (row + pad) + i % row] = byte(i);
    return rgb;
}
static float *make_plane(int w, int h)
{
    float *plane = take((size_t)w * (size_t)h * sizeof *plane);
    for (size_t i = 0; i < (size_t)w * (size_t)h; i++)
        plane[i] = ((float)byte(i) - 127.5f) / 128;
    return plane;
}

static uint64_t fnv1a(const uint8_t *p, size_t n)
{
    uint64_t hash = 14695981039346656037u;
    for (size_t i = 0; i < n; i++)
        hash = (hash ^ p[i]) * 1099511628211u;
    return hash;
}

static void test_pil_is_identical(void **state)
{
    (void)state;
    int n = 0;
    for (size_t k = 0; k < COUNT(pil_cases); k++) {
        int w = pil_cases[k].in_w, h = pil_cases[k].in_h, pad = k % 3 ? 0 : 5;
        size_t size = 3 * (size_t)pil_cases[k].out_w * (size_t)pil_cases[k].out_h;
        uint8_t *rgb = make_rgb(w, h, (size_t)pad), *out = take(size);
        float *fused = take(size * sizeof *fused), *apart = take(size * sizeof *apart);
        resample *r = resample_open(pil_cases[k].kind, w, h, pil_cases[k].out_w, pil_cases[k].out_h);
        assert_non_null(r);
        assert_true(resample_bytes(r) > 0);
        for (size_t v = 0; v < COUNT(variants); v++) {
            if (!resample_select(r, variants[v]))
                continue;
            int n_threads = 1 + (int)(v & 1);
            memset(out, 0, size);
            resample_rgb(r, rgb, 3 * (size_t)w + (size_t)pad, out, n_threads);
            if (fnv1a(out, size) != pil_cases[k].hash)
                fail_msg("kind %d %dx%d -> %dx%d, %s: other bytes than Pillow's", pil_cases[k].kind, w, h,
                         pil_cases[k].out_w, pil_cases[k].out_h, variants[v]);
            resample_rgb_normalised(r, rgb, 3 * (size_t)w + (size_t)pad, fused, n_threads);
            normalise_rgb(out, size / 3, apart, n_threads);
            assert_memory_equal(fused, apart, size * sizeof *fused);
            n++;
        }
        resample_close(r);
        free(rgb), free(out), free(fused), free(apart);
    }
    printf("Pillow: %d images identical (%zu cases)\n", n, COUNT(pil_cases));
}

/* The worst distance from the samples; infinite where something is not finite. */
static double worst_error(const float *out, size_t size, const float *sample)
{
    double worst = 0;
    for (size_t i = 0; i < N_SAMPLES; i++) {
        double e = fabs((double)out[i * size / N_SAMPLES] - (double)sample[i]);
        if (!(e <= worst))
            worst = isfinite(e) ? e : INFINITY;
    }
    return worst;
}

/* Values of order 1 within 1e-6 of torch; normalised ones are values in 0..1 divided by 0.224 or more. */
static void test_float_is_torch(void **state)
{
    (void)state;
    double worst[RESAMPLE_BILINEAR + 1] = {0};
    for (size_t k = 0; k < COUNT(float_cases); k++) {
        resample_kind kind = float_cases[k].kind;
        int w = float_cases[k].in_w, h = float_cases[k].in_h, is_rgb = kind == RESAMPLE_RGB_ANTIALIAS;
        size_t size = (size_t)float_cases[k].out_w * (size_t)float_cases[k].out_h * (is_rgb ? 3 : 1);
        uint8_t *rgb = make_rgb(w, h, 0), *mask = take((size_t)float_cases[k].out_w);
        size_t row_words = mask_row_words(float_cases[k].out_w), out_w = (size_t)float_cases[k].out_w;
        uint64_t *rows = take((size_t)float_cases[k].out_h * row_words * 8);
        float *plane = make_plane(w, h), *out = take(size * sizeof *out);
        resample *r = resample_open(kind, w, h, float_cases[k].out_w, float_cases[k].out_h);
        assert_non_null(r);
        for (size_t v = 0; v < COUNT(variants); v++) {
            if (!resample_select(r, variants[v]))
                continue;
            int n_threads = 1 + (int)(v & 1);
            if (is_rgb) {
                resample_rgb_normalised(r, rgb, 3 * (size_t)w, out, n_threads);
            } else {
                resample_plane(r, plane, out, n_threads);
                resample_mask(r, plane, rows, n_threads);
                size_t n_wrong = 0;
                for (size_t i = 0; i < size; i++) {
                    if (i % out_w == 0)
                        mask_unpack(rows + i / out_w * row_words, out_w, mask);
                    n_wrong += mask[i % out_w] != (out[i] > 0);
                }
                assert_int_equal(n_wrong, 0);
            }
            double e = worst_error(out, size, float_cases[k].sample);
            if (!(e <= (is_rgb ? 1e-6 / 0.224 : 1e-6)))
                fail_msg("kind %d %dx%d -> %dx%d, %s: off by %g", kind, w, h, float_cases[k].out_w,
                         float_cases[k].out_h, variants[v], e);
            worst[kind] = e > worst[kind] ? e : worst[kind];
        }
        resample_close(r);
        free(rgb), free(mask), free(rows), free(plane), free(out);
    }
    printf("torch: worst error antialiased RGB (normalised) %.2g, antialiased plane %.2g, bilinear plane %.2g\n",
           worst[RESAMPLE_RGB_ANTIALIAS], worst[RESAMPLE_ANTIALIAS], worst[RESAMPLE_BILINEAR]);
}

static void test_nan_is_no_object(void **state)
{
    (void)state;
    float plane[4] = {NAN, 1, 1, 1}, out[16];
    uint64_t rows[4];
    resample *r = resample_open(RESAMPLE_BILINEAR, 2, 2, 4, 4);
    assert_non_null(r);
    resample_plane(r, plane, out, 1);
    resample_mask(r, plane, rows, 1);
    assert_true(isnan(out[0]));
    assert_int_equal(rows[0] & 1, 0);
    assert_int_equal(rows[3], 15);
    resample_close(r);
}

int main(void)
{
    const struct CMUnitTest tests[] = {cmocka_unit_test(test_pil_is_identical), cmocka_unit_test(test_float_is_torch),
                                       cmocka_unit_test(test_nan_is_no_object)};
    return cmocka_run_group_tests(tests, NULL, NULL);
}
