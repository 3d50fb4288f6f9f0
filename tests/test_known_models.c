/* The catalogue of models: every row is found by each of its names, and no name leads to two rows. */
#include "known_models.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>

#include <cmocka.h>

/* Calls `each` for every name in a list parted by '|'. */
static void for_names(const char *list, const known_model *m, void (*each)(const char *name, const known_model *m))
{
    char name[64];
    for (const char *at = list; at && *at; at += strcspn(at, "|"), at += *at == '|') {
        snprintf(name, sizeof name, "%.*s", (int)strcspn(at, "|"), at);
        each(name, m);
    }
}

static void is_found(const char *name, const known_model *m)
{
    const known_model *found;
    sam_error err;
    if (known_model_find(name, &found, &err) != SAM_OK)
        fail_msg("%s: %s", name, err.text);
    if (found != m)
        fail_msg("%s is %s, not %s", name, found->name, m->name);
}

static void runs_only_as_one(const char *name, const known_model *m)
{
    for (size_t i = 0; i < n_known_models; i++)
        if (&known_models[i] != m && name_is_in(known_models[i].run_names, name, strlen(name)))
            fail_msg("%s is %s and %s", name, m->name, known_models[i].name);
}

static void rows_are_found_by_their_names(void **state)
{
    (void)state;
    for (size_t i = 0; i < n_known_models; i++) {
        const known_model *m = &known_models[i];
        is_found(m->name, m);
        for_names(m->other_names, m, is_found);
        for_names(m->run_names, m, runs_only_as_one);
        assert_ptr_equal(known_model_named(m->name), m);
        assert_true(m->run_names && m->family && m->version && m->image_px > 0);
    }
    printf("%zu models\n", n_known_models);
}

static void files_belong_to_one_row(void **state)
{
    (void)state;
    for (size_t i = 0; i < n_known_models; i++) {
        for (size_t k = 0; k < i; k++) {
            const known_model *a = &known_models[i], *b = &known_models[k];
            assert_true(!a->url || !b->url || strcmp(a->url, b->url));
            assert_true(!a->ultralytics || !b->ultralytics || strcmp(a->ultralytics, b->ultralytics));
            assert_true(!a->hub || !b->hub || strcmp(a->hub, b->hub));
        }
    }
}

static void names_for_people(void **state)
{
    (void)state;
    char text[400];
    known_model_names(0, "", text, sizeof text);
    assert_string_equal(text,
                        "sam2_{tiny,small,base,large}, sam2.0_{tiny,small,base,large}, edgetam, demo, edgetam_demo");
    known_model_names(1, "_mask", text, sizeof text);
    assert_non_null(strstr(text, "edgetam_demo_mask, sam_{b,l,h}_mask"));
    memset(text, 'x', sizeof text);
    known_model_names(1, "", text, 20); /* cut, never beyond the end */
    assert_int_equal(strlen(text), 19);
}

int main(void)
{
    const struct CMUnitTest tests[] = {cmocka_unit_test(rows_are_found_by_their_names),
                                       cmocka_unit_test(files_belong_to_one_row), cmocka_unit_test(names_for_people)};
    return cmocka_run_group_tests(tests, NULL, NULL);
}
