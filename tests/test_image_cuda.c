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
        a->block[i] = take(resample_axis_bytes(kind, a->host[i].n_in, a->host[i].n_out));
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
                               {40, 30, 40, 31}, {64, 36, 24, 36}, {13, 9, 51, 40},  {33, 70, 32, 32},
                               {5, 41, 37, 9},   {65, 131, 64, 17}}; /* some go down first */

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
            succeeds(CUDA_FN(preprocess_cuda)(&a.device[0], &a.device[1], &from, mid, got, a.host[0].n_out, NULL));
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

/* Both matrices and ranges, rows with gaps; the widest and the highest frame take several spans of shared memory. */
static void nv12_frames(void **state)
{
    (void)state;
    static const resample_kind kinds[] = {RESAMPLE_PIL_BICUBIC, RESAMPLE_PIL_BILINEAR, RESAMPLE_RGB_ANTIALIAS};
    static const int more[][4] = {{5001, 3, 20, 4}, {300, 5, 520, 6}, {2, 2, 3, 3}, {35, 1201, 9, 12}};
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
            succeeds(CUDA_FN(preprocess_cuda)(&a.device[0], &a.device[1], &from, mid, got, a.host[0].n_out, NULL));
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

/* n planes of noise with a few NaN, and what the CPU makes of them. */
typedef struct mask_case {
    float *planes, *resized;
    const float **list;        /* [n] planes of `resized`            */
    packed_mask *want, *apart; /* n of each; apart: without overlap  */
    packed_mask **each;        /* [n] those of `apart`               */
} mask_case;

static packed_mask *nth(packed_mask *first, int i, int w, int h)
{
    return (packed_mask *)(void *)((char *)first + (size_t)i * packed_mask_bytes(w, h));
}

/* z: in_w, in_h, out_w, out_h */
static void case_open(mask_case *c, resample *r, int n, const int *z, uint32_t seed)
{
    size_t n_in = (size_t)z[0] * (size_t)z[1], n_out = (size_t)z[2] * (size_t)z[3], count = (size_t)n;
    c->planes = take(count * n_in * sizeof *c->planes);
    c->resized = take(count * n_out * sizeof *c->resized);
    c->list = take(count * sizeof *c->list);
    c->want = take(count * packed_mask_bytes(z[2], z[3]));
    c->apart = take(count * packed_mask_bytes(z[2], z[3]));
    c->each = take(count * sizeof *c->each);
    for (size_t k = 0; k < count * n_in; k++)
        c->planes[k] = k % 41 == 40 ? NAN : ((float)(next_random(&seed) % 4096) - 2300.0f) / 300.0f;
    for (int o = 0; o < n; o++) {
        packed_mask *m = nth(c->want, o, z[2], z[3]);
        float *to = c->resized + (size_t)o * n_out;
        c->list[o] = to;
        c->each[o] = nth(c->apart, o, z[2], z[3]);
        resample_plane(r, c->planes + (size_t)o * n_in, to, 1);
        resample_mask(r, c->planes + (size_t)o * n_in, mask_rows(m), 1);
        packed_mask_measure(m, z[2], z[3]);
    }
    resolve_overlap(c->list, c->each, n, z[2], z[3], 1);
    for (int o = 0; o < n; o++)
        packed_mask_measure(c->each[o], z[2], z[3]);
}

static void case_close(mask_case *c)
{
    free(c->planes);
    free(c->resized);
    free((void *)c->list);
    free(c->want);
    free(c->apart);
    free((void *)c->each);
}

static void check_masks(int n, const int *z, uint32_t seed)
{
    resample *r = resample_open(RESAMPLE_BILINEAR, z[0], z[1], z[2], z[3]);
    assert_non_null(r);
    if (resample_select(r, "avx2")) { /* else there is no code with fused multiply-adds to compare with */
        size_t bytes = (size_t)n * packed_mask_bytes(z[2], z[3]);
        packed_mask *got = take(bytes);
        mask_case c;
        axes a;
        case_open(&c, r, n, z, seed);
        axes_open(&a, RESAMPLE_BILINEAR, z[0], z[1], z[2], z[3]);
        for (unsigned s = 0; s < N_SEEDS; s++) {
            emu_seed(s);
            memset(got, 0xFF, bytes);
            succeeds(CUDA_FN(render_masks_cuda)(&a.device[0], &a.device[1], c.planes, n, 0, NULL, got, NULL));
            assert_memory_equal(got, c.want, bytes);
            memset(got, 0xFF, bytes);
            succeeds(CUDA_FN(render_masks_cuda)(&a.device[0], &a.device[1], c.planes, n, 1, NULL, got, NULL));
            assert_memory_equal(got, c.apart, bytes);
        }
        axes_close(&a);
        case_close(&c);
        free(got);
    }
    resample_close(r);
}

/* Masks cut at another level, with the counts of two more. */
static void check_screened(int n, const int *z, uint32_t seed)
{
    static const mask_levels levels[] = {{-1, 0, 1}, {0.25f, 0.5f, 0.75f}, {-30, -20, -10}};
    resample *r = resample_open(RESAMPLE_BILINEAR, z[0], z[1], z[2], z[3]);
    assert_non_null(r);
    if (resample_select(r, "avx2")) {
        size_t bytes = (size_t)n * packed_mask_bytes(z[2], z[3]);
        packed_mask *got = take(bytes);
        mask_case c;
        axes a;
        case_open(&c, r, n, z, seed);
        axes_open(&a, RESAMPLE_BILINEAR, z[0], z[1], z[2], z[3]);
        for (size_t l = 0; l < COUNT(levels); l++) {
            for (int o = 0; o < n; o++)
                resample_screen(r, c.planes + (size_t)o * (size_t)z[0] * (size_t)z[1], &levels[l],
                                nth(c.want, o, z[2], z[3]), 1);
            emu_seed((unsigned)l);
            memset(got, 0xFF, bytes);
            succeeds(CUDA_FN(render_masks_cuda)(&a.device[0], &a.device[1], c.planes, n, 0, &levels[l], got, NULL));
            assert_memory_equal(got, c.want, bytes);
        }
        axes_close(&a);
        case_close(&c);
        free(got);
    }
    resample_close(r);
}

static void masks(void **state)
{
    (void)state;
    static const int wide[][4] = {{20, 6, 257, 13}, {16, 16, 256, 9}, {9, 5, 255, 8}, {30, 4, 600, 3},
                                  {8, 8, 64, 17},   {8, 8, 65, 16},   {5, 9, 2, 90},  {8, 8, 1, 33}};
    int n_sets = 0;
    for (size_t i = 0; i < COUNT(sizes); i++, n_sets++)
        check_masks((int)(i % MAX_PLANES) + 1, sizes[i], (uint32_t)i + 1);
    for (size_t i = 0; i < COUNT(wide); i++, n_sets++)
        check_masks((int)(i % MAX_PLANES) + 1, wide[i], (uint32_t)i + 100);
    for (size_t i = 0; i < COUNT(wide); i++)
        check_screened((int)(i % MAX_PLANES) + 1, wide[i], (uint32_t)i + 200);
    printf("%d sets of planes, packed masks, boxes, areas and counts identical, with and without overlap\n", n_sets);
}

/* Empty and full masks, and one pixel in each corner. */
static void extents(void **state)
{
    (void)state;
    enum { W = 300, H = 11, N = 6 };
    static float planes[N][H * W];
    static const int at[N] = {-1, -1, 0, W - 1, (H - 1) * W, H * W - 1};
    packed_mask *got = take(N * packed_mask_bytes(W, H));
    axes a;
    axes_open(&a, RESAMPLE_BILINEAR, W, H, W, H);
    for (int i = 0; i < N; i++)
        for (int p = 0; p < H * W; p++)
            planes[i][p] = i == 1 || p == at[i] ? 1 : -1;
    for (unsigned s = 0; s < N_SEEDS; s++) {
        emu_seed(s);
        memset(got, 0xFF, N * packed_mask_bytes(W, H));
        succeeds(CUDA_FN(render_masks_cuda)(&a.device[0], &a.device[1], planes[0], N, 0, NULL, got, NULL));
        for (int i = 0; i < N; i++) {
            const packed_mask *m = nth(got, i, W, H);
            int x = at[i] % W, y = at[i] / W;
            const int32_t none[4] = {W, H, -1, -1}, all[4] = {0, 0, W - 1, H - 1}, one[4] = {x, y, x, y};
            assert_memory_equal(m->box, i == 0 ? none : i == 1 ? all : one, sizeof one);
            assert_int_equal(m->area, i == 0 ? 0 : i == 1 ? W * H : 1);
        }
    }
    axes_close(&a);
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
        float *logits = take(bytes), *want = take(bytes), *got = take(bytes);
        const float *list[3];
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
            memset(got, 0xFF, bytes);
            for (int o = 0; o < n; o++)
                list[o] = logits + (size_t)o * n_px;
            succeeds(CUDA_FN(clean_logits_cuda)(list, n, h, w, hole, 10, speck, -10, got, scratch, NULL));
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

/* More than a launch takes the addresses of. */
static void many_planes(void **state)
{
    (void)state;
    enum { N = 2 * CLEAN_PLANES + 3, SIDE = 9, PX = SIDE * SIDE, HOLE = 3 };
    static const int z[4] = {SIDE, SIDE, 40, 21};
    static float logits[N][PX], want[N][PX], got[N][PX];
    const float *list[N];
    uint32_t seed = 21;
    size_t n_changed = 0;
    void *scratch = take(components_cuda_bytes(N, SIDE, SIDE)), *host = take(components_scratch_bytes(SIDE, SIDE));
    for (int o = 0; o < N; o++) {
        list[N - 1 - o] = logits[o]; /* from anywhere: in another order than they lie in */
        for (int p = 0; p < PX; p++)
            logits[o][p] = next_random(&seed) % 3 ? 1.0f + (float)o : -1;
    }
    for (int o = 0; o < N; o++) {
        memcpy(want[o], list[o], sizeof want[o]);
        n_changed += clean_logits(want[o], SIDE, SIDE, HOLE, 0.1f, 0, 0, host);
    }
    for (unsigned s = 0; s < N_SEEDS; s++) {
        emu_seed(s);
        memset(got, 0xFF, sizeof got);
        succeeds(CUDA_FN(clean_logits_cuda)(list, N, SIDE, SIDE, HOLE, 0.1f, 0, 0, got[0], scratch, NULL));
        assert_memory_equal(got, want, sizeof got);
    }
    free(scratch);
    free(host);
    check_masks(N, z, 5);
    printf("%d planes: %zu pixels changed, identical; masks identical\n", N, n_changed);
}

static void refusals(void **state)
{
    (void)state;
    float plane = 0;
    const float *list[1] = {&plane};
    packed_mask mask;
    resample_axis a = {0}, shrinks = {.weight = &plane, .taps = 3};
    assert_non_null(CUDA_FN(clean_logits_cuda)(list, 0, 1, 1, 1, 0, 1, 0, &plane, NULL, NULL));
    assert_non_null(CUDA_FN(render_masks_cuda)(&a, &a, &plane, 1, 0, NULL, &mask, NULL));
    assert_non_null(CUDA_FN(render_masks_cuda)(&shrinks, &shrinks, &plane, 1, 0, NULL, &mask, NULL));

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
                                                 out, two.host[0].n_out, NULL));
    const frame_pixels narrow = {.rgb = y, .row_bytes = 5};
    assert_non_null(
        CUDA_FN(preprocess_cuda)(&two.device[0], &two.device[1], &narrow, mid, out, two.host[0].n_out, NULL));
    axes_close(&two);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(frames),      cmocka_unit_test(nv12_frames), cmocka_unit_test(masks),
        cmocka_unit_test(extents),     cmocka_unit_test(labels),      cmocka_unit_test(cleaning),
        cmocka_unit_test(many_planes), cmocka_unit_test(refusals),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
