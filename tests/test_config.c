/* Hostile metadata: every field missing, of the wrong type, out of range or at odds with another gives SAM_E_FORMAT or
 * SAM_E_ARG and a message, never a model. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <jansson.h>

#include "config.h"
#include "tiny_model.h"

#include <cmocka.h> /* after error.h: it makes a macro of `fail` */

static tiny_models models;

static int make(void **state)
{
    (void)state;
    tiny_models_make(&models);
    return 0;
}

static int clean(void **state)
{
    (void)state;
    tiny_models_remove(&models);
    return 0;
}

/* The model of `family` with other metadata, opened; the error's text, "" if it opened. `bare`: without tensors, for
 * metadata that must be refused before they are looked at. */
static const char *open_with(tiny_family family, int bare, const st_meta *meta, size_t n_meta, sam_status *status)
{
    static sam_error err;
    char path[300];
    st_file file;
    sam_model *m = (sam_model *)&err;
    err = (sam_error){0};
    temp_dir_file(&models.dir, "hostile", path, sizeof path);
    assert_int_equal(st_open(models.path[family], &file, &err), SAM_OK);
    tiny_file_write(path, file.tensors, bare ? 0 : file.n_tensors, meta, n_meta);
    st_close(&file);
    *status = sam_model_open(path, &(sam_model_options){.n_threads = 1}, &m, &err);
    if (*status == SAM_OK) {
        assert_non_null(m);
        sam_model_close(m);
        return "";
    }
    assert_null(m);
    assert_int_equal(err.status, *status);
    assert_true(strlen(err.text) > 10);
    return err.text;
}

static const char *open_config(tiny_family family, int bare, const char *config, sam_status *status)
{
    return open_with(family, bare, (st_meta[]){{"config", config}, {"family", "sam2"}, {"name", "x"}}, 3, status);
}

/* The family's configuration with `key` set to the JSON text `value`, or removed if NULL. */
static const char *open_changed(tiny_family family, int bare, const char *key, const char *value, sam_status *status)
{
    json_t *j = json_loads(tiny_config[family], 0, NULL);
    assert_non_null(j);
    if (value)
        assert_int_equal(json_object_set_new(j, key, json_loads(value, JSON_DECODE_ANY, NULL)), 0);
    else
        json_object_del(j, key);
    char *text = json_dumps(j, 0);
    const char *error = open_config(family, bare, text, status);
    free(text);
    json_decref(j);
    return error;
}

static void test_missing_metadata(void **state)
{
    (void)state;
    const st_meta all[] = {{"config", tiny_config[0]}, {"family", "sam2"}, {"name", "x"}};
    sam_status status;
    for (int drop = 0; drop < 3; drop++) {
        st_meta meta[2];
        for (int i = 0, n = 0; i < 3; i++)
            if (i != drop)
                meta[n++] = all[i];
        const char *text = open_with(TINY_SAM2, 1, meta, 2, &status);
        assert_int_equal(status, SAM_E_FORMAT);
        assert_non_null(strstr(text, "samconvert convert"));
    }
    printf("config: without each of config, family, name: SAM_E_FORMAT that names samconvert\n");
}

static void test_not_an_object(void **state)
{
    (void)state;
    static const char *const texts[] = {"",
                                        "{",
                                        "[]",
                                        "3",
                                        "null",
                                        "\"a\"",
                                        "{\"trunk\":\"hiera\",\"trunk\":\"hiera\"}",
                                        "{}",
                                        "{\"trunk\": 1}",
                                        "{\"trunk\": \"vit\"}",
                                        "{\"trunk\": \"hiera\"}",
                                        "nan",
                                        "{\"a\": 1e999}",
                                        "{\"a\": \"\\ud800\"}"};
    sam_status status;
    for (size_t i = 0; i < sizeof texts / sizeof *texts; i++) {
        open_config(TINY_SAM2, 1, texts[i], &status);
        assert_int_equal(status, SAM_E_FORMAT);
    }
    char *deep = malloc(100001);
    assert_non_null(deep);
    memset(deep, '[', 100000);
    deep[100000] = 0;
    open_config(TINY_SAM2, 1, deep, &status);
    assert_int_equal(status, SAM_E_FORMAT);
    free(deep);
    printf("config: %zu texts that are no configuration, and 100,000 open brackets: SAM_E_FORMAT\n",
           sizeof texts / sizeof *texts);
}

static void test_each_field(void **state)
{
    (void)state;
    static const char *const bad[] = {"\"x\"",
                                      "null",
                                      "1.5",
                                      "[]",
                                      "[1]",
                                      "{}",
                                      "-1",
                                      "1000000",
                                      "9223372036854775807",
                                      "[1, 2, 3, \"x\"]",
                                      "[1, 2, 3, -4]",
                                      "[100000, 1, 1, 1]",
                                      "[1, 1, 1, 1, 1]"};
    int n_tried = 0, n_optional = 0;
    sam_status status;
    for (int family = 0; family < TINY_COUNT; family++) {
        json_t *j = json_loads(tiny_config[family], 0, NULL);
        const char *key;
        json_t *value;
        json_object_foreach(j, key, value)
        {
            for (size_t i = 0; i < sizeof bad / sizeof *bad; i++, n_tried++) {
                /* The mask's scale and bias may be -1, blocks listed as global may be none, one or five. */
                int legal = (!strncmp(key, "sigmoid", 7) && !strcmp(bad[i], "-1")) ||
                            (!strcmp(key, "global_att_blocks") &&
                             (!strcmp(bad[i], "[]") || !strcmp(bad[i], "[1]") || !strcmp(bad[i], "[1, 1, 1, 1, 1]")));
                const char *text = open_changed((tiny_family)family, !legal, key, bad[i], &status);
                if (legal ? status != SAM_OK : status != SAM_E_FORMAT)
                    fail_msg("%s: %s = %s gave %d: %s", tiny_names[family], key, bad[i], (int)status, text);
                if (!legal && !strstr(text, key) && !strstr(text, "mem_dim"))
                    fail_msg("%s = %s: \"%s\" does not name the field", key, bad[i], text);
            }
            const char *text = open_changed((tiny_family)family, 0, key, NULL, &status);
            n_optional += status == SAM_OK;
            if (status != SAM_OK && status != SAM_E_FORMAT && status != SAM_E_ARG)
                fail_msg("%s without %s: %s", tiny_names[family], key, text);
        }
        json_decref(j);
    }
    printf("config: %d wrong values of single fields refused by name; %d fields may be absent\n", n_tried, n_optional);
}

