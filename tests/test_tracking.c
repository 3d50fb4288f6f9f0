/* What a session computes, against itself: batches, threads, instruction sets, directions in time, prompts in any order.
 * (Against the official code: test_parity.) Miniature models at 64 px; SAM_TEST_DEVICE=cuda runs them on the GPU,
 * where the same holds. */
#include <pthread.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "cpu_select.h"
#include "op.h"
#include "snapshot.h"
#include "test_backend.h"
#include "tiny_model.h"

#include <cmocka.h>

enum { W = 96, H = 72, N_FRAMES = 10, N_OBJECTS_MOST = 3 };
#define ROUNDING 1e-4 /* relative, after several frames of float32 */

static tiny_models models;

static int make(void **state)
{
    (void)state;
    tiny_models_make(&models);
    return 0;
}

static int clean(void **state)
{
    (void)state;
    tiny_models_remove(&models);
    return 0;
}

static sam_session *open_default(sam_model *m, int max_objects)
{
    return tiny_session(m, (sam_session_options){.width_px = W, .height_px = H, .max_objects = max_objects});
}

/* The prompt of object 1, 2 or 3 on the current frame: a click, a box, a mask. */
static void prompt_object(sam_session *s, int object)
{
    uint8_t bits[W * H];
    for (int i = 0; i < W * H; i++)
        bits[i] = (i % W - 50) * (i % W - 50) + (i / W - 40) * (i / W - 40) < 300;
    if (object == 1)
        prompt_point(s, 1, 30, 25, 1);
    else if (object == 2)
        prompt_box(s, 2, 50, 30, 90, 60);
    else
        prompt_mask(s, 3, bits);
}

/* Objects with bits in `which`, prompted on frame 0 and tracked; out[frame][object - 1]. */
typedef struct clip {
    snapshot at[N_FRAMES][N_OBJECTS_MOST];
} clip;

static void run_clip(sam_session *s, int which, clip *out)
{
    for (int t = 0; t < N_FRAMES; t++) {
        tiny_push(s, W, H, t);
        for (int o = 1; t == 0 && o <= N_OBJECTS_MOST; o++)
            if (which >> (o - 1) & 1)
                prompt_object(s, o);
        track(s, SAM_FORWARD);
        for (int o = 1; o <= N_OBJECTS_MOST; o++)
            if (which >> (o - 1) & 1)
                snapshot_take(s, o, W, H, &out->at[t][o - 1]);
    }
}

/* Worst error over the clip; *same is cleared if a bit differs. */
static double compare_clips(const clip *a, const clip *b, int which, int *same)
{
    double worst = 0;
    for (int t = 0; t < N_FRAMES; t++)
        for (int o = 0; o < N_OBJECTS_MOST; o++)
            if (which >> o & 1) {
                double error = snapshot_error(&a->at[t][o], &b->at[t][o]);
                *same &= snapshot_same(&a->at[t][o], &b->at[t][o]);
                worst = error > worst ? error : worst;
            }
    return worst;
}

static const char *kind(int same)
{
    return same ? "bit by bit the same" : "the same within rounding";
}

static clip reference, other;

static void run_model(const char *path, sam_model_options opt, clip *out)
{
    sam_model *m = tiny_open(path, &opt);
    sam_session *s = open_default(m, N_OBJECTS_MOST);
    run_clip(s, 7, out);
    sam_session_close(s);
    sam_model_close(m);
}

static void test_batch(void **state)
{
    (void)state;
    for (int f = 0; f < TINY_COUNT; f++) {
        sam_model *m = tiny_open(models.path[f], NULL);
        sam_session *all = open_default(m, 5);
        double worst = 0;
        int same = 1;
        run_clip(all, 7, &reference);
        sam_session_close(all);
        for (int o = 0; o < N_OBJECTS_MOST; o++) {
            sam_session *one = open_default(m, 1);
            run_clip(one, 1 << o, &other);
            double error = compare_clips(&reference, &other, 1 << o, &same);
            worst = error > worst ? error : worst;
            sam_session_close(one);
        }
        sam_model_close(m);
        printf("tracking: %s: 3 objects in a batch and alone: %s (worst %.1e)\n", tiny_names[f], kind(same), worst);
        assert_true(worst <= ROUNDING);
    }
}

