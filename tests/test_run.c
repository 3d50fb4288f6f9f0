/* The verb run as its users start it: the table, what lies beside it, resuming, Ctrl-C, and input that is wrong. Weights
 * are random, so scores mean nothing here; that they are the right scores of the masks is what `eval` is asked. */
#include "command.h"
#include "convert.h"
#include "csv.h"
#include "documented.h"
#include "image_io.h"
#include "temp_tree.h"

#include <jansson.h>
#include <math.h>
#include <setjmp.h>
#include <signal.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#include <cmocka.h>

enum { W = 96, H = 64, MAX_WORDS = 48, N_COLUMNS = 36 };

#define FLAGS " --weights_dir @/weights --imgsz 128 --threads 1 "

static temp_tree tree;
static char messages[16384]; /* stdout and stderr of the last program */

/* ---- programs ---- */

/* Starts build/sambench with a line in which @ is the tree's root. Files it writes may have file_limit bytes, 0: any. */
static pid_t start(const char *line, rlim_t file_limit)
{
    static char text[4096];
    char *argv[MAX_WORDS + 1] = {SAMBENCH_WORDS};
    size_t n = 0;
    int argc = N_SAMBENCH_WORDS;
    for (const char *c = line; *c; c++)
        n += (size_t)snprintf(text + n, sizeof text - n, *c == '@' ? "%s" : "%.1s", *c == '@' ? tree.root : c);
    for (char *word = strtok(text, " "); word && argc < MAX_WORDS; word = strtok(NULL, " "))
        argv[argc++] = word;
    fflush(NULL);
    pid_t child = fork();
    assert_true(child >= 0);
    if (child)
        return child;
    if (!freopen(tree_path(&tree, "messages"), "w", stdout) || dup2(1, 2) < 0)
        _exit(99);
    setenv("OMP_WAIT_POLICY", "passive", 1);
    setenv("XDG_CACHE_HOME", tree_path(&tree, "cache"), 1);
    if (file_limit) {
        signal(SIGXFSZ, SIG_IGN);
        setrlimit(RLIMIT_FSIZE, &(struct rlimit){file_limit, file_limit});
    }
    execv(argv[0], argv);
    _exit(98);
}

static int end(pid_t child)
{
    int status;
    assert_int_equal(waitpid(child, &status, 0), child);
    FILE *file = fopen(tree_path(&tree, "messages"), "r");
    assert_non_null(file);
    messages[fread(messages, 1, sizeof messages - 1, file)] = 0;
    fclose(file);
    return WIFEXITED(status) ? WEXITSTATUS(status) : -1;
}

static void expect(int code, const char *line)
{
    int got = end(start(line, 0));
    if (got != code)
        fprintf(stderr, "sambench %s\n%s", line, messages);
    assert_int_equal(got, code);
}

/* Fails with this exit status and one line that holds these words. */
static void expect_error(int code, const char *words, const char *line)
{
    expect(code, line);
    if (!strstr(messages, words))
        fprintf(stderr, "sambench %s\nexpected '%s' in: %s", line, words, messages);
    assert_non_null(strstr(messages, words));
}

/* ---- tables ---- */

static const char *const columns[N_COLUMNS] = {"video",
                                               "object",
                                               "model",
                                               "imgsz",
                                               "precision",
                                               "frames",
                                               "processed_end_frame",
                                               "fps",
                                               "latency_ms",
                                               "gpu_peak_alloc_MiB",
                                               "gpu_peak_reserved_MiB",
                                               "cpu_peak_rss_MiB",
                                               "J",
                                               "F",
                                               "JandF",
                                               "overlay",
                                               "input_H",
                                               "input_W",
                                               "infer_H",
                                               "infer_W",
                                               "setup_ms",
                                               "e2e_fps",
                                               "decode_ms",
                                               "encode_ms",
                                               "memory_attention_ms",
                                               "mask_decoder_ms",
                                               "memory_encoder_ms",
                                               "post_ms",
                                               "backend",
                                               "device",
                                               "metric",
                                               "status",
                                               "latency_stddev_ms",
                                               "host_ms",
                                               "device_ms",
                                               "cold_start_ms"};

/* Tools rely on these names, so they are here beside docs/columns.md, which must list the same. Reading back refuses any
 * other columns. */
