/* The seam between the engine and families of models: a toy family, which is one file (support/toy_family.c) and one row, is opened, sized,
 * encoded and prompted by the engine's own code. It takes images only, by their longest side; its masks are compared with
 * the same arithmetic written out here. */
#include <math.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "backend_emu.h"
#include "session.h"
#include "temp_dir.h"
#include "tiny_model.h"
#include "toy_family.h"

#include <cmocka.h> /* after error.h: it makes a macro of `fail` */

enum { WIDTH = 8, S = 64, L = 16 };
static temp_dir dir;
static char path[300];

static int make(void **state)
{
    (void)state;
    temp_dir_make(&dir);
    temp_dir_file(&dir, "toy", path, sizeof path);
    tiny_model_write_of(toy_families, path, "toy", "{\"image_size\": 64, \"width\": 8}", "toy_8");
    return 0;
}

static int clean(void **state)
{
    (void)state;
    temp_dir_remove(&dir);
    return 0;
}

/* emulated: on a device without a GPU. */
static sam_model *open_toy(int emulated)
{
    sam_model *m;
    sam_error err;
    emu = (emu_device){.order = EMU_LATE};
    if (model_open_of(toy_families, emulated ? &backend_emu : NULL, path,
                      &(sam_model_options){.n_threads = 1, .backend = emulated ? SAM_CUDA : SAM_CPU}, &m,
                      &err) != SAM_OK)
        fail_msg("%s", err.text);
    return m;
}

/* Into `to` [n]: in the file a tensor may begin at any byte. */
static void tensor_of(const st_file *f, const char *name, float *to, size_t n)
{
    for (size_t i = 0; i < f->n_tensors; i++)
        if (!strcmp(f->tensors[i].name, name)) {
            assert_int_equal(f->tensors[i].n_bytes, n * sizeof *to);
            memcpy(to, f->tensors[i].data, n * sizeof *to);
            return;
        }
    fail_msg("no tensor %s", name);
}

/* The four masks' logits for a point at (x, y) of a w x h picture. */
static void expect_logits(const st_file *f, const uint8_t *rgb, int w, int h, float x, float y, float *out)
{
    int longest = w > h ? w : h, in_w = (int)(w * (double)S / longest + 0.5),
        in_h = (int)(h * (double)S / longest + 0.5);
    float *small = malloc((size_t)in_w * (size_t)in_h * 3 * sizeof *small), *image = calloc(S * S * 3, sizeof *image);
    resample *r = resample_open(RESAMPLE_PIL_BILINEAR, w, h, in_w, in_h);
    assert_true(small && image && r);
    resample_rgb_normalised(r, rgb, 3 * (size_t)w, small, 1);
    resample_close(r);
    for (int row = 0; row < in_h; row++)
        memcpy(image + row * S * 3, small + row * in_w * 3, (size_t)in_w * 3 * sizeof *small);
    float patch[WIDTH * 48], bias[WIDTH], gaussian[WIDTH], here[WIDTH], queries[4 * WIDTH];
    tensor_of(f, "patch.weight", patch, WIDTH * 48);
    tensor_of(f, "patch.bias", bias, WIDTH);
    tensor_of(f, "code.gaussian", gaussian, WIDTH);
    tensor_of(f, "code.here", here, WIDTH);
    tensor_of(f, "code.queries", queries, 4 * WIDTH);
    double u = 2 * ((double)x / w * in_w + 0.5) / S - 1, v = 2 * ((double)y / h * in_h + 0.5) / S - 1, token[WIDTH];
    for (int k = 0; k < WIDTH / 2; k++) {
        double phase = 6.283185307179586 * (u * (double)gaussian[k] + v * (double)gaussian[WIDTH / 2 + k]);
        token[k] = sin(phase) + (double)here[k];
        token[WIDTH / 2 + k] = cos(phase) + (double)here[WIDTH / 2 + k];
    }
    for (int at = 0; at < L * L; at++)
        for (int m = 0; m < 4; m++) {
            double sum = 0;
            for (int c = 0; c < WIDTH; c++) {
                double feature = (double)bias[c];
                for (int k = 0; k < 48; k++) /* [I, ky, kx] of a PyTorch weight */
                    feature += (double)patch[c * 48 + k] *
                               (double)image[((at / L * 4 + k % 16 / 4) * S + at % L * 4 + k % 4) * 3 + k / 16];
                sum += feature * ((double)queries[m * WIDTH + c] + token[c]);
            }
            out[m * L * L + at] = (float)sum;
        }
    free(small);
    free(image);
}

/* L x L -> S x S, cut, -> w x h, one after the other. */
static void expect_plane(const float *logits, int w, int h, float *out)
{
    int longest = w > h ? w : h, in_w = (int)(w * (double)S / longest + 0.5),
        in_h = (int)(h * (double)S / longest + 0.5);
    float *input = malloc(S * S * sizeof *input), *cut = malloc((size_t)in_w * (size_t)in_h * sizeof *cut);
    resample *first = resample_open(RESAMPLE_BILINEAR, L, L, S, S);
    resample *last = resample_open(RESAMPLE_BILINEAR, in_w, in_h, w, h);
    assert_true(input && cut && first && last);
    resample_plane(first, logits, input, 1);
    for (int y = 0; y < in_h; y++)
        memcpy(cut + y * in_w, input + y * S, (size_t)in_w * sizeof *cut);
    resample_plane(last, cut, out, 1);
    resample_close(first);
    resample_close(last);
    free(input);
    free(cut);
}

