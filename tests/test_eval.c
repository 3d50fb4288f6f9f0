/* The verb eval from its command line: what it writes, and that each thing that can be wrong is named. */
#include "documented.h"
#include "flags.h"
#include "image_io.h"
#include "temp_tree.h"

#include <jansson.h>
#include <math.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include <cmocka.h>

extern const verb verb_eval;

enum { W = 40, H = 30 };

static temp_tree tree;
static char messages[4096]; /* stderr of the last run_eval */

/* Two videos, an object each, five frames, predictions one pixel to the right. */
static int set_up(void **state)
{
    (void)state;
    tree_open(&tree);
    for (int side = 0; side < 2; side++) {
        for (int v = 0; v < 2; v++) {
            for (int i = 0; i < 5; i++) {
                uint8_t px[W * H] = {0};
                char path[96];
                fill_box(px, W, 5 + side, 5, 25 + side, 20, 1);
                snprintf(path, sizeof path, "%s/video_%d/000/%05d.png", side ? "pred" : "gt", v, 4 * i);
                tree_gray(&tree, path, px, W, H);
            }
        }
    }
    return 0;
}

static int tear_down(void **state)
{
    (void)state;
    tree_close(&tree);
    return 0;
}

/* Runs the verb on a command line in which @ stands for the tree's root; keeps its stderr, drops its stdout. */
static int run_eval(const char *line)
{
    char text[2048] = "", *argv[32] = {"eval"};
    int argc = 1;
    for (const char *c = line; *c; c++) {
        size_t n = strlen(text);
        snprintf(text + n, sizeof text - n, *c == '@' ? "%s" : "%.1s", *c == '@' ? tree.root : c);
    }
    for (char *word = strtok(text, " "); word && argc < 32; word = strtok(NULL, " "))
        argv[argc++] = word;
    FILE *out = tmpfile(), *errors = tmpfile();
    assert_true(out && errors);
    fflush(NULL);
    int saved_out = dup(1), saved_errors = dup(2);
    dup2(fileno(out), 1);
    dup2(fileno(errors), 2);
    int rc = verb_eval.main(argc, argv);
    fflush(NULL);
    dup2(saved_out, 1);
    dup2(saved_errors, 2);
    close(saved_out);
    close(saved_errors);
    rewind(errors);
    messages[fread(messages, 1, sizeof messages - 1, errors)] = 0;
    fclose(out);
    fclose(errors);
    return rc;
}

#define BASE "--gt @/gt --pred @/pred --metric sav --json @/out.json "

static void writes_json_and_csv(void **state)
{
    (void)state;
    assert_int_equal(run_eval(BASE "--csv @/out.csv --per_frame"), 0);
    json_t *root = json_load_file(tree_path(&tree, "out.json"), 0, NULL);
    assert_non_null(root);
    static const char *const by_name[] = {"objects", NULL};
    documented_keys(root, "files.md", "## `eval --json");
    documented_fields(root, "files.md", by_name);
    const char *metric;
    double j, f, j_and_f, j_object;
    json_t *per_frame;
    assert_int_equal(json_unpack(root, "{s:s, s:{s:F, s:F, s:F}, s:{s:{s:F, s:o}}}", "metric", &metric, "global", "J",
                                 &j, "F", &f, "JandF", &j_and_f, "objects", "video_1/000", "J", &j_object,
                                 "J_per_frame", &per_frame),
                     0);
    printf("J %.6f F %.6f J&F %.6f, %zu frames\n", j, f, j_and_f, json_array_size(per_frame));
    assert_string_equal(metric, "sav");
    assert_true(fabs(j - 19. / 21) < 1e-12 && f == 1 && fabs(j_and_f - (j + f) / 2) < 1e-12);
    assert_true(fabs(j_object - 19. / 21) < 1e-12);
    assert_int_equal(json_array_size(per_frame), 3);
    assert_int_equal(json_object_size(json_object_get(root, "objects")), 2);
    json_decref(root);
    csv_table table = documented_table(&tree, "out.csv", "files.md", "**`eval --csv");
    assert_int_equal(table.n_rows, 3);
    csv_close(&table);
    char text[512];
    FILE *csv = fopen(tree_path(&tree, "out.csv"), "rb");
    assert_non_null(csv);
    text[fread(text, 1, sizeof text - 1, csv)] = 0;
    fclose(csv);
    printf("%s", text);
    assert_non_null(strstr(text, "metric,object,n_frames,J,F,JandF,"));
    assert_non_null(strstr(text, "sav,video_0/000,3,0.904762,1.000000,0.952381,"));
    assert_non_null(strstr(text, "sav,global,6,0.904762,"));
}

