/* What a user sees when a device is refused, short of memory or lost: whole verbs on the emulated device, which this program
 * has in place of CUDA's (backend_cuda below). Each line runs in a process of its own, as it would. */
#include "backend_emu.h"
#include "changed_weights.h"
#include "tiny_model.h"
#include "verb_line.h"
#include "verbs.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

#include <cmocka.h> /* after error.h: it makes a macro of `fail` */

enum { FRAMES = 3, TEXT_BYTES = 1 << 14 };

static temp_tree tree;
static char said[TEXT_BYTES]; /* by the last line, both streams */

/* The linker takes this one, and leaves engine/backend_cuda.c or no_cuda.c where it is. */
const backend_api *backend_cuda(void)
{
    return &backend_emu;
}

static int make_files(void **state)
{
    (void)state;
    tree_open(&tree);
    sav_video_make(&tree, "split", "clip", FRAMES);
    tree_folder(&tree, "weights");
    tiny_model_write(tree_path(&tree, "weights/sam2.1_hiera_demo.safetensors"), TINY_SAM21, "sam2.1_hiera_demo");
    return 0;
}

static int remove_files(void **state)
{
    (void)state;
    tree_close(&tree);
    return 0;
}

/* In the child: `line` on a device that does as `how` says; how many operators happened is left in root/happened. */
static void run_line(const char *line, emu_device how)
{
    char words[1024], *argv[32] = {"sambench"}, happened[600];
    int argc = 1;
    snprintf(happened, sizeof happened, "%s", tree_path(&tree, "happened"));
    if (!freopen(tree_path(&tree, "said"), "w", stdout) || dup2(1, 2) < 0 || chdir(tree.root))
        _exit(99);
    snprintf(words, sizeof words, "%s", line);
    for (char *word = strtok(words, " "); word && argc < 31; word = strtok(NULL, " "))
        argv[argc++] = word;
    emu = how;
    int code = verb_find(argv[1])->main(argc - 1, argv + 1);
    FILE *f = fopen(happened, "w");
    if (f)
        fprintf(f, "%ld\n", emu.n_happened);
    if (!f || fclose(f) || fflush(NULL))
        code = 98;
    _exit(code);
}

/* Exit status; what it said is in `said`. */
static int line_on(const char *line, emu_device how)
{
    int status;
    fflush(NULL);
    pid_t child = fork();
    assert_true(child >= 0);
    if (!child)
        run_line(line, how);
    assert_int_equal(waitpid(child, &status, 0), child);
    FILE *f = fopen(tree_path(&tree, "said"), "r");
    assert_non_null(f);
    said[fread(said, 1, sizeof said - 1, f)] = 0;
    fclose(f);
    printf("$ sambench %s\n%s[exit %d]\n", line, said, WIFEXITED(status) ? WEXITSTATUS(status) : -1);
    assert_true(WIFEXITED(status));
    return WEXITSTATUS(status);
}

static long happened(void)
{
    long n = 0;
    FILE *f = fopen(tree_path(&tree, "happened"), "r");
    assert_non_null(f);
    assert_int_equal(fscanf(f, "%ld", &n), 1);
    fclose(f);
    return n;
}

static void must_say(const char *words)
{
    if (!strstr(said, words))
        fail_msg("nothing said of: %s", words);
}

static csv_table read_table(const char *folder)
{
    csv_table t = {0};
    sam_error err;
    if (csv_read(&t, tree_path(&tree, "%s/sav_benchmark_summary.csv", folder), &err) != SAM_OK)
        fail_msg("%s", err.text);
    return t;
}

#define RUN "run --split_dir split --weights_dir weights --models demo_points --threads 1 --no-save_frames --out_dir "

/* A GPU that is lost in the second object: the first one's row stays, the rest runs on the CPU, and that is said. */
static void test_run_falls_back(void **state)
{
    (void)state;
    assert_int_equal(line_on(RUN "sound", (emu_device){0}), 0);
    must_say("--device auto is the GPU");
    long n = happened();
    assert_int_equal(line_on(RUN "auto", (emu_device){.fault = 3 * n / 4, .stays_lost = 1}), 1);
    must_say("--device auto is the GPU");
    must_say("--device auto is the CPU: opening the emulated device: an illegal memory access");
    must_say("1 failed");
    csv_table t = read_table("auto");
    assert_int_equal(t.n_rows, 2);
    assert_memory_equal(table_cell(&t, 0, "status"), "ok", 2);
    assert_string_equal(table_cell(&t, 0, "backend"), "emu");
    assert_non_null(strstr(table_cell(&t, 1, "status"), "error: frame "));
    assert_non_null(strstr(table_cell(&t, 1, "status"), "illegal memory access"));
    csv_close(&t);
    assert_int_equal(line_on(RUN "auto --resume", (emu_device){0}), 0);
    t = read_table("auto");
    assert_memory_equal(table_cell(&t, 1, "status"), "ok", 2);
    csv_close(&t);
}

/* What a device's frame waits for is one sentence: work that happens as it is enqueued is the host's, work that happens while
 * the host waits is the device's. */