static csv_table read_table(const char *folder)
{
    sam_error err;
    csv_table t = {0};
    char path[512];
    snprintf(path, sizeof path, "%s", tree_path(&tree, "%s/sav_benchmark_summary.csv", folder));
    if (csv_open(&t, path, columns, N_COLUMNS, 1, &err) != SAM_OK)
        fail_msg("%s", err.text);
    return t;
}

static const char *cell(const csv_table *t, int row, const char *column)
{
    assert_true(row < t->n_rows);
    assert_true(csv_column(t, column) >= 0);
    return csv_cell(t, row, csv_column(t, column));
}

static double number(const csv_table *t, int row, const char *column)
{
    char *rest;
    const char *text = cell(t, row, column);
    double value = strtod(text, &rest);
    assert_true(text[0] && !*rest);
    return value;
}

static int row_of(const csv_table *t, const char *video, const char *object, const char *model)
{
    int row = csv_find(t, (const char *const[]){video, object, model}, 3);
    assert_true(row >= 0);
    return row;
}

/* ---- data ---- */

static void write_frame(const char *path, int t)
{
    uint8_t rgb[H * W * 3];
    sam_error err;
    for (int i = 0; i < H * W * 3; i++)
        rgb[i] = (uint8_t)(i / 97 + 5 * t + (i * 31) % 17);
    tree_text(&tree, path, ""); /* makes the folders */
    assert_int_equal(image_write_rgb(tree_path(&tree, "%s", path), rgb, 3 * W, W, H, &err), SAM_OK);
}

static void write_mask(const char *split, const char *video, const char *object, int t, int is_empty)
{
    uint8_t px[H * W] = {0};
    char path[256];
    if (!is_empty)
        fill_box(px, W, 10 + 2 * t, 10, 40 + 2 * t, 40, 1);
    snprintf(path, sizeof path, "%s/Annotations_6fps/%s/%s/%05d.png", split, video, object, t);
    tree_gray(&tree, path, px, W, H);
}

/* A video in SA-V layout whose objects 000 and 001 are annotated on every second frame. */
static void write_video(const char *split, const char *video, int n_frames)
{
    char path[256];
    for (int t = 0; t < n_frames; t++) {
        snprintf(path, sizeof path, "%s/JPEGImages_24fps/%s/%05d.png", split, video, t);
        write_frame(path, t);
        for (int o = 0; o < 2 && t % 2 == 0; o++)
            write_mask(split, video, o ? "001" : "000", t, 0);
    }
}

static int set_up_all(void **state)
{
    (void)state;
    sam_error err;
    tree_open(&tree);
    tree_folder(&tree, "weights");
    const random_options random = {.model = "sam2.1_tiny", .seed = 7, .half = 1};
    if (convert_random(&random, tree_path(&tree, "weights/tiny.safetensors"), NULL, &err) != SAM_OK)
        fail_msg("%s", err.text);
    return 0;
}

static int tear_down_all(void **state)
{
    (void)state;
    tree_close(&tree);
    return 0;
}

/* ---- what comes out ---- */

static void check_row(const csv_table *t, int row)
{
    assert_string_equal(cell(t, row, "status"), "ok");
    assert_string_equal(cell(t, row, "precision"), "fp32");
    assert_string_equal(cell(t, row, "metric"), "sav");
    assert_string_equal(cell(t, row, "backend"), "cpu");
    assert_int_equal(number(t, row, "imgsz"), 128);
    assert_int_equal(number(t, row, "infer_H"), 128);
    assert_int_equal(number(t, row, "infer_W"), 128);
    assert_int_equal(number(t, row, "input_H"), H);
    assert_int_equal(number(t, row, "input_W"), W);
    assert_int_equal(number(t, row, "frames"), 5);
    assert_int_equal(number(t, row, "processed_end_frame"), 5);
    assert_true(number(t, row, "gpu_peak_alloc_MiB") == 0 && number(t, row, "gpu_peak_reserved_MiB") == 0);
    assert_true(number(t, row, "cpu_peak_rss_MiB") > 10);
    assert_true(fabs(number(t, row, "fps") * number(t, row, "latency_ms") - 1000) < 5);
    assert_true(number(t, row, "setup_ms") > 0 && number(t, row, "e2e_fps") > 0 && number(t, row, "decode_ms") > 0);
    double stages = number(t, row, "encode_ms") + number(t, row, "memory_attention_ms") +
                    number(t, row, "mask_decoder_ms") + number(t, row, "memory_encoder_ms") + number(t, row, "post_ms");
    assert_true(stages > 0 && stages < 1.1 * number(t, row, "latency_ms") + 1);
    assert_true(fabs((number(t, row, "J") + number(t, row, "F")) / 2 - number(t, row, "JandF")) < 2e-6);
}

