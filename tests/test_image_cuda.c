/* Pictures on CUDA, in the emulator, against the CPU functions: the same bits, for several orders of threads. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#define CUDA_VARIANT emu
#include "image_cuda.h"

#include "components.h"
#include "control.h"
#include "resample.h"
#include "resolve_overlap.h"

#include <math.h>
#include <stdbool.h>

enum { N_SEEDS = 4, MAX_PLANES = 5 };
#define COUNT(a) (sizeof(a) / sizeof *(a))

static uint32_t next_random(uint32_t *state)
{
    *state = *state * 1664525u + 1013904223u;
    return *state >> 8;
}
static void *take(size_t n_bytes)
{
    void *p = malloc(n_bytes ? n_bytes : 1);
    assert_non_null(p);
    memset(p, 0xFF, n_bytes);
    return p;
}
static void succeeds(const char *wrong)
{
    if (wrong)
        fail_msg("%s", wrong);
}

/* Weights of both directions, as they would lie on the device. */
typedef struct axes {
    resample_axis host[2], device[2];
    void *block[2];
} axes;

static void axes_open(axes *a, resample_kind kind, int in_w, int in_h, int out_w, int out_h)
{
    assert_true(resample_axis_open(&a->host[0], kind, in_w, out_w) &&
                resample_axis_open(&a->host[1], kind, in_h, out_h));
    for (int i = 0; i < 2; i++) {
        a->block[i] = take(image_axis_bytes(&a->host[i]));
        image_axis_fill(&a->host[i], a->block[i]);
        a->device[i] = image_axis_at(&a->host[i], a->block[i]);
    }
}
static void axes_close(axes *a)
{
    for (int i = 0; i < 2; i++) {
        resample_axis_close(&a->host[i]);
        free(a->block[i]);
    }
}

static const int sizes[][4] = {{1, 1, 1, 1},     {16, 12, 8, 8},   {33, 21, 32, 32}, {7, 50, 30, 9},
                               {40, 30, 40, 31}, {64, 36, 24, 36}, {13, 9, 51, 40}};

/* Bit for bit needs the CPU code with fused multiply-adds everywhere; sanitizer builds compile it with fewer. */
#ifdef __SANITIZE_ADDRESS__
#define ROUNDING 2e-6
#else
#define ROUNDING 0.0
#endif

static void frames(void **state)
{
    (void)state;
    static const resample_kind kinds[] = {RESAMPLE_PIL_BICUBIC, RESAMPLE_PIL_BILINEAR, RESAMPLE_RGB_ANTIALIAS};
    for (size_t i = 0; i < COUNT(kinds) * COUNT(sizes); i++) {
        const int *z = sizes[i / COUNT(kinds)];
        resample_kind kind = kinds[i % COUNT(kinds)];
        resample *r = resample_open(kind, z[0], z[1], z[2], z[3]);
        assert_non_null(r);
        if (!resample_select(r, "avx2") && kind == RESAMPLE_RGB_ANTIALIAS) { /* only code with fused multiply-adds */
            resample_close(r);
            continue;
        }
        size_t row = 3 * (size_t)z[0] + 5, n = 3 * (size_t)z[2] * (size_t)z[3];
        uint32_t seed = (uint32_t)i + 1;
        uint8_t *rgb = take(row * (size_t)z[1]);
        for (size_t k = 0; k < row * (size_t)z[1]; k++)
            rgb[k] = (uint8_t)next_random(&seed);
        float *want = take(n * sizeof *want), *got = take(n * sizeof *got);
        resample_rgb_normalised(r, rgb, row, want, 1);
        axes a;
        axes_open(&a, kind, z[0], z[1], z[2], z[3]);
        void *mid = take(preprocess_cuda_bytes(&a.host[0], &a.host[1]));
        for (unsigned s = 0; s < N_SEEDS; s++) {
            emu_seed(s);
            memset(got, 0xFF, n * sizeof *got);
            const frame_pixels from = {.rgb = rgb, .row_bytes = row};
            succeeds(CUDA_FN(preprocess_cuda)(&a.device[0], &a.device[1], &from, mid, got, NULL));
            for (size_t k = 0; k < n; k++)
                if (!(fabs((double)got[k] - (double)want[k]) <= ROUNDING))
                    fail_msg("frame %zu, value %zu: got %.9g, want %.9g", i, k, (double)got[k], (double)want[k]);
        }
        axes_close(&a);
        resample_close(r);
        free(mid);
        free(want);
        free(got);
        free(rgb);
    }
    printf("%zu frames, identical\n", COUNT(kinds) * COUNT(sizes));
}

