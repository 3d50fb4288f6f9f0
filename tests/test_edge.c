/* The verb edge: both phases, prepared frames, processes that are killed, memory of shared pools, and wrong input. */
#include "folder_lock.h"
#include "safetensors.h"
#include "unified.h"
#include "verb_line.h"

#include <dirent.h>
#include <math.h>
#include <setjmp.h>
#include <signal.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#include <cmocka.h>

static temp_tree tree;
static command_result result;

#define FLAGS " --weights_dir @/weights --imgsz 128 --threads 1 --precision fp32 "

#define TABLE "edge.md", "**jetson_benchmark_summary.csv**"

static csv_table table(const char *folder)
{
    char path[128];
    snprintf(path, sizeof path, "%s/jetson_benchmark_summary.csv", folder);
    return documented_table(&tree, path, TABLE);
}

/* The fields that docs/edge.md lists below `marker`. */
static void all_are_there(const json_t *json, const char *marker)
{
    const char *names[DOCUMENTED_COLUMNS];
    int n = documented_names("edge.md", marker, names);
    for (int i = 0; i < n; i++)
        if (!json_object_get(json, names[i]))
            fail_msg("%s has no field %s", marker, names[i]);
}

static void check_metadata(const char *path, int prepared)
{
    json_t *json = verb_json(&tree, path), *models = json_object_get(json, "models"), *m = json_array_get(models, 0);
    json_t *video = json_array_get(json_object_get(json, "videos"), 0);
    assert_int_equal(json_integer_value(json_object_get(json, "n_objects")), 2);
    assert_int_equal(json_integer_value(json_object_get(json, "n_valid_masks")), 2);
    assert_int_equal(json_array_size(models), 2);
    assert_string_equal(json_string_value(json_object_get(m, "warmup")), "ok");
    assert_string_equal(json_string_value(json_object_get(video, "name")), "clip");
    assert_true(!prepared == !json_object_get(video, "prepared"));
    assert_true(json_integer_value(
                    json_object_get(json_array_get(json_object_get(video, "objects"), 1), "mask_pixels")) == 900);
    documented_fields(json, "edge.md", NULL);
    all_are_there(json, "metadata.json");
    json_decref(json);
}

static void check_row(const csv_table *t, int row, int prepared)
{
    assert_string_equal(table_cell(t, row, "status"), "ok");
    assert_int_equal(table_number(t, row, "frames"), 5);
    assert_int_equal(table_number(t, row, "prepared_frames"), prepared);
    assert_string_equal(table_cell(t, row, "memory_kind"), "cpu");
    assert_true(fabs(table_number(t, row, "fps") * table_number(t, row, "latency_ms") - 1000) < 5);
    assert_true(table_number(t, row, "latency_p50_ms") <= table_number(t, row, "latency_max_ms"));
    assert_string_equal(table_cell(t, row, "latency_p95_ms"), ""); /* of four frames there is none */
    assert_string_equal(table_cell(t, row, "latency_p99_ms"), "");
    assert_string_equal(table_cell(t, row, "host_ms"), ""); /* the CPU is its own host */
    assert_string_equal(table_cell(t, row, "paced_fps"), "");
    assert_true(table_number(t, row, "cpu_peak_rss_MiB") > 10 && table_number(t, row, "planned_MiB") > 10);
    assert_true(table_number(t, row, "gpu_peak_alloc_MiB") == 0 && table_number(t, row, "pool_peak_MiB") >= 0);
    assert_true(table_number(t, row, "setup_ms") >= table_number(t, row, "model_load_ms"));
}