/* A wide picture, a tall one and one of the input's size. */
static void check_picture(sam_model *m, const st_file *f, int w, int h)
{
    static uint8_t rgb[TINY_FRAME_PX * TINY_FRAME_PX * 3];
    static float want[4 * L * L], plane[TINY_FRAME_PX * TINY_FRAME_PX];
    float x = 0.7f * (float)w, y = 0.4f * (float)h, worst = 0;
    int n = 0, differ = 0;
    sam_error err;
    sam_mask masks[3];
    sam_session *s = tiny_session(m, (sam_session_options){.width_px = w, .height_px = h, .mode = SAM_IMAGE});
    tiny_frame(w, h, 3, rgb);
    expect_logits(f, rgb, w, h, x, y, want);
    tiny_push(s, w, h, 3);
    assert_int_equal(
        sam_image_predict(s, &(sam_prompt_set){.points = &(sam_point){x, y, 1}, .n_points = 1}, 1, masks, &n, &err),
        SAM_OK);
    assert_int_equal(n, 3);
    for (int k = 0; k < n; k++) {
        for (int i = 0; i < L * L; i++)
            worst = fmaxf(worst, fabsf(masks[k].logits[i] - fminf(fmaxf(want[(k + 1) * L * L + i], -32), 32)));
        expect_plane(want + (k + 1) * L * L, w, h, plane);
        for (int i = 0; i < w * h; i++) {
            int bit = masks[k].words[(size_t)(i / w) * masks[k].row_words + (size_t)(i % w / 64)] >> (i % w % 64) & 1;
            differ += fabsf(plane[i]) > 1e-4f && bit != (plane[i] > 0);
        }
    }
    sam_session_close(s);
    printf("predictor: toy family, %d x %d: worst logit error %.2g, %d of %d mask pixels differ\n", w, h, (double)worst,
           differ, 3 * w * h);
    assert_true(worst <= 2e-4f);
    assert_int_equal(differ, 0);
}

static void test_toy_family(void **state)
{
    (void)state;
    st_file f;
    sam_error err;
    assert_int_equal(st_open(path, &f, &err), SAM_OK);
    for (int emulated = 0; emulated < 2; emulated++) {
        sam_model *m = open_toy(emulated);
        check_picture(m, &f, 96, 64);
        check_picture(m, &f, 50, 70);
        check_picture(m, &f, 64, 64);
        check_picture(m, &f, 128, 3);
        sam_model_close(m);
    }
    st_close(&f);
}

/* What a family leaves out costs nothing and is refused where it is asked for. */
static void test_what_is_left_out(void **state)
{
    (void)state;
    sam_error err;
    sam_session *s;
    sam_model *m = open_toy(0);
    assert_null(m->graphs[TOY_NEVER].g.name);
    assert_int_equal(
        sam_session_open(m, &(sam_session_options){.width_px = 64, .height_px = 64, .mode = SAM_VIDEO}, &s, &err),
        SAM_E_ARG);
    assert_null(s);
    assert_non_null(strstr(err.text, "toy_8: Toy tracks no video"));
    printf("predictor: %s\n", err.text);
    s = tiny_session(m, (sam_session_options){.width_px = 64, .height_px = 64, .mode = SAM_IMAGE});
    assert_true(s->st.image && s->st.masks && s->controls.points);
    assert_true(!s->st.bank && !s->st.logits_bank && !s->st.pointer && !s->controls.memory_slots);
    sam_session_close(s);
    sam_model_close(m);
    assert_int_equal(sam_model_open(path, &(sam_model_options){.n_threads = 1}, &m, &err), SAM_E_FORMAT);
    assert_non_null(strstr(err.text, "a model of the family \"toy\"; this build knows sam, sam2, edgetam"));
    printf("predictor: %s\n", err.text);
}

/* An image session of a family that tracks video holds nothing of it. */
static void test_image_session(void **state)
{
    (void)state;
    tiny_models models;
    sam_stats video, image;
    sam_error err;
    tiny_models_make(&models);
    sam_model *m = tiny_open(models.path[TINY_SAM21], NULL);
    sam_session_options o = {.width_px = 64, .height_px = 64};
    assert_int_equal(sam_session_plan(m, &o, &video, &err), SAM_OK);
    o.mode = SAM_IMAGE;
    assert_int_equal(sam_session_plan(m, &o, &image, &err), SAM_OK);
    sam_session *s = tiny_session(m, o);
    assert_true(s->st.masks && !s->st.bank && !s->st.pointer_bank && !s->controls.memory_slots);
    printf("predictor: state of a miniature SAM 2.1: %zu bytes for video, %zu for images\n", video.state_bytes,
           image.state_bytes);
    assert_true(image.state_bytes < video.state_bytes);
    sam_session_close(s);
    sam_model_close(m);
    tiny_models_remove(&models);
}

int main(void)
{
    const struct CMUnitTest tests[] = {cmocka_unit_test(test_toy_family), cmocka_unit_test(test_what_is_left_out),
                                       cmocka_unit_test(test_image_session)};
    return cmocka_run_group_tests(tests, make, clean);
}
