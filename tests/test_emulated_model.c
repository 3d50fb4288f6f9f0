/* Whole models through the CUDA kernels: miniatures of every family, prompted and tracked on the emulated device, and on a
 * real one where build and machine have it (test_backend.h), against the CPU backend. f32 kernels must agree with the CPU's
 * f32 up to rounding; half-precision ones may be no further from it than twice what the CPU's own bf16 is. */
#include "backend_emu.h"
#include "fake_cublaslt.h"
#include "fake_cudnn.h"
#include "model.h"
#include "temp_dir.h"
#include "test_backend.h"
#include "tiny_model.h"

#include <dlfcn.h>
#include <math.h>
#include <stdio.h>
#include <string.h>

#include <setjmp.h>
#include <stdarg.h>

#include <cmocka.h> /* after error.h: it makes a macro of `fail` */

enum { W = 80, H = 60, FRAMES = 4, OBJECTS = 2, LOGITS = (TINY_PX / 4) * (TINY_PX / 4) };

typedef struct outcome {
    float logits[FRAMES][OBJECTS][LOGITS];
    float presence[FRAMES][OBJECTS];
    uint8_t bits[FRAMES][OBJECTS][W * H];
} outcome;

static tiny_models models;

static void take_masks(sam_session *s, int frame, outcome *out)
{
    for (int k = 0; k < OBJECTS; k++) {
        sam_mask mask;
        assert_int_equal(sam_get_mask(s, k + 1, &mask, NULL), SAM_OK);
        assert_int_equal(mask.logits_px * mask.logits_px, LOGITS);
        memcpy(out->logits[frame][k], mask.logits, sizeof out->logits[frame][k]);
        sam_mask_bytes(&mask, out->bits[frame][k], W);
        out->presence[frame][k] = mask.presence;
    }
}

/* A click and a mask on frame 0, both objects tracked as a batch, a correction on the last frame. */
static void track_with(const backend_api *api, const char *path, const sam_model_options *o, outcome *out)
{
    sam_error err;
    sam_model *m = NULL;
    uint8_t mask[W * H];
    if (model_open_on(api, path, o, &m, &err) != SAM_OK)
        fail_msg("%s", err.text);
    sam_session *s = tiny_session(m, (sam_session_options){.width_px = W, .height_px = H, .max_objects = OBJECTS});
    for (int i = 0; i < W * H; i++)
        mask[i] = i % W > 30 && i % W < 60 && i / W > 10 && i / W < 40;
    for (int t = 0; t < FRAMES; t++) {
        tiny_push(s, W, H, t);
        if (t == 0) {
            sam_point click = {30, 30, 1};
            assert_int_equal(sam_prompt(s, 1, &(sam_prompt_set){.points = &click, .n_points = 1}, &err), SAM_OK);
            assert_int_equal(sam_prompt(s, 2, &(sam_prompt_set){.mask = mask, .mask_row_bytes = W}, &err), SAM_OK);
        }
        if (sam_track(s, SAM_FORWARD, &err) != SAM_OK)
            fail_msg("%s", err.text);
        if (t == FRAMES - 1) {
            sam_point click = {50, 20, 0};
            assert_int_equal(sam_prompt(s, 1, &(sam_prompt_set){.points = &click, .n_points = 1}, &err), SAM_OK);
        }
        take_masks(s, t, out);
    }
    sam_session_close(s);
    sam_model_close(m);
}

/* Images in place of frames: a click, and a box with a click, at once; on the last the logits that came before, too. */
static void segment_with(const backend_api *api, const char *path, const sam_model_options *o, outcome *out)
{
    const sam_point clicks[OBJECTS] = {{30, 30, 1}, {50, 20, 0}};
    const sam_box box = {20, 10, 60, 45};
    sam_error err;
    sam_model *m = NULL;
    if (model_open_on(api, path, o, &m, &err) != SAM_OK)
        fail_msg("%s", err.text);
    sam_session *s = tiny_session(
        m, (sam_session_options){.width_px = W, .height_px = H, .mode = SAM_IMAGE, .max_objects = OBJECTS});
    for (int t = 0; t < FRAMES; t++) {
        sam_prompt_set p[OBJECTS] = {{.points = &clicks[0], .n_points = 1, .single_mask = 1},
                                     {.points = &clicks[1], .n_points = 1, .box = &box, .single_mask = 1}};
        sam_mask masks[3 * OBJECTS];
        int n[OBJECTS];
        if (t == FRAMES - 1)
            p[1].logits = out->logits[t - 1][1];
        tiny_push(s, W, H, t);
        if (sam_image_predict(s, p, OBJECTS, masks, n, &err) != SAM_OK)
            fail_msg("%s", err.text);
        for (int k = 0; k < OBJECTS; k++) {
            assert_int_equal(masks[3 * k].logits_px * masks[3 * k].logits_px, LOGITS);
            memcpy(out->logits[t][k], masks[3 * k].logits, sizeof out->logits[t][k]);
            sam_mask_bytes(&masks[3 * k], out->bits[t][k], W);
        }
    }
    sam_session_close(s);
    sam_model_close(m);
}