/* Both matrices and ranges, rows with gaps; the widest frame takes several spans of shared memory. */
static void nv12_frames(void **state)
{
    (void)state;
    static const resample_kind kinds[] = {RESAMPLE_PIL_BICUBIC, RESAMPLE_PIL_BILINEAR, RESAMPLE_RGB_ANTIALIAS};
    static const int more[][4] = {{5001, 3, 20, 4}, {300, 5, 520, 6}, {2, 2, 3, 3}};
    size_t n_sizes = COUNT(sizes) + COUNT(more), n_frames = COUNT(kinds) * n_sizes * 2, n_done = 0;
    for (size_t i = 0; i < n_frames; i++) {
        size_t at = i / COUNT(kinds) % n_sizes;
        const int *z = at < COUNT(sizes) ? sizes[at] : more[at - COUNT(sizes)];
        resample_kind kind = kinds[i % COUNT(kinds)];
        resample *r = resample_open(kind, z[0], z[1], z[2], z[3]);
        assert_true(r && resample_take_nv12(r, 1));
        if (!resample_select(r, "avx2") && kind == RESAMPLE_RGB_ANTIALIAS) { /* only code with fused multiply-adds */
            resample_close(r);
            continue;
        }
        size_t y_row = (size_t)z[0] + i % 4, uv_row = 2 * (size_t)nv12_half(z[0]) + 2 * (i % 3);
        size_t n_y = y_row * (size_t)z[1], n_uv = uv_row * (size_t)nv12_half(z[1]), n = 3 * (size_t)(z[2] * z[3]);
        uint32_t seed = (uint32_t)i + 1;
        uint8_t *y = take(n_y), *uv = take(n_uv);
        for (size_t k = 0; k < n_y; k++)
            y[k] = (uint8_t)next_random(&seed);
        for (size_t k = 0; k < n_uv; k++)
            uv[k] = (uint8_t)next_random(&seed);
        const frame_pixels from = {
            .nv12 = {y, uv, y_row, uv_row, nv12_weights_of((int)(i & 1), (int)(i / (n_frames / 2)))}};
        float *want = take(n * sizeof *want), *got = take(n * sizeof *got);
        resample_nv12_normalised(r, &from.nv12, want, 1);
        axes a;
        axes_open(&a, kind, z[0], z[1], z[2], z[3]);
        void *mid = take(preprocess_cuda_bytes(&a.host[0], &a.host[1]));
        for (unsigned s = 0; s < N_SEEDS; s++) {
            emu_seed(s);
            memset(got, 0xFF, n * sizeof *got);
            succeeds(CUDA_FN(preprocess_cuda)(&a.device[0], &a.device[1], &from, mid, got, NULL));
            for (size_t k = 0; k < n; k++)
                if (!(fabs((double)got[k] - (double)want[k]) <= ROUNDING))
                    fail_msg("frame %zu, value %zu: got %.9g, want %.9g", i, k, (double)got[k], (double)want[k]);
        }
        n_done++;
        axes_close(&a);
        resample_close(r);
        free(mid);
        free(want);
        free(got);
        free(y);
        free(uv);
    }
    printf("%zu frames of NV12, %d orders of threads: identical to the CPU's\n", n_done, N_SEEDS);
}

