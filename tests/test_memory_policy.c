/* Policies of tracking: what each attends to against a plain reading of its rule over frames that are never forgotten, forward
 * and in reverse; which frames become anchors; and, on miniature models, that objects of one batch are what they are alone, that
 * a pass in reverse is the mirror image of one forward, and that "sam2" is the default. */
#include <math.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "distractor.h"
#include "policy_named.h"
#include "sam.h"
#include "synthetic_clip.h"
#include "tiny_model.h"

#include <cmocka.h> /* after error.h: it makes a macro of `fail` */

static uint64_t random_state = 5;

static int random_below(int n)
{
    random_state = random_state * UINT64_C(6364136223846793005) + UINT64_C(1442695040888963407);
    return (int)((random_state >> 33) % (uint64_t)n);
}

/* ---- the rules ---------------------------------------------------------------------------------------------------- */

enum { N = 80, MAX_PICK = 64, NUM_MASKMEM = 7, MAX_OBJ_PTRS = 16, MAX_ENTRIES = 64 };

/* What is known of step t of a pass that was prompted on step 0: all of it, for the plain reading. */
typedef struct step_note {
    int fit, anchor;
    float score;
} step_note;

typedef struct pick {
    int step;
    float age;
} pick;

typedef struct expected {
    int n_memories, n_pointers;
    pick memories[MAX_PICK], pointers[MAX_PICK];
} expected;

static void want_memory(expected *e, int step, float age)
{
    e->memories[e->n_memories++] = (pick){step, age};
}

static void want_pointer(expected *e, int step, float age)
{
    e->pointers[e->n_pointers++] = (pick){step, age / (MAX_OBJ_PTRS - 1)};
}

/* sam3_tracker_base.py, frame_filter and its users; SAMURAI's is the same with its first two frames left out. */
static void by_fitness(const step_note *notes, int t, int first, int pointers, expected *e)
{
    int valid[N], n = 0, newest_first[N];
    for (int i = t - 1; i >= first && n < MAX_OBJ_PTRS - 1; i--)
        if (notes[i].fit)
            newest_first[n++] = i;
    for (int i = 0; i < n; i++)
        valid[i] = newest_first[n - 1 - i];
    if (n == 0 || valid[n - 1] != t - 1)
        valid[n++] = t - 1;
    for (int t_rel = 1; t_rel < NUM_MASKMEM && t_rel <= n; t_rel++)
        if (valid[n - t_rel] > 0) /* step 0 is the prompted one, not among these */
            want_memory(e, valid[n - t_rel], (float)(t_rel - 1));
    for (int t_diff = 1; pointers && t_diff < MAX_OBJ_PTRS && t_diff < n; t_diff++)
        if (valid[n - t_diff] > 0)
            want_pointer(e, valid[n - t_diff], (float)t_diff);
}

/* DAM4SAM: anchors without age, then the newest frame with a mask and every 5th. `number` is the frame of a step. */
static void by_anchors(const step_note *notes, int t, int64_t (*number)(int step), expected *e)
{
    int n_anchors = 1, rank = 0;
    for (int i = t - 1; i > 0 && n_anchors < 4; i--)
        if (notes[i].anchor) {
            want_memory(e, i, -1);
            n_anchors++;
        }
    for (int i = t - 1; i > 0 && rank < NUM_MASKMEM - n_anchors; i--)
        if (notes[i].fit && !notes[i].anchor && (rank == 0 || number(i) % 5 == 0))
            want_memory(e, i, (float)rank++);
}

static int64_t forward(int step)
{
    return step;
}
static int64_t backward(int step)
{
    return N - 1 - step;
}

static void near_pointers(const step_note *notes, int t, int need_object, expected *e)
{
    for (int back = 1; back < MAX_OBJ_PTRS && t - back > 0; back++)
        if (!need_object || notes[t - back].score > 0)
            want_pointer(e, t - back, (float)back);
}

static void expect(const memory_policy *p, const step_note *notes, int t, int64_t (*number)(int step), expected *e)
{
    e->n_memories = e->n_pointers = 0;
    want_memory(e, 0, p->bank.kind == RECENT_SPACED ? -1 : NUM_MASKMEM - 1);
    want_pointer(e, 0, (float)t);
    if (p->bank.kind == RECENT_SPACED)
        by_anchors(notes, t, number, e);
    else
        by_fitness(notes, t, p->bank.first_skipped + 1, p->bank.fit_pointers, e);
    if (!p->bank.fit_pointers)
        near_pointers(notes, t, p->bank.pointers_need_object, e);
}

static int by_step(const void *a, const void *b)
{
    return ((const pick *)a)->step - ((const pick *)b)->step;
}

