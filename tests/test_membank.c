/* The bank against a plain reading of the official rules over dictionaries that forget nothing
 * (facebookresearch/sam2 modeling/sam2_base.py, _prepare_memory_conditioned_features; sam2_video_predictor.py,
 * add_new_points_or_box and propagate_in_video_preflight): random prompts, passes forward and in reverse, gaps, going back.
 * What a slot holds is recorded by the test, result by result, so a slot given away too early is seen. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "membank.h"

enum { MAX_VIDEO = 10400, MAX_PICK = 200, NUM_MASKMEM = 7, MAX_OBJ_PTRS = 16 };

static uint64_t random_state = 5;

static int random_below(int n)
{
    random_state = random_state * UINT64_C(6364136223846793005) + UINT64_C(1442695040888963407);
    return (int)((random_state >> 33) % (uint64_t)n);
}

/* ---- the official rules ------------------------------------------------------------------------------------------- */

enum { ABSENT, NON_COND, COND };

typedef struct pick {
    int64_t result;
    float age;
} pick;

/* A dictionary of the official predictor: which of its outputs there is on a frame, and the number of that result. */
typedef struct output {
    int64_t result;
    unsigned char kind;
} output;

typedef struct expected {
    int n_memories, n_pointers;
    pick memories[MAX_PICK], pointers[MAX_PICK];
} expected;

/* num_frames 0: unknown. */
static void official(const output *outputs, int64_t frame, int reverse, int64_t num_frames, expected *e)
{
    int sign = reverse ? -1 : 1;
    int64_t max_ptrs = num_frames && num_frames < MAX_OBJ_PTRS ? num_frames : MAX_OBJ_PTRS;
    e->n_memories = e->n_pointers = 0;
    for (int64_t t = 0; t < MAX_VIDEO; t++)
        if (outputs[t].kind == COND)
            e->memories[e->n_memories++] = (pick){outputs[t].result, NUM_MASKMEM - 1};
    for (int t_pos = 1; t_pos < NUM_MASKMEM; t_pos++) {
        int64_t t = frame - sign * (NUM_MASKMEM - t_pos);
        if (t >= 0 && t < MAX_VIDEO && outputs[t].kind == NON_COND)
            e->memories[e->n_memories++] = (pick){outputs[t].result, (float)(NUM_MASKMEM - t_pos - 1)};
    }
    float normaliser = max_ptrs > 1 ? (float)(max_ptrs - 1) : 1;
    for (int64_t t = 0; t < MAX_VIDEO; t++)
        if (outputs[t].kind == COND && (reverse ? t >= frame : t <= frame))
            e->pointers[e->n_pointers++] = (pick){outputs[t].result, (float)((frame - t) * sign) / normaliser};
    for (int64_t t_diff = 1; t_diff < max_ptrs; t_diff++) {
        int64_t t = frame - sign * t_diff;
        if (t < 0 || t >= (num_frames ? num_frames : MAX_VIDEO))
            break;
        if (outputs[t].kind == NON_COND)
            e->pointers[e->n_pointers++] = (pick){outputs[t].result, (float)t_diff / normaliser};
    }
}

static int by_result(const void *a, const void *b)
{
    const pick *x = a, *y = b;
    return x->result < y->result ? -1 : x->result > y->result;
}

/* ---- a bank and what its slots hold ------------------------------------------------------------------------------- */

typedef struct replay {
    membank bank;
    bank_entry *entries;
    int64_t num_frames;
    int64_t memory_of[300], pointer_of[300]; /* result last written there */
    int64_t n_results;
    output outputs[MAX_VIDEO], pending[MAX_VIDEO];
    unsigned char tracked[MAX_VIDEO]; /* tracked_way */
    int may_forget, n_checked, n_incomplete;
} replay;

