/* The engine's timing tap, and the verb profile as its users start it: every file it writes, and --external. */
#include "verb_line.h"

#include "tap.h"
#include "tiny_model.h"

#include <math.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cmocka.h>

static temp_tree tree;
static command_result result;

#define PROFILE "profile --models sam2_tiny_points --weights_dir @/weights --imgsz 128 --threads 1 "

/* ---- the tap ---- */

typedef struct seen {
    int n_nodes, depth, n_graphs, n_linear;
    double ms, last_start, linear_flops, attention_flops;
} seen;

static void on_node(void *user, const tap_node *n)
{
    seen *s = user;
    s->n_nodes++;
    s->ms += n->ms;
    assert_int_equal(s->depth, 1);
    assert_true(n->ms >= 0 && n->start_ms >= s->last_start);
    s->last_start = n->start_ms;
    s->n_linear += !strcmp(n->op, "linear");
    s->linear_flops += strcmp(n->op, "linear") ? 0 : n->cost.flops;
    if (!strcmp(n->graph, "attend") && !strcmp(n->op, "attention"))
        s->attention_flops += n->cost.flops;
    assert_true(n->cost.bytes_written > 0);
}

static void on_graph(void *user, const char *graph, int begins)
{
    seen *s = user;
    assert_true(graph[0]);
    s->depth += begins ? 1 : -1;
    s->n_graphs += begins;
}

static void operators_are_timed(void **state)
{
    (void)state;
    tiny_models models;
    tiny_models_make(&models);
    sam_model *m = tiny_open(models.path[TINY_SAM21], NULL);
    sam_session *s = tiny_session(m, (sam_session_options){.width_px = 64, .height_px = 48});
    sam_error err;
    seen first = {0}, later = {0};
    session_tap(s, (tap){.user = &first, .timed = on_node, .span = on_graph});
    for (int t = 0; t < 4; t++) {
        if (t)
            session_tap(s, (tap){.user = t == 1 ? &first : &later, .timed = on_node, .span = on_graph});
        if (t == 3)
            later = (seen){0};
        if (t == 1)
            first = (seen){0};
        tiny_push(s, 64, 48, t);
        if (t == 0)
            assert_int_equal(
                sam_prompt(s, 1, &(sam_prompt_set){.points = &(sam_point){20, 20, 1}, .n_points = 1}, &err), SAM_OK);
        else
            assert_int_equal(sam_track(s, SAM_FORWARD, &err), SAM_OK);
    }
    assert_int_equal(later.depth, 0);
    assert_int_equal(later.n_graphs, 7); /* encode, attend, src, decode, choose, keep, remember */
    assert_int_equal(later.n_nodes, first.n_nodes);
    assert_true(later.n_linear > 0 && later.linear_flops > 0 && later.ms > 0);
    assert_true(later.linear_flops == first.linear_flops);
    /* Three memories instead of one: attention is counted by what it attends to. */
    assert_true(later.attention_flops > first.attention_flops);
    sam_session_close(s);
    sam_model_close(m);
    tiny_models_remove(&models);
}

/* ---- the files ---- */

static const char *const stages[] = {"frame",          "encode", "memory_attention", "mask_decoder",
                                     "memory_encoder", "post",   "frame_decode"};

static void check_summary(void)
{
    json_t *machine = verb_json(&tree, "out/machine.json");
    documented_keys(machine, "report.md", "machine.json has");
    json_decref(machine);
    csv_table t = documented_table(&tree, "out/profile_summary.csv", "profile.md", "**profile_summary.csv**");
    double sum = 0;
    assert_int_equal(t.n_rows, 7);
    for (int i = 0; i < 7; i++) {
        assert_string_equal(table_cell(&t, i, "stage"), stages[i]);
        assert_int_equal(table_number(&t, i, "n"), 2 * 2); /* two runs, frames 7 and 8 of 9 */
        assert_true(table_number(&t, i, "min_ms") <= table_number(&t, i, "median_ms"));
        assert_true(table_number(&t, i, "median_ms") <= table_number(&t, i, "max_ms"));
        assert_string_equal(table_cell(&t, i, "p95_ms"), ""); /* of four frames there is none */
        sum += i && i < 6 ? table_number(&t, i, "share") : 0;
    }
    assert_true(sum > 0.3 && sum < 1.05);
    assert_string_equal(table_cell(&t, 6, "share"), "");
    csv_close(&t);
}