static void test_thread_count(void **state)
{
    (void)state;
    if (test_backend() != SAM_CPU)
        skip();
    for (int f = TINY_SAM21; f < TINY_COUNT; f++) {
        double worst = 0;
        int same = 1;
        run_model(models.path[f], (sam_model_options){.n_threads = 1}, &reference);
        for (int n = 2; n <= 3; n++) {
            run_model(models.path[f], (sam_model_options){.n_threads = n}, &other);
            double error = compare_clips(&reference, &other, 7, &same);
            worst = error > worst ? error : worst;
        }
        printf("tracking: %s: 1, 2 and 3 threads: %s (worst %.1e)\n", tiny_names[f], kind(same), worst);
        assert_true(worst <= ROUNDING);
    }
}

static void test_variants(void **state)
{
    (void)state;
    const char *name;
    if (test_backend() != SAM_CPU)
        skip();
    for (int f = TINY_SAM21; f < TINY_COUNT; f++) {
        run_model(models.path[f], (sam_model_options){.cpu_variant = "baseline"}, &reference);
        for (int v = 0; (name = cpu_variant_name(v)); v++) {
            sam_model *m;
            int same = 1;
            if (sam_model_open(models.path[f], &(sam_model_options){.cpu_variant = name}, &m, NULL) != SAM_OK) {
                printf("tracking: %s: not on this machine\n", name);
                continue;
            }
            sam_model_close(m);
            run_model(models.path[f], (sam_model_options){.cpu_variant = name}, &other);
            double worst = compare_clips(&other, &reference, 7, &same);
            printf("tracking: %s: %s and baseline: %s (worst %.1e)\n", tiny_names[f], name, kind(same), worst);
            assert_true(worst <= 5 * ROUNDING);
        }
    }
}

/* The worst pointer of the prompted frame against `reference`. */
static double pointers_differ(void)
{
    double worst = 0;
    for (int o = 0; o < N_OBJECTS_MOST; o++) {
        const snapshot *a = &other.at[0][o], *b = &reference.at[0][o];
        double error = relative_error(a->pointer, b->pointer, SNAPSHOT_POINTER);
        worst = error > worst ? error : worst;
    }
    return worst;
}

/* Weights or activations of 16 bits: near, on the prompted frame; in bf16 with every variant that this machine can run. */
static void test_precisions(void **state)
{
    (void)state;
    for (int f = 0; f < TINY_COUNT; f++) {
        cpu_facts here = cpu_facts_here();
        const char *name = NULL;
        double worst;
        run_model(models.path[f], (sam_model_options){0}, &reference);
        for (int type = SAM_F16; type <= SAM_BF16; type++) {
            run_model(models.path[f], (sam_model_options){.compute = (sam_dtype)type}, &other);
            worst = pointers_differ();
            printf("tracking: %s: %s and f32 on frame 0: pointers differ by %.1e\n", tiny_names[f],
                   type == SAM_F16 ? "f16" : "bf16", worst);
            assert_true(worst <= (type == SAM_F16 ? 0.02 : 0.1));
        }
        for (int v = 0; test_backend() == SAM_CPU && (name = cpu_variant_name(v)); v++) {
            if (cpu_variant_lacks(&here, name))
                continue;
            run_model(models.path[f], (sam_model_options){.compute = SAM_BF16, .cpu_variant = name}, &other);
            worst = pointers_differ();
            printf("tracking: %s: bf16 with %s and f32 on frame 0: pointers differ by %.1e\n", tiny_names[f], name,
                   worst);
            assert_true(worst <= 0.1);
        }
    }
}

typedef struct job {
    sam_session *s;
    int which;
    clip out;
} job;

static void *run_job(void *p)
{
    job *j = p;
    run_clip(j->s, j->which, &j->out);
    return NULL;
}

