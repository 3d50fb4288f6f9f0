/* Results are not lost: a run that gets no row leaves the earlier table in place, twice too; --resume does not mix rows of two
 * weights; one bad video is one bad row. */
#include "history.h"
#include "verb_line.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include <cmocka.h>

static temp_tree tree;
static command_result result;

#define HEAD "video,object,model,J,status\n"

static int set_up(void **state)
{
    (void)state;
    tree_open(&tree);
    return 0;
}

static int tear_down(void **state)
{
    (void)state;
    tree_close(&tree);
    return 0;
}

static int rows_of(const char *path)
{
    csv_table t = {0};
    int n = csv_read(&t, tree_path(&tree, "%s", path), NULL) == SAM_OK ? t.n_rows : -1;
    csv_close(&t);
    return n;
}

static void only_finished_rows_replace_finished_rows(void **state)
{
    (void)state;
    static const struct {
        const char *now, *before;
        int kept, n_previous; /* expected */
    } cases[] = {{HEAD "a,0,m,1,ok\n", NULL, 1, 1},
                 {HEAD "a,0,m,1,ok\n", HEAD "a,0,m,1,ok\nb,0,m,1,ok\n", 1, 1},
                 {HEAD, HEAD "a,0,m,1,ok\nb,0,m,1,ok\n", 0, 2},
                 {HEAD "a,0,m,,error: no driver\n", HEAD "a,0,m,1,ok\nb,0,m,1,ok\n", 0, 2},
                 {HEAD "a,0,m,,error: no driver\n", HEAD, 1, 1},
                 {HEAD "a,0,m,,error: no driver\n", NULL, 1, 1},
                 {"x,y\n1,2\n", HEAD "a,0,m,1,ok\nb,0,m,1,ok\n", 1, 1}};
    sam_error err;
    char path[256];
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        int kept;
        tree_remove(&tree, "out");
        tree_text(&tree, "out/t.csv", cases[i].now);
        tree_text(&tree, "out/settings.json", "{}");
        if (cases[i].before)
            tree_text(&tree, "out/t.previous.csv", cases[i].before);
        snprintf(path, sizeof path, "%s", tree_path(&tree, "out/t.csv"));
        char settings[256];
        snprintf(settings, sizeof settings, "%s", tree_path(&tree, "out/settings.json"));
        assert_int_equal(history_keep(path, settings, &kept, &err), SAM_OK);
        printf("case %zu: kept %d, %d rows in the previous table\n", i, kept, rows_of("out/t.previous.csv"));
        assert_int_equal(kept, cases[i].kept);
        assert_int_equal(rows_of("out/t.previous.csv"), cases[i].n_previous);
        if (kept) {
            history_put_back(path, settings);
            assert_true(rows_of("out/t.csv") >= 0 && !access(settings, F_OK));
        }
    }
}

/* A model without weights fails before its first row, again and again. */
static void a_run_without_rows_loses_nothing(void **state)
{
    (void)state;
#define RUN "run --split_dir @/split --device cpu --out_dir @/out --quiet "
    sav_video_make(&tree, "split", "clip", 5);
    tree_text(&tree, "weights/tiny.safetensors", "no weights at all, but a file of that name");
    verb_line(&result, &tree, 0, RUN "--models baseline_copy");
    assert_int_equal(rows_of("out/sav_benchmark_summary.csv"), 2);
    for (int i = 0; i < 3; i++) {
        verb_line(&result, &tree, 1, RUN "--models sam2_tiny_points --weights_dir @/weights --metric seed");
        assert_int_equal(rows_of("out/sav_benchmark_summary.csv"), 2);
    }
    verb_says(&tree, 0, "2 finished rows taken over",
              "run --split_dir @/split --device cpu --out_dir @/out --models baseline_copy --resume");
}

/* What each verb would write, as an earlier run left it. */
static const char *const earlier[] = {
    "sav_benchmark_summary.csv", "sav_benchmark_settings.json", "profile_summary.csv", "profile_roofline.csv",
    "profile_stats.json",        "component_speed.csv",         "figures.json",        "objects.csv",
    "masks/001/00000.png"};
enum { N_EARLIER = sizeof earlier / sizeof *earlier };

static void must_be_as_it_was(const char *name)
{
    char text[100] = "", path[200];
    snprintf(path, sizeof path, "gone/%s", name);
    FILE *f = fopen(tree_path(&tree, "%s", path), "r");
    assert_non_null(f);
    text[fread(text, 1, sizeof text - 1, f)] = 0;
    fclose(f);
    if (strcmp(text, HEAD "a,b,c,0.5,ok\n"))
        fail_msg("%s has become: %s", name, text);
}