/* The figures of every row are those that `eval` finds in the saved masks. */
static void check_eval(const csv_table *t, const char *out, const char *model)
{
    char line[512];
    snprintf(line, sizeof line, "eval --gt @/split --pred @/%s/masks/%s --metric sav --json @/eval.json", out, model);
    expect(0, line);
    json_t *json = json_load_file(tree_path(&tree, "eval.json"), 0, NULL);
    assert_non_null(json);
    int n = 0;
    for (int row = 0; row < t->n_rows; row++) {
        char name[64];
        if (strcmp(cell(t, row, "model"), model))
            continue;
        snprintf(name, sizeof name, "%s/%s", cell(t, row, "video"), cell(t, row, "object"));
        json_t *object = json_object_get(json_object_get(json, "objects"), name);
        assert_non_null(object);
        assert_true(fabs(json_real_value(json_object_get(object, "J")) - number(t, row, "J")) < 1e-6);
        assert_true(fabs(json_real_value(json_object_get(object, "F")) - number(t, row, "F")) < 1e-6);
        n++;
    }
    assert_int_equal(n, json_object_size(json_object_get(json, "objects")));
    json_decref(json);
}

static void table_overlays_and_masks(void **state)
{
    (void)state;
    static const char *const models[] = {"sam2_tiny_points", "sam2_tiny_bbox", "sam2_tiny_mask"};
    write_video("split", "first", 5);
    expect(0, "run --split-dir @/split --models sam2_tiny_points,sam2.1_tiny_bbox sam2_tiny_mask --out_dir @/out "
              "--save_overlays --save-masks" FLAGS);
    csv_table t =
        documented_table(&tree, "out/sav_benchmark_summary.csv", "columns.md", "# The table of `sambench run`");
    csv_close(&t);
    t = read_table("out");
    assert_int_equal(t.n_rows, 6);
    for (int row = 0; row < t.n_rows; row++) {
        check_row(&t, row);
        assert_int_equal(access(tree_path(&tree, "out/%s", cell(&t, row, "overlay")), R_OK), 0);
    }
    for (int m = 0; m < 3; m++) {
        assert_non_null(strstr(messages, models[m]));
        row_of(&t, "first", "001", models[m]);
    }
    for (int m = 0; m < 3; m++)
        check_eval(&t, "out", models[m]);
    csv_close(&t);
}

/* --require: what a model lacks is a line, and the exit status. */
static void limits_are_required(void **state)
{
    (void)state;
#define REQUIRE                                                                                                        \
    "run --split_dir @/split --models sam2_tiny_points --limit_objects 1 --metric seed --out_dir @/required --resume"
    expect(0, REQUIRE " --require fps>=0.001,JandF>=0" FLAGS);
    expect(1, REQUIRE " --require fps>=100000,JandF>=0" FLAGS);
    assert_non_null(strstr(messages, "--require: sam2_tiny_points, 128 px, fp32: fps>=100000, but it is "));
    expect(2, REQUIRE " --require fsp>=1" FLAGS);
    assert_non_null(strstr(messages, "there is no 'fsp'; the nearest is fps"));
    csv_table t = read_table("required");
    assert_true(number(&t, 0, "cold_start_ms") > 10 && number(&t, 0, "latency_stddev_ms") > 0);
    assert_string_equal(cell(&t, 0, "host_ms"), "");
    csv_close(&t);
    json_error_t why;
    json_t *machine = json_load_file(tree_path(&tree, "required/machine.json"), 0, &why);
    assert_true(json_is_array(json_object_get(json_object_get(machine, "conditions"), "warnings")));
    json_decref(machine);
}

static void late_objects_are_prompted_where_they_appear(void **state)
{
    (void)state;
    write_video("split", "late", 9);
    write_mask("split", "late", "001", 0, 1);
    write_mask("split", "late", "001", 2, 1);
    expect(0, "run --split_dir @/split --models sam2_tiny_mask --out_dir @/late_out --save_masks --quiet" FLAGS);
    csv_table t = read_table("late_out");
    int row = row_of(&t, "late", "001", "sam2_tiny_mask");
    assert_int_equal(number(&t, row, "frames"), 5);
    assert_int_equal(number(&t, row, "processed_end_frame"), 9);
    check_eval(&t, "late_out", "sam2_tiny_mask");
    csv_close(&t);
}