static void two_sessions(const char *how, const sam_model_options *options)
{
    static job jobs[2];
    sam_model *m = tiny_open(models.path[TINY_SAM21], options);
    pthread_t threads[2];
    int same = 1;
    double worst = 0;
    for (int i = 0; i < 2; i++) {
        jobs[i] = (job){.s = open_default(m, 3), .which = i ? 6 : 3};
        assert_int_equal(pthread_create(&threads[i], NULL, run_job, &jobs[i]), 0);
    }
    for (int i = 0; i < 2; i++)
        pthread_join(threads[i], NULL);
    for (int i = 0; i < 2; i++) {
        sam_session *s = open_default(m, 3);
        run_clip(s, jobs[i].which, &other);
        double error = compare_clips(&jobs[i].out, &other, jobs[i].which, &same);
        worst = error > worst ? error : worst;
        sam_session_close(s);
        sam_session_close(jobs[i].s);
    }
    sam_model_close(m);
    printf("tracking: two sessions of a model, %s, in two threads and one after the other: %s (worst %.1e)\n", how,
           kind(same), worst);
    assert_true(same);
}
static void test_two_sessions(void **state)
{
    (void)state;
    two_sessions("f32", NULL);
    two_sessions("bf16", &(sam_model_options){.compute = SAM_BF16});
    if (test_backend() == SAM_CPU && op_cpu_select("avx2twin", NULL))
        two_sessions("on tiles", &(sam_model_options){.compute = SAM_BF16, .cpu_variant = "avx2twin"});
}

/* Time mirrored: frame t in reverse is frame 9 - t forward. */
static void test_mirror(void **state)
{
    (void)state;
    uint8_t rgb[3 * W * H];
    for (int f = 0; f < TINY_COUNT; f++) {
        sam_model *m = tiny_open(models.path[f], NULL);
        sam_session *s = open_default(m, 3);
        int same = 1;
        run_clip(s, 7, &reference);
        sam_session_reset(s, NULL);
        for (int t = 0; t < N_FRAMES; t++) {
            tiny_frame(W, H, t, rgb);
            sam_push_frame(s, &(sam_frame){.rgb = rgb, .row_bytes = 3 * W, .index = N_FRAMES - 1 - t}, NULL);
            for (int o = 1; t == 0 && o <= 3; o++)
                prompt_object(s, o);
            track(s, SAM_REVERSE);
            for (int o = 0; o < 3; o++)
                snapshot_take(s, o + 1, W, H, &other.at[t][o]);
        }
        double worst = compare_clips(&other, &reference, 7, &same);
        sam_session_close(s);
        sam_model_close(m);
        printf("tracking: %s: in reverse over mirrored frame numbers: %s (worst %.1e)\n", tiny_names[f], kind(same),
               worst);
        assert_true(worst <= ROUNDING);
    }
}