static void check_runs(void)
{
    csv_table t = documented_table(&tree, "out/profile_runs.csv", "profile.md", "**profile_runs.csv**");
    assert_int_equal(t.n_rows, 2); /* two runs of one object */
    for (int i = 0; i < t.n_rows; i++) {
        assert_int_equal(table_number(&t, i, "run"), i + 1);
        assert_int_equal(table_number(&t, i, "frames"), 9);
        assert_true(fabs(table_number(&t, i, "fps") * table_number(&t, i, "latency_ms") - 1000) < 5);
        assert_true(table_number(&t, i, "encode_ms") > 0 && table_number(&t, i, "cpu_peak_rss_MiB") > 10);
    }
    csv_close(&t);
}

static void check_roofline(void)
{
    csv_table t = documented_table(&tree, "out/profile_roofline.csv", "profile.md", "**profile_roofline.csv**");
    double share = 0;
    assert_true(t.n_rows > 10);
    for (int i = 0; i < t.n_rows; i++) {
        double ms = table_number(&t, i, "ms");
        share += table_number(&t, i, "share");
        assert_true(ms >= 0 && table_number(&t, i, "calls") > 0 && table_number(&t, i, "peak_GFLOP_s") > 0);
        if (ms > 0.1)
            assert_true(fabs(table_number(&t, i, "GFLOP") / ms * 1e3 - table_number(&t, i, "GFLOP_s")) <
                        0.01 * table_number(&t, i, "GFLOP_s") + 0.1);
    }
    assert_true(fabs(share - 1) < 0.01);
    csv_close(&t);
}

static void check_stats(void)
{
    json_t *json = verb_json(&tree, "out/profile_stats.json"), *ms, *frame;
    json_t *m = json_object_get(json_object_get(json, "models"), "sam2_tiny_points");
    assert_non_null(m);
    assert_true(json_is_true(json_object_get(m, "full_bank")));
    assert_int_equal(json_integer_value(json_object_get(m, "profile_runs")), 2);
    assert_int_equal(json_integer_value(json_object_get(m, "operator_frames")), 2);
    assert_true(json_integer_value(json_object_get(json_object_get(m, "planned_bytes"), "weights")) > 0);
    assert_true(json_real_value(json_object_get(json_object_get(m, "peaks"), "copy_GB_s")) > 0);
    ms = json_object_get(m, "ms");
    for (int i = 0; i < 7; i++) {
        static const char *const fields[] = {"n", "mean", "median", "stddev", "min", "max"};
        for (int k = 0; k < 6; k++)
            assert_true(json_is_number(json_object_get(json_object_get(ms, stages[i]), fields[k])));
        assert_true(json_is_null(json_object_get(json_object_get(ms, stages[i]), "p99")));
    }
    frame = json_object_get(ms, "frame");
    assert_true(
        fabs(json_real_value(json_object_get(m, "fps")) * json_real_value(json_object_get(frame, "mean")) - 1000) < 1);
    static const char *const named[] = {"models", "ms", NULL};
    documented_fields(json, "profile.md", named);
    json_decref(json);
}

