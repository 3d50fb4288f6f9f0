/* The names --models takes. */
#include "model_list.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>

#include <cmocka.h>

static void reads_names(void **state)
{
    (void)state;
    sam_error err;
    model_list l = {0};
    assert_int_equal(
        model_list_parse("sam2_tiny_points,sam2_base_bbox, sam2.0_large_mask edgetam_points", MODELS_ONLY, &l, &err),
        SAM_OK);
    assert_int_equal(l.n, 4);
    assert_string_equal(l.entries[0].checkpoint, "sam2.1_hiera_tiny");
    assert_int_equal(l.entries[0].ask, ASK_POINTS);
    assert_string_equal(l.entries[1].checkpoint, "sam2.1_hiera_base_plus");
    assert_int_equal(l.entries[1].ask, ASK_BBOX);
    assert_string_equal(l.entries[2].checkpoint, "sam2_hiera_large");
    assert_int_equal(l.entries[2].ask, ASK_MASK);
    assert_string_equal(l.entries[3].checkpoint, "edgetam");
    model_list_free(&l);
}

/* As the scripts have them: sam2_tiny means its prompts, _box is _bbox. */
static void old_names_are_taken(void **state)
{
    (void)state;
    static const char *const names[] = {"sam2_tiny_points", "sam2_tiny_bbox", "edgetam_bbox", "sam2.0_large_points",
                                        "sam2.0_large_bbox"};
    sam_error err;
    model_list l = {0};
    assert_int_equal(model_list_parse("sam2_tiny,sam2_tiny_box,edgetam_box,sam2.0_large", MODELS_ONLY, &l, &err),
                     SAM_OK);
    assert_int_equal(l.n, 5);
    for (int i = 0; i < l.n; i++)
        assert_string_equal(l.entries[i].name, names[i]);
    model_list_free(&l);
}

static void files_have_names_of_the_users(void **state)
{
    (void)state;
    static const struct {
        const char *line, *says;
    } wrong[] = {{"sam2_tiny=a.pt:points", "sam2_tiny is a model already"},
                 {"sam2.1_hiera_tiny=a.pt", "is a model already"},
                 {"a=b.pt,a=c.pt", "a is given for two files"},
                 {"a=", "names no file"},
                 {"a=:points", "names no file"},
                 {"a/b=c.pt", "'a/b' is no name for a file"},
                 {"=c.pt", "is no name for a file"},
                 {"a23456789012345678901234=c.pt", "is no name for a file"}};
    sam_error err;
    char text[64];
    model_list l = {0};
    assert_int_equal(model_list_parse("old=runs/a.pt:points,new=C:/b.pt,old=runs/a.pt:mask", MODELS_ONLY, &l, &err),
                     SAM_OK);
    assert_int_equal(l.n, 4);
    assert_string_equal(l.entries[0].name, "old_points");
    assert_string_equal(l.entries[0].file, "runs/a.pt");
    assert_null(model_entry_holds(&l.entries[0]));
    assert_string_equal(l.entries[1].name, "new_points");
    assert_string_equal(l.entries[2].name, "new_bbox");
    assert_string_equal(l.entries[2].file, "C:/b.pt");
    assert_int_equal(l.entries[3].ask, ASK_MASK);
    assert_int_equal(model_list_px(&l), 1024);
    model_entry_text(&l.entries[2], text, sizeof text);
    assert_string_equal(text, "new=C:/b.pt:bbox");
    model_list_free(&l);
    for (size_t i = 0; i < sizeof wrong / sizeof *wrong; i++) {
        assert_int_equal(model_list_parse(wrong[i].line, MODELS_ONLY, &l, &err), SAM_E_ARG);
        printf("%s: %s\n", wrong[i].line, err.text);
        assert_non_null(strstr(err.text, wrong[i].says));
        model_list_free(&l);
    }
}

static void the_nearest_name_is_told(void **state)
{
    (void)state;
    static const char *const cases[][2] = {{"sam2_tinny_points", "the nearest is sam2_tiny_points"},
                                           {"edgtam", "the nearest is edgetam;"},
                                           {"sam2-large-bbox", "the nearest is sam2_large_bbox"},
                                           {"baseline_color", "the nearest is baseline_colour"}};
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        sam_error err;
        model_list l = {0};
        assert_int_equal(model_list_parse(cases[i][0], MODELS_AND_BASELINES, &l, &err), SAM_E_ARG);
        assert_non_null(strstr(err.text, cases[i][1]));
        model_list_free(&l);
    }
    sam_error err;
    model_list l = {0};
    assert_int_equal(model_list_parse("xyzzy", MODELS_ONLY, &l, &err), SAM_E_ARG);
    assert_null(strstr(err.text, "nearest"));
    model_list_free(&l);
}

