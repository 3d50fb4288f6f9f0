/* The verb kernels: every call of a frame is in the list, with times, rates and sums that agree with each other. */
#include "backend.h"
#include "tap.h"
#include "tiny_model.h"
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

static double number(const json_t *j, const char *key)
{
    const json_t *x = json_object_get(j, key);
    if (!json_is_number(x))
        fail_msg("%s is not a number", key);
    return json_number_value(x);
}

static const char *text(const json_t *j, const char *key)
{
    assert_true(json_is_string(json_object_get(j, key)));
    return json_string_value(json_object_get(j, key));
}

static void close_to(double a, double b)
{
    if (!(fabs(a - b) <= 1e-9 * fmax(fabs(a), fabs(b))))
        fail_msg("%.12g is not %.12g", a, b);
}

#define LINE                                                                                                           \
    "kernels --models @/weights/tiny.safetensors --imgsz 64 --device cpu --threads 1 --runs 3 --warmup 2 --flush 1M "  \
    "--json @/k.json "

/* Rates follow from times and work; the frame is the sum of its calls. */
static void figures_agree(void **state)
{
    (void)state;
    double cold_us = 0, calls = 0, flops = 0;
    int n_attend = 0;
    verb_line(&result, &tree, 0, LINE);
    assert_non_null(strstr(result.text, "ceilings measured here: copy"));
    assert_non_null(strstr(result.text, "attention"));
    json_t *list = verb_json(&tree, "k.json"), *ceilings, *frame;
    assert_int_equal(json_array_size(list), 1);
    documented_keys(json_array_get(list, 0), "kernels.md", "`--json FILE` is a list");
    documented_fields(list, "kernels.md", NULL);
    const json_t *model = json_array_get(list, 0), *k;
    ceilings = json_object_get(model, "ceilings");
    frame = json_object_get(model, "frame");
    double copy = number(ceilings, "copy_GB_s"), product = number(ceilings, "product_TFLOP_s");
    assert_true(copy > 0 && product > 0);
    assert_string_equal(text(model, "precision"), "fp32");
    assert_string_equal(text(model, "backend"), "cpu");
    size_t i;
    json_array_foreach(json_object_get(model, "kernels"), i, k)
    {
        const json_t *cold = json_object_get(k, "cold"), *us = json_object_get(cold, "us");
        double median = number(us, "median"), gb = number(k, "MB") / 1e3, tflop = number(k, "GFLOP") / 1e3;
        assert_int_equal(number(us, "n"), 3);
        assert_true(median > 0 && number(us, "min") <= median && median <= number(us, "max"));
        assert_true(number(json_object_get(json_object_get(k, "warm"), "us"), "median") > 0);
        close_to(number(cold, "GB_s"), gb / median * 1e6);
        close_to(number(cold, "TFLOP_s"), tflop / median * 1e6);
        double memory = gb / copy, compute = tflop / product;
        close_to(number(cold, "share_of_roof"), fmax(memory, compute) * 1e6 / median);
        assert_string_equal(text(k, "roof"), compute > memory ? "compute" : "memory");
        assert_non_null(strstr(text(k, "shapes"), " -> "));
        cold_us += median * number(k, "calls_per_frame");
        flops += number(k, "GFLOP") * number(k, "calls_per_frame");
        calls += number(k, "calls_per_frame");
        n_attend += strstr(text(k, "graphs"), "attend") != NULL;
    }
    assert_true(i > 30 && n_attend > 5);
    close_to(number(frame, "cold_us"), cold_us);
    close_to(number(frame, "GFLOP"), flops);
    close_to(number(frame, "calls"), calls);
    close_to(number(frame, "distinct"), (double)i);
    printf("%d distinct calls of %.0f in a frame\n", (int)i, calls);
    json_decref(list);
}

/* Two objects are two batches everywhere but in the encoder. */
static void filter_and_objects(void **state)
{
    (void)state;
    verb_line(&result, &tree, 0, LINE "--filter attend --objects 2 --precision bf16 --top 1");
    assert_non_null(strstr(result.text, "more)"));
    json_t *list = verb_json(&tree, "k.json");
    const json_t *model = json_array_get(list, 0), *frame = json_object_get(model, "frame"), *k;
    size_t i, two = 0;
    assert_true(number(frame, "distinct") < number(frame, "distinct_before_filter"));
    json_array_foreach(json_object_get(model, "kernels"), i, k)
    {
        assert_non_null(strstr(text(k, "graphs"), "attend"));
        two += strstr(text(k, "shapes"), "bf16[2,") != NULL;
    }
    assert_true(two > 3);
    json_decref(list);
}

/* A frame whose calls run four times each ends in the same masks as one where they run once. */
static const char *four_times(void *user, const tap_call *c)
{
    const char *wrong = NULL;
    ++*(int *)user;
    for (int i = 0; i < 4 && !wrong; i++)
        wrong = c->b->api->run(c->b, c->op, c->call);
    return wrong;
}

static void calls_can_be_repeated(void **state)
{
    (void)state;
    enum { W = 80, H = 60, LOGITS = TINY_PX / 4 * TINY_PX / 4, FRAMES = 4 };
    static float once[LOGITS];
    tiny_models models;
    tiny_models_make(&models);
    for (int f = 0; f < TINY_COUNT; f++) {
        sam_model *m = tiny_open(models.path[f], &(sam_model_options){.image_px = TINY_PX});
        int n_calls = 0;
        for (int again = 0; again < 2; again++) {
            sam_session *s = tiny_session(m, (sam_session_options){.width_px = W, .height_px = H});
            sam_mask mask;
            sam_error err;
            if (again)
                session_tap(s, (tap){.user = &n_calls, .run = four_times});
            for (int t = 0; t < FRAMES; t++) {
                tiny_push(s, W, H, t);
                sam_point click = {30, 30, 1};
                if (!t)
                    assert_int_equal(sam_prompt(s, 1, &(sam_prompt_set){.points = &click, .n_points = 1}, &err),
                                     SAM_OK);
                assert_int_equal(sam_track(s, SAM_FORWARD, &err), SAM_OK);
            }
            assert_int_equal(sam_get_mask(s, 1, &mask, &err), SAM_OK);
            if (!again)
                memcpy(once, mask.logits, sizeof once);
            else
                assert_memory_equal(once, mask.logits, sizeof once);
            sam_session_close(s);
        }
        assert_true(n_calls > 100);
        printf("%s: %d calls, four times each: the same logits\n", tiny_names[f], n_calls);
        sam_model_close(m);
    }
    tiny_models_remove(&models);
}

static void wrong_use_is_told(void **state)
{
    (void)state;
    verb_says(&tree, 2, "--models NAMES is required", "kernels");
    verb_says(&tree, 2, "--runs", "kernels --models x --runs 0");
    verb_says(&tree, 2, "no model is called 'resnet'", "kernels --models resnet");
    verb_says(&tree, 1, "edgetam", "kernels --models edgetam --weights_dir @/weights");
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
        cmocka_unit_test(figures_agree),
        cmocka_unit_test(filter_and_objects),
        cmocka_unit_test(calls_can_be_repeated),
        cmocka_unit_test(wrong_use_is_told),
    };
    return cmocka_run_group_tests(tests, set_up, tear_down);
}