/* semantics.md 54, 55, 56: corrections and prompts on frames out of order. */
static void test_corrections(void **state)
{
    (void)state;
    static clip corrected, again;
    static snapshot before, after;
    sam_model *m = tiny_open(models.path[TINY_SAM21], NULL);
    sam_session *s = open_default(m, 3);
    int same = 1;
    run_clip(s, 3, &reference);

    /* A prompted frame keeps its result when it is tracked again; the other objects go on. */
    tiny_push(s, W, H, 0);
    track(s, SAM_FORWARD);
    snapshot_take(s, 1, W, H, &after);
    assert_true(snapshot_same(&after, &reference.at[0][0]));
    assert_int_equal(after.prompted, 1);
    for (int t = 1; t < N_FRAMES; t++) {
        tiny_push(s, W, H, t);
        track(s, SAM_FORWARD);
        for (int o = 0; o < 2; o++)
            snapshot_take(s, o + 1, W, H, &again.at[t][o]);
    }
    memcpy(again.at[0], reference.at[0], sizeof again.at[0]);
    compare_clips(&again, &reference, 3, &same);
    assert_true(same); /* a second pass repeats the first */

    /* A click on tracked frame 5: another mask, not a prompted frame; object 2 does not see it. */
    tiny_push(s, W, H, 5);
    prompt_point(s, 1, 70, 60, 0);
    snapshot_take(s, 1, W, H, &before);
    assert_int_equal(before.prompted, 0);
    assert_true(snapshot_error(&before, &reference.at[5][0]) > 1e-3);
    for (int t = 6; t < N_FRAMES; t++) {
        tiny_push(s, W, H, t);
        track(s, SAM_FORWARD);
        for (int o = 0; o < 2; o++)
            snapshot_take(s, o + 1, W, H, &corrected.at[t][o]);
    }
    double changed = snapshot_error(&corrected.at[6][0], &reference.at[6][0]);
    assert_true(changed > 1e-4); /* resumed after it: used */
    assert_true(snapshot_same(&corrected.at[6][1], &reference.at[6][1]));

    /* Tracked over again, the correction is computed away. */
    for (int t = 0; t < N_FRAMES; t++) {
        tiny_push(s, W, H, t);
        track(s, SAM_FORWARD);
        for (int o = 0; o < 2; o++)
            snapshot_take(s, o + 1, W, H, &again.at[t][o]);
    }
    compare_clips(&again, &reference, 3, &same);
    assert_true(same);

    /* The same click where nothing was tracked: a prompted frame, without memory and for this object alone. */
    tiny_push(s, W, H, 40);
    prompt_point(s, 1, 70, 60, 0);
    track(s, SAM_FORWARD);
    snapshot_take(s, 1, W, H, &after);
    assert_int_equal(after.prompted, 1);
    snapshot_take(s, 2, W, H, &after);
    assert_int_equal(after.prompted, 0);
    sam_session_close(s);
    sam_model_close(m);
    printf(
        "tracking: a correction moves the next frame by %.1e, is gone after a second pass, and leaves other objects alone\n",
        changed);
}

/* After a forward and a reverse pass, a click on a frame of the forward part looks back, not ahead. The reverse frame is out
 * of reach, so it changes nothing. */
static void test_correction_after_reverse(void **state)
{
    (void)state;
    static snapshot plain, turned;
    sam_model *m = tiny_open(models.path[TINY_SAM21], NULL);
    for (int reverse_too = 0; reverse_too < 2; reverse_too++) {
        sam_session *s = open_default(m, 1);
        tiny_push(s, W, H, 30);
        prompt_object(s, 1);
        for (int t = 30; t <= 34; t++) {
            tiny_push(s, W, H, t);
            track(s, SAM_FORWARD);
        }
        if (reverse_too) {
            tiny_push(s, W, H, 3);
            track(s, SAM_REVERSE);
        }
        tiny_push(s, W, H, 34);
        prompt_point(s, 1, 60, 20, 1);
        snapshot_take(s, 1, W, H, reverse_too ? &turned : &plain);
        sam_session_close(s);
    }
    sam_model_close(m);
    assert_true(snapshot_same(&turned, &plain));
    printf("tracking: a correction of a forward frame after a reverse pass: bit by bit as without that pass\n");
}

/* Clicks one by one are a refinement: the mask before goes in as a prompt. `replace` forgets clicks, not the mask. */
static void test_refinement(void **state)
{
    (void)state;
    static snapshot once, twice, replaced;
    const sam_point both[] = {{30, 25, 1}, {70, 60, 0}};
    sam_model *m = tiny_open(models.path[TINY_SAM21], NULL);
    sam_session *s = open_default(m, 3);
    tiny_push(s, W, H, 0);
    assert_int_equal(sam_prompt(s, 1, &(sam_prompt_set){.points = both, .n_points = 2}, NULL), SAM_OK);
    snapshot_take(s, 1, W, H, &once);
    for (int i = 0; i < 2; i++) {
        prompt_point(s, 2, both[i].x_px, both[i].y_px, both[i].label);
        prompt_point(s, 3, both[i].x_px, both[i].y_px, both[i].label);
    }
    snapshot_take(s, 2, W, H, &twice);
    snapshot_take(s, 3, W, H, &replaced);
    assert_true(snapshot_same(&twice, &replaced));
    double refined = snapshot_error(&twice, &once);
    assert_true(refined > 1e-3);
    assert_int_equal(sam_prompt(s, 3, &(sam_prompt_set){.points = both, .n_points = 1, .replace = 1}, NULL), SAM_OK);
    snapshot_take(s, 3, W, H, &replaced);
    prompt_point(s, 2, both[0].x_px, both[0].y_px, both[0].label);
    snapshot_take(s, 2, W, H, &twice);
    assert_true(snapshot_error(&replaced, &twice) > 1e-4);
    sam_session_close(s);
    sam_model_close(m);
    printf("tracking: two clicks one by one differ from both at once by %.1e\n", refined);
}

