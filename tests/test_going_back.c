/* Going back in a video within the memory there is (sam_session_options.history): what it takes, that a device does the same as
 * the CPU, and that what lacks memories says so, in the mask and in the figures of `track`. That the masks are those of the
 * official predictor is test_sequences' business. */
#include "backend_emu.h"
#include "model.h"
#include "small_model.h"
#include "synthetic_clip.h"
#include "tiny_model.h"
#include "track_report.h"

#include <limits.h>
#include <math.h>
#include <stdio.h>
#include <string.h>

#include <setjmp.h>
#include <stdarg.h>

#include <cmocka.h> /* after error.h: it makes a macro of `fail` */

enum { W = SYNTHETIC_WIDTH, H = SYNTHETIC_HEIGHT, LOGITS = (TINY_PX / 4) * (TINY_PX / 4) };
/* Frames 0 to END are tracked, two more than a bank of LITTLE history has slots for. Then frames are corrected: NEAR, which is
 * within history, and FAR, which attends to frames 4 to 9. */
enum { LITTLE = 1, END = 18, NEAR = END - LITTLE, FAR = 10 };

/* Of a frame. The portrait one is resized down before across. */
typedef struct frame_size {
    int w, h;
} frame_size;
static const frame_size landscape = {W, H}, portrait = {56, 130};

static tiny_models models;
static sam_error err;

static void succeeds(sam_status status)
{
    if (status != SAM_OK)
        fail_msg("%s", err.text);
}

static sam_model *open_on(const backend_api *api, tiny_family f)
{
    sam_model *m = NULL;
    const sam_model_options o = {.backend = api == &backend_cpu ? SAM_CPU : SAM_CUDA,
                                 .n_threads = 1,
                                 .image_px = TINY_PX,
                                 .max_prompted_frames = 1};
    succeeds(model_open_on(api, models.path[f], &o, &m, &err));
    return m;
}

static sam_session *open_with_history(sam_model *m, frame_size z, int history)
{
    return tiny_session(m, (sam_session_options){.width_px = z.w, .height_px = z.h, .history = history});
}

static void push(sam_session *s, frame_size z, int t)
{
    static uint8_t rgb[3 * W * H];
    synthetic_frame(z.w, z.h, SYNTHETIC_SEED, t, rgb, NULL);
    succeeds(sam_push_frame(s, &(sam_frame){.rgb = rgb, .row_bytes = 3 * (size_t)z.w, .index = t}, &err));
}

/* At a place given in parts of the frame. */
static void click(sam_session *s, frame_size z, float x, float y, int is_object)
{
    const sam_point at = {x * (float)z.w, y * (float)z.h, is_object};
    succeeds(sam_prompt(s, 1, &(sam_prompt_set){.points = &at, .n_points = 1}, &err));
}

static void track_to_the_end(sam_session *s, frame_size z)
{
    for (int t = 0; t <= END; t++) {
        push(s, z, t);
        if (t == 0)
            click(s, z, 0.4f, 0.5f, 1);
        succeeds(sam_track(s, SAM_FORWARD, &err));
    }
}

/* ---- what it takes ------------------------------------------------------------------------------------------------ */

static void test_refusals(void **state)
{
    (void)state;
    static const int wrong[] = {-2, -1000, INT_MIN, 100001, INT_MAX};
    sam_model *m = open_on(&backend_cpu, TINY_SAM21);
    for (size_t i = 0; i < sizeof wrong / sizeof *wrong; i++) {
        sam_session_options o = {.width_px = W, .height_px = H, .history = wrong[i]};
        sam_session *s = (sam_session *)&o;
        sam_stats stats;
        char says[40];
        snprintf(says, sizeof says, "history %d: expected", wrong[i]);
        assert_int_equal(sam_session_open(m, &o, &s, &err), SAM_E_ARG);
        assert_null(s);
        assert_non_null(strstr(err.text, says));
        assert_int_equal(sam_session_plan(m, &o, &stats, &err), SAM_E_ARG);
        assert_non_null(strstr(err.text, says));
    }
    /* Absurd together: rows that no index can count. */
    sam_model *large = tiny_open(models.path[TINY_SAM21], &(sam_model_options){.image_px = 2 * TINY_PX});
    sam_session_options many = {.width_px = W, .height_px = H, .max_objects = 1024, .history = 100000};
    sam_session *s = (sam_session *)&many;
    assert_int_equal(sam_session_open(large, &many, &s, &err), SAM_E_ARG);
    assert_null(s);
    assert_non_null(strstr(err.text, "1024 objects with a history of 100000 frames"));
    sam_model_close(large);
    sam_model_close(m);
    printf("going back: %zu values of history refused, by plan as by open; a product that is too large, too\n",
           sizeof wrong / sizeof *wrong);
}