static void replay_begin(replay *r, int max_prompted, int history, int64_t num_frames)
{
    int recent = NUM_MASKMEM - 1, recent_pointers = MAX_OBJ_PTRS - 1;
    bank_size size = {.max_prompted = max_prompted,
                      .max_pending = 1 + history,
                      .slots = max_prompted + 2 * recent + 2 + 2 * history,
                      .pointer_slots = max_prompted + 2 * recent_pointers + 2 + 2 * history,
                      .recent = recent,
                      .recent_pointers = recent_pointers};
    *r = (replay){.num_frames = num_frames};
    r->entries = malloc((size_t)size.pointer_slots * sizeof *r->entries); /* sanitizers see one too many */
    assert_non_null(r->entries);
    bank_init(&r->bank, size, r->entries);
}

static void compare(const char *what, int64_t frame, int reverse, const pick *want, int n_want, const pick *have,
                    int n_have)
{
    int same = n_want == n_have;
    for (int i = 0; i < n_want && same; i++)
        same = want[i].result == have[i].result && want[i].age == have[i].age;
    if (same)
        return;
    for (int i = 0; i < n_want || i < n_have; i++)
        printf("  %lld (%g)   %lld (%g)\n", i < n_want ? (long long)want[i].result : -1,
               i < n_want ? (double)want[i].age : 0, i < n_have ? (long long)have[i].result : -1,
               i < n_have ? (double)have[i].age : 0);
    fail_msg("%s of frame %lld%s: official on the left, bank on the right", what, (long long)frame,
             reverse ? ", reverse" : "");
}

/* 1: the bank says that it lacks something. */
static int check_frame(replay *r, int64_t frame, int reverse)
{
    int32_t slots[MAX_PICK], ages[MAX_PICK], pointer_slots[MAX_PICK];
    float pointer_ages[MAX_PICK];
    bank_selection out = {.slots = slots, .ages = ages, .pointer_slots = pointer_slots, .pointer_ages = pointer_ages};
    static expected want;
    pick have[MAX_PICK];
    official(r->outputs, frame, reverse, r->num_frames, &want);
    bank_select(&r->bank, frame, reverse, r->num_frames, &out);
    assert_true(r->may_forget || !out.incomplete);
    if (out.incomplete) {
        r->n_incomplete++;
        return 1;
    }
    assert_true(out.n_memories <= r->bank.size.max_prompted + r->bank.size.recent);
    assert_true(out.n_pointers <= r->bank.size.max_prompted + r->bank.size.recent_pointers);
    for (int i = 0; i < out.n_memories; i++)
        have[i] = (pick){r->memory_of[slots[i]], (float)ages[i]};
    qsort(have, (size_t)out.n_memories, sizeof *have, by_result);
    qsort(want.memories, (size_t)want.n_memories, sizeof *have, by_result);
    compare("memories", frame, reverse, want.memories, want.n_memories, have, out.n_memories);
    for (int i = 0; i < out.n_pointers; i++)
        have[i] = (pick){r->pointer_of[pointer_slots[i]], pointer_ages[i]};
    qsort(have, (size_t)out.n_pointers, sizeof *have, by_result);
    qsort(want.pointers, (size_t)want.n_pointers, sizeof *have, by_result);
    compare("pointers", frame, reverse, want.pointers, want.n_pointers, have, out.n_pointers);
    r->n_checked++;
    return 0;
}

/* A new result for `e`. */
static output keep(replay *r, bank_entry *e, int64_t frame, int kind)
{
    assert_true(e->frame == frame && e->prompted == (kind == COND));
    assert_in_range(e->slot, 0, r->bank.size.slots - 1);
    assert_in_range(e->pointer_slot, 0, r->bank.size.pointer_slots - 1);
    assert_true(r->bank.n_entries <= r->bank.size.pointer_slots);
    r->memory_of[e->slot] = r->pointer_of[e->pointer_slot] = ++r->n_results;
    return (output){r->n_results, (unsigned char)kind};
}