static void test_who_is_the_limit(void **state)
{
    (void)state;
    assert_int_equal(line_on(RUN "busy_host", (emu_device){.order = EMU_AT_ONCE}), 0);
    must_say("the host is the limit");
    csv_table t = read_table("busy_host");
    double ms = table_number(&t, 0, "latency_ms"), host = table_number(&t, 0, "host_ms");
    printf("of %.2f ms the host's: %.2f\n", ms, host);
    assert_true(host > 0.9 * ms && host <= ms);
    csv_close(&t);
    assert_int_equal(line_on(RUN "busy_device", (emu_device){.order = EMU_LATE}), 0);
    must_say("the device is the limit");
    t = read_table("busy_device");
    ms = table_number(&t, 0, "latency_ms"), host = table_number(&t, 0, "host_ms");
    printf("of %.2f ms the host's: %.2f, the device's: %.2f\n", ms, host, table_number(&t, 0, "device_ms"));
    assert_true(host >= 0 && host < 0.5 * ms && table_number(&t, 0, "device_ms") > 0.5 * ms);
    csv_close(&t);
}

/* Asked for the GPU by name: what follows is left for --resume, and nothing runs on the CPU. */
static void test_run_stops(void **state)
{
    (void)state;
    assert_int_equal(line_on(RUN "cuda --device cuda", (emu_device){.fault = 3, .stays_lost = 1}), 1);
    must_say("opening the emulated device: an illegal memory access");
    must_say("stopped, since the GPU is gone; `--resume` in a new process goes on from here");
    csv_table t = read_table("cuda");
    assert_int_equal(t.n_rows, 1);
    assert_non_null(strstr(table_cell(&t, 0, "status"), "error: frame 0, "));
    csv_close(&t);
}

#define TRACK                                                                                                          \
    "track --weights weights/sam2.1_hiera_demo.safetensors --input split/JPEGImages_24fps/clip --point 40,30 --out "

/* What was tracked before the fault is kept, and the operator is named where that was asked for. */
static void test_track_keeps(void **state)
{
    (void)state;
    assert_int_equal(line_on(TRACK "sound --no-overlay --quiet --threads 1", (emu_device){0}), 0);
    long n = happened();
    assert_int_equal(
        line_on(TRACK "kept --no-overlay --quiet --threads 1 --check_kernels", (emu_device){.fault = n - 1}), 1);
    must_say("frame 2, graph ");
    must_say("illegal memory access");
    must_say("stopped after 2 frames; what they gave is kept");
    assert_int_equal(access(tree_path(&tree, "kept/masks/001/00001.png"), R_OK), 0);
    assert_int_equal(access(tree_path(&tree, "kept/masks/001/00002.png"), R_OK), -1);
}

/* What, how much, how much is free and what would help, at each size of the failure. */
static void test_memory(void **state)
{
    (void)state;
    const char *const line = TRACK "none --no-overlay --quiet --threads 1 --device cuda";
    assert_int_equal(line_on(line, (emu_device){.fail_alloc = 1}), 1);
    must_say("no device memory for weights");
    must_say(" of 1024 MiB are free; a smaller image size, fewer objects or a smaller model would fit");
    assert_int_equal(
        line_on(TRACK "none --no-overlay --quiet --threads 1 --device cuda --mem_limit 1M", (emu_device){0}), 1);
    must_say("the session needs ");
    must_say("largest: ");
    must_say("the limit is 1 MiB");
}

/* A NaN that a frame's kernels make is seen on the device as on the host: the row has failed and is in no mean. */
static void test_not_finite(void **state)
{
    (void)state;
    char from[600], to[600];
    snprintf(from, sizeof from, "%s", tree_path(&tree, "weights/sam2.1_hiera_demo.safetensors"));
    tree_folder(&tree, "wild");
    snprintf(to, sizeof to, "%s", tree_path(&tree, "wild/sam2.1_hiera_demo.safetensors"));
    weights_change_tensor(from, to, "image_encoder.trunk.patch_embed.proj.bias", FILL, 3e38f);
    assert_int_equal(line_on("run --split_dir split --weights_dir wild --models demo_points --threads 1 "
                             "--no-save_frames --out_dir not_finite --device cuda",
                             (emu_device){0}),
                     1);
    csv_table t = read_table("not_finite");
    assert_int_equal(t.n_rows, 2);
    for (int r = 0; r < 2; r++) {
        printf("%s\n", table_cell(&t, r, "status"));
        assert_string_equal(table_cell(&t, r, "backend"), "emu");
        assert_non_null(strstr(table_cell(&t, r, "status"), "not finite, from the image encoder on"));
        assert_string_equal(table_cell(&t, r, "JandF"), "");
    }
    csv_close(&t);
}

int main(void)
{
    const struct CMUnitTest tests[] = {cmocka_unit_test(test_run_falls_back), cmocka_unit_test(test_who_is_the_limit),
                                       cmocka_unit_test(test_run_stops),      cmocka_unit_test(test_track_keeps),
                                       cmocka_unit_test(test_memory),         cmocka_unit_test(test_not_finite)};
    return cmocka_run_group_tests(tests, make_files, remove_files);
}
