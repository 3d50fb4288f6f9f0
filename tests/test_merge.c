/* Sharding and merging: who works on what, by flags and by the launchers' environment, and tables put together again. */
#include "run_shard.h"
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

#define RUN                                                                                                            \
    "run --split_dir @/split --models sam2_tiny_points,sam2_tiny_bbox --weights_dir @/weights --imgsz 128 --threads 1 --quiet "

static const char *const names[] = {"SLURM_ARRAY_TASK_ID",
                                    "SLURM_ARRAY_TASK_COUNT",
                                    "SLURM_ARRAY_TASK_MIN",
                                    "SLURM_ARRAY_TASK_STEP",
                                    "SLURM_STEP_NUM_TASKS",
                                    "SLURM_PROCID",
                                    "SLURM_LOCALID",
                                    "SLURM_NTASKS",
                                    "OMPI_COMM_WORLD_SIZE",
                                    "OMPI_COMM_WORLD_RANK",
                                    "OMPI_COMM_WORLD_LOCAL_RANK"};

static void forget_launchers(void)
{
    for (size_t i = 0; i < sizeof names / sizeof *names; i++)
        unsetenv(names[i]);
}

static void expect_shard(const char *text, int index, int count, const char *source)
{
    sam_error err;
    shard s;
    if (shard_find(text, &s, &err) != SAM_OK)
        fprintf(stderr, "%s\n", err.text);
    assert_int_equal(s.index, index);
    assert_int_equal(s.count, count);
    assert_string_equal(s.source, source);
}

static void launchers_are_understood(void **state)
{
    (void)state;
    sam_error err;
    shard s;
    forget_launchers();
    expect_shard(NULL, 0, 1, "");
    expect_shard("2/5", 2, 5, "--shard");
    setenv("SLURM_NTASKS", "8", 1); /* a batch script without srun is one process */
    setenv("SLURM_PROCID", "0", 1);
    expect_shard("auto", 0, 1, "");
    setenv("SLURM_STEP_NUM_TASKS", "8", 1);
    setenv("SLURM_PROCID", "3", 1);
    setenv("SLURM_LOCALID", "1", 1);
    expect_shard("auto", 3, 8, "Slurm step");
    assert_int_equal(shard_find(NULL, &s, &err), SAM_OK);
    assert_int_equal(s.local, 1);
    setenv("SLURM_ARRAY_TASK_ID", "14", 1);
    setenv("SLURM_ARRAY_TASK_COUNT", "3", 1);
    setenv("SLURM_ARRAY_TASK_MIN", "10", 1);
    setenv("SLURM_ARRAY_TASK_STEP", "2", 1);
    expect_shard(NULL, 2 * 8 + 3, 24, "Slurm array");
    expect_shard("none", 0, 1, "");
    setenv("SLURM_ARRAY_TASK_ID", "99", 1);
    assert_int_equal(shard_find(NULL, &s, &err), SAM_E_ARG);
    forget_launchers();
    setenv("OMPI_COMM_WORLD_SIZE", "2", 1);
    setenv("OMPI_COMM_WORLD_RANK", "1", 1);
    expect_shard(NULL, 1, 2, "Open MPI");
    forget_launchers();
    static const char *const wrong[] = {"4/4", "-1/2", "1", "1/0", "1/2/3", "x"};
    for (size_t i = 0; i < sizeof wrong / sizeof *wrong; i++)
        assert_int_equal(shard_find(wrong[i], &s, &err), SAM_E_ARG);
}

static void expect_gpu(int local, const char *visible, int gpu)
{
    const run_shard r = {.s = {.count = 4, .local = local}};
    if (visible)
        setenv("CUDA_VISIBLE_DEVICES", visible, 1);
    else
        unsetenv("CUDA_VISIBLE_DEVICES");
    assert_int_equal(run_shard_device(&r), gpu);
    unsetenv("CUDA_VISIBLE_DEVICES");
}

/* By the rank on this machine; where the launcher shows each process one GPU, that one. */
static void each_process_has_its_gpu(void **state)
{
    (void)state;
    expect_gpu(-1, NULL, 0);
    expect_gpu(3, NULL, 3);
    expect_gpu(3, "5", 0);
    expect_gpu(3, "4,5", 1);
    expect_gpu(1, "4,5,6,7", 1);
}

