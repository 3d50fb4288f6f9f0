/* Prompts from anywhere, on miniature models: masks of another size than the frame's, boxes that reach beyond it, pictures that
 * are no frames of the video. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "error.h"
#include "sam.h"
#include "synthetic_clip.h"
#include "tiny_model.h"

#include <cmocka.h> /* after error.h: it makes a macro of `fail` */

enum { PX = TINY_PX, FRAMES = 5, MAX_LOW = 32 * 32 };

static tiny_models models;

static int make(void **state)
{
    (void)state;
    tiny_models_make(&models);
    return 0;
}

static int unmake(void **state)
{
    (void)state;
    tiny_models_remove(&models);
    return 0;
}

static void must(sam_status status, const sam_error *err)
{
    if (status != SAM_OK)
        fail_msg("%s", err->text);
}

static sam_model *open_model(tiny_family family)
{
    sam_model *m;
    sam_error err;
    must(sam_model_open(models.path[family], &(sam_model_options){.n_threads = 1}, &m, &err), &err);
    return m;
}

static sam_session *open_session(sam_model *m, int w, int h)
{
    sam_session *s;
    sam_error err;
    must(sam_session_open(m, &(sam_session_options){.width_px = w, .height_px = h}, &s, &err), &err);
    return s;
}

/* Frame t of the clip, of any size, as the frame `index`. */
static sam_frame frame_of(int w, int h, int t, int64_t index)
{
    static uint8_t rgb[3 * SYNTHETIC_WIDTH * SYNTHETIC_HEIGHT];
    synthetic_frame(w, h, SYNTHETIC_SEED, t, rgb, NULL);
    return (sam_frame){.rgb = rgb, .row_bytes = 3 * (size_t)w, .index = index};
}

static void push(sam_session *s, int w, int h, int t, int64_t index)
{
    sam_error err;
    const sam_frame f = frame_of(w, h, t, index);
    must(sam_push_frame(s, &f, &err), &err);
}

/* Logits of object 1; returns how many. */
static size_t logits_of(sam_session *s, float *to)
{
    sam_mask m;
    sam_error err;
    must(sam_get_mask(s, 1, &m, &err), &err);
    size_t n = (size_t)m.logits_px * (size_t)m.logits_px;
    assert_true(n <= MAX_LOW);
    memcpy(to, m.logits, n * sizeof *to);
    return n;
}

/* An ellipse, drawn at any size. */
static void draw(uint8_t *mask, int w, int h)
{
    for (int y = 0; y < h; y++)
        for (int x = 0; x < w; x++) {
            double u = (x + 0.5) / w - 0.4, v = (y + 0.5) / h - 0.6;
            mask[y * w + x] = u * u / 0.05 + v * v / 0.03 < 1;
        }
}

/* A mask of the network's size is taken as it is, whatever the frame's; one of the frame's size needs not say so. */
static void masks_of_any_size(void **state)
{
    static uint8_t own[PX * PX], large[300 * 200], small[20 * 10];
    static float as_network[MAX_LOW], as_frame[MAX_LOW], other[MAX_LOW];
    enum { W = 90, H = 60 };
    sam_error err;
    sam_mask m;
    (void)state;
    sam_model *model = open_model(TINY_SAM21);
    draw(own, PX, PX);
    draw(large, 300, 200);
    draw(small, 20, 10);
    sam_session *square = open_session(model, PX, PX), *wide = open_session(model, W, H);
    /* What a prompted mask is decoded to depends on the mask alone: all of it is MASK_SCALE m + MASK_BIAS. */
    push(square, PX, PX, 0, 0);
    must(sam_prompt(square, 1, &(sam_prompt_set){.mask = own}, &err), &err);
    size_t n = logits_of(square, as_frame);
    push(wide, W, H, 0, 0);
    sam_prompt_set p = {.mask = own, .mask_width_px = PX, .mask_height_px = PX};
    must(sam_prompt(wide, 1, &p, &err), &err);
    logits_of(wide, as_network);
    assert_memory_equal(as_frame, as_network, n * sizeof(float));
    /* Others are resized: the same shape, not the same pixels. */
    p = (sam_prompt_set){.mask = large, .mask_width_px = 300, .mask_height_px = 200};
    must(sam_prompt(wide, 1, &p, &err), &err);
    logits_of(wide, other);
    must(sam_get_mask(wide, 1, &m, &err), &err);
    int32_t area = m.area_px;
    size_t n_other = 0;
    for (size_t i = 0; i < n; i++)
        n_other += (other[i] > 0) != (as_network[i] > 0);
    printf("  300 x 200 on %d x %d: %d px inside, %zu of %zu logits have another sign\n", W, H, (int)area, n_other, n);
    assert_true(area > W * H / 20 && n_other <= n / 20);
    p = (sam_prompt_set){.mask = small, .mask_width_px = 20, .mask_height_px = 10};
    must(sam_prompt(wide, 1, &p, &err), &err);
    p = (sam_prompt_set){.mask = small, .mask_width_px = 40000, .mask_height_px = 10};
    assert_int_equal(sam_prompt(wide, 1, &p, &err), SAM_E_ARG);
    printf("  %s\n", err.text);
    p = (sam_prompt_set){.mask = small, .mask_width_px = 20, .mask_height_px = 10, .mask_row_bytes = 19};
    assert_int_equal(sam_prompt(wide, 1, &p, &err), SAM_E_ARG);
    sam_session_close(square);
    sam_session_close(wide);
    sam_model_close(model);
}

