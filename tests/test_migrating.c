/* docs/migrating.md: every command of both columns runs, on the demo models and a small clip. */
#include "listing.h"
#include "verb_line.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

static temp_tree tree;
static command_result result;

enum { LINE_BYTES = 4096 };

/* What the document's names stand for here. Longer ones first. */
static const char *const stand_ins[][2] = {{"sam2.1_hiera_tiny.pt", SOURCE_DIR "/models/demo_sam2.1.safetensors"},
                                           {"photo.png", "@/split/JPEGImages_24fps/clip/00000.png"},
                                           {"--input clip", "--input @/split/JPEGImages_24fps/clip"},
                                           {"dir sav_val", "dir @/split"},
                                           {"checkpoints", SOURCE_DIR "/models"},
                                           {"dir out", "dir @/out"},
                                           {"--out out", "--out @/out"},
                                           {"out/", "@/out/"},
                                           {"sam2_tiny", "demo"},
                                           {"edgetam_", "edgetam_demo_"}};

static void put(char *line, const char *from, const char *to)
{
    char text[LINE_BYTES];
    for (char *at = line; (at = strstr(at, from)); at += strlen(to)) {
        snprintf(text, sizeof text, "%.*s%s%s", (int)(at - line), line, to, at + strlen(from));
        at = line + (at - line);
        strcpy(line, text);
    }
}

/* Runs what stands in a pair of backticks as a command of the verb. */
static void run(const char *verb, const char *text)
{
    char line[LINE_BYTES];
    int is_whole = !strncmp(text, "sambench ", 9);
    snprintf(line, sizeof line, "%s%s%s", is_whole ? "" : verb, is_whole ? "" : " ", text + (is_whole ? 9 : 0));
    for (size_t i = 0; i < sizeof stand_ins / sizeof *stand_ins; i++)
        put(line, stand_ins[i][0], stand_ins[i][1]);
    char *dashes = strstr(line, " -- ");
    if (!dashes && strncmp(line, "monitor", 7)) /* small and quick */
        strcat(line, strstr(line, "imgsz") || strstr(line, "--sizes") ? " --threads 1" : " --threads 1 --imgsz 128");
    verb_line(&result, &tree, 0, line);
}

/* The cells of tables whose code is a whole command: "sambench ...", or arguments with a folder of results. */
static void every_command_runs(void **state)
{
    (void)state;
    static char text[1 << 16];
    char verb[32] = "";
    int n_run = 0, n_old = 0;
    FILE *f = fopen(SOURCE_DIR "/docs/migrating.md", "r");
    assert_non_null(f);
    text[fread(text, 1, sizeof text - 1, f)] = 0;
    fclose(f);
    for (char *line = strtok(text, "\n"); line; line = strtok(NULL, "\n")) {
        const char *heading = strncmp(line, "## ", 3) ? NULL : strstr(line, "`sambench ");
        if (heading)
            sscanf(heading, "`sambench %31[a-z]", verb);
        for (char *at = line; line[0] == '|' && (at = strchr(at, '`'));) {
            size_t n = strcspn(at + 1, "`");
            char *code = at + 1;
            at = code[n] ? code + n + 1 : code + n;
            code[n] = 0;
            int has_output = strstr(code, " --out_dir ") || strstr(code, "--log ");
            if (!strncmp(code, "sambench ", 9) || (verb[0] && has_output)) {
                run(verb, code);
                n_run++;
                n_old += strncmp(code, "sambench ", 9) != 0;
            }
        }
    }
    printf("%d commands of the document ran, %d of them in the old spelling\n", n_run, n_old);
    assert_true(n_run >= 24 && n_old >= 8);
}

static void what_has_no_meaning_is_said_once(void **state)
{
    (void)state;
    static const char said[] = "there is nothing to compile";
    char line[LINE_BYTES];
    snprintf(
        line, sizeof line,
        "edge quick --split_dir @/split --models demo_points --weights_dir %s --out_dir @/edge --imgsz 64 --threads 1 "
        "--compile_models 1 --compile_mode default",
        SOURCE_DIR "/models");
    verb_line(&result, &tree, 0, line);
    const char *first = strstr(result.text, said);
    assert_non_null(first);
    assert_null(strstr(first + 1, said));
    verb_says(&tree, 2, "are the same; give one", "run --split_dir @/split --precision fp32 --autocast_dtype fp16");
}