/* A prompt; returns 0 if there is no room. Whether it is a correction is the predictor's business, and must agree. */
static int prompt(replay *r, int64_t frame)
{
    int correction = r->tracked[frame] != NOT_TRACKED, lacks = 0;
    assert_true(r->may_forget || bank_tracked(&r->bank, frame) == r->tracked[frame]);
    assert_int_equal(bank_tracked(&r->bank, frame) != NOT_TRACKED, correction);
    if (bank_room_for(&r->bank, frame, !correction) != BANK_ROOM)
        return 0;
    if (correction)
        lacks = check_frame(r, frame, r->tracked[frame] == TRACKED_REVERSE);
    bank_entry *e = bank_propose(&r->bank, frame, !correction);
    e->incomplete = lacks;
    r->pending[frame] = keep(r, e, frame, correction ? NON_COND : COND);
    assert_ptr_equal(bank_latest(&r->bank, frame), e);
    return 1;
}

/* propagate_in_video_preflight */
static void commit(replay *r)
{
    bank_commit(&r->bank);
    for (int64_t t = 0; t < MAX_VIDEO; t++) {
        if (r->pending[t].kind != ABSENT && (r->pending[t].kind == COND || r->outputs[t].kind != COND))
            r->outputs[t] = r->pending[t];
        r->pending[t].kind = ABSENT;
    }
}

/* Tracks one frame as propagate_in_video does: prompted frames keep their output. */
static void track(replay *r, int64_t frame, int reverse)
{
    tracked_way way = reverse ? TRACKED_REVERSE : TRACKED_FORWARD;
    int lacks = r->outputs[frame].kind != COND && check_frame(r, frame, reverse);
    bank_entry *e = bank_track(&r->bank, frame, way);
    assert_int_equal(e->prompted, r->outputs[frame].kind == COND);
    if (!e->prompted) {
        e->incomplete = lacks;
        r->outputs[frame] = keep(r, e, frame, NON_COND);
    }
    r->tracked[frame] = (unsigned char)way;
}

/* A prompt that takes effect at once. */
static void prompt_now(replay *r, int64_t frame)
{
    assert_true(prompt(r, frame));
    commit(r);
}

/* Prompts before tracking, a forward pass from the earliest (with corrections of the frame just tracked, prompts of
 * frames ahead and dropped frames on the way), then a reverse pass from the earliest to frame 0. */
static int random_video(int max_prompted)
{
    static replay r;
    int64_t length = 1 + random_below(80), first = INT64_MAX;
    int known = random_below(2), n_prompted = 1 + random_below(max_prompted), gaps = random_below(3) == 0;
    replay_begin(&r, max_prompted, 0, known ? length : 0);
    for (int i = 0; i < n_prompted; i++) {
        int64_t t = random_below((int)length);
        prompt_now(&r, t);
        first = t < first ? t : first;
    }
    for (int64_t t = first; t < length; t += gaps ? 1 + random_below(4) : 1) {
        track(&r, t, 0);
        if (random_below(10) == 0)
            prompt_now(&r, t); /* a correction */
        int64_t ahead = t + 1 + random_below(20);
        if (random_below(15) == 0 && ahead < length && bank_prompted(&r.bank) < max_prompted)
            prompt_now(&r, ahead);
    }
    for (int64_t t = first; t >= 0; t -= gaps ? 1 + random_below(4) : 1)
        track(&r, t, 1);
    free(r.entries);
    return r.n_checked;
}

static void test_random_videos(void **state)
{
    (void)state;
    int n = 0;
    for (int i = 0; i < 6000; i++)
        n += random_video(1 + random_below(6));
    printf("membank: %d frames of 6000 random videos attend to what the official rules say\n", n);
}

/* Turning round where the forward pass ended. */
static void test_turning(void **state)
{
    (void)state;
    static replay r;
    for (int i = 0; i < 300; i++) {
        int64_t last = 1 + random_below(100);
        replay_begin(&r, 2, 0, 0);
        prompt_now(&r, 0);
        for (int64_t t = 1; t <= last; t++)
            track(&r, t, 0);
        for (int64_t t = last; t > 0; t--) /* the first 6 still attend to frames of the forward pass: they are kept */
            track(&r, t, 1);
        free(r.entries);
    }
    printf("membank: 300 passes back from where the forward pass ended\n");
}