static void short_clips_are_not_scored(void **state)
{
    (void)state;
    expect(0,
           "run --split_dir @/split --models sam2_tiny_points --out_dir @/short --limit_videos 1 --max_clip_frames 3 "
           "--limit_objects 1" FLAGS);
    csv_table t = read_table("short");
    assert_int_equal(t.n_rows, 1);
    assert_int_equal(number(&t, 0, "processed_end_frame"), 3);
    assert_string_equal(cell(&t, 0, "J"), "");
    assert_non_null(strstr(cell(&t, 0, "status"), "ok: not scored"));
    assert_non_null(strstr(messages, "1 row has no score, since --metric sav counts none of their annotated frames"));
    assert_non_null(strstr(messages, "  RSS MiB\n"));
    assert_non_null(strstr(messages, " MiB RSS\n"));
    csv_close(&t);
}

/* A frame's name may hold what a table must quote. */
static void frame_names_are_quoted(void **state)
{
    (void)state;
    csv_table t;
    sam_error err;
    write_video("names", "clip", 3);
    for (int at = 0; at < 3; at++) {
        char from[2][256], to[256];
        snprintf(from[0], sizeof from[0], "%s", tree_path(&tree, "names/JPEGImages_24fps/clip/%05d.png", at));
        snprintf(from[1], sizeof from[1], "%s", tree_path(&tree, "names/Annotations_6fps/clip/000/%05d.png", at));
        for (int i = 0; i < 2; i++) {
            const char *slash = strrchr(from[i], '/');
            snprintf(to, sizeof to, "%.*s/\"a\", %d.png", (int)(slash - from[i]), from[i], at);
            assert_true(!rename(from[i], to) || (i && at % 2));
        }
    }
    expect(
        0,
        "run --split_dir @/names --models baseline_copy --out_dir @/names_out --limit_objects 1 --metric seed" FLAGS);
    assert_null(strstr(messages, " fps  "));
    assert_int_equal(csv_read(&t, tree_path(&tree, "names_out/frames/clip__obj000__baseline_copy.csv"), &err), SAM_OK);
    assert_int_equal(t.n_rows, 3);
    assert_string_equal(csv_cell(&t, 2, 1), "\"a\", 2");
    csv_close(&t);
}

static void test_mode_needs_nothing(void **state)
{
    (void)state;
    expect(0, "run --test_mode --models edgetam_points --threads 1 --out_dir @/test_out");
    csv_table t = read_table("test_out");
    assert_int_equal(t.n_rows, 2);
    for (int row = 0; row < 2; row++) {
        assert_string_equal(cell(&t, row, "video"), "medium_0000");
        assert_string_equal(cell(&t, row, "object"), row ? "001" : "000");
        assert_int_equal(number(&t, row, "frames"), 8);
        assert_string_equal(cell(&t, row, "status"), "ok");
        assert_true(number(&t, row, "JandF") >= 0); /* there is a score, of random weights */
    }
    assert_non_null(strstr(messages, "random weights"));
    csv_close(&t);
}

/* A disc of one colour that moves over a striped ground of others. */
static void write_disc_video(const char *video, int n_frames)
{
    for (int t = 0; t < n_frames; t++) {
        uint8_t rgb[H * W * 3], mask[H * W];
        char path[256];
        for (int i = 0; i < H * W; i++) {
            int dx = i % W - (24 + 3 * t), dy = i / W - 30;
            mask[i] = dx * dx + dy * dy < 18 * 18;
            rgb[3 * i] = mask[i] ? 220 : 40;
            rgb[3 * i + 1] = mask[i] ? 40 : (uint8_t)(100 + i % W % 16 * 8);
            rgb[3 * i + 2] = 60;
        }
        snprintf(path, sizeof path, "discs/JPEGImages_24fps/%s/%05d.png", video, t);
        tree_text(&tree, path, "");
        sam_error err;
        assert_int_equal(image_write_rgb(tree_path(&tree, "%s", path), rgb, 3 * W, W, H, &err), SAM_OK);
        snprintf(path, sizeof path, "discs/Annotations_6fps/%s/000/%05d.png", video, t);
        tree_gray(&tree, path, mask, W, H);
    }
}

