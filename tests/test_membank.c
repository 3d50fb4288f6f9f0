/* The bank against a plain reading of the official rules over dictionaries that forget nothing
 * (facebookresearch/sam2 modeling/sam2_base.py, _prepare_memory_conditioned_features): random prompts, passes forward and
 * in reverse, gaps. What a slot holds is recorded by the test, so a slot given away too early is seen. */
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
    int64_t frame;
    float age;
} pick;

typedef struct expected {
    int n_memories, n_pointers;
    pick memories[MAX_PICK], pointers[MAX_PICK];
} expected;

/* outputs[t] is which dictionary holds frame t, if any. num_frames 0: unknown. */
static void official(const unsigned char *outputs, int64_t frame, int reverse, int64_t num_frames, expected *e)
{
    int sign = reverse ? -1 : 1;
    int64_t max_ptrs = num_frames && num_frames < MAX_OBJ_PTRS ? num_frames : MAX_OBJ_PTRS;
    e->n_memories = e->n_pointers = 0;
    for (int64_t t = 0; t < MAX_VIDEO; t++)
        if (outputs[t] == COND)
            e->memories[e->n_memories++] = (pick){t, NUM_MASKMEM - 1};
    for (int t_pos = 1; t_pos < NUM_MASKMEM; t_pos++) {
        int64_t t = frame - sign * (NUM_MASKMEM - t_pos);
        if (t >= 0 && t < MAX_VIDEO && outputs[t] == NON_COND)
            e->memories[e->n_memories++] = (pick){t, (float)(NUM_MASKMEM - t_pos - 1)};
    }
    float normaliser = max_ptrs > 1 ? (float)(max_ptrs - 1) : 1;
    for (int64_t t = 0; t < MAX_VIDEO; t++)
        if (outputs[t] == COND && (reverse ? t >= frame : t <= frame))
            e->pointers[e->n_pointers++] = (pick){t, (float)((frame - t) * sign) / normaliser};
    for (int64_t t_diff = 1; t_diff < max_ptrs; t_diff++) {
        int64_t t = frame - sign * t_diff;
        if (t < 0 || t >= (num_frames ? num_frames : MAX_VIDEO))
            break;
        if (outputs[t] == NON_COND)
            e->pointers[e->n_pointers++] = (pick){t, (float)t_diff / normaliser};
    }
}

static int by_frame(const void *a, const void *b)
{
    const pick *x = a, *y = b;
    return x->frame < y->frame ? -1 : x->frame > y->frame;
}

/* ---- a bank and what its slots hold ------------------------------------------------------------------------------- */

typedef struct replay {
    membank bank;
    bank_entry *entries;
    int64_t num_frames;
    int64_t memory_of[300], pointer_of[300]; /* frame last written there */
    unsigned char outputs[MAX_VIDEO];
    int n_checked;
} replay;

