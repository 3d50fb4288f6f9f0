/* The memory planner, replayed step by step over random lifetimes: no byte ever has two owners. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "plan.h"

enum { MAX_BUFFERS = 60, MAX_STEPS = 40, N_GRAPHS = 4000 };

static uint64_t random_state = 1;

static uint32_t next_random(uint32_t below)
{
    random_state = random_state * UINT64_C(6364136223846793005) + UINT64_C(1442695040888963407);
    return (uint32_t)(random_state >> 33) % below;
}

static size_t rounded(size_t bytes)
{
    return (bytes + PLAN_ALIGN - 1) / PLAN_ALIGN * PLAN_ALIGN;
}

static int random_graph(plan_buffer *b)
{
    int n = 1 + (int)next_random(MAX_BUFFERS), steps = 1 + (int)next_random(MAX_STEPS);
    size_t most = (size_t)1 << next_random(16);
    for (int i = 0; i < n; i++) {
        int first = (int)next_random((uint32_t)steps), last = (int)next_random((uint32_t)steps);
        if (next_random(3))
            last = first + (int)next_random(4);
        b[i] = (plan_buffer){.first = first < last ? first : last,
                             .last = first < last ? last : first,
                             .bytes = next_random(8) ? next_random((uint32_t)most) : 0,
                             .offset = (size_t)-1};
        if (!next_random(20))
            b[i].first = 0, b[i].last = -1; /* never used, as values that are no scratch */
    }
    return n;
}

/* Writes every step's live buffers into a map of blocks; returns the most blocks live at once, in bytes. */
static size_t replay(const plan_buffer *b, int n, size_t arena)
{
    size_t n_blocks = arena / PLAN_ALIGN, most = 0;
    unsigned char *owner = malloc(n_blocks + 1);
    assert_non_null(owner);
    for (int step = 0; step < MAX_STEPS + 4; step++) {
        size_t live = 0;
        memset(owner, 0, n_blocks + 1);
        for (int i = 0; i < n; i++) {
            if (step < b[i].first || step > b[i].last)
                continue;
            live += rounded(b[i].bytes);
            for (size_t k = b[i].offset / PLAN_ALIGN; k < (b[i].offset + rounded(b[i].bytes)) / PLAN_ALIGN; k++) {
                if (owner[k])
                    fail_msg("step %d: buffers %d and %d share byte %zu", step, owner[k] - 1, i, k * PLAN_ALIGN);
                owner[k] = (unsigned char)(i + 1);
            }
        }
        most = live > most ? live : most;
    }
    free(owner);
    return most;
}

static void test_random_graphs(void **state)
{
    (void)state;
    plan_buffer b[MAX_BUFFERS];
    int order[MAX_BUFFERS], n_tight = 0;
    double worst = 1, sum = 0;
    for (int g = 0; g < N_GRAPHS; g++) {
        int n = random_graph(b);
        size_t total = 0, arena = plan_arena(b, n, order);
        for (int i = 0; i < n; i++) {
            assert_int_equal(b[i].offset % PLAN_ALIGN, 0);
            assert_true(b[i].offset + rounded(b[i].bytes) <= arena);
            total += rounded(b[i].bytes);
        }
        size_t bound = replay(b, n, arena);
        assert_true(arena >= bound);
        assert_true(arena <= total);
        double ratio = bound ? (double)arena / (double)bound : 1;
        worst = ratio > worst ? ratio : worst;
        sum += ratio;
        n_tight += arena == bound;
    }
    printf("plan: %d random graphs replayed without overlap; arena / most live bytes: mean %.3f, worst %.3f, "
           "equal in %d\n",
           N_GRAPHS, sum / N_GRAPHS, worst, n_tight);
    assert_true(sum / N_GRAPHS < 1.1);
}

/* The answer does not depend on the order in which buffers are listed, as long as sizes differ. */
static void test_order(void **state)
{
    (void)state;
    plan_buffer b[MAX_BUFFERS], shuffled[MAX_BUFFERS];
    int order[MAX_BUFFERS], at[MAX_BUFFERS];
    for (int g = 0; g < 500; g++) {
        int n = random_graph(b);
        for (int i = 0; i < n; i++) {
            b[i].bytes = ((size_t)next_random(1000) * MAX_BUFFERS + (size_t)i) * PLAN_ALIGN;
            at[i] = i;
        }
        for (int i = n - 1; i > 0; i--) {
            int k = (int)next_random((uint32_t)i + 1), swap = at[i];
            at[i] = at[k];
            at[k] = swap;
        }
        for (int i = 0; i < n; i++)
            shuffled[i] = b[at[i]];
        assert_int_equal(plan_arena(b, n, order), plan_arena(shuffled, n, order));
        for (int i = 0; i < n; i++)
            assert_int_equal(b[at[i]].offset, shuffled[i].offset);
    }
    printf("plan: 500 graphs of different sizes, shuffled: the same offsets\n");
}

static void test_small(void **state)
{
    (void)state;
    int order[3];
    plan_buffer none[1], one = {.first = 0, .last = 0, .bytes = PLAN_ALIGN + 1}, zero = {.first = 0, .last = 9};
    assert_int_equal(plan_arena(none, 0, order), 0);
    assert_int_equal(plan_arena(&zero, 1, order), 0);
    assert_int_equal(plan_arena(&one, 1, order), 2 * PLAN_ALIGN);
    assert_int_equal(one.offset, 0);
    /* The last step of one is the first of the next: both live. */
    plan_buffer touch[] = {{.first = 0, .last = 1, .bytes = PLAN_ALIGN}, {.first = 1, .last = 2, .bytes = PLAN_ALIGN}};
    assert_int_equal(plan_arena(touch, 2, order), 2 * PLAN_ALIGN);
    plan_buffer apart[] = {{.first = 0, .last = 0, .bytes = PLAN_ALIGN}, {.first = 1, .last = 2, .bytes = PLAN_ALIGN}};
    assert_int_equal(plan_arena(apart, 2, order), PLAN_ALIGN);
    /* The third fits exactly between the first two. */
    plan_buffer fit[] = {{.first = 0, .last = 9, .bytes = 10 * PLAN_ALIGN},
                         {.first = 0, .last = 4, .bytes = 5 * PLAN_ALIGN},
                         {.first = 5, .last = 9, .bytes = 5 * PLAN_ALIGN}};
    assert_int_equal(plan_arena(fit, 3, order), 15 * PLAN_ALIGN);
    assert_int_equal(fit[1].offset, fit[2].offset);
    printf("plan: none, one, empty, touching, apart, exact fit\n");
}

int main(void)
{
    const struct CMUnitTest tests[] = {cmocka_unit_test(test_random_graphs), cmocka_unit_test(test_order),
                                       cmocka_unit_test(test_small)};
    return cmocka_run_group_tests(tests, NULL, NULL);
}