static void both_phases(void **state)
{
    (void)state;
    static const char *const models[] = {"models", NULL};
    sav_video_make(&tree, "split", "clip", 5);
    verb_line(&result, &tree, 0,
              "edge --split_dir @/split --models sam2_tiny_points,sam2_tiny_bbox --isolate_models "
              "--enable_cudnn_tuning --out_dir @/plain" FLAGS);
    check_metadata("plain/preprocessed/metadata.json", 0);
    assert_non_null(strstr(result.text, "  RSS MiB\n")); /* no GPU, no shared pool */
    csv_table t = table("plain");
    assert_int_equal(t.n_rows, 4);
    for (int row = 0; row < 4; row++)
        check_row(&t, row, 0);
    /* Each model had a process of its own, whose first row says how long it took to come to a mask. */
    for (int row = 0; row < 4; row++)
        assert_true(row % 2 ? !*table_cell(&t, row, "cold_start_ms") : table_number(&t, row, "cold_start_ms") > 10);
    csv_close(&t);
    json_t *json = verb_json(&tree, "plain/jetson_benchmark_summary.json");
    documented_fields(json, "edge.md", models);
    all_are_there(json, "**jetson_benchmark_summary.json**");
    assert_int_equal(json_array_size(json_object_get(json, "rows")), 4);
    json_t *model = json_object_get(json_object_get(json, "models"), "sam2_tiny_bbox");
    assert_int_equal(json_integer_value(json_object_get(model, "ok")), 2);
    assert_true(json_real_value(json_object_get(model, "fps_median")) > 0);
    json_decref(json);
    json = verb_json(&tree, "plain/jetson_benchmark_settings.json");
    static const char *const marks[] = {"weights", NULL};
    documented_fields(json, "edge.md", marks);
    json_decref(json);
    t = documented_table(&tree, "plain/frames/clip__obj000__sam2_tiny_points.csv", "columns.md", "**frames/");
    assert_int_equal(t.n_rows, 5);
    assert_true(table_number(&t, 4, "frame") == 4 && table_number(&t, 4, "ms") > 0);
    csv_close(&t);
}

/* Frames by a clock: at a rate that no machine keeps all but the last are dropped while one is tracked, at a low one none is.
 * What is shown of a dropped frame is the mask before it, so it is scored. */
static void frames_come_by_a_clock(void **state)
{
    (void)state;
    static const char args[] = "--split_dir @/split --models sam2_tiny_points --limit_objects 1 --metric seed" FLAGS;
    char line[500];
    snprintf(line, sizeof line, "edge %s --out_dir @/camera --fps 10000 --require 'on_time>=0.5'", args);
    verb_line(&result, &tree, 1, line);
    assert_non_null(strstr(result.text, "sam2_tiny_points: on_time>=0.5, but it is 0\n"));
    csv_table t = table("camera");
    assert_int_equal(table_number(&t, 0, "paced_fps"), 10000);
    assert_int_equal(table_number(&t, 0, "frames"), 3); /* the prompted one, the first after it, the last */
    assert_int_equal(table_number(&t, 0, "late_frames"), 2);
    assert_int_equal(table_number(&t, 0, "dropped_frames"), 2);
    assert_string_equal(table_cell(&t, 0, "on_time"), "0.0000");
    assert_true(table_number(&t, 0, "JandF") >= 0);
    csv_close(&t);
    t = documented_table(&tree, "camera/frames/clip__obj000__sam2_tiny_points.csv", "columns.md", "**frames/");
    assert_int_equal(t.n_rows, 5);
    for (int row = 0; row < 5; row++)
        assert_true((row == 2 || row == 3) == !*table_cell(&t, row, "ms"));
    csv_close(&t);
    snprintf(line, sizeof line, "edge %s --out_dir @/patient --fps 0.5 --max_clip_frames 2 --preprocess_frames", args);
    verb_line(&result, &tree, 0, line);
    t = table("patient");
    assert_string_equal(table_cell(&t, 0, "on_time"), "1.0000");
    assert_int_equal(table_number(&t, 0, "late_frames") + table_number(&t, 0, "dropped_frames"), 0);
    csv_close(&t);
    verb_says(&tree, 2, "--fps and --overlap", "edge --test_mode --fps 30 --overlap");
    verb_says(&tree, 2, "--fps: -1 is not", "edge --test_mode --fps -1");
    verb_says(&tree, 2, "the nearest is on_time", "edge --test_mode --require 'ontime>=1'");
}

