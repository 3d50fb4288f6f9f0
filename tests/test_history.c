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
        cmocka_unit_test_setup_teardown(other_weights_are_not_resumed, set_up, tear_down),
        cmocka_unit_test_setup_teardown(one_bad_video_is_one_bad_row, set_up, tear_down),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