static void track(const backend_api *api, const char *path, sam_dtype type, sam_backend kind, outcome *out)
{
    const sam_model_options o = {.compute = type, .backend = kind, .n_threads = 1, .image_px = TINY_PX};
    if (path == models.path[TINY_SAM1])
        segment_with(api, path, &o, out);
    else
        track_with(api, path, &o, out);
}

/* Relative distance of the logits, the root of the mean square over frames and objects: the worst of them is too much a
 * matter of luck (bf16 on the CPU: 0.011 to 0.044 from f32 over six clips of the smallest EdgeTAM). */
static double distance(const outcome *a, const outcome *b)
{
    double sum = 0;
    for (int t = 0; t < FRAMES; t++)
        for (int k = 0; k < OBJECTS; k++) {
            double d = 0, n = 0;
            for (int i = 0; i < LOGITS; i++) {
                double x = (double)a->logits[t][k][i], y = (double)b->logits[t][k][i];
                assert_true(isfinite(x) && isfinite(y));
                d += (x - y) * (x - y);
                n += y * y;
            }
            sum += d / n;
        }
    return sqrt(sum / (FRAMES * OBJECTS));
}

static int different_pixels(const outcome *a, const outcome *b)
{
    int n = 0;
    for (int t = 0; t < FRAMES; t++)
        for (int k = 0; k < OBJECTS; k++)
            for (int i = 0; i < W * H; i++)
                n += a->bits[t][k][i] != b->bits[t][k][i];
    return n;
}

/* bound: of the half-precision types. */
static void check_on(const backend_api *api, tiny_family f, const outcome *cpu, double bound)
{
    static outcome device;
    track(api, models.path[f], SAM_F32, SAM_CUDA, &device);
    double error = distance(&device, cpu);
    int pixels = different_pixels(&device, cpu);
    printf("%s, %s: f32 kernels against the CPU: logits %.1e, %d of %d pixels differ\n", tiny_names[f], api->name,
           error, pixels, FRAMES * OBJECTS * W * H);
    assert_true(error <= 1e-3);
    for (int type = SAM_F16; type <= SAM_BF16; type++) {
        track(api, models.path[f], (sam_dtype)type, SAM_CUDA, &device);
        error = distance(&device, cpu);
        printf("%s, %s: %s kernels against f32: logits %.1e, bound %.1e\n", tiny_names[f], api->name,
               type == SAM_F16 ? "f16" : "bf16", error, bound);
        assert_true(error <= bound);
    }
}

static void check_family(tiny_family f)
{
    static outcome cpu, cpu_half;
    track(&backend_cpu, models.path[f], SAM_F32, SAM_CPU, &cpu);
    track(&backend_cpu, models.path[f], SAM_BF16, SAM_CPU, &cpu_half);
    double bound = 2 * distance(&cpu_half, &cpu);
    if (test_backend() == SAM_CPU)
        check_on(&backend_emu, f, &cpu, bound);
    const backend *device = test_cuda();
    if (device)
        check_on(device->api, f, &cpu, bound);
}

static void test_sam2(void **state)
{
    (void)state;
    check_family(TINY_SAM2);
}

static void test_sam21(void **state)
{
    (void)state;
    check_family(TINY_SAM21);
}

static void test_edgetam(void **state)
{
    (void)state;
    check_family(TINY_EDGETAM);
}

static void test_sam1(void **state)
{
    (void)state;
    check_family(TINY_SAM1);
}