/* Sizes and types are keys: of rows, and of what --resume finds. */
static void sizes_and_types_are_compared(void **state)
{
    (void)state;
    char line[LINE_BYTES];
    csv_table t = {0};
    sam_error err;
    static const char flags[] =
        "run --split_dir @/split --weights_dir %s --models demo_points,baseline_copy --out_dir @/sweep "
        "--threads 1 --limit_objects 1 %s";
    for (int again = 0; again < 3; again++) {
        snprintf(line, sizeof line, flags, SOURCE_DIR "/models",
                 again == 2   ? "--resume --precision fp16 --imgsz 64"
                 : again == 1 ? "--resume --precision fp32,bf16 --imgsz 64,128"
                              : "--precision fp32,bf16 --imgsz 64,128 --max_clip_frames 0");
        verb_line(&result, &tree, 0, line);
        if (again)
            assert_non_null(strstr(result.text, "5 finished rows taken over"));
    }
    assert_int_equal(csv_read(&t, tree_path(&tree, "sweep/sav_benchmark_summary.csv"), &err), SAM_OK);
    assert_int_equal(t.n_rows, 6);
    static const char *const types[] = {"fp32", "bf16", "fp32", "bf16", "", "fp16"};
    static const char *const sizes[] = {"64", "64", "128", "128", "", "64"};
    for (int r = 0; r < 6; r++) {
        assert_string_equal(table_cell(&t, r, "precision"), types[r]);
        assert_string_equal(table_cell(&t, r, "imgsz"), sizes[r]);
    }
    csv_close(&t);
    listing frames = {0};
    assert_int_equal(listing_read(tree_path(&tree, "sweep/frames"), "csv", &frames, &err), SAM_OK);
    assert_int_equal(frames.n, 6); /* none is written over another */
    listing_free(&frames);
    verb_line(&result, &tree, 0, "report @/sweep --out @/sweep.html");
    verb_says(&tree, 2, "'fp31' is not one of", "run --split_dir @/split --precision fp32,fp31");
    verb_says(&tree, 2, "the nearest are 96 and 128", "run --split_dir @/split --imgsz 64,100");
    verb_says(&tree, 2, "several sizes or precisions", "run --split_dir @/split --imgsz 64,128 --shard 0/2");
}

static void two_files_stand_beside_each_other(void **state)
{
    (void)state;
    char line[LINE_BYTES];
    snprintf(
        line, sizeof line,
        "run --split_dir @/split --models demo_points,mine=%s/demo_sam2.1.safetensors:points --weights_dir %s --out_dir "
        "@/mine --imgsz 64 --threads 1 --limit_objects 1",
        SOURCE_DIR "/models", SOURCE_DIR "/models");
    verb_line(&result, &tree, 0, line);
    csv_table t = {0};
    sam_error err;
    assert_int_equal(csv_read(&t, tree_path(&tree, "mine/sav_benchmark_summary.csv"), &err), SAM_OK);
    assert_int_equal(t.n_rows, 2);
    assert_string_equal(table_cell(&t, 1, "model"), "mine_points");
    assert_true(table_number(&t, 0, "J") == table_number(&t, 1, "J")); /* the same file */
    csv_close(&t);
    snprintf(
        line, sizeof line,
        "edge quick --isolate_models --split_dir @/split --models mine=%s/demo_sam2.1.safetensors:bbox --out_dir @/mine_edge "
        "--imgsz 64 --threads 1",
        SOURCE_DIR "/models");
    verb_line(&result, &tree, 0, line);
    verb_says(&tree, 1, "--models gone=nowhere.pt: no such file",
              "run --split_dir @/split --models gone=nowhere.pt:points --out_dir @/mine2");
}

static int set_up(void **state)
{
    (void)state;
    tree_open(&tree);
    sav_video_make(&tree, "split", "clip", 9);
    return setenv("NSYS_CMD", "true", 1);
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
        cmocka_unit_test(every_command_runs), cmocka_unit_test(what_has_no_meaning_is_said_once),
        cmocka_unit_test(sizes_and_types_are_compared), cmocka_unit_test(two_files_stand_beside_each_other)};
    return cmocka_run_group_tests(tests, set_up, tear_down);
}
