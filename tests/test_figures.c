/* Tables of figures: every format has the same figures, and text fits a terminal. */
#include "csv.h"
#include "figures.h"
#include "temp_tree.h"

#include <math.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

static const figures_column columns[] = {{"model", "model", FIGURES_TEXT, 0, 0},
                                         {"rows", "rows", 0, 0, 1},
                                         {"JandF", "J&F", 4, 1, 0},
                                         {"fps", "fps", 2, 1, 0},
                                         {"MiB", "MiB", 0, -1, 0},
                                         {"gpu", "GPU MiB", 0, -1, 0}};

static void fill(figures *f)
{
    static const struct {
        const char *name;
        double score, fps, mib;
        int is_baseline;
    } rows[] = {{"tiny|one", 0.75, 20, 100, 0}, {"large", 0.8, 5, 400, 0}, {"copy", 0.9, 1000, 1, 1}};
    *f = (figures){.columns = columns, .n_columns = 6};
    for (int i = 0; i < 3; i++) {
        figures_row(f, rows[i].is_baseline);
        figures_word(f, "model", rows[i].name);
        figures_number(f, "rows", 3);
        figures_number(f, "JandF", rows[i].score);
        figures_number(f, "fps", rows[i].fps);
        figures_number(f, "MiB", rows[i].mib);
    }
    figures_row(f, 0); /* a model that failed */
    figures_word(f, "model", "lost");
    figures_number(f, "fps", NAN);
    figures_number(f, "MiB", INFINITY);
}

/* What a table is in a format, for the caller to free. */
static char *written(const figures *f, figures_format format)
{
    char *text = NULL;
    size_t n;
    FILE *to = tmpfile(); /* it has a file number, as stdout */
    assert_non_null(to);
    assert_int_equal(figures_write(f, format, to, NULL), SAM_OK);
    n = (size_t)ftell(to);
    rewind(to);
    text = malloc(n + 1);
    assert_non_null(text);
    text[fread(text, 1, n, to)] = 0;
    fclose(to);
    return text;
}

static void formats_have_the_same_figures(void **state)
{
    (void)state;
    static const char *const expected[] = {
        "model     rows      J&F       fps   MiB\n"
        "tiny|one     3  0.7500     20.00*  100*\n"
        "large        3  0.8000*     5.00   400 \n"
        "copy         3  0.9000   1000.00     1 \n"
        "lost         -       -         -     - \n"
        "* best\n",
        "| model | rows | J&F | fps | MiB |\n"
        "| --- | ---: | ---: | ---: | ---: |\n"
        "| tiny\\|one | 3 | 0.7500 | **20.00** | **100** |\n"
        "| large | 3 | **0.8000** | 5.00 | 400 |\n"
        "| copy | 3 | 0.9000 | 1000.00 | 1 |\n"
        "| lost |  |  |  |  |\n",
        "[\n"
        " {\"model\": \"tiny|one\", \"rows\": 3, \"JandF\": 0.7500, \"fps\": 20.00, \"MiB\": 100, \"gpu\": null},\n"
        " {\"model\": \"large\", \"rows\": 3, \"JandF\": 0.8000, \"fps\": 5.00, \"MiB\": 400, \"gpu\": null},\n"
        " {\"model\": \"copy\", \"rows\": 3, \"JandF\": 0.9000, \"fps\": 1000.00, \"MiB\": 1, \"gpu\": null},\n"
        " {\"model\": \"lost\", \"rows\": null, \"JandF\": null, \"fps\": null, \"MiB\": null, \"gpu\": null}\n"
        "]\n",
        "model,rows,JandF,fps,MiB,gpu\n"
        "tiny|one,3,0.7500,20.00,100,\n"
        "large,3,0.8000,5.00,400,\n"
        "copy,3,0.9000,1000.00,1,\n"
        "lost,,,,,\n"};
    figures f;
    fill(&f);
    for (int k = FIGURES_TABLE; k <= FIGURES_CSV; k++) {
        char *text = written(&f, (figures_format)k);
        if (strcmp(text, expected[k]))
            fail_msg("expected:\n%sfound:\n%s", expected[k], text);
        printf("%s", text);
        free(text);
    }
    figures_free(&f);
    assert_int_equal(figures_format_of("json"), FIGURES_JSON);
    assert_int_equal(figures_format_of(NULL), FIGURES_TABLE);
}

static void text_fits_a_terminal(void **state)
{
    (void)state;
    static const figures_column wide[] = {{"model", "model", FIGURES_TEXT, 0, 0},
                                          {"a", "a column of twenty", 0, 0, 2},
                                          {"b", "another such column", 0, 0, 3},
                                          {"c", "a third of that kind", 0, 0, 0},
                                          {"d", "and the last of them", 0, 0, 1}};
    figures f = {.columns = wide, .n_columns = 5};
    figures_row(&f, 0);
    figures_word(&f, "model", "sam2.0_large_points");
    for (int c = 1; c < 5; c++)
        figures_number(&f, wide[c].key, c);
    char *text = written(&f, FIGURES_TABLE);
    for (const char *at = text; *at; at += strcspn(at, "\n") + 1)
        assert_true(strcspn(at, "\n") <= FIGURES_WIDTH);
    assert_null(strstr(text, "another such column")); /* the first to go, then the next */
    assert_null(strstr(text, "a column of twenty") && strstr(text, "and the last") ? text : NULL);
    assert_non_null(strstr(text, "a third of that kind"));
    assert_non_null(strstr(text, "columns that do not fit 80 are in the file"));
    free(text);
    text = written(&f, FIGURES_CSV);
    assert_string_equal(text, "model,a,b,c,d\nsam2.0_large_points,1,2,3,4\n");
    free(text);
    figures_free(&f);
}

static void a_file_has_them_too(void **state)
{
    (void)state;
    temp_tree tree;
    figures f;
    csv_table t = {0};
    sam_error err;
    tree_open(&tree);
    fill(&f);
    assert_int_equal(figures_save(&f, tree_path(&tree, "m.csv"), &err), SAM_OK);
    assert_int_equal(csv_read(&t, tree_path(&tree, "m.csv"), &err), SAM_OK);
    assert_int_equal(t.n_rows, 4);
    assert_true(csv_number(&t, 1, "JandF") == 0.8);
    csv_close(&t);
    figures_free(&f);
    tree_close(&tree);
}

int main(void)
{
    const struct CMUnitTest tests[] = {cmocka_unit_test(formats_have_the_same_figures),
                                       cmocka_unit_test(text_fits_a_terminal), cmocka_unit_test(a_file_has_them_too)};
    return cmocka_run_group_tests(tests, NULL, NULL);
}
