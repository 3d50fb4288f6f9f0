/* The verb speed: every configuration and component is in the table, and what cannot run is said. */
#include "verb_line.h"

#include <math.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

static temp_tree tree;
static command_result result;

#define TABLE "speed.md", "# What `sambench speed` writes"
static const char *const parts[] = {
    "frame", "image_encoder", "prompt_encoder", "mask_decoder", "memory_attention", "memory_encoder", "resize", "post"};

static void every_configuration_is_measured(void **state)
{
    (void)state;
    verb_line(&result, &tree, 0,
              "speed --models sam2_tiny --weights_dir @/weights --sizes 64,128 --objects 1 2 --runs 3 "
              "--warmup 2 --width 160 --height 90 --threads 1 --csv @/s.csv --json @/s.json");
    assert_non_null(strstr(result.text, "attention"));
    csv_table t = documented_table(&tree, "s.csv", TABLE);
    assert_int_equal(t.n_rows, 4 * 8);
    for (int i = 0; i < t.n_rows; i++) {
        assert_string_equal(table_cell(&t, i, "component"), parts[i % 8]);
        assert_string_equal(table_cell(&t, i, "status"), "ok");
        assert_int_equal(table_number(&t, i, "imgsz"), i < 16 ? 64 : 128);
        assert_int_equal(table_number(&t, i, "objects"), i / 8 % 2 ? 2 : 1);
        assert_int_equal(table_number(&t, i, "n"), 3);
        assert_true(table_number(&t, i, "mean_ms") >= table_number(&t, i, "min_ms"));
        assert_true(table_number(&t, i, "weights_MiB") > 10 && table_number(&t, i, "peak_rss_MiB") > 10);
    }
    /* The encoder works for all objects at once, the rest for each. */
    double encoder_1 = table_number(&t, 1, "GFLOP"), encoder_2 = table_number(&t, 9, "GFLOP");
    double decoder_1 = table_number(&t, 3, "GFLOP"), decoder_2 = table_number(&t, 11, "GFLOP");
    assert_true(fabs(encoder_1 - encoder_2) < 1e-6 && encoder_1 > 0);
    assert_true(decoder_2 > 1.5 * decoder_1);
    assert_true(table_number(&t, 8, "state_MiB") > table_number(&t, 0, "state_MiB"));
    csv_close(&t);
    json_t *json = verb_json(&tree, "s.json");
    assert_int_equal(json_array_size(json), 4);
    json_t *first = json_array_get(json, 0), *ms = json_object_get(first, "ms");
    for (int k = 0; k < 8; k++)
        assert_true(json_is_number(json_object_get(json_object_get(ms, parts[k]), "median")));
    assert_true(json_integer_value(json_object_get(json_object_get(first, "bytes"), "scratch")) > 0);
    static const char *const components[] = {"ms", NULL};
    documented_fields(json, "speed.md", components);
    json_decref(json);
}

/* A is half the size of B, which no noise hides; B is this same program, which is not slower for sure. */
static void two_are_compared_in_turn(void **state)
{
    (void)state;
#define AB                                                                                                             \
    "speed --models sam2_tiny --weights_dir @/weights --sizes 64 --runs 2 --warmup 1 --width 160 --height 90 --threads 1 "
    verb_line(&result, &tree, 0, AB "--csv @/ab.csv --json @/ab.json --ab='--sizes 256'");
    assert_non_null(strstr(result.text, "B is slower"));
    csv_table t = documented_table(&tree, "ab.csv", "speed.md", "**speed_ab.csv**");
    assert_true(t.n_rows >= 4 && t.n_rows <= 8);
    for (int i = 0; i < t.n_rows; i++) {
        assert_string_equal(table_cell(&t, i, "first"), i % 2 ? "B" : "A");
        assert_true(table_number(&t, i, "a_ms") < table_number(&t, i, "b_ms"));
    }
    csv_close(&t);
    json_t *json = verb_json(&tree, "ab.json");
    documented_fields(json, "speed.md", NULL);
    assert_true(json_is_true(json_object_get(json, "differs")));
    assert_true(json_real_value(json_object_get(json, "low_percent")) > 0);
    json_decref(json);
    verb_line(&result, &tree, 0, AB "--csv @/ab.csv --ab_pairs 4 --ab " BUILD_DIR "/sambench");
    assert_non_null(strstr(result.text, "of 4 pairs"));
    csv_table kept = documented_table(&tree, "ab.previous.csv", "speed.md", "**speed_ab.csv**");
    csv_close(&kept);
    verb_says(&tree, 2, "no program", AB "--csv @/ab.csv --ab @/nowhere");
    verb_says(&tree, 2, "B ended with exit status 2", AB "--csv @/ab.csv --ab='--no_such_flag 1'");
    verb_says(&tree, 2, "compares one configuration", AB "--csv @/ab.csv --ab='--sizes 64,96'");
}

static void what_cannot_run_is_a_row(void **state)
{
    (void)state;
    verb_line(&result, &tree, 1,
              "speed --models @/weights/tiny.safetensors --sizes 64 --precisions fp32 --objects 1 --runs 1 "
              "--mem_limit 1M --threads 1 --csv @/no.csv --quiet");
    csv_table t = documented_table(&tree, "no.csv", TABLE);
    assert_int_equal(t.n_rows, 1);
    assert_string_equal(table_cell(&t, 0, "mean_ms"), "");
    assert_string_not_equal(table_cell(&t, 0, "status"), "ok");
    csv_close(&t);
}

static void wrong_use_is_told(void **state)
{
    (void)state;
    verb_says(&tree, 2, "--models NAMES is required", "speed");
    verb_says(&tree, 2, "--sizes: 'abc'", "speed --models x --sizes abc");
    verb_says(&tree, 2, "--precisions: 'int8'", "speed --models x --precisions int8");
    verb_says(&tree, 2, "no model is called 'resnet'", "speed --models resnet --csv @/x.csv");
}

static int set_up(void **state)
{
    (void)state;
    tree_open(&tree);
    sav_weights_make(&tree);
    return 0;
}

static int tear_down(void **state)
{
    (void)state;
    tree_close(&tree);
    return 0;
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(every_configuration_is_measured),
        cmocka_unit_test(two_are_compared_in_turn),
        cmocka_unit_test(what_cannot_run_is_a_row),
        cmocka_unit_test(wrong_use_is_told),
    };
    return cmocka_run_group_tests(tests, set_up, tear_down);
}