enum { RECORD = 400 };

static size_t state_bytes(sam_model *m, int history, int n_objects)
{
    sam_stats stats;
    const sam_session_options o = {.width_px = W, .height_px = H, .max_objects = n_objects, .history = history};
    succeeds(sam_session_plan(m, &o, &stats, &err));
    return stats.state_bytes;
}

/* docs/design.md: a frame and object takes its memory in bf16, logits and pointer in f32; N frames take N slots, and one more
 * here for corrections that wait. The rest is the record of what is where, clicks among it. */
static void test_bytes(void **state)
{
    (void)state;
    static const size_t memory_tokens[TINY_COUNT] = {16, 16, 3 + 4};
    for (int f = 0; f < TINY_COUNT; f++) {
        sam_model *m = open_on(&backend_cpu, (tiny_family)f);
        size_t slot = memory_tokens[f] * 8 * 2 + LOGITS * 4 + 32 * 4, none = state_bytes(m, -1, 1);
        for (int history = 1; history <= 1000; history *= 10) {
            size_t n_slots = (size_t)history + 1;
            size_t more = state_bytes(m, history, 1) - none,
                   of_five = state_bytes(m, history, 5) - state_bytes(m, -1, 5);
            printf("going back: %s, %d frames: %zu bytes, %zu for tensors\n", tiny_names[f], history, more,
                   n_slots * slot);
            assert_true(more >= n_slots * slot && more <= n_slots * (slot + RECORD) + 1024);
            assert_true(of_five >= 5 * n_slots * slot && of_five <= 5 * n_slots * (slot + RECORD) + 5 * 1024);
        }
        assert_int_equal(state_bytes(m, 0, 1), state_bytes(m, 32, 1));
        sam_model_close(m);
    }
}

/* ---- a device ----------------------------------------------------------------------------------------------------- */

enum { SHOWN = 4 }; /* each correction, and the frame after it tracked again */

typedef struct outcome {
    float logits[SHOWN][LOGITS];
    int incomplete[SHOWN];
} outcome;

static void take(sam_session *s, int i, outcome *out)
{
    sam_mask mask;
    succeeds(sam_get_mask(s, 1, &mask, &err));
    assert_int_equal(mask.logits_px * mask.logits_px, LOGITS);
    memcpy(out->logits[i], mask.logits, sizeof out->logits[i]);
    out->incomplete[i] = mask.incomplete;
}

static void go_back(const backend_api *api, outcome *out)
{
    static const int back[SHOWN / 2] = {NEAR, FAR};
    sam_model *m = open_on(api, TINY_SAM21);
    sam_session *s = open_with_history(m, portrait, LITTLE);
    track_to_the_end(s, portrait);
    for (int k = 0; k < SHOWN / 2; k++) {
        push(s, portrait, back[k]);
        click(s, portrait, 0.6f, 0.3f, 0);
        take(s, 2 * k, out);
        push(s, portrait, back[k] + 1);
        succeeds(sam_track(s, SAM_FORWARD, &err));
        take(s, 2 * k + 1, out);
    }
    sam_session_close(s);
    sam_model_close(m);
}

static double distance(const float *a, const float *b)
{
    double d = 0, norm = 0;
    for (int i = 0; i < LOGITS; i++) {
        d += ((double)a[i] - (double)b[i]) * ((double)a[i] - (double)b[i]);
        norm += (double)b[i] * (double)b[i];
    }
    return sqrt(d / norm);
}