/* `edge` and `run` take their frames through one loop: the same masks, the same scores. */
static void scores_as_run_does(void **state)
{
    (void)state;
    static const char *const columns[] = {"J", "F", "JandF", "metric", "frames"};
    const char *args = "--split_dir @/split --models sam2_tiny_points --limit_objects 1 --metric davis";
    char line[400];
    snprintf(line, sizeof line, "edge %s --out_dir @/scored" FLAGS, args);
    verb_line(&result, &tree, 0, line);
    snprintf(line, sizeof line, "run %s --out_dir @/ran" FLAGS, args);
    verb_line(&result, &tree, 0, line);
    csv_table edge = table("scored"), run;
    sam_error err;
    assert_int_equal(csv_read(&run, tree_path(&tree, "ran/sav_benchmark_summary.csv"), &err), SAM_OK);
    assert_true(edge.n_rows == 1 && run.n_rows == 1);
    for (int i = 0; i < 5; i++)
        assert_string_equal(table_cell(&edge, 0, columns[i]), table_cell(&run, 0, columns[i]));
    printf("J&F %s by both\n", table_cell(&edge, 0, "JandF"));
    assert_true(table_number(&edge, 0, "JandF") > 0);
    int nonempty = (int)table_number(&edge, 0, "nonempty_frames");
    assert_true(nonempty > 0 && nonempty <= 5);
    csv_close(&edge);
    csv_close(&run);
    verb_line(
        &result, &tree, 0,
        "edge --split_dir @/split --models sam2_tiny_points --limit_objects 1 --no-score --save_overlays 1 --out_dir "
        "@/fast" FLAGS);
    assert_int_equal(access(tree_path(&tree, "fast/overlays/clip__obj000__sam2_tiny_points.mp4"), R_OK), 0);
    verb_says(&tree, 2, "--save_overlays needs the frames", "edge memory-safe --test_mode --save_overlays");
    edge = table("fast");
    assert_string_equal(table_cell(&edge, 0, "JandF"), "");
    assert_string_equal(table_cell(&edge, 0, "nonempty_frames"), "");
    csv_close(&edge);
}

/* A model whose object score is so low that nothing is ever there runs well and finds nothing: that has a name. */
static void a_model_that_finds_nothing_is_named(void **state)
{
    (void)state;
    sam_error err;
    st_file demo;
    st_tensor tensors[2000];
    static const uint16_t never = 0xFBFF; /* -65504 in f16 */
    if (st_open(SOURCE_DIR "/models/demo_sam2.1.safetensors", &demo, &err) != SAM_OK)
        fail_msg("%s", err.text);
    assert_true(demo.n_tensors <= sizeof tensors / sizeof *tensors);
    memcpy(tensors, demo.tensors, demo.n_tensors * sizeof *tensors);
    int n_changed = 0;
    for (size_t i = 0; i < demo.n_tensors; i++)
        if (!strcmp(tensors[i].name, "sam_mask_decoder.pred_obj_score_head.layers.2.bias")) {
            assert_true(tensors[i].dtype == ST_F16 && tensors[i].n_bytes == sizeof never);
            tensors[i].data = &never;
            n_changed++;
        }
    assert_int_equal(n_changed, 1);
    tree_text(&tree, "silent/README", "");
    assert_int_equal(st_write(tree_path(&tree, "silent/demo_sam2.1.safetensors"), tensors, demo.n_tensors, demo.meta,
                              demo.n_meta, &err),
                     SAM_OK);
    st_close(&demo);
    verb_line(&result, &tree, 0,
              "edge --split_dir @/split --models demo_points --limit_objects 1 --weights_dir @/silent --imgsz 128 "
              "--threads 1 --out_dir @/nothing");
    assert_non_null(strstr(result.text, "ok: the mask is empty"));
    csv_table t = table("nothing");
    assert_string_equal(table_cell(&t, 0, "status"), "ok: every mask is empty");
    assert_int_equal(table_number(&t, 0, "nonempty_frames"), 0);
    csv_close(&t);
    json_t *json = verb_json(&tree, "nothing/preprocessed/metadata.json");
    assert_string_equal(
        json_string_value(json_object_get(json_array_get(json_object_get(json, "models"), 0), "warmup")),
        "ok: the mask is empty");
    json_decref(json);
}

static void prepared_frames_and_later_inference(void **state)
{
    (void)state;
    const char *flags = "edge --split_dir @/split --models sam2_tiny_points,sam2_tiny_mask --preprocess_frames "
                        "--preprocessed_dir @/ready --out_dir @/prepared --frame_format nv12" FLAGS;
    char line[512];
    snprintf(line, sizeof line, "%s --skip_inference", flags);
    verb_line(&result, &tree, 0, line);
    check_metadata("ready/metadata.json", 1);
    assert_int_equal(access(tree_path(&tree, "ready/frames/clip__128.half"), R_OK), 0);
    assert_int_not_equal(access(tree_path(&tree, "prepared/jetson_benchmark_summary.csv"), R_OK), 0);
    snprintf(line, sizeof line, "%s --skip_setup", flags);
    verb_line(&result, &tree, 0, line);
    csv_table t = table("prepared");
    assert_int_equal(t.n_rows, 4);
    for (int row = 0; row < 4; row++)
        check_row(&t, row, 1);
    csv_close(&t);
    assert_int_equal(truncate(tree_path(&tree, "ready/frames/clip__128.half"), 100000), 0);
    verb_line(&result, &tree, 1, line);
    assert_non_null(strstr(result.text, "cut short"));
    /* Refused before anything is touched, in one line. */
    verb_says(&tree, 1, "ready/metadata.json: made at 128 px, now it is 64 px; run without --skip_setup",
              "edge --split_dir @/split --models sam2_tiny_points --preprocessed_dir @/ready "
              "--skip_setup --out_dir @/x --weights_dir @/weights --imgsz 64 --threads 1");
    assert_int_not_equal(access(tree_path(&tree, "x/jetson_benchmark_summary.csv"), R_OK), 0);
    tree_folder(&tree, "other_split/JPEGImages_24fps");
    tree_folder(&tree, "other_split/Annotations_6fps");
    verb_says(
        &tree, 1, "run without --skip_setup",
        "edge --split_dir @/other_split --models sam2_tiny_points --preprocessed_dir @/ready --skip_setup --out_dir "
        "@/ready_out --weights_dir @/weights --imgsz 128 --threads 1");
}