static void aliases_count_once(void **state)
{
    (void)state;
    sam_error err;
    model_list l = {0};
    assert_int_equal(model_list_parse("sam2.1_small_bbox,sam2_small_bbox,,sam2_small_mask", MODELS_ONLY, &l, &err),
                     SAM_OK);
    assert_int_equal(l.n, 2);
    assert_string_equal(l.entries[0].name, "sam2_small_bbox");
    assert_string_equal(l.entries[1].name, "sam2_small_mask");
    model_list_free(&l);
}

static void baselines_where_they_are_taken(void **state)
{
    (void)state;
    sam_error err;
    model_list l = {0};
    assert_int_equal(model_list_parse("baseline_colour,demo_bbox,baseline_copy", MODELS_AND_BASELINES, &l, &err),
                     SAM_OK);
    assert_int_equal(l.n, 3);
    assert_true(l.entries[0].follows == BASELINE_COLOR && !l.entries[0].checkpoint && l.entries[0].ask == ASK_MASK);
    assert_true(l.entries[1].follows == BASELINE_NONE);
    assert_string_equal(l.entries[1].checkpoint, "sam2.1_hiera_demo");
    assert_true(l.entries[2].follows == BASELINE_COPY);
    model_list_free(&l);
    assert_int_equal(model_list_parse("edgetam_demo_points,demo_edgetam_points", MODELS_ONLY, &l, &err), SAM_OK);
    assert_int_equal(l.n, 1);
    assert_string_equal(l.entries[0].checkpoint, "edgetam_demo");
    model_list_free(&l);
    assert_int_equal(model_list_parse("demo_mask,baseline_copy", MODELS_ONLY, &l, &err), SAM_E_ARG);
    assert_non_null(strstr(err.text, "baseline_copy is no model"));
    model_list_free(&l);
}

static void knows_the_size_models_were_made_for(void **state)
{
    (void)state;
    static const struct {
        const char *names;
        int px;
    } lists[] = {{"demo_points,demo_mask", 256},
                 {"demo_points,edgetam_points", 1024},
                 {"sam2_tiny_bbox", 1024},
                 {"edgetam_demo_points", 256},
                 {"edgetam_demo_points,demo_bbox", 256}};
    for (size_t i = 0; i < sizeof lists / sizeof *lists; i++) {
        model_list l = {0};
        assert_int_equal(model_list_parse(lists[i].names, MODELS_ONLY, &l, NULL), SAM_OK);
        assert_int_equal(model_list_px(&l), lists[i].px);
        model_list_free(&l);
    }
}

/* SAM v1 where a verb only encodes or prompts pictures. */
static void models_of_images_do_not_track(void **state)
{
    (void)state;
    sam_error err;
    model_list l = {0};
    assert_int_equal(model_list_parse("sam_b_points,sam_vit_h_bbox", MODELS_OF_IMAGES, &l, &err), SAM_OK);
    assert_int_equal(l.n, 2);
    assert_string_equal(l.entries[0].checkpoint, "sam_vit_b");
    assert_string_equal(l.entries[1].name, "sam_h_bbox");
    model_list_free(&l);
    assert_int_equal(model_list_parse("sam_b_points", MODELS_AND_BASELINES, &l, &err), SAM_E_ARG);
    printf("%s\n", err.text);
    assert_non_null(strstr(err.text, "SAM v1 tracks no video; sam2_tiny does"));
    model_list_free(&l);
}

static void refuses(void **state)
{
    (void)state;
    static const char *const wrong[] = {
        "sam2_huge_points",  "edgetam_tiny_points", "points",           "_points",
        "sam2_tiny_points_", "sam2_tinypoints",     "SAM2_tiny_points", "sam2_tiny_points,x",
        "baseline",          "baseline_copy_points"};
    for (size_t i = 0; i < sizeof wrong / sizeof *wrong; i++) {
        sam_error err;
        model_list l = {0};
        assert_int_equal(model_list_parse(wrong[i], MODELS_AND_BASELINES, &l, &err), SAM_E_ARG);
        assert_non_null(strstr(err.text, "edgetam_{points,bbox,mask}"));
        model_list_free(&l);
    }
    sam_error err;
    model_list l = {0};
    assert_int_equal(model_list_parse(" , ", MODELS_ONLY, &l, &err), SAM_E_ARG);
    model_list_free(&l);
}

int main(void)
{
    const struct CMUnitTest tests[] = {cmocka_unit_test(reads_names),
                                       cmocka_unit_test(old_names_are_taken),
                                       cmocka_unit_test(files_have_names_of_the_users),
                                       cmocka_unit_test(the_nearest_name_is_told),
                                       cmocka_unit_test(aliases_count_once),
                                       cmocka_unit_test(baselines_where_they_are_taken),
                                       cmocka_unit_test(knows_the_size_models_were_made_for),
                                       cmocka_unit_test(models_of_images_do_not_track),
                                       cmocka_unit_test(refuses)};
    return cmocka_run_group_tests(tests, NULL, NULL);
}