/* Each field legal by itself, together not a model: an error from the graphs or the tensors, and no crash. */
static void test_contradictions(void **state)
{
    (void)state;
    static const struct {
        tiny_family family;
        const char *key, *value;
    } cases[] = {
        {TINY_SAM21, "num_heads", "3"},
        {TINY_SAM21, "num_heads", "64"},
        {TINY_SAM21, "embed_dim", "17"},
        {TINY_SAM21, "embed_dim", "1024"},
        {TINY_SAM21, "q_pool", "2"},
        {TINY_SAM21, "q_pool", "0"},
        {TINY_SAM21, "window_spec", "[5, 3, 7, 5]"},
        {TINY_SAM21, "window_spec", "[1, 1, 1, 1]"},
        {TINY_SAM21, "window_spec", "[64, 64, 64, 64]"},
        {TINY_SAM21, "stages", "[100, 100, 100, 100]"},
        {TINY_SAM21, "d_model", "64"},
        {TINY_SAM21, "d_model", "1024"},
        {TINY_SAM21, "d_model", "33"},
        {TINY_SAM21, "mem_dim", "12"},
        {TINY_SAM21, "mem_dim", "16"},
        {TINY_SAM21, "mem_dim", "1024"},
        {TINY_SAM21, "memory_attention_layers", "1"},
        {TINY_SAM21, "memory_attention_layers", "16"},
        {TINY_SAM21, "memory_attention_mlp", "64"},
        {TINY_SAM21, "num_maskmem", "1"},
        {TINY_SAM21, "image_size", "65"},
        {TINY_SAM21, "trunk", "\"repvit\""},
        {TINY_EDGETAM, "trunk", "\"hiera\""},
        {TINY_SAM21, "object_pointer_time_encoding", "false"},
        {TINY_SAM2, "no_obj_embed_spatial", "true"},
        {TINY_SAM21, "perceiver_latents", "4"},
        {TINY_SAM21, "perceiver_latents_2d", "4"},
        {TINY_EDGETAM, "perceiver_latents", "0"},
        {TINY_EDGETAM, "perceiver_latents", "4096"},
        {TINY_EDGETAM, "perceiver_latents_2d", "0"},
        {TINY_EDGETAM, "perceiver_latents_2d", "3"},
        {TINY_EDGETAM, "perceiver_latents_2d", "9"},
        {TINY_EDGETAM, "perceiver_latents_2d", "4096"},
        {TINY_EDGETAM, "perceiver_depth", "0"},
        {TINY_EDGETAM, "widths", "[8, 8, 8, 8]"},
        {TINY_EDGETAM, "widths", "[9, 11, 13, 17]"},
        {TINY_EDGETAM, "depths", "[100, 100, 100, 100]"},
    };
    sam_status status;
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        const char *text = open_changed(cases[i].family, 0, cases[i].key, cases[i].value, &status);
        if (status != SAM_E_FORMAT && status != SAM_E_ARG)
            fail_msg("%s: %s = %s gave %d: %s", tiny_names[cases[i].family], cases[i].key, cases[i].value, (int)status,
                     text);
    }
    printf("config: %zu legal values that contradict the tensors or each other are refused\n",
           sizeof cases / sizeof *cases);
}

static void test_long_names(void **state)
{
    (void)state;
    char *longest = malloc(70001);
    sam_status status;
    assert_non_null(longest);
    memset(longest, 'n', 70000);
    longest[70000] = 0;
    open_with(TINY_SAM2, 0, (st_meta[]){{"config", tiny_config[0]}, {"family", "sam2"}, {"name", longest}}, 3, &status);
    assert_int_equal(status, SAM_OK);
    const char *text = open_with(
        TINY_SAM2, 0, (st_meta[]){{"config", tiny_config[0]}, {"family", longest}, {"name", "x"}}, 3, &status);
    assert_int_equal(status, SAM_E_FORMAT);
    assert_non_null(strstr(text, "this build knows sam, sam2, edgetam"));
    free(longest);
    printf("config: names of 70,000 letters are cut, a family that is not there is refused\n");
}

int main(void)
{
    const struct CMUnitTest tests[] = {cmocka_unit_test(test_missing_metadata), cmocka_unit_test(test_not_an_object),
                                       cmocka_unit_test(test_each_field), cmocka_unit_test(test_contradictions),
                                       cmocka_unit_test(test_long_names)};
    return cmocka_run_group_tests(tests, make, clean);
}