/* What is within history is complete; further back, the correction and what follows it say that they are not. */
static void test_device(void **state)
{
    (void)state;
    static const int incomplete[SHOWN] = {0, 0, 1, 1};
    static outcome cpu, device;
    double worst = 0;
    go_back(&backend_cpu, &cpu);
    emu = (emu_device){.order = EMU_LATE};
    go_back(&backend_emu, &device);
    for (int i = 0; i < SHOWN; i++) {
        assert_int_equal(cpu.incomplete[i], incomplete[i]);
        assert_int_equal(device.incomplete[i], incomplete[i]);
        double d = distance(device.logits[i], cpu.logits[i]);
        worst = d <= worst ? worst : d;
    }
    printf(
        "going back: %d masks on the emulated device as on the CPU, two of them said to be incomplete: logits %.1e\n",
        SHOWN, worst);
    assert_true(worst <= 1e-3);
}

/* ---- figures ------------------------------------------------------------------------------------------------------ */

enum { N_TRACKED = 3 };

/* A clip of frames from FAR on through a session that has been to END: what `track` reports of it. */
static json_t *report_of(temp_tree *tree, sam_session *s, int history, char *printed, size_t n_printed)
{
    sam_point background = {100, 30, 0};
    prompt correction = {.frame = FAR, .points = &background, .n_points = 1};
    prompt_object object = {.id = 1, .prompts = &correction, .n_prompts = 1};
    const prompt_file prompts = {.objects = &object, .n_objects = 1};
    clip c = {.session = s, .prompts = &prompts, .n_frames = FAR + N_TRACKED, .start = FAR};
    clip_result at;
    track_report report = {0};
    succeeds(frames_open(tree_path(tree, "clip"), &(frames_options){.prefetch = 2}, &c.frames, &err));
    succeeds(frames_restart(c.frames, FAR, 0, &err));
    succeeds(clip_open(&c, &err));
    succeeds(clip_prompt(&c, &err));
    while (clip_next(&c, &at, &err) == SAM_OK && at.frame) {
        succeeds(report_add(&report, &at, 0, &err));
        clip_release(&c, &at);
    }
    assert_int_equal(report.n_frames, N_TRACKED);
    const track_setting setting = {
        .model = "m", .precision = "f32", .input = "clip", .tracker = "sam2", .history = history};
    json_t *root = report_json(&report, &setting);
    FILE *to = fmemopen(printed, n_printed, "w");
    assert_non_null(to);
    report_print(&report, &setting, to);
    fclose(to);
    report_free(&report);
    clip_close(&c);
    frames_close(c.frames);
    return root;
}

static void test_figures(void **state)
{
    (void)state;
    temp_tree tree;
    char printed[2000];
    tree_open(&tree);
    small_clip_make(&tree, "clip", FAR + N_TRACKED);
    sam_model *m = open_on(&backend_cpu, TINY_SAM21);
    for (int history = 0; history <= 32; history += 32) {
        sam_session *s = open_with_history(m, landscape, history ? history : -1);
        track_to_the_end(s, landscape);
        json_t *root = report_of(&tree, s, history, printed, sizeof printed);
        assert_non_null(root);
        int n = (int)json_integer_value(json_object_get(root, "incomplete_masks"));
        assert_int_equal(n, history ? 0 : N_TRACKED);
        assert_int_equal(json_integer_value(json_object_get(root, "history")), history);
        assert_int_equal(strstr(printed,
                                "3 of the masks lack memories of frames that were forgotten; --history 0 was not "
                                "enough") != NULL,
                         !history);
        printf("going back: history %d: track reports %d of %d masks as incomplete\n", history, n, N_TRACKED);
        json_decref(root);
        sam_session_close(s);
    }
    sam_model_close(m);
    tree_close(&tree);
}

int main(void)
{
    const struct CMUnitTest tests[] = {cmocka_unit_test(test_refusals), cmocka_unit_test(test_bytes),
                                       cmocka_unit_test(test_device), cmocka_unit_test(test_figures)};
    tiny_models_make(&models);
    int failed = cmocka_run_group_tests(tests, NULL, NULL);
    tiny_models_remove(&models);
    return failed;
}
