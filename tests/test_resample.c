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

/* ellipse of make_resample_fixtures.py: off the centre. */
static float *make_ellipse(int w, int h)
{
    float *plane = take((size_t)w * (size_t)h * sizeof *plane);
    int64_t radius = 2 * (int64_t)w * h;
    for (int y = 0; y < h; y++)
        for (int x = 0; x < w; x++) {
            int64_t dx = (int64_t)(5 * x - 2 * w) * h, dy = (int64_t)(5 * y - 3 * h) * w;
            plane[(size_t)y * (size_t)w + (size_t)x] = dx * dx + dy * dy <= radius * radius;
        }
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

/* Mask prompts fall on the sides of 0.5 that torch's do, every pixel. */
static void test_mask_prompt_is_cut_as_by_torch(void **state)
{
    (void)state;
    size_t n_px = 0;
    for (size_t k = 0; k < COUNT(prompt_cases); k++) {
        int w = prompt_cases[k].in_w, h = prompt_cases[k].in_h;
        size_t size = (size_t)prompt_cases[k].out_w * (size_t)prompt_cases[k].out_h;
        float *plane = make_ellipse(w, h), *out = take(size * sizeof *out);
        uint8_t *above = take(size);
        resample *r = resample_open(RESAMPLE_ANTIALIAS, w, h, prompt_cases[k].out_w, prompt_cases[k].out_h);
        assert_non_null(r);
        for (size_t v = 0; v < COUNT(variants); v++) {
            if (!resample_select(r, variants[v]))
                continue;
            resample_plane(r, plane, out, 1);
            for (size_t i = 0; i < size; i++)
                above[i] = out[i] >= 0.5f;
            if (fnv1a(above, size) != prompt_cases[k].hash)
                fail_msg("%dx%d -> %dx%d, %s: another mask than torch's", w, h, prompt_cases[k].out_w,
                         prompt_cases[k].out_h, variants[v]);
            n_px += size;
        }
        resample_close(r);
        free(plane), free(out), free(above);
    }
    printf("mask prompts: %zu pixels on the same side of 0.5 (%zu cases)\n", n_px, COUNT(prompt_cases));
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

/* ---- NV12 --------------------------------------------------------------------------------------------------------- */

/* Random planes with gaps between rows, which hold 0xEE. */
static nv12_image make_nv12(int w, int h, int is_bt709, int is_full, size_t seed)
{
    size_t half_w = ((size_t)w + 1) / 2, half_h = ((size_t)h + 1) / 2, y_row = (size_t)w + 3, uv_row = 2 * half_w + 5;
    uint8_t *y = take(y_row * (size_t)h), *uv = take(uv_row * half_h);
    memset(y, 0xEE, y_row * (size_t)h);
    memset(uv, 0xEE, uv_row * half_h);
    for (size_t i = 0; i < (size_t)w * (size_t)h; i++)
        y[i / (size_t)w * y_row + i % (size_t)w] = byte(seed + i);
    for (size_t i = 0; i < 2 * half_w * half_h; i++)
        uv[i / (2 * half_w) * uv_row + i % (2 * half_w)] = byte(seed + 77777 + i);
    return (nv12_image){y, uv, y_row, uv_row, nv12_weights_of(is_bt709, is_full)};
}

static void free_nv12(nv12_image *in)
{
    free((void *)(uintptr_t)in->y);
    free((void *)(uintptr_t)in->uv);
}

/* Chroma between samples that sit in the centre of 2 x 2 pixels, the border repeated. */
static double chroma_at(const nv12_image *in, int w, int h, int x, int y, int which)
{
    double at[2] = {(x + 0.5) / 2 - 0.5, (y + 0.5) / 2 - 0.5}, sum = 0;
    int n[2] = {(w + 1) / 2, (h + 1) / 2};
    for (int corner = 0; corner < 4; corner++) {
        int sample[2];
        double weight = 1;
        for (int axis = 0; axis < 2; axis++) {
            int i = (int)floor(at[axis]) + (corner >> axis & 1);
            weight *= 1 - fabs(at[axis] - i);
            sample[axis] = i < 0 ? 0 : i >= n[axis] ? n[axis] - 1 : i;
        }
        sum += weight * in->uv[(size_t)sample[1] * in->uv_row_bytes + 2 * (size_t)sample[0] + (size_t)which];
    }
    return sum;
}

/* One channel of a pixel by the definitions of ITU-R BT.601 and BT.709, before rounding. */
static double channel_at(const nv12_image *in, int w, int h, int x, int y, int c, int is_bt709, int is_full)
{
    double k_r = is_bt709 ? 0.2126 : 0.299, k_b = is_bt709 ? 0.0722 : 0.114, k_g = 1 - k_r - k_b;
    double luma = in->y[(size_t)y * in->y_row_bytes + (size_t)x], v[3];
    double c_b = (chroma_at(in, w, h, x, y, 0) - 128) / (is_full ? 255 : 224);
    double c_r = (chroma_at(in, w, h, x, y, 1) - 128) / (is_full ? 255 : 224);
    luma = is_full ? luma / 255 : (luma - 16) / 219;
    v[0] = luma + 2 * (1 - k_r) * c_r;
    v[2] = luma + 2 * (1 - k_b) * c_b;
    v[1] = (luma - k_r * v[0] - k_b * v[2]) / k_g;
    return v[c] < 0 ? 0 : v[c] > 1 ? 255 : 255 * v[c];
}

static const int nv12_sizes[][2] = {{1, 1}, {2, 2}, {1, 6}, {7, 1}, {3, 5}, {130, 4}, {131, 3}, {257, 6}, {64, 33}};

/* The 8-bit pixels of a frame, read out of a resize to the size it has. */
static void nv12_pixels(const nv12_image *in, int w, int h, const char *variant, int n_threads, uint8_t *rgb)
{
    static const double mean[3] = {0.485, 0.456, 0.406}, deviation[3] = {0.229, 0.224, 0.225};
    size_t n = 3 * (size_t)w * (size_t)h;
    float *out = take(n * sizeof *out);
    resample *r = resample_open(RESAMPLE_PIL_BICUBIC, w, h, w, h);
    assert_true(r && resample_take_nv12(r, n_threads) && resample_select(r, variant));
    resample_nv12_normalised(r, in, out, n_threads);
    for (size_t i = 0; i < n; i++)
        rgb[i] = (uint8_t)lrint(((double)out[i] * deviation[i % 3] + mean[i % 3]) * 255);
    resample_close(r);
    free(out);
}

/* Every channel is the nearest integer to the exact value, but for the rounding of the weights. */
static void test_nv12_is_the_standard(void **state)
{
    (void)state;
    double worst = 0;
    size_t n_values = 0;
    for (size_t k = 0; k < COUNT(nv12_sizes) * 4 * COUNT(variants); k++) {
        int w = nv12_sizes[k / 4 % COUNT(nv12_sizes)][0], h = nv12_sizes[k / 4 % COUNT(nv12_sizes)][1];
        int is_bt709 = k & 1, is_full = k >> 1 & 1;
        const char *variant = variants[k / 4 / COUNT(nv12_sizes)];
        if (!op_cpu_select(variant, &(const char *){NULL}))
            continue;
        nv12_image in = make_nv12(w, h, is_bt709, is_full, k);
        uint8_t *rgb = take(3 * (size_t)w * (size_t)h);
        nv12_pixels(&in, w, h, variant, 1 + (int)(k & 1), rgb);
        for (int i = 0; i < 3 * w * h; i++, n_values++) {
            double want = channel_at(&in, w, h, i / 3 % w, i / 3 / w, i % 3, is_bt709, is_full);
            double e = fabs(want - rgb[i]);
            if (!(e <= 0.505))
                fail_msg("%s, %dx%d, BT.%d %s, value %d: %d, exact is %.4f", variant, w, h, is_bt709 ? 709 : 601,
                         is_full ? "full" : "limited", i, rgb[i], want);
            worst = e > worst ? e : worst;
        }
        free_nv12(&in);
        free(rgb);
    }
    printf("NV12: %zu values, worst distance from the exact one %.4f of 255\n", n_values, worst);
}

/* A resize of NV12 is the resize of its pixels, bit for bit, of every kind. */
static void test_nv12_is_resized_as_rgb(void **state)
{
    (void)state;
    static const int sizes[][4] = {{1, 1, 3, 2},      {7, 50, 30, 9},    {33, 21, 32, 32}, {40, 30, 40, 31},
                                   {64, 36, 24, 36},  {300, 70, 64, 64}, {513, 9, 32, 32}, {37, 91, 32, 32},
                                   {70, 301, 64, 64}, {5, 400, 300, 7}};
    static const resample_kind kinds[] = {RESAMPLE_PIL_BICUBIC, RESAMPLE_PIL_BILINEAR, RESAMPLE_RGB_ANTIALIAS};
    int n = 0;
    for (size_t k = 0; k < COUNT(sizes) * COUNT(kinds); k++) {
        const int *z = sizes[k / COUNT(kinds)];
        size_t n_out = 3 * (size_t)z[2] * (size_t)z[3];
        nv12_image in = make_nv12(z[0], z[1], k & 1, k >> 1 & 1, k);
        uint8_t *rgb = take(3 * (size_t)z[0] * (size_t)z[1]);
        float *want = take(n_out * sizeof *want), *got = take(n_out * sizeof *got);
        resample *r = resample_open(kinds[k % COUNT(kinds)], z[0], z[1], z[2], z[3]);
        assert_non_null(r);
        assert_true(resample_take_nv12(r, 2));
        for (size_t v = 0; v < COUNT(variants); v++) {
            if (!resample_select(r, variants[v]))
                continue;
            nv12_pixels(&in, z[0], z[1], variants[v], 1, rgb);
            for (int n_threads = 1; n_threads <= 2; n_threads++, n++) {
                memset(got, 0, n_out * sizeof *got);
                resample_rgb_normalised(r, rgb, 3 * (size_t)z[0], want, n_threads);
                resample_nv12_normalised(r, &in, got, n_threads);
                assert_memory_equal(got, want, n_out * sizeof *got);
            }
        }
        resample_close(r);
        free_nv12(&in);
        free(rgb), free(want), free(got);
    }
    printf("NV12: %d resizes identical to those of the pixels\n", n);
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

/* A disc with soft edges far from both sides, a NaN beside it, and noise: words that are judged and words that are made. */
static void fill_logits(float *plane, int side, int kind)
{
    uint32_t seed = 5;
    for (int i = 0; i < side * side; i++) {
        int x = i % side - side / 2, y = i / side - side / 3;
        seed = seed * 1664525u + 1013904223u;
        float noise = (float)(seed >> 8 & 1023) / 512 - 1;
        plane[i] = kind == 0 ? noise : kind == 1 ? 9 - sqrtf((float)(x * x + y * y)) : kind == 2 ? 3 : -3;
    }
    if (kind == 1)
        plane[side * side / 3] = NAN;
}

/* Screening says of every pixel what its value says. */
static void check_screen(resample *r, const float *plane, int w, int h, const mask_levels *l)
{
    size_t n = (size_t)w * (size_t)h, row_words = mask_row_words(w);
    float *value = take(n * sizeof *value);
    uint8_t *bits = take((size_t)w);
    packed_mask *m = take(packed_mask_bytes(w, h)), *want = take(packed_mask_bytes(w, h));
    int32_t low = 0, high = 0;
    memset(m, 0xFF, packed_mask_bytes(w, h));
    resample_plane(r, plane, value, 1);
    resample_screen(r, plane, l, m, 2);
    for (int y = 0; y < h; y++) {
        for (int x = 0; x < w; x++) {
            float v = value[(size_t)y * (size_t)w + (size_t)x];
            bits[x] = v > l->at;
            low += v > l->low;
            high += v > l->high;
        }
        mask_pack(bits, (size_t)w, 0, mask_rows(want) + (size_t)y * row_words);
    }
    packed_mask_measure(want, w, h);
    want->above_low = low;
    want->above_high = high;
    assert_memory_equal(m, want, packed_mask_bytes(w, h));
    free(value), free(bits), free(m), free(want);
}

static void test_screen(void **state)
{
    (void)state;
    enum { SIDE = 48 };
    static const int sizes[][2] = {{300, 170}, {64, 64}, {1, 9}, {129, 20}, {48, 48}, {31, 200}};
    static const mask_levels levels[] = {{-1, 0, 1}, {-0.05f, 0, 0.05f}, {0.2f, 0.7f, 1.2f}, {-9, 5, 20}};
    static float plane[SIDE * SIDE];
    int n = 0;
    for (size_t z = 0; z < COUNT(sizes); z++)
        for (int cut = 0; cut < 2; cut++) {
            int w = sizes[z][0], h = sizes[z][1];
            resample *r = cut ? resample_open_cut(SIDE, 4 * SIDE, 4 * SIDE, 3 * SIDE, w, h)
                              : resample_open(RESAMPLE_BILINEAR, SIDE, SIDE, w, h);
            assert_non_null(r);
            for (size_t v = 0; v < COUNT(variants); v++)
                for (int kind = 0; kind < 4 && resample_select(r, variants[v]); kind++)
                    for (size_t l = 0; l < COUNT(levels); l++, n++) {
                        fill_logits(plane, SIDE, kind);
                        check_screen(r, plane, w, h, &levels[l]);
                    }
            resample_close(r);
        }
    printf("screened: %d masks with the pixels and counts of the enlarged logits\n", n);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_pil_is_identical),
        cmocka_unit_test(test_float_is_torch),
        cmocka_unit_test(test_mask_prompt_is_cut_as_by_torch),
        cmocka_unit_test(test_nan_is_no_object),
        cmocka_unit_test(test_nv12_is_the_standard),
        cmocka_unit_test(test_nv12_is_resized_as_rgb),
        cmocka_unit_test(test_screen),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