/* Of discs of 18 px that are 3 t px apart, the overlap of the copied mask is known; the colour is never mistaken. */
static void baselines_need_no_model(void **state)
{
    (void)state;
    write_disc_video("disc", 6);
    expect(0, "run --split_dir @/discs --models baseline_copy,baseline_colour --out_dir @/baselines --save_masks "
              "--save_overlays --quiet --imgsz 128 --threads 1");
    csv_table t = read_table("baselines");
    assert_int_equal(t.n_rows, 2);
    int copy = row_of(&t, "disc", "000", "baseline_copy"), colour = row_of(&t, "disc", "000", "baseline_colour");
    double expected = 0;
    for (int i = 1; i <= 4; i++) { /* scored frames: neither the first nor the last */
        double r = 18, d = 3 * i, lens = 2 * r * r * acos(d / (2 * r)) - d / 2 * sqrt(4 * r * r - d * d);
        expected += lens / (2 * 3.14159265 * r * r - lens) / 4;
    }
    printf("baseline_copy: J %.4f, of ideal discs %.4f; baseline_colour: J %.4f F %.4f\n", number(&t, copy, "J"),
           expected, number(&t, colour, "J"), number(&t, colour, "F"));
    assert_true(fabs(number(&t, copy, "J") - expected) < 0.02);
    assert_true(number(&t, colour, "J") == 1 && number(&t, colour, "F") == 1);
    for (int row = 0; row < 2; row++) {
        static const char *const none[] = {"imgsz", "precision", "infer_H", "encode_ms", "setup_ms", "backend"};
        assert_string_equal(cell(&t, row, "status"), "ok");
        assert_int_equal(number(&t, row, "frames"), 6);
        assert_int_equal(access(tree_path(&tree, "baselines/%s", cell(&t, row, "overlay")), R_OK), 0);
        for (int c = 0; c < 6; c++)
            assert_string_equal(cell(&t, row, none[c]), "");
    }
    csv_close(&t);
    image first = {0}, last = {0};
    const char *path = tree_path(&tree, "baselines/masks/baseline_copy/disc/000/00005.png");
    assert_int_equal(image_read_mask(path, MASK_IDS, &last, NULL), SAM_OK);
    path = tree_path(&tree, "discs/Annotations_6fps/disc/000/00000.png");
    assert_int_equal(image_read_mask(path, MASK_IDS, &first, NULL), SAM_OK);
    for (int i = 0; i < H * W; i++)
        assert_true(!first.data[i] == !last.data[i]);
    image_free(&first);
    image_free(&last);
    expect(0, "run --split_dir @/discs --models baseline_copy,baseline_colour,sam2_tiny_mask --out_dir @/baselines "
              "--resume" FLAGS);
    assert_non_null(strstr(messages, "2 finished rows taken over"));
    t = read_table("baselines");
    assert_int_equal(t.n_rows, 3);
    row_of(&t, "disc", "000", "sam2_tiny_mask");
    csv_close(&t);
}

static void davis_layout(void **state)
{
    (void)state;
    for (int f = 0; f < 4; f++) {
        char path[128];
        uint8_t px[H * W] = {0};
        fill_box(px, W, 5, 5, 30, 30, 1);
        fill_box(px, W, 40, 20, 70, 50, 2);
        snprintf(path, sizeof path, "davis/JPEGImages/480p/bear/%05d.png", f);
        write_frame(path, f);
        snprintf(path, sizeof path, "davis/Annotations/480p/bear/%05d.png", f);
        tree_mask(&tree, path, px, W, H);
    }
    expect(
        0,
        "run --split_dir @/davis --split_name val --models sam2_tiny_bbox --metric davis --out_dir @/davis_out" FLAGS);
    csv_table t = read_table("davis_out");
    assert_int_equal(t.n_rows, 2);
    assert_string_equal(cell(&t, 1, "object"), "002");
    assert_true(number(&t, 1, "J") >= 0);
    csv_close(&t);
}

static void read_masks(const char *out, int frame, image *im)
{
    sam_error err;
    *im = (image){0};
    if (image_read_mask(tree_path(&tree, "%s/masks/sam2_tiny_bbox/bear/%05d.png", out, frame), MASK_IDS, im, &err) !=
        SAM_OK)
        fail_msg("%s", err.text);
    assert_true(im->width == W && im->height == H);
}

#define DAVIS "run --split_dir @/davis --models sam2_tiny_bbox --metric davis --save_masks" FLAGS