/* Every operator's slice lies within a frame's. */
static void check_trace(void)
{
    json_t *json = verb_json(&tree, "out/trace_sam2_tiny_points.json"), *event;
    size_t i, n_frames = 0, n_ops = 0;
    double frame_end[16] = {0}, frame_start[16] = {0};
    json_array_foreach(json_object_get(json, "traceEvents"), i, event)
    {
        const char *category = json_string_value(json_object_get(event, "cat"));
        if (!category)
            continue;
        int frame = (int)json_integer_value(json_object_get(json_object_get(event, "args"), "frame"));
        double ts = json_number_value(json_object_get(event, "ts")),
               dur = json_number_value(json_object_get(event, "dur"));
        assert_string_equal(json_string_value(json_object_get(event, "ph")), "X");
        assert_true(frame >= 0 && frame < 9 && ts >= 0 && dur >= 0);
        if (!strcmp(category, "frame")) {
            frame_start[frame] = ts;
            frame_end[frame] = ts + dur;
            n_frames++;
        } else if (!strcmp(category, "op")) {
            assert_true(ts >= frame_start[frame] - 0.01 && ts + dur <= frame_end[frame] + 0.01);
            n_ops++;
        }
    }
    assert_int_equal(n_frames, 9);
    assert_true(n_ops > 9 * 20);
    json_decref(json);
}

static void files_are_complete(void **state)
{
    (void)state;
    sav_video_make(&tree, "split", "clip", 9);
    verb_line(&result, &tree, 0, PROFILE "--split_dir @/split --profile_runs 2 --out_dir @/out");
    assert_non_null(strstr(result.text, "memory_attention"));
    assert_non_null(strstr(result.text, "GFLOP/s"));
    check_summary();
    check_runs();
    check_roofline();
    check_stats();
    check_trace();
}

static void test_mode_makes_its_clip(void **state)
{
    (void)state;
    verb_line(&result, &tree, 0, PROFILE "--test_mode --out_dir @/made");
    assert_non_null(strstr(result.text, "memory_attention"));
    assert_int_equal(access(tree_path(&tree, "made/test_split/Annotations_6fps/medium_0000/001/00007.png"), R_OK), 0);
}

static void other_tools_run_the_same_command(void **state)
{
    (void)state;
    setenv("PATH", "/nowhere-with-tools:/usr/bin:/bin", 1);
    tree_text(&tree, "fake_nsys", "#!/bin/sh\necho \"under: $*\"\nexit 3\n");
    assert_int_equal(chmod(tree_path(&tree, "fake_nsys"), 0755), 0);
    setenv("NSYS_CMD", tree_path(&tree, "fake_nsys"), 1);
    verb_line(&result, &tree, 3, PROFILE "--test_mode --external --external_tool nsys --out_dir @/ext");
    assert_non_null(strstr(result.text, "under: profile --trace=cuda,nvtx,osrt"));
    assert_non_null(strstr(result.text, "sambench profile --models sam2_tiny_points"));
    assert_null(strstr(result.text, "--external"));
    setenv("NSYS_CMD", tree_path(&tree, "no_such"), 1);
    setenv("NCU_CMD", tree_path(&tree, "no_such"), 1);
    verb_says(&tree, 1, "no profiler is here", PROFILE "--test_mode --external --out_dir @/ext");
}

static void wrong_use_is_told(void **state)
{
    (void)state;
    /* A clip of the prompted frame alone has nothing to time; no file is named that is not there. */
    sav_video_make(&tree, "one", "clip", 1);
    verb_line(&result, &tree, 1, PROFILE "--split_dir @/one --out_dir @/one_out");
    assert_non_null(strstr(result.text, "no frame to track after the prompted one"));
    assert_null(strstr(result.text, "profile_summary.csv"));
    verb_says(&tree, 2, "--split_dir is missing", PROFILE "--out_dir @/none");
    verb_says(&tree, 2, "no model is called 'resnet'", "profile --test_mode --models resnet --out_dir @/none");
    verb_says(&tree, 0, "examples", "profile --help");
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
        cmocka_unit_test(operators_are_timed),      cmocka_unit_test(files_are_complete),
        cmocka_unit_test(test_mode_makes_its_clip), cmocka_unit_test(other_tools_run_the_same_command),
        cmocka_unit_test(wrong_use_is_told),
    };
    return cmocka_run_group_tests(tests, set_up, tear_down);
}