static void masks(void **state)
{
    (void)state;
    static const resample_kind kinds[] = {RESAMPLE_BILINEAR, RESAMPLE_ANTIALIAS};
    for (size_t i = 0; i < COUNT(kinds) * COUNT(sizes); i++) {
        const int *z = sizes[i / COUNT(kinds)];
        resample_kind kind = kinds[i % COUNT(kinds)];
        resample *r = resample_open(kind, z[0], z[1], z[2], z[3]);
        assert_non_null(r);
        if (!resample_select(r, "avx2")) {
            resample_close(r);
            continue;
        }
        int n = (int)(i % MAX_PLANES) + 1;
        size_t n_in = (size_t)z[0] * (size_t)z[1], n_out = (size_t)z[2] * (size_t)z[3];
        float *planes = take((size_t)n * n_in * sizeof *planes), *want = take((size_t)n * n_out * sizeof *want);
        float *got = take((size_t)n * n_out * sizeof *got);
        uint8_t *bits = take((size_t)n * n_out), *want_bits = take((size_t)n * n_out), *apart = take((size_t)n * n_out);
        const float *list[MAX_PLANES], *resized[MAX_PLANES];
        uint8_t *each[MAX_PLANES];
        uint32_t seed = (uint32_t)i + 1;
        for (size_t k = 0; k < (size_t)n * n_in; k++)
            planes[k] = k % 41 == 40 ? NAN : ((float)(next_random(&seed) % 4096) - 2000.0f) / 300.0f;
        for (int o = 0; o < n; o++) {
            list[o] = planes + (size_t)o * n_in;
            resized[o] = want + (size_t)o * n_out;
            each[o] = apart + (size_t)o * n_out;
            resample_plane(r, list[o], want + (size_t)o * n_out, 1);
            resample_mask(r, list[o], want_bits + (size_t)o * n_out, 1);
        }
        resolve_overlap(resized, each, n, n_out, 1);
        axes a;
        axes_open(&a, kind, z[0], z[1], z[2], z[3]);
        for (unsigned s = 0; s < N_SEEDS; s++) {
            emu_seed(s);
            succeeds(CUDA_FN(resample_planes_cuda)(&a.device[0], &a.device[1], list, n, got, NULL));
            /* Shrinking, the CPU adds eight taps at a time in another way. NaNs differ in their sign bits. */
            double allowed = kind == RESAMPLE_ANTIALIAS ? 2e-6 : ROUNDING;
            for (size_t k = 0; k < (size_t)n * n_out; k++)
                if (!(fabs((double)got[k] - (double)want[k]) <= allowed || (isnan(got[k]) && isnan(want[k]))))
                    fail_msg("kind %d, %dx%d to %dx%d, value %zu: got %.9g, want %.9g", kind, z[0], z[1], z[2], z[3], k,
                             (double)got[k], (double)want[k]);
            if (kind == RESAMPLE_ANTIALIAS)
                continue;
            succeeds(CUDA_FN(render_masks_cuda)(&a.device[0], &a.device[1], list, n, 0, bits, NULL));
            assert_memory_equal(bits, want_bits, (size_t)n * n_out);
            succeeds(CUDA_FN(render_masks_cuda)(&a.device[0], &a.device[1], list, n, 1, bits, NULL));
            assert_memory_equal(bits, apart, (size_t)n * n_out);
        }
        axes_close(&a);
        resample_close(r);
        free(planes);
        free(want);
        free(got);
        free(bits);
        free(want_bits);
        free(apart);
    }
    printf("%zu sets of planes, masks identical\n", COUNT(kinds) * COUNT(sizes));
}

static void overlap(void **state)
{
    (void)state;
    enum { PX = 1000 };
    float *logits = take(MAX_PLANES * PX * sizeof *logits);
    uint8_t *want = take(MAX_PLANES * PX), *got = take(MAX_PLANES * PX);
    const float *list[MAX_PLANES];
    uint8_t *to_want[MAX_PLANES], *to_got[MAX_PLANES];
    uint32_t seed = 3;
    for (size_t i = 0; i < MAX_PLANES * PX; i++) /* few values: many are equal */
        logits[i] = i % 29 == 28 ? NAN : (float)(next_random(&seed) % 7) - 3.0f;
    for (int o = 0; o < MAX_PLANES; o++) {
        list[o] = logits + o * PX;
        to_want[o] = want + o * PX;
        to_got[o] = got + o * PX;
    }
    for (int k = 1; k <= MAX_PLANES; k++) {
        resolve_overlap(list, to_want, k, PX, 1);
        succeeds(CUDA_FN(resolve_overlap_cuda)(list, to_got, k, PX, NULL));
        assert_memory_equal(got, want, (size_t)k * PX);
    }
    free(logits);
    free(want);
    free(got);
}