/* Waits until a phase works on this object ("": on a model); returns the process that does. */
static pid_t worker(const char *path, const char *phase, const char *object)
{
    for (int i = 0; i < 3000; i++) {
        json_t *json = json_load_file(path, 0, NULL);
        const char *at = json_string_value(json_object_get(json, "object")),
                   *in = json_string_value(json_object_get(json, "phase"));
        pid_t pid = at && in && !strcmp(at, object) && !strcmp(in, phase)
                        ? (pid_t)json_integer_value(json_object_get(json, "pid"))
                        : 0;
        json_decref(json);
        if (pid)
            return pid;
        nanosleep(&(struct timespec){.tv_nsec = 10 * 1000 * 1000}, NULL);
    }
    return 0;
}

/* What a line in the background has said. */
static const char *messages(void)
{
    static char said[16384];
    FILE *f = fopen(tree_path(&tree, "messages"), "r");
    assert_non_null(f);
    said[fread(said, 1, sizeof said - 1, f)] = 0;
    fclose(f);
    return said;
}

static void a_killed_process_costs_one_row(void **state)
{
    (void)state;
    char path[256];
    sav_video_make(&tree, "long", "clip", 20);
    snprintf(path, sizeof path, "%s", tree_path(&tree, "killed/edge_progress.json"));
    pid_t parent =
        verb_start(&tree, "edge --split_dir @/long --models sam2_tiny_points,sam2_tiny_bbox --isolate_models "
                          "--out_dir @/killed" FLAGS);
    pid_t child = worker(path, "inference", "000");
    assert_true(child > 0 && child != parent);
    assert_int_equal(kill(child, SIGKILL), 0);
    assert_int_equal(verb_end(parent), 1);
    assert_non_null(strstr(messages(), "out-of-memory killer, or a kill -9; going on with the next"));
    csv_table t = table("killed");
    int n_killed = 0;
    assert_int_equal(t.n_rows, 4);
    for (int row = 0; row < 4; row++) {
        int is_killed = !strncmp(table_cell(&t, row, "status"), "killed: ", 8);
        n_killed += is_killed;
        assert_true(is_killed || !strcmp(table_cell(&t, row, "status"), "ok"));
        assert_true(!is_killed || !table_cell(&t, row, "fps")[0]);
    }
    assert_int_equal(n_killed, 1);
    csv_close(&t);
}

static void a_killed_setup_leaves_one_model_cold(void **state)
{
    (void)state;
    char path[256];
    snprintf(path, sizeof path, "%s", tree_path(&tree, "cold/edge_progress.json"));
    pid_t parent = verb_start(&tree, "edge --split_dir @/split --models sam2_tiny_points,sam2_tiny_bbox "
                                     "--enable_cudnn_tuning --out_dir @/cold" FLAGS);
    pid_t child = worker(path, "setup", "");
    assert_true(child > 0 && child != parent);
    assert_int_equal(kill(child, SIGKILL), 0);
    assert_int_equal(verb_end(parent), 0);
    assert_non_null(strstr(messages(), "setup of sam2_tiny_points: killed by SIGKILL"));
    assert_non_null(strstr(messages(), "setting up again without it"));
    json_t *json = verb_json(&tree, "cold/preprocessed/metadata.json"), *models = json_object_get(json, "models");
    static const char *const warmups[] = {"killed", "ok"};
    for (size_t i = 0; i < 2; i++)
        assert_string_equal(json_string_value(json_object_get(json_array_get(models, i), "warmup")), warmups[i]);
    json_decref(json);
    csv_table t = table("cold");
    assert_int_equal(t.n_rows, 4);
    for (int row = 0; row < 4; row++)
        check_row(&t, row, 0);
    csv_close(&t);
}