static void test_long_stream(void **state)
{
    (void)state;
    static replay r;
    replay_begin(&r, 4, 0, 0);
    prompt_now(&r, 0);
    for (int64_t t = 1; t < 10000; t++) {
        track(&r, t, 0);
        if (t == 500 || t == 7777 || t == 9999 - 3)
            prompt_now(&r, t + 2);
        assert_true(r.bank.n_entries <= r.bank.size.pointer_slots);
    }
    printf(
        "membank: 10,000 frames in %d slots and %d pointer slots (%zu bytes of entries), %d selections as official\n",
        r.bank.size.slots, r.bank.size.pointer_slots, (size_t)r.bank.size.pointer_slots * sizeof *r.entries,
        r.n_checked);
    free(r.entries);
}

/* Frame numbers at the ends of int64, and a bank without history. */
static void test_extremes(void **state)
{
    (void)state;
    static replay r;
    int32_t slots[40], ages[40], pointer_slots[40];
    float pointer_ages[40];
    bank_selection out = {.slots = slots, .ages = ages, .pointer_slots = pointer_slots, .pointer_ages = pointer_ages};
    replay_begin(&r, 2, 0, 0);
    for (int reverse = 0; reverse < 2; reverse++) {
        bank_select(&r.bank, 0, reverse, 0, &out);
        assert_int_equal(out.n_memories + out.n_pointers, 0);
        bank_propose(&r.bank, INT64_MAX, 1);
        bank_commit(&r.bank);
        bank_select(&r.bank, INT64_MAX - 1, reverse, 0, &out);
        assert_int_equal(out.n_memories, 1);
        assert_int_equal(out.n_pointers, reverse);
        bank_propose(&r.bank, 0, 1);
        bank_commit(&r.bank);
        bank_select(&r.bank, INT64_MAX, reverse, 0, &out); /* the frames around it are no int64 */
        assert_int_equal(out.n_memories, 2); /* a conditioning frame that is corrected attends to itself */
        bank_clear(&r.bank);
    }
    free(r.entries);
    printf("membank: frames 0 and INT64_MAX\n");
}

static void test_full(void **state)
{
    (void)state;
    static replay r;
    replay_begin(&r, 3, 1, 0);
    for (int t = 0; t < 3; t++)
        assert_true(prompt(&r, 10 * t)); /* pending ones count */
    assert_int_equal(bank_room_for(&r.bank, 5, 1), BANK_TOO_MANY_PROMPTED);
    commit(&r);
    assert_int_equal(bank_room_for(&r.bank, 5, 1), BANK_TOO_MANY_PROMPTED);
    assert_int_equal(bank_prompted(&r.bank), 3);
    assert_null(bank_find(&r.bank, 5));
    prompt_now(&r, 10); /* prompted already: no new place */
    for (int64_t t = 0; t < 8; t++)
        track(&r, t, 0);
    assert_true(prompt(&r, 5)); /* a correction is no prompted frame */
    assert_true(prompt(&r, 20));
    assert_int_equal(bank_prompted(&r.bank), 3);
    assert_int_equal(bank_room_for(&r.bank, 6, 0), BANK_TOO_MANY_PENDING); /* history 1: two may wait */
    assert_int_equal(bank_room_for(&r.bank, 5, 0), BANK_ROOM);
    commit(&r);
    assert_int_equal(bank_room_for(&r.bank, 6, 0), BANK_ROOM);
    assert_int_equal(bank_find(&r.bank, 5)->prompted, 0);
    free(r.entries);
    printf("membank: a fourth prompted frame of three, and a third correction of two, are refused\n");
}

/* What people do: prompts anywhere, tracked or not, several before tracking goes on, short passes either way. A selection
 * either is the official one or says that it is not; with a history as long as the video it always is. */