static void keeps_first_and_last_on_demand(void **state)
{
    (void)state;
    json_int_t n = 0;
    assert_int_equal(run_eval(BASE "--no-skip_first_last"), 0);
    json_t *root = json_load_file(tree_path(&tree, "out.json"), 0, NULL);
    assert_int_equal(json_unpack(root, "{s:{s:{s:I}}}", "objects", "video_0/000", "n_frames", &n), 0);
    json_decref(root);
    assert_int_equal(n, 5);
}

static void finds_annotations_below_the_root_of_a_data_set(void **state)
{
    (void)state;
    tree_folder(&tree, "set/x");
    char from[256];
    snprintf(from, sizeof from, "%s", tree_path(&tree, "gt"));
    assert_int_equal(rename(from, tree_path(&tree, "set/Annotations_6fps")), 0);
    assert_int_equal(run_eval("--gt @/set --pred @/pred --metric seed --json @/out.json"), 0);
}

typedef struct bad_case {
    const char *line, *part; /* of the message */
    const char *remove;      /* from the tree before */
    const char *add;         /* a folder, or a list of videos */
    const char *text;        /* of that list; "mask": a mask of other size; "ids": a mask of three values */
} bad_case;

static const bad_case bad_cases[] = {
    {BASE, "pred/video_0/000/00008.png: no prediction for a scored frame", "pred/video_0/000/00008.png", NULL, NULL},
    {BASE, "pred/video_1/000: no such folder", "pred/video_1/000", NULL, NULL},
    {BASE "--strict", "1 of 2 videos have no predictions: video_1", "pred/video_1", NULL, NULL},
    {BASE "--strict", "1 video that ", NULL, "pred/extra/x", NULL},
    {"--gt @/gt --pred @/pred --metric davis", "1 of 2 videos have no predictions: video_1", "pred/video_1", NULL,
     NULL},
    {BASE, "no video folder in common", "pred", "pred/other/x", NULL},
    {BASE, "pred: no such folder", "pred", NULL, NULL},
    {BASE, "gt: no such folder", "gt", NULL, NULL},
    {BASE, "gt/: holds no folders", "gt", "gt/", NULL},
    {BASE, "gt/video_0: holds neither .png annotations nor", "gt/video_0/000", NULL, NULL},
    {BASE, "gt/video_0/000: holds no .png annotation", "gt/video_0/000", "gt/video_0/000/", NULL},
    {BASE, "gt/video_0: holds both .png files and folders", NULL, "gt/video_0/00000.png", "mask"},
    {BASE, "pred/video_0/000/00004.png: is 20 x 60, expected 40 x 30", NULL, "pred/video_0/000/00004.png", "mask"},
    {BASE, "pred/video_0/000/00004.png: holds the values 1 and 2", NULL, "pred/video_0/000/00004.png", "ids"},
    {BASE, "pred/video_0/000/00004.png", NULL, "pred/video_0/000/00004.png", "not a PNG"},
    {BASE "--video_list @/list.txt", "lists 1 video not in", NULL, "list.txt", "video_0\nnone\n"},
    {BASE "--video_list @/list.txt", "list.txt: No such file", NULL, NULL, NULL},
    {BASE "--video_list @/list.txt", "no video folder in common", NULL, "list.txt", "\n\n"},
    {"--gt @/gt --pred @/pred --metric iou --json @/x", "'iou' is not one of davis|sav|vos_benchmark|seed", NULL, NULL,
     NULL},
    {"--gt @/gt --metric sav --json @/x", "--pred DIR is required", NULL, NULL, NULL},
    {"--gt @/gt --pred @/pred --metric sav --json @/list.txt/x.json",
     "list.txt: this folder cannot be made: a file has", NULL, "list.txt", "video_0\n"},
    {"--gt @/gt --pred @/pred --metric sav --json /dev/full", "/dev/full: cannot be written: No space", NULL, NULL,
     NULL},
};