/* The same with every product that a library can do done by a pretended one: first chosen by tuning, then by what tuning
 * left in its file, then with the library switched off. */
static void test_libraries(void **state)
{
    (void)state;
    static outcome cpu, device, again;
    temp_dir d;
    char cache[512];
    const char *path = models.path[TINY_SAM21];
    temp_dir_make(&d);
    temp_dir_file(&d, "tuning.json", cache, sizeof cache);
    emu.cublaslt = BUILD_DIR "/tests/fake_cublaslt.so";
    emu.cudnn = BUILD_DIR "/tests/fake_cudnn.so";
    void *library = dlopen(emu.cublaslt, RTLD_NOW);
    fake_lt_record *fake = library ? dlsym(library, "fake_lt") : NULL;
    assert_non_null(fake);
    track(&backend_cpu, path, SAM_F32, SAM_CPU, &cpu);

    sam_model_options o = {.backend = SAM_CUDA, .n_threads = 1, .image_px = TINY_PX, .tune = 1, .tuning_cache = cache};
    track_with(&backend_emu, path, &o, &device);
    int n_tuned = fake->n_matmuls;
    double error = distance(&device, &cpu);
    printf("libraries: %d products by the pretended cuBLASLt; logits %.1e from the CPU\n", n_tuned, error);
    assert_true(n_tuned > 100);
    assert_true(error <= 1e-3);

    o.tune = 0;
    track_with(&backend_emu, path, &o, &again);
    assert_int_equal(fake->n_matmuls, 2 * n_tuned);
    assert_memory_equal(&again, &device, sizeof device);

    o.deterministic = 1; /* nothing here is large, so by the rule nothing is the library's */
    track_with(&backend_emu, path, &o, &again);
    assert_int_equal(fake->n_matmuls, 2 * n_tuned);
    o.deterministic = 0;
    o.no_cublas = 1;
    track_with(&backend_emu, path, &o, &again);
    assert_int_equal(fake->n_matmuls, 2 * n_tuned);
    assert_true(distance(&again, &cpu) <= 1e-3);

    /* Convolutions, which are in half precision: tuned, then from the file. The bound is that of check_family. */
    void *dnn_library = dlopen(emu.cudnn, RTLD_NOW);
    fake_dnn_record *dnn = dlsym(dnn_library, "fake_dnn");
    track(&backend_cpu, path, SAM_BF16, SAM_CPU, &again);
    double bound = 2 * distance(&again, &cpu);
    o = (sam_model_options){.backend = SAM_CUDA,
                            .compute = SAM_BF16,
                            .n_threads = 1,
                            .image_px = TINY_PX,
                            .tune = 1,
                            .tuning_cache = cache};
    track_with(&backend_emu, path, &o, &device);
    int n_convolutions = dnn->n_forwards;
    printf("libraries: %d convolutions by the pretended cuDNN in bf16; logits %.1e from f32, bound %.1e\n",
           n_convolutions, distance(&device, &cpu), bound);
    printf(
        "libraries: at most %d handles of cuDNN at once: the one that is asked, and one for each of the session's streams\n",
        dnn->most_handles);
    assert_in_range(dnn->most_handles, 2, 3);
    assert_true(n_convolutions > 4);
    assert_true(distance(&device, &cpu) <= bound);
    o.tune = 0;
    track_with(&backend_emu, path, &o, &again);
    assert_int_equal(dnn->n_forwards, 2 * n_convolutions);
    assert_memory_equal(&again, &device, sizeof device);
    o.no_cudnn = 1;
    track_with(&backend_emu, path, &o, &again);
    assert_int_equal(dnn->n_forwards, 2 * n_convolutions);
    assert_int_equal(dnn->n_handles + dnn->n_descriptors, 0);
    dlclose(dnn_library);
    assert_int_equal(fake->n_handles + fake->n_layouts + fake->n_descs + fake->n_preferences, 0);
    emu.cublaslt = emu.cudnn = NULL;
    dlclose(library);
    temp_dir_remove(&d);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_sam2), cmocka_unit_test(test_sam21),     cmocka_unit_test(test_edgetam),
        cmocka_unit_test(test_sam1), cmocka_unit_test(test_libraries),
    };
    tiny_models_make(&models);
    int failed = cmocka_run_group_tests(tests, NULL, NULL);
    tiny_models_remove(&models);
    return failed;
}