static void davis_masks_are_one_picture(void **state)
{
    (void)state;
    static const char *const columns[] = {"J", "F"};
    image one, both, again;
    int n_two = 0;
    expect(0, DAVIS "--out_dir @/both");
    expect(0, DAVIS "--out_dir @/one --limit_objects 1");
    for (int f = 0; f < 4; f++) {
        read_masks("one", f, &one);
        read_masks("both", f, &both);
        for (int i = 0; i < W * H; i++) {
            assert_true(both.data[i] <= 2 && one.data[i] <= 1);
            assert_int_equal(both.data[i] == 1, one.data[i]); /* where they overlap the lowest number stays */
            n_two += both.data[i] == 2;
        }
        image_free(&one);
        image_free(&both);
    }
    assert_true(n_two > 0);
    expect(0, "eval --gt @/davis/Annotations/480p --pred @/one/masks/sam2_tiny_bbox --metric davis --json @/eval.json");
    json_t *json = json_load_file(tree_path(&tree, "eval.json"), 0, NULL);
    json_t *object = json_object_get(json_object_get(json, "objects"), "bear/001");
    csv_table t = read_table("one");
    for (int k = 0; k < 2; k++)
        assert_true(fabs(json_real_value(json_object_get(object, columns[k])) - number(&t, 0, columns[k])) < 1e-6);
    csv_close(&t);
    json_decref(json);
    /* A second run leaves nothing of the first in the pictures. */
    expect(0, DAVIS "--out_dir @/both --limit_objects 1");
    for (int f = 0; f < 4; f++) {
        read_masks("one", f, &one);
        read_masks("both", f, &again);
        assert_memory_equal(one.data, again.data, W * H);
        image_free(&one);
        image_free(&again);
    }
    /* Objects of a video stay in one share. */
    expect(0, DAVIS "--out_dir @/shares --shard 0/2");
    expect(0, DAVIS "--out_dir @/shares --shard 1/2");
    t = read_table("shares/shard_0_of_2");
    assert_int_equal(t.n_rows, 2);
    csv_close(&t);
}

/* ---- going on ---- */

static void resume_repeats_nothing(void **state)
{
    (void)state;
    const char *flags = "run --split_dir @/split --models sam2_tiny_points --limit_videos 1 --out_dir @/resumed" FLAGS;
    char line[512];
    snprintf(line, sizeof line, "%s --limit_objects 1", flags);
    expect(0, line);
    csv_table before = read_table("resumed");
    assert_int_equal(before.n_rows, 1);
    snprintf(line, sizeof line, "%s --resume", flags);
    expect(0, line);
    csv_table after = read_table("resumed");
    assert_int_equal(after.n_rows, 2);
    for (int c = 0; c < N_COLUMNS; c++)
        assert_string_equal(csv_cell(&before, 0, c), csv_cell(&after, 0, c));
    csv_close(&before);
    csv_close(&after);
    snprintf(line, sizeof line, "%s --resume --metric davis", flags);
    expect_error(2, "--metric sav", line);
    snprintf(line, sizeof line, "%s --resume --frame_format nv12", flags);
    expect_error(2, "--frame_format rgb", line);
    expect(0, flags);
    assert_int_equal(access(tree_path(&tree, "resumed/sav_benchmark_summary.previous.csv"), R_OK), 0);
}