static const int shapes[][2] = {{1, 1}, {1, 17}, {17, 1}, {2, 2}, {5, 7}, {31, 33}, {64, 64}, {70, 97}, {33, 256}};
enum { PATTERNS = 8 };

/* full, empty, checkerboard, dots, rings, then noise. */
static bool drawn(int pattern, int y, int x, int h, int w, uint32_t *seed)
{
    static const uint32_t percent[] = {20, 50, 80};
    int edge = y < x ? y : x;
    edge = h - 1 - y < edge ? h - 1 - y : edge;
    edge = w - 1 - x < edge ? w - 1 - x : edge;
    switch (pattern) {
    case 0:
    case 1:
        return pattern == 0;
    case 2:
        return (y + x) & 1;
    case 3:
        return !(y & 1) && !(x & 1);
    case 4:
        return (edge & 1) ^ (y == x + 1 && x < h / 2 && x < w / 2);
    default:
        return next_random(seed) % 100 < percent[pattern - 5];
    }
}

static void labels(void **state)
{
    (void)state;
    uint32_t seed = 7;
    int n_components = 0;
    for (size_t i = 0; i < COUNT(shapes) * PATTERNS; i++) {
        int h = shapes[i / PATTERNS][0], w = shapes[i / PATTERNS][1], n_px = h * w;
        uint8_t *mask = take((size_t)n_px);
        int32_t *want = take((size_t)n_px * 4), *got = take((size_t)n_px * 4), n = -1;
        void *scratch = take(components_cuda_bytes(1, h, w));
        for (int p = 0; p < n_px; p++)
            mask[p] = drawn((int)(i % PATTERNS), p / w, p % w, h, w, &seed);
        int n_want = components_label(mask, h, w, want);
        for (unsigned s = 0; s < N_SEEDS; s++) {
            emu_seed(s);
            succeeds(CUDA_FN(components_label_cuda)(mask, h, w, got, &n, scratch, NULL));
            assert_int_equal(n, n_want);
            assert_memory_equal(got, want, (size_t)n_px * 4);
        }
        n_components += n_want;
        free(mask);
        free(want);
        free(got);
        free(scratch);
    }
    printf("%zu masks, %d components, identical\n", COUNT(shapes) * PATTERNS, n_components);
}

static void cleaning(void **state)
{
    (void)state;
    static const struct {
        int hole, speck;
    } areas[] = {{8, 0}, {0, 3}, {4, 20}, {1 << 20, 1}, {0, 0}};
    uint32_t seed = 9;
    size_t n_changed = 0;
    for (size_t i = 0; i < COUNT(shapes) * PATTERNS; i++) {
        int h = shapes[i / PATTERNS][0], w = shapes[i / PATTERNS][1], n = (int)(i % 3) + 1;
        size_t n_px = (size_t)h * (size_t)w, bytes = (size_t)n * n_px * sizeof(float);
        float *logits = take(bytes), *want = take(bytes), *got = take(bytes), *list[3];
        void *scratch = take(components_cuda_bytes(n, h, w)), *host_scratch = take(components_scratch_bytes(h, w));
        for (size_t p = 0; p < (size_t)n * n_px; p++) {
            int at = (int)(p % n_px);
            float v = (float)(next_random(&seed) % 4);
            logits[p] = drawn((int)(i % PATTERNS), at / w, at % w, h, w, &seed) ? v + 0.5f : -v;
            if (next_random(&seed) % 50 == 0)
                logits[p] = NAN;
        }
        int hole = areas[i % COUNT(areas)].hole, speck = areas[i % COUNT(areas)].speck;
        memcpy(want, logits, bytes);
        for (int o = 0; o < n; o++)
            n_changed += clean_logits(want + (size_t)o * n_px, h, w, hole, 10, speck, -10, host_scratch);
        for (unsigned s = 0; s < N_SEEDS; s++) {
            emu_seed(s);
            memcpy(got, logits, bytes);
            for (int o = 0; o < n; o++)
                list[o] = got + (size_t)o * n_px;
            succeeds(CUDA_FN(clean_logits_cuda)(list, n, h, w, hole, 10, speck, -10, scratch, NULL));
            assert_memory_equal(got, want, bytes);
        }
        free(logits);
        free(want);
        free(got);
        free(scratch);
        free(host_scratch);
    }
    printf("%zu pixels changed, identical\n", n_changed);
}