static void shares_are_balanced(void **state)
{
    (void)state;
    sam_error err;
    int64_t costs[200], load[7] = {0}, all = 0;
    int owner[200], least = 0, most = 0;
    for (int i = 0; i < 200; i++)
        all += costs[i] = 1 + (i * 7919) % 300;
    assert_int_equal(shard_divide(costs, 200, 7, owner, &err), SAM_OK);
    for (int i = 0; i < 200; i++) {
        assert_true(owner[i] >= 0 && owner[i] < 7);
        load[owner[i]] += costs[i];
    }
    for (int s = 1; s < 7; s++) {
        least = load[s] < load[least] ? s : least;
        most = load[s] > load[most] ? s : most;
    }
    assert_true(load[most] - load[least] <= all / 7 / 50 + 2);
    assert_int_equal(shard_divide(costs, 0, 3, owner, &err), SAM_OK);
}

#define TABLE "columns.md", "# The table of `sambench run`"

/* Every row of the whole table once, with the same scores as in one process. */
static void compare_tables(const char *merged)
{
    csv_table t = documented_table(&tree, merged, TABLE),
              whole = documented_table(&tree, "whole/sav_benchmark_summary.csv", TABLE);
    assert_int_equal(t.n_rows, whole.n_rows);
    for (int r = 0; r < whole.n_rows; r++) {
        const char *keys[] = {csv_cell(&whole, r, 0), csv_cell(&whole, r, 1), csv_cell(&whole, r, 2)};
        int row = csv_find(&t, keys, 3);
        assert_true(row >= 0);
        assert_string_equal(table_cell(&t, row, "J"), table_cell(&whole, r, "J"));
        assert_string_equal(table_cell(&t, row, "status"), "ok");
    }
    csv_close(&t);
    csv_close(&whole);
}

static void shards_make_the_whole(void **state)
{
    (void)state;
    sav_video_make(&tree, "split", "first", 5);
    sav_video_make(&tree, "split", "second", 7);
    verb_line(&result, &tree, 0, RUN "--out_dir @/whole --shard none");
    setenv("SLURM_ARRAY_TASK_ID", "5", 1);
    setenv("SLURM_ARRAY_TASK_MIN", "5", 1);
    setenv("SLURM_ARRAY_TASK_COUNT", "2", 1);
    verb_line(&result, &tree, 0, RUN "--out_dir @/out --save_overlays");
    forget_launchers();
    json_t *json = verb_json(&tree, "out/shard_0_of_2/shard.json");
    documented_fields(json, "many_machines.md", NULL);
    json_decref(json);
    verb_says(&tree, 1, "missing: shard 1 of 2", "merge @/out");
    verb_line(&result, &tree, 0, "merge @/out --allow_missing --out @/part");
    setenv("OMPI_COMM_WORLD_SIZE", "2", 1);
    setenv("OMPI_COMM_WORLD_RANK", "1", 1);
    verb_line(&result, &tree, 0, RUN "--out_dir @/out");
    forget_launchers();
    verb_says(&tree, 0, "8 rows of 2 tables", "merge @/out");
    compare_tables("out/sav_benchmark_summary.csv");
    csv_table t = documented_table(&tree, "out/sav_benchmark_summary.csv", TABLE);
    int n_overlays = 0;
    for (int r = 0; r < t.n_rows; r++) {
        const char *overlay = table_cell(&t, r, "overlay");
        n_overlays += *overlay != 0;
        assert_true(!*overlay || access(tree_path(&tree, "out/%s", overlay), R_OK) == 0);
    }
    assert_true(n_overlays > 0);
    csv_close(&t);
}

/* Writes the table again, without the rows of a video. */
static void remove_rows(const char *folder, const char *video)
{
    csv_table old = {0}, t = {0};
    sam_error err;
    const char *cells[64];
    assert_int_equal(csv_read(&old, tree_path(&tree, "%s/sav_benchmark_summary.csv", folder), &err), SAM_OK);
    assert_true(old.n_columns <= 64);
    assert_int_equal(csv_open(&t, old.path, (const char *const *)old.columns, old.n_columns, 0, &err), SAM_OK);
    for (int r = 0; r < old.n_rows; r++) {
        for (int c = 0; c < old.n_columns; c++)
            cells[c] = csv_cell(&old, r, c);
        if (strcmp(table_cell(&old, r, "video"), video))
            assert_int_equal(csv_append(&t, cells, &err), SAM_OK);
    }
    assert_int_equal(csv_save(&t, &err), SAM_OK);
    csv_close(&t);
    csv_close(&old);
}