/* --priors: a picture of the object changes its masks; other settings do not go on with the table. */
static void pictures_of_the_object(void **state)
{
    (void)state;
    char line[1024];
    const char *base =
        "run --split_dir @/split --models demo_bbox --limit_videos 1 --limit_objects 1 --imgsz 128 --threads 1 "
        "--weights_dir " SOURCE_DIR "/models --out_dir";
    csv_table before = read_table("resumed");
    tree_text(&tree, "priors/empty", "");
    char name[300];
    snprintf(name, sizeof name, "priors/%s.json", cell(&before, 0, "video"));
    csv_close(&before);
    snprintf(line, sizeof line, "%s @/without", base);
    expect(0, line);
    snprintf(line, sizeof line, "%s @/with --priors @/priors", base);
    expect(0, line);
    csv_table without = read_table("without"), with = read_table("with"); /* a video without a file */
    assert_string_equal(cell(&without, 0, "J"), cell(&with, 0, "J"));
    csv_close(&with);

    uint8_t px[H * W] = {0}, rgb[3 * 30 * 50] = {0}; /* of another size than the frames */
    sam_error err;
    fill_box(px, W, 0, 0, W, H / 2, 1);
    tree_gray(&tree, "priors/half.png", px, W, H);
    assert_int_equal(image_write_rgb(tree_path(&tree, "priors/picture.png"), rgb, 3 * 50, 50, 30, &err), SAM_OK);
    tree_text(&tree, name,
              "{\"objects\": [{\"id\": 0, \"prompts\": [{\"image\": \"picture.png\", \"mask\": \"half.png\"}]}]}");
    expect(0, line);
    with = read_table("with");
    printf("J without a picture of the object %s, with one %s\n", cell(&without, 0, "J"), cell(&with, 0, "J"));
    assert_string_not_equal(cell(&without, 0, "J"), cell(&with, 0, "J"));
    csv_close(&with);
    csv_close(&without);
    snprintf(line, sizeof line, "%s @/with --resume", base);
    expect_error(2, "--priors", line);
    tree_text(&tree, name, "{\"objects\": [{\"id\": 0, \"prompts\": [{\"frame\": 0, \"box\": [1, 1, 30, 30]}]}]}");
    snprintf(line, sizeof line, "%s @/refused --priors @/priors", base);
    expect_error(1, "--priors takes pictures only", line);
    snprintf(line, sizeof line, "%s @/refused --priors @/priors/empty", base);
    expect_error(2, "no folder", line);
}

static int rows_so_far(const char *path)
{
    int n = -1, c;
    FILE *file = fopen(path, "r");
    while (file && (c = fgetc(file)) != EOF)
        n += c == '\n';
    if (file)
        fclose(file);
    return n;
}

static void interrupted_runs_keep_what_is_finished(void **state)
{
    (void)state;
    const char *flags = "run --split_dir @/long --models sam2_tiny_points,sam2_tiny_bbox --out_dir @/cut" FLAGS;
    char path[512], line[512];
    write_video("long", "clip", 24);
    snprintf(path, sizeof path, "%s", tree_path(&tree, "cut/sav_benchmark_summary.csv"));
    pid_t child = start(flags, 0);
    for (int i = 0; i < 6000 && rows_so_far(path) < 1; i++)
        nanosleep(&(struct timespec){.tv_nsec = 10 * 1000 * 1000}, NULL);
    assert_true(rows_so_far(path) >= 1);
    kill(child, SIGINT);
    assert_int_equal(end(child), 130);
    assert_non_null(strstr(messages, "--resume"));
    csv_table t = read_table("cut");
    int n_ok = 0;
    for (int row = 0; row < t.n_rows; row++) {
        int ok = !strcmp(cell(&t, row, "status"), "ok");
        assert_true(ok || !strcmp(cell(&t, row, "status"), "interrupted"));
        n_ok += ok;
    }
    assert_true(n_ok >= 1 && n_ok < 4);
    csv_close(&t);
    snprintf(line, sizeof line, "%s --resume", flags);
    expect(0, line);
    t = read_table("cut");
    assert_int_equal(t.n_rows, 4);
    for (int row = 0; row < t.n_rows; row++)
        assert_string_equal(cell(&t, row, "status"), "ok");
    csv_close(&t);
}

/* ---- what can be wrong ---- */

static void bad_objects_do_not_stop_the_others(void **state)
{
    (void)state;
    uint8_t small[16 * 16] = {[40] = 1};
    write_video("bad", "good", 5);
    write_video("bad", "torn", 5);
    tree_text(&tree, "bad/JPEGImages_24fps/torn/00003.png", "\x89PNG\r\n\x1a\n");
    for (int t = 0; t < 5; t += 2)
        write_mask("bad", "good", "002", t, 1);
    write_mask("bad", "good", "003", 0, 0);
    tree_gray(&tree, "bad/Annotations_6fps/good/003/00002.png", small, 16, 16);
    write_mask("bad", "good", "003", 4, 0);
    expect(1, "run --split_dir @/bad --models sam2_tiny_bbox --out_dir @/bad_out --save_overlays" FLAGS);
    csv_table t = read_table("bad_out");
    assert_int_equal(t.n_rows, 6);
    static const struct {
        const char *video, *object, *words;
    } rows[] = {{"good", "000", "ok"},        {"good", "001", "ok"},        {"good", "002", "empty"},
                {"good", "003", "00002.png"}, {"torn", "000", "00003.png"}, {"torn", "001", "00003.png"}};
    for (int i = 0; i < 6; i++) {
        int row = row_of(&t, rows[i].video, rows[i].object, "sam2_tiny_bbox");
        const char *status = cell(&t, row, "status");
        if (!strstr(status, rows[i].words))
            fail_msg("%s/%s: %s", rows[i].video, rows[i].object, status);
        assert_int_equal(!strncmp(status, "error: ", 7), i >= 2);
        assert_int_equal(cell(&t, row, "overlay")[0] != 0, i < 2);
        assert_int_equal(cell(&t, row, "J")[0] != 0, i < 2);
    }
    csv_close(&t);
    /* Mended, --resume runs the failed ones only. */
    write_frame("bad/JPEGImages_24fps/torn/00003.png", 3);
    expect(1, "run --split_dir @/bad --models sam2_tiny_bbox --out_dir @/bad_out --resume" FLAGS);
    t = read_table("bad_out");
    assert_int_equal(t.n_rows, 6);
    assert_string_equal(cell(&t, row_of(&t, "torn", "001", "sam2_tiny_bbox"), "status"), "ok");
    csv_close(&t);
}

