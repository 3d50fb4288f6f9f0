/* The tuner: which candidate is taken, by a clock that the test holds; and the file that keeps it. */
#include "temp_dir.h"
#include "tuning.h"

#include <math.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>

#include <cmocka.h>

/* ---- choosing ----------------------------------------------------------------------------------------------------- */

enum { CAP = 1000 };

/* Candidate i takes ms[i]; negative: it fails. */
typedef struct clock {
    double ms[MAX_WAYS];
    int n_timed, n_enqueued;
    tuning *store;
} clock;

static double read_clock(void *user, const way *w)
{
    clock *c = user;
    c->n_timed++;
    return c->ms[w->algorithm[0]];
}

static way candidate(int i, size_t workspace_bytes)
{
    return (way){.kind = WAY_CUBLASLT, .algorithm = {(uint64_t)i}, .workspace_bytes = workspace_bytes};
}

static void test_fastest(void **state)
{
    (void)state;
    static const struct {
        const char *what;
        int n, want;
        double ms[4];
        size_t workspace[4];
    } cases[] = {
        {"one", 1, 0, {3}, {0}},
        {"the last", 4, 3, {3, 2, 4, 1}, {0, CAP, 0, 10}},
        {"equals: the first", 4, 1, {3, 2, 2, 2}, {0, 0, 0, 0}},
        {"over the cap, though fastest", 4, 2, {3, 1, 2, 0}, {0, CAP + 1, CAP, CAP + 1}},
        {"failing ones are passed over", 4, 1, {-1, 5, NAN, 7}, {0, 0, 0, 0}},
        {"infinite is no time", 2, 1, {INFINITY, 9}, {0, 0}},
        {"all fail", 3, -1, {-1, -1, NAN}, {0, 0, 0}},
        {"none", 0, -1, {0}, {0}},
    };
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        way ways[4];
        clock c = {.n_timed = 0};
        double best;
        for (int k = 0; k < 4; k++) {
            ways[k] = candidate(k, cases[i].workspace[k]);
            c.ms[k] = cases[i].ms[k];
        }
        int got = way_fastest(ways, cases[i].n, CAP, read_clock, &c, &best);
        printf("  %s: %d, %g ms, %d timed\n", cases[i].what, got, best, c.n_timed);
        assert_int_equal(got, cases[i].want);
        if (got >= 0)
            assert_true(best == cases[i].ms[got]);
    }
}

static const char *enqueue(void *what, const way *w, void *stream)
{
    clock *c = what;
    assert_ptr_equal(stream, &c->n_enqueued);
    c->n_enqueued++;
    return c->ms[w->algorithm[0]] < 0 ? "no" : NULL;
}

static double time_enqueued(void *user, void *stream, way_enqueue *run, void *what, const way *w)
{
    clock *c = what;
    (void)user;
    c->n_timed++;
    return run(what, w, stream) ? -1 : c->ms[w->algorithm[0]];
}

static int choose(const op_libraries *l, const char *key, const way *ways, int n, clock *c)
{
    return (int)(way_choose(l, key, ways, n, enqueue, c, &c->n_enqueued) - ways);
}

static void test_choose(void **state)
{
    (void)state;
    const way ways[] = {candidate(0, 5 * CAP), candidate(1, 100), candidate(2, 300), candidate(3, 0)};
    clock c = {.ms = {0, 7, 2, 3}};
    tuning *store = tuning_open(NULL, "a", "b");
    assert_non_null(store);
    op_libraries l = {.workspace_bytes = CAP,
                      .user = store,
                      .recall = tuning_recall,
                      .remember = tuning_remember,
                      .time_ms = time_enqueued};

    /* Without tuning: the first within the cap, and nothing is run. */
    assert_int_equal(choose(&l, "k", ways, 4, &c), 1);
    assert_int_equal(way_workspace(&l, "k", ways, 4), 100);
    assert_int_equal(c.n_timed, 0);

    /* Deterministic: the same, whatever else is asked. */
    l.tune = l.deterministic = 1;
    assert_int_equal(choose(&l, "k", ways, 4, &c), 1);
    assert_int_equal(c.n_timed, 0);

    /* Tuning: the fastest within the cap; memory for any of them; once. */
    l.deterministic = 0;
    assert_int_equal(way_workspace(&l, "k", ways, 4), 300);
    assert_int_equal(choose(&l, "k", ways, 4, &c), 2);
    assert_int_equal(c.n_timed, 3);
    assert_int_equal(c.n_enqueued, 3);
    c.ms[3] = 1;
    assert_int_equal(choose(&l, "k", ways, 4, &c), 2);
    assert_int_equal(c.n_timed, 3);

    /* What is known is used without tuning too, but not where it must not depend on time. */
    l.tune = 0;
    assert_int_equal(choose(&l, "k", ways, 4, &c), 2);
    assert_int_equal(way_workspace(&l, "k", ways, 4), 300);
    l.deterministic = 1;
    assert_int_equal(choose(&l, "k", ways, 4, &c), 1);
    l.deterministic = 0;

    /* A choice that is no candidate, or over the cap of today, is not taken. */
    assert_int_equal(choose(&l, "k", ways, 2, &c), 1);
    l.workspace_bytes = 200;
    assert_int_equal(choose(&l, "k", ways, 4, &c), 1);
    assert_int_equal(way_workspace(&l, "k", ways, 4), 100);

    /* All fail: as without tuning, and nothing is remembered. */
    l.tune = 1;
    clock broken = {.ms = {-1, -1, -1, -1}};
    assert_int_equal(choose(&l, "other", ways, 4, &broken), 1);
    assert_int_equal(tuning_count(store), 1);

    /* Zeroed settings: the first that needs no workspace. */
    assert_int_equal(choose(&(op_libraries){0}, "k", ways, 4, &c), 3);
    tuning_close(store);
}