static void compare(const char *name, const char *what, int t, pick *want, int n_want, pick *have, int n_have)
{
    qsort(want, (size_t)n_want, sizeof *want, by_step);
    qsort(have, (size_t)n_have, sizeof *have, by_step);
    int same = n_want == n_have;
    for (int i = 0; i < n_want && same; i++)
        same = want[i].step == have[i].step && fabs((double)want[i].age - (double)have[i].age) < 1e-6;
    if (same)
        return;
    for (int i = 0; i < n_want || i < n_have; i++)
        printf("  wanted %d (%g)   have %d (%g)\n", i < n_want ? want[i].step : -1,
               i < n_want ? (double)want[i].age : 0, i < n_have ? have[i].step : -1,
               i < n_have ? (double)have[i].age : 0);
    fail_msg("%s, step %d: other %s", name, t, what);
}

/* A pass of N frames: what the bank attends to, step by step. */
static void pass(const memory_policy *p, int reverse, int bad_of_10)
{
    int64_t (*number)(int) = reverse ? backward : forward;
    bank_entry storage[MAX_ENTRIES];
    step_note notes[N] = {{0}};
    int memory_of[MAX_ENTRIES], pointer_of[MAX_ENTRIES];
    membank b;
    bank_init(&b,
              (bank_size){.max_prompted = 4,
                          .max_pending = 1,
                          .slots = 18,
                          .pointer_slots = 36,
                          .recent = NUM_MASKMEM - 1,
                          .recent_pointers = MAX_OBJ_PTRS - 1,
                          .rule = p->bank},
              storage);
    bank_entry *first = bank_propose(&b, number(0), 1);
    memory_of[first->slot] = pointer_of[first->pointer_slot] = 0;
    bank_commit(&b);
    bank_track(&b, number(0), reverse ? TRACKED_REVERSE : TRACKED_FORWARD);
    for (int t = 1; t < N; t++) {
        int32_t slots[MAX_PICK], ages[MAX_PICK], pointer_slots[MAX_PICK];
        float pointer_ages[MAX_PICK];
        pick have[MAX_PICK];
        expected want;
        bank_selection s = {.slots = slots, .ages = ages, .pointer_slots = pointer_slots, .pointer_ages = pointer_ages};
        bank_select(&b, number(t), reverse, 0, &s);
        expect(p, notes, t, number, &want);
        for (int i = 0; i < s.n_memories; i++)
            have[i] = (pick){memory_of[slots[i]], (float)ages[i]};
        compare(p->name, "memories", t, want.memories, want.n_memories, have, s.n_memories);
        for (int i = 0; i < s.n_pointers; i++)
            have[i] = (pick){pointer_of[pointer_slots[i]], pointer_ages[i]};
        compare(p->name, "pointers", t, want.pointers, want.n_pointers, have, s.n_pointers);
        if (s.incomplete)
            fail_msg("%s, step %d: incomplete, though everything is there", p->name, t);
        bank_entry *e = bank_track(&b, number(t), reverse ? TRACKED_REVERSE : TRACKED_FORWARD);
        memory_of[e->slot] = pointer_of[e->pointer_slot] = t;
        int bad = t >= 30 && t < 60 ? 1 : random_below(10) < bad_of_10; /* a long absence, too */
        e->iou = bad ? 0.1f : 0.9f;
        e->score = bad ? -1 : 2;
        e->fit = policy_fit(p, e, bad ? 0 : 20);
        e->anchor = p->takes_anchors && !bad && random_below(6) == 0;
        notes[t] = (step_note){e->fit, e->anchor, e->score};
    }
}

static void rules(void **state)
{
    (void)state;
    static const char *const names[] = {"samurai", "samurai-paper", "sam3", "dam4sam"};
    for (size_t k = 0; k < 4; k++)
        for (int reverse = 0; reverse < 2; reverse++)
            for (int bad = 0; bad < 10; bad += 2)
                pass(policy_named(names[k]), reverse, bad);
    printf("4 policies, both ways, 5 passes of %d frames each\n", N);
}

/* Going back further than the bank reaches says so. */
static void forgetting(void **state)
{
    (void)state;
    static const char *const names[] = {"samurai", "sam3", "dam4sam"};
    for (size_t k = 0; k < 3; k++) {
        const memory_policy *p = policy_named(names[k]);
        bank_entry storage[MAX_ENTRIES];
        int32_t slots[MAX_PICK], ages[MAX_PICK], pointer_slots[MAX_PICK];
        float pointer_ages[MAX_PICK];
        membank b;
        bank_selection s = {.slots = slots, .ages = ages, .pointer_slots = pointer_slots, .pointer_ages = pointer_ages};
        bank_init(&b, (bank_size){2, 1, 16, 34, 6, 15, p->bank}, storage);
        bank_propose(&b, 0, 1);
        bank_commit(&b);
        for (int t = 1; t < 300; t++) {
            bank_entry *e = bank_track(&b, t, TRACKED_FORWARD);
            e->iou = 0.9f;
            e->score = 3;
            e->fit = policy_fit(p, e, 20);
        }
        bank_select(&b, 300, 0, 0, &s);
        assert_false(s.incomplete);
        bank_select(&b, 100, 0, 0, &s);
        assert_true(s.incomplete);
    }
}