/* Waits until a row says so. */
static int wait_for_status(const char *folder, const char *status)
{
    for (int i = 0; i < 3000; i++) {
        csv_table t = table(folder);
        int found = 0;
        for (int row = 0; row < t.n_rows; row++)
            found |= !strcmp(table_cell(&t, row, "status"), status);
        csv_close(&t);
        if (found)
            return 1;
        nanosleep(&(struct timespec){.tv_nsec = 10 * 1000 * 1000}, NULL);
    }
    return 0;
}

/* Waits until the last process of a run has let go of its folder: it ends some time after its last row. */
static void wait_for_folder(const char *folder)
{
    sam_error err;
    sam_status status = SAM_E_STATE;
    for (int i = 0; i < 3000 && status == SAM_E_STATE; i++) {
        folder_lock lock = {0};
        status = folder_lock_take(&lock, tree_path(&tree, "%s", folder), &err);
        folder_lock_free(&lock);
        nanosleep(&(struct timespec){.tv_nsec = 10 * 1000 * 1000}, NULL);
    }
    assert_int_equal(status, SAM_OK);
}

static double setup_time(const char *folder)
{
    char path[128];
    snprintf(path, sizeof path, "%s/preprocessed/metadata.json", folder);
    json_t *json = verb_json(&tree, path);
    double ms = json_real_value(json_object_get(json_object_get(json, "setup_ms"), "warmup_and_tuning"));
    json_decref(json);
    return ms;
}

#define RESUMED "edge --split_dir @/long --models sam2_tiny_points,sam2_tiny_bbox --out_dir @/resumed" FLAGS

static void a_killed_run_is_resumed(void **state)
{
    (void)state;
    char path[256];
    snprintf(path, sizeof path, "%s", tree_path(&tree, "resumed/edge_progress.json"));
    pid_t parent = verb_start(&tree, RESUMED);
    assert_true(worker(path, "inference", "001") > 0);
    assert_int_equal(kill(parent, SIGKILL), 0);
    assert_int_equal(verb_end(parent), 128 + SIGKILL);
    assert_true(wait_for_status("resumed", "interrupted")); /* the child ends with its parent */
    wait_for_folder("resumed");
    double fps, setup = setup_time("resumed");
    csv_table t = table("resumed");
    assert_string_equal(table_cell(&t, 0, "status"), "ok");
    fps = table_number(&t, 0, "fps");
    csv_close(&t);

    verb_says(&tree, 2, "the table was made with --max_clip_frames 0, now it is 3",
              RESUMED "--max_clip_frames 3 --resume");
    verb_says(&tree, 0, "--resume: 1 finished rows taken over", RESUMED "--resume");
    verb_says(&tree, 0, "--resume: 4 finished rows taken over", RESUMED "--resume");
    assert_true(setup_time("resumed") == setup);
    t = table("resumed");
    assert_int_equal(t.n_rows, 4);
    for (int row = 0; row < 4; row++)
        assert_string_equal(table_cell(&t, row, "status"), "ok");
    assert_true(table_number(&t, 0, "fps") == fps);
    csv_close(&t);
    verb_says(&tree, 0, "the table of an earlier run is now", RESUMED "--max_clip_frames 3");
    csv_table old = documented_table(&tree, "resumed/jetson_benchmark_summary.previous.csv", TABLE);
    assert_int_equal(old.n_rows, 4);
    assert_true(table_number(&old, 0, "fps") == fps);
    csv_close(&old);
}

/* Of a table without a finished row, too. */
static void failed_rows_are_tried_again(void **state)
{
    (void)state;
#define AGAIN "edge --split_dir @/again_split --models sam2_tiny_points --out_dir @/again" FLAGS
    sav_video_make(&tree, "again_split", "clip", 5);
    verb_line(&result, &tree, 0, AGAIN " --skip_inference");
    tree_remove(&tree, "again_split/JPEGImages_24fps/clip");
    verb_line(&result, &tree, 1, AGAIN " --skip_setup");
    csv_table t = table("again");
    assert_int_equal(t.n_rows, 2);
    assert_int_equal(strncmp(table_cell(&t, 0, "status"), "error: ", 7), 0);
    csv_close(&t);
    tree_remove(&tree, "again_split");
    sav_video_make(&tree, "again_split", "clip", 5);
    verb_line(&result, &tree, 0, AGAIN " --resume");
    t = table("again");
    assert_int_equal(t.n_rows, 2);
    for (int row = 0; row < 2; row++)
        assert_string_equal(table_cell(&t, row, "status"), "ok");
    csv_close(&t);
}

