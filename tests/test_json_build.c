/* JSON that is put together without checks: whatever is missing from it is an error at the end, never a file without it. */
#include "json_build.h"

#include <math.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

static json_t *two(void)
{
    return json_pack("{s:i,s:i}", "a", 1, "b", 2);
}

static void what_fails_sticks(void **state)
{
    (void)state;
    json_t *object = two(), *array = json_array();
    json_put(&object, "c", NULL); /* as where memory ran out */
    json_add(&array, NULL);
    assert_true(!object && !array);
    json_put(&object, "d", json_integer(1));
    json_add(&array, json_integer(1));
    assert_true(!object && !array);
    object = two();
    json_put(&object, "lat\xe9in", json_integer(1));
    assert_null(object);
    assert_null(json_pack("{s:o}", "part", object));
}

static void objects_are_joined(void **state)
{
    (void)state;
    json_t *all = two();
    json_join(&all, json_pack("{s:i,s:i}", "b", 3, "c", 4));
    assert_int_equal(json_object_size(all), 3);
    assert_int_equal(json_integer_value(json_object_get(all, "b")), 3);
    json_join(&all, NULL);
    assert_null(all);
    json_join(&all, two());
    assert_null(all);
}

static void values_that_json_has_not(void **state)
{
    (void)state;
    json_t *text = json_text("lat\xe9in \xc3\xbc"), *none = json_figure(NAN), *x = json_figure(0.5);
    assert_string_equal(json_string_value(text), "lat\\xe9in \xc3\xbc");
    assert_true(json_is_null(none));
    assert_true(json_real_value(x) == 0.5);
    json_decref(text);
    json_decref(none);
    json_decref(x);
}

int main(void)
{
    const struct CMUnitTest tests[] = {cmocka_unit_test(what_fails_sticks), cmocka_unit_test(objects_are_joined),
                                       cmocka_unit_test(values_that_json_has_not)};
    return cmocka_run_group_tests(tests, NULL, NULL);
}