/* The official predictor codes corners where they are; only a box of which nothing is inside is refused. */
static void boxes_beyond_the_frame(void **state)
{
    static float inside[MAX_LOW], beyond[MAX_LOW];
    sam_error err;
    (void)state;
    sam_model *model = open_model(TINY_SAM21);
    sam_session *s = open_session(model, PX, PX);
    push(s, PX, PX, 0, 0);
    must(sam_prompt(s, 1, &(sam_prompt_set){.box = &(sam_box){0, 10, 30, 40}}, &err), &err);
    size_t n = logits_of(s, inside);
    must(sam_prompt(s, 1, &(sam_prompt_set){.box = &(sam_box){-25, 10, 30, 40}}, &err), &err);
    logits_of(s, beyond);
    assert_memory_not_equal(inside, beyond, n * sizeof(float)); /* not cut */
    static const sam_box refused[] = {
        {PX + 1, 10, PX + 9, 20}, {-9, 10, -1, 20}, {5, -9, 10, -1}, {5, PX + 1, 10, PX + 2}, {9, 9, 5, 12}};
    for (size_t i = 0; i < sizeof refused / sizeof *refused; i++) {
        assert_int_equal(sam_prompt(s, 1, &(sam_prompt_set){.box = &refused[i]}, &err), SAM_E_ARG);
        printf("  %s\n", err.text);
    }
    sam_session_close(s);
    sam_model_close(model);
}

/* A picture before the video is what the official code gives with the picture prepended as a prompted frame: frames are one
 * further from it, and nothing else. So a video of frames 1 to 4 after a picture is the video of frames 0 to 4, prompted on 0. */
static void pictures(void **state)
{
    static uint8_t mask[PX * PX];
    static float prepended[FRAMES][MAX_LOW], prior[FRAMES][MAX_LOW];
    sam_error err;
    (void)state;
    draw(mask, PX, PX);
    for (tiny_family family = 0; family < TINY_COUNT; family++) {
        sam_model *model = open_model(family);
        sam_session *a = open_session(model, PX, PX), *b = open_session(model, PX, PX);
        size_t n = 0;
        push(a, PX, PX, 0, 0);
        must(sam_prompt(a, 1, &(sam_prompt_set){.mask = mask}, &err), &err);
        const sam_frame picture = frame_of(PX, PX, 0, 77); /* its index does not count */
        must(sam_prompt_prior(b, 1, &picture, &(sam_prompt_set){.mask = mask}, &err), &err);
        logits_of(a, prepended[0]);
        n = logits_of(b, prior[0]);
        assert_memory_equal(prepended[0], prior[0], n * sizeof(float));
        assert_int_equal(sam_track(b, SAM_FORWARD, &err), SAM_E_STATE); /* it is no frame to track on */
        for (int t = 1; t < FRAMES; t++) {
            push(a, PX, PX, t, t);
            push(b, PX, PX, t, t - 1);
            must(sam_track(a, SAM_FORWARD, &err), &err);
            must(sam_track(b, SAM_FORWARD, &err), &err);
            logits_of(a, prepended[t]);
            logits_of(b, prior[t]);
            if (memcmp(prepended[t], prior[t], n * sizeof(float)))
                fail_msg("%s, frame %d: not what it is with the picture prepended", tiny_names[family], t);
        }
        /* A second picture and one more are prompted frames like others, up to their number. */
        must(sam_prompt_prior(b, 1, &picture, &(sam_prompt_set){.mask = mask}, &err), &err);
        must(sam_prompt_prior(b, 1, &picture, &(sam_prompt_set){.mask = mask}, &err), &err);
        must(sam_prompt_prior(b, 1, &picture, &(sam_prompt_set){.mask = mask}, &err), &err);
        assert_int_equal(sam_prompt_prior(b, 1, &picture, &(sam_prompt_set){.mask = mask}, &err), SAM_E_FULL);
        push(b, PX, PX, 4, 4);
        must(sam_track(b, SAM_FORWARD, &err), &err);
        logits_of(b, prior[0]);
        assert_memory_not_equal(prior[0], prior[FRAMES - 1], n * sizeof(float));
        assert_int_equal(sam_prompt_prior(b, 1, NULL, &(sam_prompt_set){.mask = mask}, &err), SAM_E_ARG);
        sam_session_close(a);
        sam_session_close(b);
        sam_model_close(model);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(masks_of_any_size),
        cmocka_unit_test(boxes_beyond_the_frame),
        cmocka_unit_test(pictures),
    };
    return cmocka_run_group_tests(tests, make, unmake);
}