static void nothing_to_prompt_with_is_told(void **state)
{
    (void)state;
    static const uint8_t empty[96 * 64];
    sav_video_make(&tree, "empty", "clip", 3);
    for (int o = 0; o < 2; o++)
        for (int t = 0; t < 3; t += 2) {
            char path[128];
            snprintf(path, sizeof path, "empty/Annotations_6fps/clip/%03d/%05d.png", o, t);
            tree_gray(&tree, path, empty, 96, 64);
        }
    verb_says(&tree, 1, "none of the 2 annotated objects has a mask to prompt with",
              "edge --split_dir @/empty --models sam2_tiny_points --out_dir @/empty_out" FLAGS);
}

/* Names beside those of the documented layout: one that metadata cannot hold, and an object and a video that cannot run. None
 * takes a place or a result from the others. */
static void odd_videos_do_not_disturb_the_others(void **state)
{
    (void)state;
    static const uint8_t empty[96 * 64];
    static const char *const videos[] = {"a b, \"c\" \xc3\xbc", "lat\xe9in", "one", "plain"};
    for (int i = 0; i < 4; i++)
        sav_video_make(&tree, "odd", videos[i], i == 2 ? 1 : 5);
    for (int t = 0; t < 5; t += 2) {
        char path[128];
        snprintf(path, sizeof path, "odd/Annotations_6fps/plain/001/%05d.png", t);
        tree_gray(&tree, path, empty, 96, 64);
    }
    verb_line(&result, &tree, 1,
              "edge --split_dir @/odd --models sam2_tiny_points --preprocess_frames --out_dir @/odd_out" FLAGS);
    assert_non_null(strstr(result.text, "lat\xe9in is left out: the name is not UTF-8"));
    assert_non_null(strstr(result.text, "plain/001 is left out: "));
    assert_non_null(strstr(result.text, "one/000  sam2_tiny_points  no frame to track after the prompted one"));
    json_t *json = verb_json(&tree, "odd_out/preprocessed/metadata.json");
    assert_int_equal(json_array_size(json_object_get(json, "videos")), 4);
    documented_fields(json, "edge.md", NULL);
    json_decref(json);
    csv_table t = table("odd_out");
    assert_int_equal(t.n_rows, 7); /* what is left out has failed rows, after the others */
    assert_string_equal(table_cell(&t, 5, "video"), "lat\\xe9in");
    assert_non_null(strstr(table_cell(&t, 5, "status"), "error: the name is not UTF-8"));
    assert_string_equal(table_cell(&t, 6, "object"), "001");
    assert_int_equal(strncmp(table_cell(&t, 6, "status"), "error: ", 7), 0);
    for (int row = 0; row < 5; row++) {
        assert_string_equal(table_cell(&t, row, "video"), videos[row < 2 ? 0 : row < 4 ? 2 : 3]);
        assert_string_equal(table_cell(&t, row, "status"), "ok");
        assert_int_equal(table_number(&t, row, "frames"), row == 2 || row == 3 ? 1 : 5);
        assert_int_equal(table_number(&t, row, "prepared_frames"), 1);
    }
    csv_close(&t);
}

/* Names as long as a file system takes, equal but for their ends: each has its own prepared frames, and the scores of `run`. */
static void long_names_stay_apart(void **state)
{
    (void)state;
    char names[3][240];
    for (int i = 0; i < 3; i++) {
        memset(names[i], 'n', 236);
        snprintf(names[i] + 235, 3, "%d", i);
        sav_video_make(&tree, "long_names", names[i], i == 2 ? 1 : 5);
    }
    verb_line(
        &result, &tree, 0,
        "edge --split_dir @/long_names --models sam2_tiny_points --preprocess_frames --out_dir @/long_names_out" FLAGS);
    json_t *json = verb_json(&tree, "long_names_out/preprocessed/metadata.json"),
           *videos = json_object_get(json, "videos");
    for (size_t i = 0; i < 3; i++)
        for (size_t k = 0; k < i; k++)
            assert_string_not_equal(json_string_value(json_object_get(json_array_get(videos, i), "prepared")),
                                    json_string_value(json_object_get(json_array_get(videos, k), "prepared")));
    json_decref(json);
    csv_table t = table("long_names_out");
    assert_int_equal(t.n_rows, 6);
    for (int row = 0; row < 6; row++) {
        assert_string_equal(table_cell(&t, row, "video"), names[row / 2]);
        assert_string_equal(table_cell(&t, row, "status"), "ok");
        assert_int_equal(table_number(&t, row, "frames"), row < 4 ? 5 : 1);
        assert_int_equal(table_number(&t, row, "prepared_frames"), 1);
    }
    csv_close(&t);
}