static void names_what_is_wrong(void **state)
{
    (void)state;
    tear_down(NULL);
    for (size_t i = 0; i < sizeof bad_cases / sizeof *bad_cases; i++) {
        const bad_case *c = &bad_cases[i];
        uint8_t px[W * H] = {0, 1, 1};
        set_up(NULL);
        if (c->remove)
            tree_remove(&tree, c->remove);
        if (c->add && c->text && !strcmp(c->text, "mask"))
            tree_gray(&tree, c->add, px, 20, 60);
        else if (c->add && c->text && !strcmp(c->text, "ids"))
            tree_mask(&tree, c->add, memset(px, 2, 1), W, H);
        else if (c->add && c->text)
            tree_text(&tree, c->add, c->text);
        else if (c->add)
            tree_folder(&tree, c->add);
        int rc = run_eval(c->line);
        printf("%s", messages);
        int is_usage = strstr(c->line, "iou") || !strstr(c->line, "--pred");
        assert_int_equal(rc, is_usage ? 2 : 1);
        assert_int_equal(strncmp(messages, "sambench eval: ", 15), 0);
        assert_non_null(strstr(messages, c->part));
        tear_down(NULL);
    }
    set_up(NULL);
}

/* Index masks of two objects, as a palette, as RGB of the same colours, and as RGB of others. */
static void rgb_masks_score_as_the_palette(void **state)
{
    static const uint8_t colours[2][3][3] = {{{0, 0, 0}, {128, 0, 0}, {0, 128, 0}},
                                             {{0, 0, 0}, {200, 0, 0}, {0, 200, 0}}};
    sam_error err = {0};
    (void)state;
    for (int i = 0; i < 3; i++) {
        uint8_t px[W * H] = {0};
        char path[96];
        fill_box(px, W, 5, 5, 25, 20, i == 1 ? 2 : 1); /* the middle one shows object 2 alone */
        fill_box(px, W, 28, 5, 38, 20, 2);
        snprintf(path, sizeof path, "index/v/%05d.png", i);
        tree_mask(&tree, path, px, W, H);
        for (int k = 0; k < 2; k++) {
            uint8_t rgb[W * H * 3];
            for (int p = 0; p < W * H; p++)
                memcpy(rgb + 3 * p, colours[k][px[p]], 3);
            snprintf(path, sizeof path, "%s/v", k ? "other" : "rgb");
            tree_folder(&tree, path);
            snprintf(path, sizeof path, "%s/v/%05d.png", k ? "other" : "rgb", i);
            assert_int_equal(image_write_rgb(tree_path(&tree, "%s", path), rgb, (size_t)3 * W, W, H, &err), SAM_OK);
        }
    }
    static const char *const lines[] = {"--gt @/index --pred @/rgb", "--gt @/rgb --pred @/index"};
    static const char *const metrics[] = {"davis", "sav", "vos_benchmark", "seed"};
    for (int i = 0; i < 8; i++) {
        char line[160];
        double score = 0;
        snprintf(line, sizeof line, "%s --no-skip_first_last --metric %s --json @/out.json", lines[i % 2],
                 metrics[i / 2]);
        assert_int_equal(run_eval(line), 0);
        json_t *root = json_load_file(tree_path(&tree, "out.json"), 0, NULL);
        assert_int_equal(json_unpack(root, "{s:{s:F}}", "global", "JandF", &score), 0);
        printf("%s: J&F %.3f\n", line, score);
        assert_true(score == 1);
        json_decref(root);
    }
    assert_int_equal(run_eval("--gt @/index --pred @/other --metric davis --json @/out.json"), 1);
    printf("%s", messages);
    assert_non_null(strstr(messages, "other/v/00001.png: is an RGB picture whose colours"));
}

/* sav and vos_benchmark without --strict: the videos both sides have. */
static void scores_common_videos(void **state)
{
    (void)state;
    tree_remove(&tree, "pred/video_0");
    tree_folder(&tree, "pred/extra");
    assert_int_equal(run_eval(BASE), 0);
    json_t *root = json_load_file(tree_path(&tree, "out.json"), 0, NULL);
    assert_int_equal(json_object_size(json_object_get(root, "objects")), 1);
    assert_int_equal(json_array_size(json_object_get(root, "skipped_videos")), 1);
    json_decref(root);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(writes_json_and_csv, set_up, tear_down),
        cmocka_unit_test_setup_teardown(keeps_first_and_last_on_demand, set_up, tear_down),
        cmocka_unit_test_setup_teardown(finds_annotations_below_the_root_of_a_data_set, set_up, tear_down),
        cmocka_unit_test_setup_teardown(names_what_is_wrong, set_up, tear_down),
        cmocka_unit_test_setup_teardown(rgb_masks_score_as_the_palette, set_up, tear_down),
        cmocka_unit_test_setup_teardown(scores_common_videos, set_up, tear_down),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