/* ---- the file ----------------------------------------------------------------------------------------------------- */

static const char device[] = "Some GPU, sm_87", software[] = "driver 13.0, cuBLASLt 13.1.0, cuDNN none";
static const way known = {WAY_CUBLASLT, {1, 0xFEDCBA9876543210u, 3, 0, 5, 6, 7, UINT64_MAX}, 4096};

static void fill(const char *path)
{
    tuning *t = tuning_open(path, device, software);
    assert_non_null(t);
    assert_string_equal(tuning_note(t), "");
    tuning_remember(t, "linear \"7x8\"", &known, 0.25);
    tuning_remember(t, "linear own", &(way){.kind = WAY_OWN, .algorithm = {2}}, 0.5);
    tuning_remember(t, "linear own", &known, 0.1); /* known keys stay */
    tuning_close(t);
}

static void test_round_trip(void **state)
{
    (void)state;
    temp_dir d;
    char path[512];
    way w = {0};
    temp_dir_make(&d);
    temp_dir_file(&d, "tuning.json", path, sizeof path);
    fill(path);
    assert_int_equal(temp_dir_count(&d), 1); /* nothing else is left beside it */
    tuning *t = tuning_open(path, device, software);
    assert_string_equal(tuning_note(t), "");
    assert_int_equal(tuning_count(t), 2);
    assert_int_equal(tuning_recall(t, "linear \"7x8\"", &w), 1);
    assert_memory_equal(&w.algorithm, &known.algorithm, sizeof w.algorithm);
    assert_int_equal(w.kind, WAY_CUBLASLT);
    assert_int_equal(w.workspace_bytes, 4096);
    assert_int_equal(tuning_recall(t, "linear own", &w), 1);
    assert_int_equal(w.kind, WAY_OWN);
    assert_int_equal(w.algorithm[0], 2);
    assert_int_equal(tuning_recall(t, "unknown", &w), 0);
    assert_int_equal(tuning_uses(t, WAY_CUBLASLT), 1);
    assert_int_equal(tuning_uses(t, WAY_CUDNN), 0);
    tuning_close(t);
    temp_dir_remove(&d);
}

/* Other devices' choices are kept, outdated ones of the same device replaced; each is said. */
static void test_foreign(void **state)
{
    (void)state;
    temp_dir d;
    char path[512];
    way w;
    temp_dir_make(&d);
    temp_dir_file(&d, "tuning.json", path, sizeof path);
    fill(path);

    tuning *t = tuning_open(path, "Other GPU, sm_90", software);
    printf("  %s\n", tuning_note(t));
    assert_non_null(strstr(tuning_note(t), "another device"));
    assert_non_null(strstr(tuning_note(t), device));
    assert_int_equal(tuning_count(t), 0);
    tuning_remember(t, "x", &known, 1);
    tuning_close(t);

    t = tuning_open(path, device, software);
    assert_string_equal(tuning_note(t), "");
    assert_int_equal(tuning_count(t), 2);
    tuning_close(t);

    t = tuning_open(path, device, "driver 14.0");
    printf("  %s\n", tuning_note(t));
    assert_non_null(strstr(tuning_note(t), software));
    assert_non_null(strstr(tuning_note(t), "driver 14.0"));
    assert_int_equal(tuning_recall(t, "linear own", &w), 0);
    tuning_remember(t, "y", &known, 1);
    tuning_close(t);

    t = tuning_open(path, device, software); /* was replaced */
    assert_int_equal(tuning_count(t), 0);
    tuning_close(t);
    t = tuning_open(path, "Other GPU, sm_90", software);
    assert_string_equal(tuning_note(t), "");
    assert_int_equal(tuning_recall(t, "x", &w), 1);
    tuning_close(t);
    temp_dir_remove(&d);
}