/* ---- fitness and names -------------------------------------------------------------------------------------------- */

static void fitness(void **state)
{
    (void)state;
    static const struct {
        const char *policy;
        float iou, score, motion;
        int64_t area;
        int fit;
    } cases[] = {
        {"sam2", 0, -5, 0, 0, 1},
        {"samurai", 0.51f, 0.1f, 0.01f, 9, 1},
        {"samurai", 0.5f, 0.1f, 1, 9, 0}, /* not above */
        {"samurai", 0.9f, 0, 1, 9, 0},    /* present by SAMURAI's own measure, > -1, but not remembered */
        {"samurai", 0.9f, 1, 0, 9, 0},    /* not where it was expected at all */
        {"samurai-paper", 0.9f, 1, 0.5f, 9, 0},
        {"samurai-paper", 0.9f, 1, 0.51f, 9, 1},
        {"sam3", 0.03f, 1, 0, 0, 1}, /* (2 sigmoid(1) - 1) x 0.03 = 0.0139 */
        {"sam3", 0.02f, 1, 0, 0, 0}, /* 0.0092 */
        {"sam3", 1, -0.1f, 1, 9, 0},
        {"dam4sam", 0.1f, -1, 0, 1, 1},
        {"dam4sam", 1, 5, 1, 0, 0},
    };
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        const bank_entry e = {.iou = cases[i].iou, .score = cases[i].score, .motion = cases[i].motion};
        if (policy_fit(policy_named(cases[i].policy), &e, cases[i].area) != cases[i].fit)
            fail_msg("case %zu, %s: expected %d", i, cases[i].policy, cases[i].fit);
    }
    const memory_policy *p = NULL;
    sam_error err;
    assert_int_equal(policy_find(NULL, &p, &err), SAM_OK);
    assert_string_equal(p->name, "sam2");
    assert_int_equal(policy_find("kalman", &p, &err), SAM_E_ARG);
    printf("  %s\n", err.text);
    assert_non_null(strstr(err.text, "samurai-paper"));
}

/* ---- anchors ------------------------------------------------------------------------------------------------------ */

enum { SIDE = 16, PLANE = SIDE * SIDE };

static void fill(float *mask, int x0, int y0, int x1, int y1)
{
    for (int i = 0; i < PLANE; i++)
        mask[i] = i % SIDE >= x0 && i % SIDE <= x1 && i / SIDE >= y0 && i / SIDE <= y1 ? 4 : -4;
}

/* Frames of an object of 4 x 4 pixels; on the last one another mask holds 4 x 4 more pixels, `gap` columns to the right. */
static int last_is_anchor(int n_frames, float iou, int gap, int grows)
{
    static float masks[4 * PLANE], scratch[3 * PLANE];
    distractor_memory d;
    const float ious[] = {0, iou, iou - 0.1f, iou - 0.2f};
    int anchor = 0;
    distractor_forget(&d);
    distractor_begin(&d, 0);
    assert_true(distractor_scratch_bytes(SIDE) <= sizeof scratch);
    for (int t = 1; t <= n_frames; t++) {
        int last = t == n_frames;
        fill(masks + PLANE, 1, 1, 4 + (last ? grows : 0), 4);
        fill(masks + 2 * PLANE, 1, 1, 4, 4);
        fill(masks + 3 * PLANE, 1, 1, 4, 4);
        for (int i = 0; last && gap && i < PLANE; i++)
            if (i % SIDE > 4 + gap && i % SIDE <= 8 + gap && i / SIDE >= 1 && i / SIDE <= 4)
                masks[3 * PLANE + i] = 4;
        anchor = distractor_seen(&d, t, ious, masks, masks + PLANE, SIDE, scratch);
        assert_true(last || !anchor);
    }
    return anchor;
}

static void anchors(void **state)
{
    (void)state;
    assert_true(last_is_anchor(6, 0.9f, 2, 0));
    assert_false(last_is_anchor(5, 0.9f, 2, 0)); /* five frames after the last anchor are too few */
    assert_false(last_is_anchor(6, 0.8f, 2, 0)); /* the mask is not good enough */
    assert_false(last_is_anchor(6, 0.9f, 0, 0)); /* nothing else is seen */
    assert_false(last_is_anchor(6, 0.9f, 2, 1)); /* 20 pixels where the median is 16: a quarter more */
    assert_false(last_is_anchor(1, 0.9f, 2, 0)); /* no size to compare with */
}