/* What was asked and has no row gets a failed one, and the exit status says so: a process killed before it said what it is at, a
 * list that names a video which is not there, weights that are not, and metadata that is damaged. */
static void every_row_asked_for_is_there(void **state)
{
    (void)state;
    static const char *const broken[] = {
        "{\"version\": 1, \"settings\": {\"split\": \"%s\", \"imgsz\": 128}, \"videos\": []}",
        "{\"version\": 1, \"settings\": {\"split\": \"%s\", \"imgsz\": 128}, \"videos\": [{\"objects\": []}]}",
        ("{\"version\": 1, \"settings\": {\"split\": \"%s\", \"imgsz\": 128}, \"videos\": [{\"name\": \"clip\", "
         "\"objects\": [{\"valid\": true}]}]}")};
    static const char *const says[] = {"lists no video", "video 0 has no name", "object 0 has no name"};
    char text[512], split[300];
    sav_video_make(&tree, "asked_split", "clip", 5);
    verb_line(&result, &tree, 0, "edge --split_dir @/asked_split --models sam2_tiny_points --out_dir @/asked" FLAGS);
    tree_remove(&tree, "asked_split/JPEGImages_24fps/clip");
    verb_says(&tree, 1, "clip",
              "edge --split_dir @/asked_split --models sam2_tiny_points --skip_setup --out_dir @/asked" FLAGS);
    csv_table t = table("asked");
    assert_int_equal(t.n_rows, 2);
    for (int row = 0; row < 2; row++) {
        printf("%s\n", table_cell(&t, row, "status"));
        assert_int_equal(strncmp(table_cell(&t, row, "status"), "error: ", 7), 0);
    }
    csv_close(&t);
    tree_remove(&tree, "asked_split");
    sav_video_make(&tree, "asked_split", "clip", 5);
    for (int i = 0; i < 3; i++) {
        snprintf(split, sizeof split, "%s", tree_path(&tree, "asked_split"));
        snprintf(text, sizeof text, broken[i], split);
        tree_text(&tree, "asked/preprocessed/metadata.json", text);
        verb_says(&tree, 1, says[i],
                  "edge --split_dir @/asked_split --models sam2_tiny_points --skip_setup --out_dir @/asked" FLAGS);
    }
}

/* Kills children of `parent` that are of this phase; returns how many. */
static int kill_phase(pid_t parent, const char *phase)
{
    int n = 0;
    DIR *dir = opendir("/proc");
    for (struct dirent *e; dir && (e = readdir(dir));) {
        char path[300], text[4096] = "", words[4096] = "";
        long pid = strtol(e->d_name, NULL, 10);
        int of = 0;
        if (pid <= 0)
            continue;
        snprintf(path, sizeof path, "/proc/%ld/stat", pid);
        FILE *f = fopen(path, "r");
        text[f ? fread(text, 1, sizeof text - 1, f) : 0] = 0;
        if (f)
            fclose(f);
        const char *at = strrchr(text, ')');
        if (!at || sscanf(at + 1, " %*c %d", &of) != 1 || of != parent)
            continue;
        snprintf(path, sizeof path, "/proc/%ld/cmdline", pid);
        f = fopen(path, "r");
        size_t n_words = f ? fread(words, 1, sizeof words - 1, f) : 0;
        if (f)
            fclose(f);
        for (size_t i = 0; i + 1 < n_words; i++)
            words[i] = words[i] ? words[i] : ' ';
        char wanted[64];
        snprintf(wanted, sizeof wanted, "--phase %s", phase);
        n += strstr(words, wanted) && !kill((pid_t)pid, SIGKILL);
    }
    if (dir)
        closedir(dir);
    return n;
}