/* Frames further away than the bank reaches do not matter; nearer ones and their distance do. */
static void test_gaps(void **state)
{
    (void)state;
    static snapshot far, alone, near, next;
    sam_model *m = tiny_open(models.path[TINY_SAM2], NULL);
    for (int with_past = 0; with_past < 2; with_past++) {
        sam_session *s = open_default(m, 1);
        tiny_push(s, W, H, 0);
        prompt_object(s, 1);
        for (int t = 1; t < 5 && with_past; t++) {
            tiny_push(s, W, H, t);
            track(s, SAM_FORWARD);
        }
        int64_t at = INT64_MAX / 2;
        uint8_t rgb[3 * W * H];
        tiny_frame(W, H, 7, rgb);
        assert_int_equal(sam_push_frame(s, &(sam_frame){.rgb = rgb, .row_bytes = 3 * W, .index = at}, NULL), SAM_OK);
        track(s, SAM_FORWARD);
        snapshot_take(s, 1, W, H, with_past ? &far : &alone);
        if (with_past) {
            assert_int_equal(sam_push_frame(s, &(sam_frame){.rgb = rgb, .row_bytes = 3 * W, .index = 7}, NULL), SAM_OK);
            track(s, SAM_FORWARD);
            snapshot_take(s, 1, W, H, &near);
            assert_int_equal(sam_push_frame(s, &(sam_frame){.rgb = rgb, .row_bytes = 3 * W, .index = 8}, NULL), SAM_OK);
            track(s, SAM_FORWARD);
            snapshot_take(s, 1, W, H, &next);
        }
        sam_session_close(s);
    }
    sam_model_close(m);
    assert_true(snapshot_same(&far, &alone));
    assert_true(snapshot_error(&near, &far) > 1e-5 && snapshot_error(&next, &near) > 1e-5);
    printf(
        "tracking: after a gap only the prompted frame is attended to: bit by bit; near frames change the result by %.1e\n",
        snapshot_error(&near, &far));
}

/* ---- masks -------------------------------------------------------------------------------------------------------- */

static void test_no_overlap(void **state)
{
    (void)state;
    static clip exclusive;
    size_t shared = 0, n = 0, cut = 0;
    for (int f = 0; f < TINY_COUNT; f++) {
        sam_model *m = tiny_open(models.path[f], NULL);
        sam_session *s = open_default(m, 3);
        run_clip(s, 7, &reference);
        sam_session_close(s);
        s = tiny_session(m, (sam_session_options){.width_px = W, .height_px = H, .max_objects = 3, .no_overlap = 1});
        run_clip(s, 7, &exclusive);
        sam_session_close(s);
        sam_model_close(m);
        for (int t = 0; t < N_FRAMES; t++) {
            for (size_t i = 0; i < W * H; i++) {
                int any = 0, owners = 0;
                for (int o = 0; o < 3; o++) {
                    int free_bit = reference.at[t][o].bits[i], bit = exclusive.at[t][o].bits[i];
                    assert_true(bit <= free_bit); /* never more than without the option */
                    any |= free_bit;
                    owners += bit;
                    cut += (size_t)(free_bit - bit);
                }
                assert_int_equal(owners, any); /* one owner where any object is */
                shared += (size_t)owners;
                n++;
            }
            for (int o = 0; o < 3; o++) /* it touches masks only, no memory */
                assert_memory_equal(exclusive.at[t][o].logits, reference.at[t][o].logits,
                                    sizeof reference.at[t][o].logits);
        }
    }
    printf("tracking: no_overlap: %zu of %zu pixels have an object, one each; %zu pixels were taken from others\n",
           shared, n, cut);
    assert_true(cut > 0);
}

