/* How a session drives a device, proven on the emulated one: what it waits for and takes, that results do not depend on
 * when queued work happens, and what follows a failure. What the kernels compute is test_emulated_model's business. */
#include "allocations.h"
#include "backend_emu.h"
#include "model.h"
#include "tiny_model.h"

#include <stdio.h>
#include <string.h>

#include <setjmp.h>
#include <stdarg.h>

#include <cmocka.h> /* after error.h: it makes a macro of `fail` */

enum { W = 80, H = 60, MAX_OBJECTS = 3, FRAMES = 5, LOGITS = (TINY_PX / 4) * (TINY_PX / 4) };

static tiny_models models;

static sam_model *open_model(tiny_family f)
{
    sam_error err;
    sam_model *m = NULL;
    sam_model_options o = {.backend = SAM_CUDA, .n_threads = 1, .image_px = TINY_PX};
    if (model_open_on(&backend_emu, models.path[f], &o, &m, &err) != SAM_OK)
        fail_msg("%s", err.text);
    return m;
}

static sam_session *open_session(sam_model *m, int n_objects)
{
    return tiny_session(m, (sam_session_options){.width_px = W, .height_px = H, .max_objects = n_objects});
}

/* Clicks for all but the second object, which gets a mask. */
static void prompt_all(sam_session *s, int n_objects)
{
    sam_error err;
    uint8_t mask[W * H];
    for (int i = 0; i < W * H; i++)
        mask[i] = i % W > 30 && i % W < 60 && i / W > 10 && i / W < 40;
    for (int k = 0; k < n_objects; k++) {
        const sam_point click = {30 + 5 * (float)k, 30, 1};
        sam_prompt_set set = {.points = &click, .n_points = 1};
        if (k == 1)
            set = (sam_prompt_set){.mask = mask, .mask_row_bytes = W};
        if (sam_prompt(s, k + 1, &set, &err) != SAM_OK)
            fail_msg("%s", err.text);
    }
}

static void track(sam_session *s)
{
    sam_error err;
    if (sam_track(s, SAM_FORWARD, &err) != SAM_OK)
        fail_msg("%s", err.text);
}

/* ---- waits and memory --------------------------------------------------------------------------------------------- */

static int working;
static allocations by_engine;

/* What the emulator takes while it works is not the engine's. */
static void on_work(int begins)
{
    if (begins && !working++) {
        allocations now = allocations_end();
        by_engine.own += now.own;
        by_engine.by_libraries += now.by_libraries;
    } else if (!begins && !--working) {
        allocations_begin();
    }
}

static void test_steady_frames(void **state)
{
    (void)state;
    for (int n_objects = 1; n_objects <= MAX_OBJECTS; n_objects += 2) {
        emu = (emu_device){.order = EMU_LATE};
        sam_model *m = open_model(TINY_SAM21);
        sam_session *s = open_session(m, n_objects);
        sam_stats stats;
        tiny_push(s, W, H, 0);
        prompt_all(s, n_objects);
        track(s);
        long waits = 0, taken = 0, runs = 0;
        by_engine = (allocations){0};
        for (int t = 1; t < FRAMES; t++) {
            emu_device before = emu;
            emu_on_work(on_work);
            allocations_begin();
            tiny_push(s, W, H, t);
            track(s);
            on_work(1);
            on_work(0);
            allocations_end();
            emu_on_work(NULL);
            assert_int_equal(sam_get_stats(s, &stats, NULL), SAM_OK);
            assert_int_equal(stats.waits, emu.n_waits - before.n_waits);
            if (t < 3) { /* recordings are made */
                by_engine = (allocations){0};
                continue;
            }
            waits += emu.n_waits - before.n_waits;
            taken += emu.n_taken - before.n_taken;
            runs += emu.n_runs - before.n_runs;
        }
        printf("%d objects, %d steady frames: %ld waits, %ld allocations of the device, %ld of the heap, %ld operators "
               "enqueued one by one\n",
               n_objects, FRAMES - 3, waits, taken, by_engine.own, runs);
        assert_int_equal(waits, FRAMES - 3);
        assert_int_equal(taken, 0);
        assert_int_equal(by_engine.own, 0);
        sam_session_close(s);
        sam_model_close(m);
        assert_int_equal(emu.n_allocs, 0);
        assert_int_equal(emu.n_host_allocs, 0);
    }
}

/* ---- order -------------------------------------------------------------------------------------------------------- */

typedef struct outcome {
    float logits[FRAMES][MAX_OBJECTS][LOGITS];
    float presence[FRAMES][MAX_OBJECTS], iou[FRAMES][MAX_OBJECTS];
    uint8_t bits[FRAMES][MAX_OBJECTS][W * H];
} outcome;

static void take_masks(sam_session *s, int frame, outcome *out)
{
    for (int k = 0; k < MAX_OBJECTS; k++) {
        sam_mask mask;
        assert_int_equal(sam_get_mask(s, k + 1, &mask, NULL), SAM_OK);
        assert_int_equal(mask.logits_px * mask.logits_px, LOGITS);
        memcpy(out->logits[frame][k], mask.logits, sizeof out->logits[frame][k]);
        memcpy(out->bits[frame][k], mask.bits, sizeof out->bits[frame][k]);
        out->presence[frame][k] = mask.presence;
        out->iou[frame][k] = mask.iou;
    }
}

/* Prompts, tracking, and a correction before the last frame. */
static void take_outcome(sam_session *s, outcome *out)
{
    for (int t = 0; t < FRAMES; t++) {
        tiny_push(s, W, H, t);
        if (t == 0)
            prompt_all(s, MAX_OBJECTS);
        track(s);
        if (t == FRAMES - 2) {
            const sam_point click = {50, 20, 0};
            assert_int_equal(sam_prompt(s, 1, &(sam_prompt_set){.points = &click, .n_points = 1}, NULL), SAM_OK);
        }
        take_masks(s, t, out);
    }
}

static void test_order_of_work(void **state)
{
    (void)state;
    static outcome first, other;
    for (int f = TINY_SAM21; f <= TINY_EDGETAM; f++) {
        for (int order = 0; order < EMU_ORDERS; order++) {
            emu = (emu_device){.order = (emu_order)order};
            sam_model *m = open_model((tiny_family)f);
            sam_session *s = open_session(m, MAX_OBJECTS);
            take_outcome(s, order ? &other : &first);
            sam_session_close(s);
            sam_model_close(m);
            if (order)
                assert_memory_equal(&other, &first, sizeof first);
        }
    }
    printf("%d frames of %d objects, %d orders of queued work: identical\n", FRAMES, MAX_OBJECTS, EMU_ORDERS);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_steady_frames),
        cmocka_unit_test(test_order_of_work),
    };
    tiny_models_make(&models);
    int failed = cmocka_run_group_tests(tests, NULL, NULL);
    tiny_models_remove(&models);
    return failed;
}