static void output_that_cannot_be_written(void **state)
{
    (void)state;
    tree_text(&tree, "file", "x");
    expect_error(1, "file", "run --split_dir @/split --models sam2_tiny_bbox --out_dir @/file/below" FLAGS);
    /* As a disk that fills up: the table still fits, an overlay does not. */
    const char *line = "run --split_dir @/split --models sam2_tiny_bbox --out_dir @/full --save_overlays" FLAGS;
    assert_int_equal(end(start(line, 2000)), 1);
    assert_non_null(strstr(messages, "stopped"));
    assert_non_null(strstr(messages, "overlays/"));
    csv_table t = read_table("full");
    assert_true(t.n_rows <= 1);
    csv_close(&t);
    assert_int_equal(end(start(line, 300)), 1); /* nor does the table */
    assert_non_null(strstr(messages, "sav_benchmark"));
}

static void wrong_flags_and_splits(void **state)
{
    (void)state;
    write_video("listed", "there", 3);
    tree_text(&tree, "listed/sav_val.txt", "there\nnot_there\n");
    tree_folder(&tree, "nothing");
    tree_folder(&tree, "no_weights");
    expect_error(2, "--split_dir", "run --models sam2_tiny_points");
    expect_error(2, "sam2_{tiny,small,base,large}", "run --split_dir @/split --out_dir @/x --models sam9" FLAGS);
    expect_error(2, "spilt_dir", "run --spilt_dir @/split");
    expect_error(2, "multiple of 32", "run --split_dir @/split --imgsz 100");
    expect_error(1, "not_there", "run --split_dir @/listed --out_dir @/x --models sam2_tiny_points" FLAGS);
    expect_error(1, "no such folder", "run --split_dir @/absent --out_dir @/x --models sam2_tiny_points" FLAGS);
    expect_error(1, "Annotations", "run --split_dir @/nothing --out_dir @/x --models sam2_tiny_points" FLAGS);
    expect_error(1, "sam2.1_hiera_tiny.pt",
                 "run --split_dir @/split --out_dir @/x --models sam2_tiny_points --weights_dir @/no_weights");
    expect_error(1, "limit is 1 MiB",
                 "run --split_dir @/split --out_dir @/x --models sam2_tiny_points --mem_limit 1M" FLAGS);
    expect_error(1, "CUDA", "run --split_dir @/split --out_dir @/x --models sam2_tiny_points --device cuda" FLAGS);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(table_overlays_and_masks),
        cmocka_unit_test(short_clips_are_not_scored),
        cmocka_unit_test(resume_repeats_nothing),
        cmocka_unit_test(limits_are_required),
        cmocka_unit_test(late_objects_are_prompted_where_they_appear),
        cmocka_unit_test(frame_names_are_quoted),
        cmocka_unit_test(test_mode_needs_nothing),
        cmocka_unit_test(baselines_need_no_model),
        cmocka_unit_test(davis_layout),
        cmocka_unit_test(davis_masks_are_one_picture),
        cmocka_unit_test(pictures_of_the_object),
        cmocka_unit_test(interrupted_runs_keep_what_is_finished),
        cmocka_unit_test(bad_objects_do_not_stop_the_others),
        cmocka_unit_test(output_that_cannot_be_written),
        cmocka_unit_test(wrong_flags_and_splits),
    };
    return cmocka_run_group_tests(tests, set_up_all, tear_down_all);
}