/* Every length of the file, and texts that are not it: ignored with a note, and replaced by the next choice. */
static void test_damaged(void **state)
{
    (void)state;
    static const char *const bad[] = {
        "[]",
        "{\"format\": \"sambench tuning 2\", \"sets\": []}",
        "{\"format\": \"sambench tuning 1\", \"sets\": {}}",
        "{\"format\": \"sambench tuning 1\", \"sets\": [1]}",
        "{\"format\": \"sambench tuning 1\", \"sets\": [{\"device\": 1, \"software\": \"\", \"choices\": {}}]}",
        "{\"format\": \"sambench tuning 1\", \"sets\": [], \"sets\": []}",
        "\xFF\xFE not text",
    };
    static const char *const choices[] = {
        "{}",
        "{\"way\": \"magic\", \"algorithm\": [%s], \"workspace\": 0, \"ms\": 1}",
        "{\"way\": \"own\", \"algorithm\": [], \"workspace\": 0, \"ms\": 1}",
        "{\"way\": \"own\", \"algorithm\": [%s], \"workspace\": -1, \"ms\": 1}",
        "{\"way\": \"own\", \"algorithm\": [%s], \"workspace\": 1.5, \"ms\": 1}",
        "{\"way\": \"own\", \"algorithm\": [%s], \"workspace\": 0}",
        "{\"way\": \"own\", \"algorithm\": [0,0,0,0,0,0,0,0], \"workspace\": 0, \"ms\": 1}",
        ("{\"way\": \"own\", \"algorithm\": [\"-000000000000001\",\"\",\"\",\"\",\"\",\"\",\"\",\"\"], \"workspace\": 0, \"ms\": "
         "1}"),
    };
    static const char words[] = "\"0000000000000000\",\"0000000000000000\",\"0000000000000000\",\"0000000000000000\","
                                "\"0000000000000000\",\"0000000000000000\",\"0000000000000000\",\"0000000000000000\"";
    temp_dir d;
    char path[512], text[8192], choice[1024];
    temp_dir_make(&d);
    temp_dir_file(&d, "tuning.json", path, sizeof path);
    fill(path);
    FILE *f = fopen(path, "rb");
    size_t n = fread(text, 1, sizeof text, f);
    fclose(f);
    assert_in_range(n, 100, sizeof text - 1);
    for (size_t cut = 0; cut + 1 < n; cut++) {
        write_file(path, text, cut);
        tuning *t = tuning_open(path, device, software);
        if (!strstr(tuning_note(t), "is ignored") || tuning_count(t))
            fail_msg("cut at %zu of %zu: '%s', %d choices", cut, n, tuning_note(t), tuning_count(t));
        tuning_close(t);
    }
    printf("  each of %zu truncations is ignored with a note\n", n - 1);
    for (size_t i = 0; i < sizeof bad / sizeof *bad + sizeof choices / sizeof *choices; i++) {
        size_t k = i - sizeof bad / sizeof *bad;
        if (i < sizeof bad / sizeof *bad) {
            snprintf(text, sizeof text, "%s", bad[i]);
        } else {
            snprintf(choice, sizeof choice, choices[k], words);
            snprintf(text, sizeof text,
                     "{\"format\": \"sambench tuning 1\", \"sets\": [{\"device\": \"%s\", \"software\": \"%s\", "
                     "\"choices\": {\"k\": %s}}]}",
                     device, software, choice);
        }
        write_file(path, text, strlen(text));
        tuning *t = tuning_open(path, device, software);
        if (!strstr(tuning_note(t), "is ignored") || tuning_count(t))
            fail_msg("%s: '%s', %d choices", text, tuning_note(t), tuning_count(t));
        tuning_close(t);
    }
    tuning *t = tuning_open(path, device, software);
    tuning_remember(t, "new", &known, 1);
    tuning_close(t);
    t = tuning_open(path, device, software);
    assert_string_equal(tuning_note(t), "");
    assert_int_equal(tuning_count(t), 1);
    tuning_close(t);
    temp_dir_remove(&d);
}

static void test_no_file(void **state)
{
    (void)state;
    temp_dir d;
    char path[512];
    way w;
    temp_dir_make(&d);
    tuning *t = tuning_open(d.path, device, software); /* a folder */
    assert_non_null(strstr(tuning_note(t), "is ignored"));
    tuning_close(t);
    t = tuning_open(temp_dir_file(&d, "none/tuning.json", path, sizeof path), device, software);
    assert_string_equal(tuning_note(t), "");
    tuning_remember(t, "k", &known, 1);
    printf("  %s\n", tuning_note(t));
    assert_non_null(strstr(tuning_note(t), "cannot be written"));
    assert_int_equal(tuning_recall(t, "k", &w), 1); /* in this process it counts */
    tuning_close(t);
    tuning_close(NULL);
    temp_dir_remove(&d);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_fastest), cmocka_unit_test(test_choose),  cmocka_unit_test(test_round_trip),
        cmocka_unit_test(test_foreign), cmocka_unit_test(test_damaged), cmocka_unit_test(test_no_file),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