/* A device that is not there is found out before files are touched, as often as one tries. `edge` asks its children: its good
 * table is the previous one then, and stays it. */
static void a_device_that_is_not_there_touches_nothing(void **state)
{
    (void)state;
#define DEMO  SOURCE_DIR "/models/demo_sam2.1.safetensors "
#define SPLIT "--split_dir @/split --models demo_points --weights_dir " SOURCE_DIR "/models --out_dir @/gone "
#define CLIP  "@/split/JPEGImages_24fps/clip"
    static const char *const lines[] = {
        "run " SPLIT "--device cuda",
        "profile " SPLIT "--device cuda",
        "speed --models " DEMO "--sizes 64 --csv @/gone/component_speed.csv --json @/gone/figures.json --device cuda",
        "kernels --models " DEMO "--json @/gone/figures.json --device cuda",
        "track --weights " DEMO "--input " CLIP " --point 40,30 --out @/gone --json @/gone/figures.json --device cuda",
        "image --weights " DEMO "--input " CLIP "/00000.png --point 40,30 --out @/gone --json @/gone/figures.json "
        "--device cuda"};
    sav_video_make(&tree, "split", "clip", 3);
    for (int i = 0; i < N_EARLIER; i++) {
        char path[200];
        snprintf(path, sizeof path, "gone/%s", earlier[i]);
        tree_text(&tree, path, HEAD "a,b,c,0.5,ok\n");
    }
    for (size_t k = 0; k < 2 * sizeof lines / sizeof *lines; k++) {
        verb_line(&result, &tree, 1, lines[k / 2]);
        for (int i = 0; i < N_EARLIER; i++)
            must_be_as_it_was(earlier[i]);
    }
    tree_text(&tree, "gone/jetson_benchmark_summary.csv", HEAD "a,b,c,0.5,ok\n");
    for (int k = 0; k < 2; k++) {
        verb_line(&result, &tree, 1, "edge " SPLIT "--imgsz 64 --device cuda");
        must_be_as_it_was("jetson_benchmark_summary.previous.csv");
    }
}

static void other_weights_are_not_resumed(void **state)
{
    (void)state;
#define MODEL                                                                                                          \
    "run --split_dir @/split --device cpu --out_dir @/out --imgsz 64 --models sam2_tiny_points --weights_dir @/weights "
    sav_video_make(&tree, "split", "clip", 3);
    sav_weights_make(&tree);
    verb_line(&result, &tree, 0, MODEL);
    verb_says(&tree, 0, "2 finished rows taken over", MODEL "--resume");
    command(&result, "samconvert random --model sam2.1_tiny --seed 8 --half %s/weights/tiny.safetensors", tree.root);
    assert_int_equal(result.code, 0);
    verb_says(&tree, 2, "were made with other weights", MODEL "--resume");
    verb_line(&result, &tree, 0,
              "run --split_dir @/split --device cpu --out_dir @/out --imgsz 64 --models baseline_copy --resume");
    verb_says(&tree, 2, "were made with other weights", MODEL "--resume");
}

static void one_bad_video_is_one_bad_row(void **state)
{
    (void)state;
    static const char *const videos[] = {"a", "b", "c"};
    for (int i = 0; i < 3; i++)
        sav_video_make(&tree, "split", videos[i], 5);
    tree_remove(&tree, "split/JPEGImages_24fps/b/00002.png");
    verb_line(&result, &tree, 1, RUN "--models baseline_copy");
    assert_non_null(strstr(result.text, "annotates a frame that is not in"));
    csv_table t = {0};
    sam_error err;
    assert_int_equal(csv_read(&t, tree_path(&tree, "out/sav_benchmark_summary.csv"), &err), SAM_OK);
    assert_int_equal(t.n_rows, 5);
    for (int r = 0; r < t.n_rows; r++) {
        int bad = !strcmp(table_cell(&t, r, "video"), "b");
        assert_int_equal(status_is_ok(table_cell(&t, r, "status")), !bad);
    }
    csv_close(&t);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(only_finished_rows_replace_finished_rows, set_up, tear_down),
        cmocka_unit_test_setup_teardown(a_run_without_rows_loses_nothing, set_up, tear_down),
        cmocka_unit_test_setup_teardown(a_device_that_is_not_there_touches_nothing, set_up, tear_down),
        cmocka_unit_test_setup_teardown(other_weights_are_not_resumed, set_up, tear_down),
        cmocka_unit_test_setup_teardown(one_bad_video_is_one_bad_row, set_up, tear_down),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