/* Kills every process of phase B as soon as it is there. */
static void killed_before_a_word_is_not_good(void **state)
{
    (void)state;
    sav_video_make(&tree, "long", "clip", 20);
    pid_t parent = verb_start(&tree, "edge --split_dir @/long --models sam2_tiny_points --out_dir @/mute" FLAGS);
    int n_killed = 0;
    for (int i = 0; i < 6000 && !access(tree_path(&tree, "long"), F_OK); i++) {
        n_killed += kill_phase(parent, "inference");
        int status;
        if (waitpid(parent, &status, WNOHANG) == parent) {
            assert_true(WIFEXITED(status));
            assert_int_equal(WEXITSTATUS(status), 1);
            break;
        }
        nanosleep(&(struct timespec){.tv_nsec = 2 * 1000 * 1000}, NULL);
    }
    csv_table t = table("mute");
    printf("%d processes killed, %d rows\n", n_killed, t.n_rows);
    assert_true(n_killed >= 2);
    assert_int_equal(t.n_rows, 2);
    for (int row = 0; row < 2; row++)
        assert_non_null(strstr(table_cell(&t, row, "status"), "kill -9"));
    csv_close(&t);
}

/* Ctrl-C while setting up: the parent says so, and names no table that is not there. */
static void an_interrupted_setup_is_said(void **state)
{
    (void)state;
    char path[256];
    snprintf(path, sizeof path, "%s", tree_path(&tree, "stopped/edge_progress.json"));
    pid_t parent = verb_start(&tree, "edge --split_dir @/split --models sam2_tiny_points --out_dir @/stopped" FLAGS);
    pid_t child = worker(path, "setup", "");
    assert_true(child > 0);
    kill(child, SIGINT);
    kill(parent, SIGINT);
    assert_int_equal(verb_end(parent), 130);
    assert_non_null(strstr(messages(), "interrupted; --resume with the same flags goes on from here"));
    assert_null(strstr(messages(), "jetson_benchmark_summary.csv"));
    assert_int_not_equal(access(tree_path(&tree, "stopped/jetson_benchmark_summary.csv"), F_OK), 0);
}

static void presets_and_wrong_use(void **state)
{
    (void)state;
    verb_line(&result, &tree, 0, "edge quick --split_dir @/split --models sam2_tiny_points --out_dir @/quick" FLAGS);
    csv_table t = table("quick");
    assert_int_equal(t.n_rows, 1);
    csv_close(&t);
    verb_says(&tree, 2, "'fast' is no preset; there are quick, standard, memory-safe", "edge fast --test_mode");
    verb_says(&tree, 2, "--split_dir is missing", "edge");
    verb_says(&tree, 2, "leave nothing to do", "edge --test_mode --skip_setup --skip_inference");
    verb_says(&tree, 2, "are the same; give one", "edge --test_mode --precision fp32 --autocast_dtype bf16");
    verb_says(&tree, 2, "no model is called 'resnet'", "edge --test_mode --models resnet --out_dir @/x");
    verb_says(&tree, 0, "presets, before the flags", "edge --help");
}

static void shared_memory_is_recognised(void **state)
{
    (void)state;
    char root[256];
    tree_text(&tree, "orin/etc/nv_tegra_release", "# R36\n");
    tree_text(&tree, "orin/proc/meminfo", "MemTotal: 8000000 kB\nMemAvailable:  2048 kB\n");
    snprintf(root, sizeof root, "%s", tree_path(&tree, "orin"));
    assert_int_equal(memory_kind_of(root, 1), MEMORY_UNIFIED);
    assert_int_equal(memory_kind_of(root, 0), MEMORY_CPU);
    assert_int_equal(memory_kind_of(tree_path(&tree, "no_board"), 1), MEMORY_DISCRETE);
    assert_true(memory_available_mib(root) == 2);
    assert_true(isnan(memory_available_mib(tree_path(&tree, "no_board"))));
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
        cmocka_unit_test(both_phases),
        cmocka_unit_test(scores_as_run_does),
        cmocka_unit_test(a_model_that_finds_nothing_is_named),
        cmocka_unit_test(frames_come_by_a_clock),
        cmocka_unit_test(prepared_frames_and_later_inference),
        cmocka_unit_test(a_killed_process_costs_one_row),
        cmocka_unit_test(a_killed_setup_leaves_one_model_cold),
        cmocka_unit_test(a_killed_run_is_resumed),
        cmocka_unit_test(failed_rows_are_tried_again),
        cmocka_unit_test(nothing_to_prompt_with_is_told),
        cmocka_unit_test(odd_videos_do_not_disturb_the_others),
        cmocka_unit_test(long_names_stay_apart),
        cmocka_unit_test(every_row_asked_for_is_there),
        cmocka_unit_test(killed_before_a_word_is_not_good),
        cmocka_unit_test(an_interrupted_setup_is_said),
        cmocka_unit_test(presets_and_wrong_use),
        cmocka_unit_test(shared_memory_is_recognised),
    };
    return cmocka_run_group_tests(tests, set_up, tear_down);
}