static void boxes(void **state)
{
    (void)state;
    uint32_t seed = 5;
    for (size_t i = 0; i < COUNT(shapes); i++) {
        int h = shapes[i][0], w = shapes[i][1], box[4], got[3 * 5];
        size_t n_px = (size_t)h * (size_t)w;
        uint8_t *bits = take(3 * n_px);
        for (size_t p = 0; p < 3 * n_px; p++) /* the first is empty, the second has few pixels */
            bits[p] = p >= n_px && next_random(&seed) % (p < 2 * n_px ? 97 : 2) == 0;
        for (unsigned s = 0; s < N_SEEDS; s++) {
            emu_seed(s);
            succeeds(CUDA_FN(mask_boxes_cuda)(bits, 3, h, w, got, NULL));
            for (int o = 0; o < 3; o++) {
                mask_box(bits + (size_t)o * n_px, h, w, box);
                assert_memory_equal(got + 5 * o, box, sizeof box);
                assert_int_equal(got[5 * o + 4], mask_area(bits + (size_t)o * n_px, n_px));
            }
        }
        free(bits);
    }
}

static void refusals(void **state)
{
    (void)state;
    float plane = 0, *list[1] = {&plane};
    uint8_t mask = 0, *masks_of[1] = {&mask};
    resample_axis a = {0};
    assert_non_null(CUDA_FN(resolve_overlap_cuda)((const float *const *)list, masks_of, 129, 1, NULL));
    assert_non_null(CUDA_FN(clean_logits_cuda)(list, 0, 1, 1, 1, 0, 1, 0, NULL, NULL));
    assert_non_null(CUDA_FN(render_masks_cuda)(&a, &a, (const float *const *)list, 1, 0, &mask, NULL));

    uint16_t uv[4] = {0};
    uint8_t y[4] = {0};
    const uint8_t *chroma = (const uint8_t *)uv;
    const nv12_image wrong[] = {{NULL, chroma, 2, 2, {0}}, {y, NULL, 2, 2, {0}},       {y, chroma, 1, 2, {0}},
                                {y, chroma, 2, 1, {0}},    {y, chroma + 1, 2, 2, {0}}, {y, chroma, 2, 3, {0}}};
    axes two;
    float out[12];
    uint8_t mid[48];
    axes_open(&two, RESAMPLE_PIL_BICUBIC, 2, 2, 2, 2);
    for (size_t i = 0; i < COUNT(wrong); i++)
        assert_non_null(CUDA_FN(preprocess_cuda)(&two.device[0], &two.device[1], &(frame_pixels){.nv12 = wrong[i]}, mid,
                                                 out, NULL));
    const frame_pixels narrow = {.rgb = y, .row_bytes = 5};
    assert_non_null(CUDA_FN(preprocess_cuda)(&two.device[0], &two.device[1], &narrow, mid, out, NULL));
    axes_close(&two);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(frames), cmocka_unit_test(nv12_frames), cmocka_unit_test(masks),    cmocka_unit_test(overlap),
        cmocka_unit_test(labels), cmocka_unit_test(cleaning),    cmocka_unit_test(refusals), cmocka_unit_test(boxes),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