static void replay_begin(replay *r, int max_prompted, int64_t num_frames)
{
    int recent = NUM_MASKMEM - 1, recent_pointers = MAX_OBJ_PTRS - 1;
    bank_size size = {.max_prompted = max_prompted,
                      .slots = max_prompted + 2 * recent + 1,
                      .pointer_slots = max_prompted + 2 * recent_pointers + 1,
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
        same = want[i].frame == have[i].frame && want[i].age == have[i].age;
    if (same)
        return;
    for (int i = 0; i < n_want || i < n_have; i++)
        printf("  %lld (%g)   %lld (%g)\n", i < n_want ? (long long)want[i].frame : -1,
               i < n_want ? (double)want[i].age : 0, i < n_have ? (long long)have[i].frame : -1,
               i < n_have ? (double)have[i].age : 0);
    fail_msg("%s of frame %lld%s: official on the left, bank on the right", what, (long long)frame,
             reverse ? ", reverse" : "");
}

static void check_frame(replay *r, int64_t frame, int reverse)
{
    int32_t slots[MAX_PICK], ages[MAX_PICK], pointer_slots[MAX_PICK];
    float pointer_ages[MAX_PICK];
    bank_selection out = {.slots = slots, .ages = ages, .pointer_slots = pointer_slots, .pointer_ages = pointer_ages};
    static expected want;
    pick have[MAX_PICK];
    official(r->outputs, frame, reverse, r->num_frames, &want);
    bank_select(&r->bank, frame, reverse, r->num_frames, &out);
    assert_true(out.n_memories <= r->bank.size.max_prompted + r->bank.size.recent);
    assert_true(out.n_pointers <= r->bank.size.max_prompted + r->bank.size.recent_pointers);
    for (int i = 0; i < out.n_memories; i++)
        have[i] = (pick){r->memory_of[slots[i]], (float)ages[i]};
    qsort(have, (size_t)out.n_memories, sizeof *have, by_frame);
    qsort(want.memories, (size_t)want.n_memories, sizeof *have, by_frame);
    compare("memories", frame, reverse, want.memories, want.n_memories, have, out.n_memories);
    for (int i = 0; i < out.n_pointers; i++)
        have[i] = (pick){r->pointer_of[pointer_slots[i]], pointer_ages[i]};
    qsort(have, (size_t)out.n_pointers, sizeof *have, by_frame);
    qsort(want.pointers, (size_t)want.n_pointers, sizeof *have, by_frame);
    compare("pointers", frame, reverse, want.pointers, want.n_pointers, have, out.n_pointers);
    r->n_checked++;
}

static void store(replay *r, int64_t frame, int prompted)
{
    bank_entry *e = bank_store(&r->bank, frame, prompted);
    assert_non_null(e);
    assert_true(e->frame == frame && e->prompted >= prompted);
    assert_in_range(e->slot, 0, r->bank.size.slots - 1);
    assert_in_range(e->pointer_slot, 0, r->bank.size.pointer_slots - 1);
    assert_true(r->bank.n_entries <= r->bank.size.pointer_slots);
    r->memory_of[e->slot] = r->pointer_of[e->pointer_slot] = frame;
    if (r->outputs[frame] != COND)
        r->outputs[frame] = prompted ? COND : NON_COND;
}

/* Tracks one frame as propagate_in_video does: prompted frames keep their output. */
static void track(replay *r, int64_t frame, int reverse)
{
    if (r->outputs[frame] == COND)
        return;
    check_frame(r, frame, reverse);
    store(r, frame, 0);
}

/* Prompts before tracking, a forward pass from the earliest (with corrections of the frame just tracked, prompts of
 * frames ahead and dropped frames on the way), then a reverse pass from the earliest to frame 0. */
static int random_video(int max_prompted)
{
    static replay r;
    int64_t length = 1 + random_below(80), first = INT64_MAX;
    int known = random_below(2), n_prompted = 1 + random_below(max_prompted), gaps = random_below(3) == 0;
    replay_begin(&r, max_prompted, known ? length : 0);
    for (int i = 0; i < n_prompted; i++) {
        int64_t t = random_below((int)length);
        store(&r, t, 1);
        first = t < first ? t : first;
    }
    for (int64_t t = first; t < length; t += gaps ? 1 + random_below(4) : 1) {
        track(&r, t, 0);
        if (random_below(10) == 0 && r.outputs[t] == NON_COND) {
            check_frame(&r, t, 0);
            store(&r, t, 0); /* a correction */
        }
        int64_t ahead = t + 1 + random_below(20);
        if (random_below(15) == 0 && ahead < length && bank_prompted(&r.bank) < max_prompted)
            store(&r, ahead, 1);
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
        replay_begin(&r, 2, 0);
        store(&r, 0, 1);
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
    replay_begin(&r, 4, 0);
    store(&r, 0, 1);
    for (int64_t t = 1; t < 10000; t++) {
        track(&r, t, 0);
        if (t == 500 || t == 7777 || t == 9999 - 3)
            store(&r, t + 2, 1);
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
    replay_begin(&r, 2, 0);
    for (int reverse = 0; reverse < 2; reverse++) {
        bank_select(&r.bank, 0, reverse, 0, &out);
        assert_int_equal(out.n_memories + out.n_pointers, 0);
        assert_non_null(bank_store(&r.bank, INT64_MAX, 1));
        bank_select(&r.bank, INT64_MAX - 1, reverse, 0, &out);
        assert_int_equal(out.n_memories, 1);
        assert_int_equal(out.n_pointers, reverse);
        assert_non_null(bank_store(&r.bank, 0, 1));
        bank_select(&r.bank, INT64_MAX, reverse, 0, &out); /* the frames around it are no int64 */
        assert_int_equal(out.n_memories, 1);
        bank_clear(&r.bank);
    }
    free(r.entries);
    printf("membank: frames 0 and INT64_MAX\n");
}

static void test_full(void **state)
{
    (void)state;
    static replay r;
    replay_begin(&r, 3, 0);
    for (int t = 0; t < 3; t++)
        store(&r, 10 * t, 1);
    assert_null(bank_store(&r.bank, 5, 1));
    assert_int_equal(bank_prompted(&r.bank), 3);
    assert_null(bank_find(&r.bank, 5));
    store(&r, 10, 1); /* prompted already: no new place */
    store(&r, 5, 0);
    assert_null(bank_store(&r.bank, 5, 1)); /* a tracked frame cannot become prompted either */
    assert_int_equal(bank_find(&r.bank, 5)->prompted, 0);
    free(r.entries);
    printf("membank: a fourth prompted frame of three is refused and changes nothing\n");
}

int main(void)
{
    const struct CMUnitTest tests[] = {cmocka_unit_test(test_random_videos), cmocka_unit_test(test_turning),
                                       cmocka_unit_test(test_long_stream), cmocka_unit_test(test_extremes),
                                       cmocka_unit_test(test_full)};
    return cmocka_run_group_tests(tests, NULL, NULL);
}
