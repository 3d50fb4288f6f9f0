/* --require: which limits are understood, and which rows fail them. */
#include "require.h"

#include <math.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

static const figures_column columns[] = {{"model", "model", FIGURES_TEXT, 0, 0},
                                         {"JandF", "J&F", 4, 1, 0},
                                         {"fps_median", "fps", 2, 1, 0},
                                         {"latency_ms", "ms", 1, 0, 0}};

static sam_status parse(requirements *r, const char *text, sam_error *err)
{
    return require_parse(r, text, columns, 4, err);
}

static void limits_are_read(void **state)
{
    (void)state;
    requirements r;
    sam_error err;
    assert_int_equal(parse(&r, NULL, &err), SAM_OK);
    assert_int_equal(r.n, 0);
    assert_int_equal(parse(&r, "JandF>=0.75, fps > 10,ms<=1e2", &err), SAM_OK);
    assert_int_equal(r.n, 3);
    assert_string_equal(r.at[1].key, "fps_median");
    assert_true(r.at[1].sign == 1 && r.at[1].strict && r.at[2].sign == -1 && !r.at[2].strict && r.at[2].limit == 100);
    static const char *const wrong[][2] = {
        {"JndF>=1", "the nearest is JandF"}, {"zzzzzzzz>=1", "there are JandF, fps_median, latency_ms"},
        {"model>=1", "there is no 'model'"}, {"fps", "is not a limit"},
        {"fps=10", "is not a limit"},        {"fps>=ten", "is not a limit"},
        {"fps>=10x", "is not a limit"},      {"fps=>10", "is not a limit"},
        {">=10", "is not a limit"},          {"fps>=nan", "is not a limit"},
        {"fps>=10,,ms<1", "is not a limit"}};
    for (size_t i = 0; i < sizeof wrong / sizeof *wrong; i++) {
        assert_int_equal(parse(&r, wrong[i][0], &err), SAM_E_ARG);
        printf("%s\n", err.text);
        assert_non_null(strstr(err.text, wrong[i][1]));
    }
}

static void add(figures *f, const char *model, double score, double fps, int no_best)
{
    figures_row(f, no_best);
    figures_word(f, "model", model);
    figures_number(f, "JandF", score);
    figures_number(f, "fps_median", fps);
}

static void rows_are_held_to_them(void **state)
{
    (void)state;
    static const char *const names[] = {"good", "slow", "absent"};
    figures f = {.columns = columns, .n_columns = 4};
    requirements r;
    char *said = NULL;
    size_t n_said;
    add(&f, "good", 0.8, 10, 0);
    add(&f, "slow", 0.7, 9, 0);
    add(&f, "unscored", NAN, 20, 0);
    add(&f, "baseline", 0.1, NAN, 1);
    assert_int_equal(parse(&r, "JandF>=0.75,fps>=10", NULL), SAM_OK);
    FILE *to = open_memstream(&said, &n_said);
    assert_non_null(to);
    assert_int_equal(require_check(&r, &f, names, 3, to), 3);
    fclose(to);
    printf("%s", said);
    assert_null(strstr(said, "good"));
    assert_null(strstr(said, "baseline"));
    assert_non_null(strstr(said, "slow: JandF>=0.75, but it is 0.7; fps>=10, but it is 9\n"));
    assert_non_null(strstr(said, "unscored: JandF>=0.75, but there is no figure\n"));
    assert_non_null(strstr(said, "absent: has no row\n"));
    free(said);
    assert_int_equal(parse(&r, "fps>10", NULL), SAM_OK); /* the limit itself does not do */
    assert_int_equal(require_check(&r, &f, names, 1, stdout), 2);
    assert_int_equal(parse(&r, NULL, NULL), SAM_OK);
    assert_int_equal(require_check(&r, &f, names, 3, stdout), 0);
    figures_free(&f);
}

int main(void)
{
    const struct CMUnitTest tests[] = {cmocka_unit_test(limits_are_read), cmocka_unit_test(rows_are_held_to_them)};
    return cmocka_run_group_tests(tests, NULL, NULL);
}