/* JSON cannot hold a byte that is not UTF-8; what a shard set out to do names such a video all the same. */
static void names_need_not_be_utf8(void **state)
{
    (void)state;
#define BYTES "run --split_dir @/bytes --models baseline_copy --out_dir @/bytes_out --quiet --shard "
    sav_video_make(&tree, "bytes", "lat\xe9in", 5);
    sav_video_make(&tree, "bytes", "plain", 5);
    verb_line(&result, &tree, 0, BYTES "0/2");
    verb_line(&result, &tree, 0, BYTES "1/2");
    verb_says(&tree, 0, "4 rows of 2 tables", "merge @/bytes_out");
    csv_table t = {0};
    sam_error err;
    assert_int_equal(csv_read(&t, tree_path(&tree, "bytes_out/sav_benchmark_summary.csv"), &err), SAM_OK);
    int there = csv_find(&t, (const char *const[]){"lat\xe9in", "001", "baseline_copy"}, 3) >= 0;
    csv_close(&t);
    assert_true(there);
    for (int shard = 0; shard < 2; shard++)
        remove_rows(shard ? "bytes_out/shard_1_of_2" : "bytes_out/shard_0_of_2", "lat\xe9in");
    verb_says(&tree, 1, "missing: lat\\xe9in, object 000, baseline_copy", "merge @/bytes_out --out @/x");
    tree_text(&tree, "bytes_out/shard_0_of_2/shard.json", "{\"index\": 0, \"cou");
    verb_says(&tree, 1, "shard.json: ", "merge @/bytes_out --out @/x --allow_missing");
}

/* Rows of one model at other sizes or in other types are other rows. */
static void comparisons_are_merged(void **state)
{
    (void)state;
    static const char head[] = "video,object,model,imgsz,precision,status\n";
    char text[300];
    for (int i = 0; i < 2; i++) {
        snprintf(text, sizeof text, "%sclip,000,demo,64,%s,ok\nclip,000,demo,128,%s,ok\n", head, i ? "bf16" : "fp32",
                 i ? "bf16" : "fp32");
        tree_text(&tree, i ? "sweep_b/sav_benchmark_summary.csv" : "sweep_a/sav_benchmark_summary.csv", text);
    }
    verb_says(&tree, 0, "4 rows of 2 tables", "merge @/sweep_a @/sweep_b --out @/sweep");
    verb_says(&tree, 1, "twice: clip, object 000, demo", "merge @/sweep @/sweep_b --out @/x");
}

static void what_is_wrong_is_named(void **state)
{
    (void)state;
    verb_says(&tree, 1, "twice: first, object 000, sam2_tiny_points",
              "merge @/out/shard_0_of_2 @/out/shard_1_of_2 @/whole --out @/x");
    tree_remove(&tree, "out/shard_1_of_2/sav_benchmark_summary.csv");
    verb_says(&tree, 1, "missing: ", "merge @/out --out @/x");
    verb_says(&tree, 1, "sav_benchmark_summary.csv", "merge @/out --out @/x");
    tree_text(&tree, "other/sav_benchmark_summary.csv", "video,object,model\na,b,c\n");
    verb_says(&tree, 1, "has other columns", "merge @/whole @/other --out @/x");
    verb_says(&tree, 1, "is no folder", "merge @/nowhere");
    verb_says(&tree, 2, "give the folders to merge first", "merge");
    verb_says(&tree, 2, "expected i/n", "run --test_mode --shard 3/2 --out_dir @/x");
}

static void mpirun_starts_the_shards(void **state)
{
    (void)state;
    if (system("command -v mpirun > /dev/null")) {
        printf("no mpirun in PATH: skipped\n");
        skip();
    }
    char line[1024];
    setenv("OMPI_ALLOW_RUN_AS_ROOT", "1", 1);
    setenv("OMPI_ALLOW_RUN_AS_ROOT_CONFIRM", "1", 1);
    snprintf(
        line, sizeof line,
        "mpirun --oversubscribe -n 2 %s/sambench run --split_dir %s/split --models sam2_tiny_points,sam2_tiny_bbox "
        "--weights_dir %s/weights --imgsz 128 --threads 1 --quiet --out_dir %s/mpi",
        BUILD_DIR, tree.root, tree.root, tree.root);
    assert_int_equal(system(line), 0);
    verb_says(&tree, 0, "8 rows of 2 tables", "merge @/mpi");
    compare_tables("mpi/sav_benchmark_summary.csv");
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
        cmocka_unit_test(launchers_are_understood), cmocka_unit_test(each_process_has_its_gpu),
        cmocka_unit_test(shares_are_balanced),      cmocka_unit_test(shards_make_the_whole),
        cmocka_unit_test(mpirun_starts_the_shards), cmocka_unit_test(what_is_wrong_is_named),
        cmocka_unit_test(comparisons_are_merged),   cmocka_unit_test(names_need_not_be_utf8),
    };
    return cmocka_run_group_tests(tests, set_up, tear_down);
}