static void random_session(int history, int length, int max_prompted, int *n_checked, int *n_incomplete)
{
    static replay r;
    replay_begin(&r, max_prompted, history, random_below(2) ? length : 0);
    r.may_forget = history < length;
    prompt(&r, random_below(length));
    for (int i = 0; i < 30; i++) {
        for (int n = random_below(3); n > 0; n--)
            prompt(&r, random_below(length));
        commit(&r);
        int reverse = random_below(3) == 0;
        int64_t t = random_below(length);
        for (int n = random_below(12); n >= 0 && t >= 0 && t < length; n--, t += reverse ? -1 : 1)
            track(&r, t, reverse);
    }
    *n_checked += r.n_checked;
    *n_incomplete += r.n_incomplete;
    free(r.entries);
}

static void test_going_back(void **state)
{
    (void)state;
    for (int history = 0; history <= 64; history = history ? 4 * history : 4) {
        int n_checked = 0, n_incomplete = 0;
        for (int i = 0; i < 400; i++)
            random_session(history, 60, 1 + random_below(6), &n_checked, &n_incomplete);
        printf(
            "membank: 400 random sessions of 60 frames, history %d: %d selections as official, %d said to be incomplete\n",
            history, n_checked, n_incomplete);
        assert_true(history < 60 ? n_incomplete > 0 : n_incomplete == 0);
    }
}

/* Forward to frame `end`, back by `back` frames, a correction there, and on again. */
static int correct_back(int history, int end, int back)
{
    static replay r;
    replay_begin(&r, 4, history, 0);
    prompt_now(&r, 0);
    for (int64_t t = 0; t <= end; t++)
        track(&r, t, 0);
    r.may_forget = 1;
    prompt_now(&r, end - back);
    for (int64_t t = end - back + 1; t <= end + 20; t++)
        track(&r, t, 0);
    free(r.entries);
    return r.n_incomplete;
}

/* `history` frames back is exact, one more than the slots there are for other things is not. */
static void test_history(void **state)
{
    (void)state;
    for (int history = 0; history <= 40; history += 8) {
        for (int back = 0; back <= history; back++)
            assert_int_equal(correct_back(history, 300, back), 0);
        assert_true(correct_back(history, 300, 2 * history + NUM_MASKMEM) > 0);
    }
    printf("membank: back by 0 to `history` frames is exact for 0, 8 .. 40\n");
}

/* A set that may hold too much, but not too little; runs of one tag that touch are one. */
static void test_runs(void **state)
{
    (void)state;
    for (int i = 0; i < 2000; i++) {
        frame_runs r = {0};
        char in[200] = {0};
        for (int n = random_below(60); n > 0; n--) {
            int at = random_below(200), tag = 1 + random_below(2);
            if (!runs_find(&r, at))
                runs_add(&r, at, tag);
            in[at] = 1;
        }
        assert_in_range(r.n, 0, MAX_FRAME_RUNS);
        for (int k = 0; k < r.n; k++)
            assert_true(r.run[k].from <= r.run[k].to && (!k || r.run[k - 1].to < r.run[k].from));
        for (int at = 0; at < 200; at++)
            assert_true(!in[at] || runs_find(&r, at));
    }
    frame_runs r = {0};
    for (int at = 0; at < 1000; at++)
        runs_add(&r, at < 500 ? 499 - at : at, 1 + (at >= 500)); /* down from 499, then up */
    runs_add(&r, INT64_MAX, 1);
    assert_int_equal(r.n, 3);
    assert_true(runs_find(&r, 499)->tag == 1 && runs_find(&r, 500)->tag == 2 && !runs_find(&r, 1000));
    printf("membank: 2000 random sets of frames in %d runs\n", MAX_FRAME_RUNS);
}

int main(void)
{
    const struct CMUnitTest tests[] = {cmocka_unit_test(test_random_videos), cmocka_unit_test(test_turning),
                                       cmocka_unit_test(test_long_stream),   cmocka_unit_test(test_extremes),
                                       cmocka_unit_test(test_full),          cmocka_unit_test(test_going_back),
                                       cmocka_unit_test(test_history),       cmocka_unit_test(test_runs)};
    return cmocka_run_group_tests(tests, NULL, NULL);
}