/* On the prompted frame holes and specks change the mask alone; afterwards also the memory, so the logits. */
static void test_hole_filling(void **state)
{
    (void)state;
    static clip filled;
    sam_model *m = tiny_open(models.path[TINY_SAM21], NULL);
    size_t grown = 0, shrunk = 0;
    for (int specks = 0; specks < 2; specks++) {
        sam_session *s = tiny_session(
            m, (sam_session_options){.width_px = W, .height_px = H, .max_objects = 3, .fill_hole_area = -1});
        run_clip(s, 7, &reference);
        sam_session_close(s);
        s = tiny_session(m, (sam_session_options){.width_px = W,
                                                  .height_px = H,
                                                  .max_objects = 3,
                                                  .fill_hole_area = specks ? -1 : 100,
                                                  .remove_speck_area = specks ? 100 : 0});
        run_clip(s, 7, &filled);
        sam_session_close(s);
        for (int o = 0; o < 3; o++) {
            const snapshot *a = &filled.at[0][o], *b = &reference.at[0][o];
            assert_memory_equal(a->logits, b->logits, sizeof a->logits);
            for (size_t i = 0; i < a->n_bits; i++) {
                assert_true(specks ? a->bits[i] <= b->bits[i] : a->bits[i] >= b->bits[i]);
                grown += a->bits[i] > b->bits[i];
                shrunk += a->bits[i] < b->bits[i];
            }
        }
    }
    sam_model_close(m);
    printf("tracking: filling holes adds %zu pixels on frame 0, removing specks takes %zu; logits stay bit by bit\n",
           grown, shrunk);
    assert_true(grown > 0 || shrunk > 0);
}

/* An empty mask: the object is absent, everywhere and with the pointer that says so; a full one is kept as it is. */
static void test_mask_prompts(void **state)
{
    (void)state;
    static uint8_t bits[W * H];
    static snapshot shot;
    for (int f = 0; f < TINY_COUNT; f++) {
        sam_model *m = tiny_open(models.path[f], NULL);
        sam_session *s = open_default(m, 2);
        tiny_push(s, W, H, 0);
        memset(bits, 0, sizeof bits);
        prompt_mask(s, 1, bits);
        snapshot_take(s, 1, W, H, &shot);
        assert_true(shot.presence < 0);
        memset(bits, 255, sizeof bits);
        prompt_mask(s, 2, bits);
        snapshot_take(s, 2, W, H, &shot);
        assert_true(shot.presence > 0);
        for (size_t i = 0; i < shot.n_bits; i++)
            assert_int_equal(shot.bits[i], 1);
        snapshot_take(s, 1, W, H, &shot);
        for (size_t i = 0; i < shot.n_bits; i++)
            assert_int_equal(shot.bits[i], 0);
        for (int t = 1; t < 4; t++) {
            tiny_push(s, W, H, t);
            track(s, SAM_FORWARD);
            snapshot_take(s, 1, W, H, &shot);
        }
        sam_session_close(s);
        sam_model_close(m);
    }
    printf("tracking: empty and full mask prompts\n");
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_batch),        cmocka_unit_test(test_thread_count),
        cmocka_unit_test(test_variants),     cmocka_unit_test(test_precisions),
        cmocka_unit_test(test_two_sessions), cmocka_unit_test(test_mirror),
        cmocka_unit_test(test_corrections),  cmocka_unit_test(test_correction_after_reverse),
        cmocka_unit_test(test_refinement),   cmocka_unit_test(test_gaps),
        cmocka_unit_test(test_no_overlap),   cmocka_unit_test(test_hole_filling),
        cmocka_unit_test(test_mask_prompts),
    };
    return cmocka_run_group_tests(tests, make, clean);
}