/* ---- sessions ----------------------------------------------------------------------------------------------------- */

enum { W = SYNTHETIC_WIDTH, H = SYNTHETIC_HEIGHT, FRAMES = 21, MAX_OBJECTS = 2, MAX_LOW = 32 * 32 };

typedef struct track_out {
    float logits[FRAMES][MAX_OBJECTS][MAX_LOW];
    float score[FRAMES][MAX_OBJECTS];
} track_out;

static void must(sam_status status, const sam_error *err)
{
    if (status != SAM_OK)
        fail_msg("%s", err->text);
}

/* Objects `first` to `last` (1, 2) through the clip; reverse: the clip is mirrored in time and tracked from its end. */
static void run(sam_model *m, const char *tracker, int first, int last, int reverse, track_out *out)
{
    static uint8_t rgb[3 * W * H];
    sam_error err;
    sam_session *s;
    sam_session_options opt = {.width_px = W, .height_px = H, .max_objects = 2, .history = -1, .tracker = tracker};
    must(sam_session_open(m, &opt, &s, &err), &err);
    for (int t = 0; t < FRAMES; t++) {
        synthetic_frame(W, H, SYNTHETIC_SEED, 2 * t, rgb, NULL);
        sam_frame f = {.rgb = rgb, .row_bytes = 3 * W, .index = reverse ? FRAMES - 1 - t : t};
        must(sam_push_frame(s, &f, &err), &err);
        for (int o = first; o <= last && t == 0; o++) {
            const sam_point click = {o == 1 ? 40.0f : 110.0f, o == 1 ? 75.0f : 45.0f, 1};
            must(sam_prompt(s, o, &(sam_prompt_set){.points = &click, .n_points = 1}, &err), &err);
        }
        if (t > 0)
            must(sam_track(s, reverse ? SAM_REVERSE : SAM_FORWARD, &err), &err);
        for (int o = first; o <= last; o++) {
            sam_mask mask;
            must(sam_get_mask(s, o, &mask, &err), &err);
            assert_true(mask.logits_px * mask.logits_px <= MAX_LOW);
            memcpy(out->logits[t][o - 1], mask.logits, (size_t)(mask.logits_px * mask.logits_px) * sizeof(float));
            out->score[t][o - 1] = mask.presence;
        }
    }
    sam_session_close(s);
}

static int same_object(const track_out *a, const track_out *b, int object)
{
    for (int t = 0; t < FRAMES; t++)
        if (memcmp(a->logits[t][object - 1], b->logits[t][object - 1], sizeof a->logits[t][object - 1]))
            return 0;
    return 1;
}

static void sessions(void **state)
{
    static track_out official, both, alone, mirrored;
    tiny_models t;
    sam_error err;
    (void)state;
    tiny_models_make(&t);
    for (int family = 0; family < TINY_COUNT; family++) {
        sam_model *m;
        must(sam_model_open(t.path[family], &(sam_model_options){.n_threads = 1}, &m, &err), &err);
        run(m, NULL, 1, 2, 0, &official);
        for (const memory_policy *p = memory_policies; p->name; p++) {
            memset(&alone, 0, sizeof alone);
            run(m, p->name, 1, 2, 0, &both);
            run(m, p->name, 1, 1, 0, &alone);
            run(m, p->name, 2, 2, 0, &alone);
            run(m, p->name, 1, 2, 1, &mirrored);
            for (int o = 1; o <= 2; o++) {
                if (!same_object(&both, &alone, o))
                    fail_msg("%s, %s: object %d is another in a batch", tiny_names[family], p->name, o);
                if (!same_object(&both, &mirrored, o))
                    fail_msg("%s, %s: object %d in reverse is no mirror image", tiny_names[family], p->name, o);
            }
            int same = same_object(&both, &official, 1) && same_object(&both, &official, 2);
            printf("  %-10s %-14s %s\n", tiny_names[family], p->name, same ? "as sam2" : "unlike sam2");
            if (p == memory_policies)
                assert_true(same);
        }
        sam_session *s = NULL;
        sam_session_options opt = {.width_px = W, .height_px = H, .tracker = "kalman"};
        assert_int_equal(sam_session_open(m, &opt, &s, &err), SAM_E_ARG);
        assert_null(s);
        sam_model_close(m);
    }
    tiny_models_remove(&t);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(rules),   cmocka_unit_test(forgetting), cmocka_unit_test(fitness),
        cmocka_unit_test(anchors), cmocka_unit_test(sessions),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
