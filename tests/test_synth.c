/* `sambench synth`: the same clips for the same seed, others for another, whole data sets that the other verbs read, and
 * one line for every wrong argument. */
#include "dataset.h"
#include "image_io.h"
#include "verb_line.h"

#include <setjmp.h>
#include <signal.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>
#include <sys/resource.h>
#include <time.h>
#include <unistd.h>

#include <cmocka.h> /* after error.h: it makes a macro of `fail` */

enum { CLIPS = 4, FRAMES = 6, W = 96, H = 64 };

static temp_tree tree;

static void synth(const char *name, int seed)
{
    command_result r;
    command(
        &r,
        "sambench synth --out %s/%s --clips %d --frames %d --width %d --height %d --annotate_every 1 --seed %d --quiet",
        tree.root, name, CLIPS, FRAMES, W, H, seed);
    assert_string_equal(r.text, "");
    assert_int_equal(r.code, 0);
}

/* Object pixels of every mask of the data set, and a checksum of masks and frames. */
static uint64_t checksum(const char *name, int *n_masks, int *n_inside)
{
    char root[400], path[1000];
    dataset d;
    sam_error err;
    image im = {0};
    uint64_t sum = 1469598103934665603u;
    *n_masks = *n_inside = 0;
    snprintf(root, sizeof root, "%.300s/%.60s", tree.root, name);
    if (dataset_open(&d, root, &(dataset_options){.split_name = "sav_val"}, &err) != SAM_OK)
        fail_msg("%s", err.text);
    assert_int_equal(d.n_videos, CLIPS);
    for (int v = 0; v < d.n_videos; v++) {
        assert_int_equal(dataset_find_objects(&d, v, &err), SAM_OK);
        assert_true(d.videos[v].n_objects > 0);
        for (int t = 0; t < FRAMES; t++) {
            snprintf(path, sizeof path, "%s/JPEGImages_24fps/%s/%05d.jpg", root, d.videos[v].name, t);
            assert_int_equal(image_read_rgb(path, &im, &err), SAM_OK);
            assert_true(im.width == W && im.height == H);
            for (size_t i = 0; i < 3 * (size_t)W * H; i++)
                sum = (sum ^ im.data[i]) * 1099511628211u;
        }
        for (int o = 0; o < d.videos[v].n_objects; o++)
            for (int t = 0; t < FRAMES; t++) {
                assert_int_equal(dataset_read_mask(&d, v, o, t, W, H, &im, &err), SAM_OK);
                ++*n_masks;
                for (size_t i = 0; i < (size_t)W * H; i++) {
                    *n_inside += im.data[i] != 0;
                    sum = (sum ^ im.data[i]) * 1099511628211u;
                }
            }
    }
    image_free(&im);
    dataset_close(&d);
    return sum;
}

static void same_seed_same_clips(void **state)
{
    int masks, inside, masks_again, inside_again;
    (void)state;
    synth("a", 7);
    synth("b", 7);
    synth("c", 8);
    uint64_t a = checksum("a", &masks, &inside), b = checksum("b", &masks_again, &inside_again);
    assert_true(a == b && masks == masks_again && inside == inside_again);
    assert_true(checksum("c", &masks_again, &inside_again) != a);
    double share = (double)inside / ((double)masks * W * H);
    printf("synth: %d masks, objects cover %.3f of the frames; checksum %016llx twice\n", masks, share,
           (unsigned long long)a);
    assert_true(share > 0.005 && share < 0.6);
}

/* Starts a data set that takes long, and waits until its first clips are on disk. */
static pid_t start_long(void)
{
    char first[300];
    snprintf(first, sizeof first, "%s", tree_path(&tree, "long.partial/JPEGImages_24fps/easy_0000/00003.jpg"));
    pid_t child = verb_start(&tree, "synth --out @/long --clips 50 --frames 20 --width 96 --height 64 --quiet");
    for (int i = 0; i < 3000 && access(first, R_OK); i++)
        nanosleep(&(struct timespec){.tv_nsec = 10 * 1000 * 1000}, NULL);
    assert_int_equal(access(first, R_OK), 0);
    return child;
}

static int is_there(const char *name)
{
    return !access(tree_path(&tree, "%s", name), F_OK);
}

static void interrupted_ones_leave_nothing(void **state)
{
    (void)state;
    pid_t child = start_long();
    assert_int_equal(kill(child, SIGINT), 0);
    assert_int_equal(verb_end(child), 130);
    assert_true(!is_there("long") && !is_there("long.partial"));
    printf("synth: nothing is left after SIGINT\n");
}

/* What kill -9 leaves does not look like a data set, and the next one takes its place. */
static void killed_ones_are_no_data_set(void **state)
{
    (void)state;
    pid_t child = start_long();
    assert_int_equal(kill(child, SIGKILL), 0);
    assert_int_equal(verb_end(child), 128 + SIGKILL);
    assert_true(!is_there("long") && is_there("long.partial") && !is_there("long.partial/sav_val.txt"));
    synth("long", 7);
    assert_true(is_there("long/sav_val.txt") && !is_there("long.partial"));
    assert_true(!is_there("long/JPEGImages_24fps/easy_0000/00010.jpg")); /* of the killed one */
    printf("synth: the folder is not there after SIGKILL, and whole after the next run\n");
}

/* No file may grow beyond 1500 bytes: what a full disk does to frames and masks. */
static void full_disk(void **state)
{
    (void)state;
    struct rlimit before, limit;
    command_result r;
    assert_int_equal(getrlimit(RLIMIT_FSIZE, &before), 0);
    limit = before;
    limit.rlim_cur = 1500;
    signal(SIGXFSZ, SIG_IGN);
    fflush(NULL);
    assert_int_equal(setrlimit(RLIMIT_FSIZE, &limit), 0);
    command(&r, "sambench synth --out %s/full --clips 2 --frames 4 --width 320 --height 240", tree.root);
    assert_int_equal(setrlimit(RLIMIT_FSIZE, &before), 0);
    assert_int_equal(r.code, 1);
    assert_non_null(strstr(r.text, "cannot be written: File too large"));
    assert_true(!is_there("full") && !is_there("full.partial"));
}

static void wrong_arguments(void **state)
{
    static const char *const wrong[][2] = {{"synth", "--out"},
                                           {"synth --out %s/a", "a"}, /* not empty */
                                           {"synth --out %s/x --clips 0", "--clips"},
                                           {"synth --out %s/x --width 1", "--width"},
                                           {"synth --out %s/x --difficulty odd", "odd"},
                                           {"synth --out %s/x --split_name a/b", "--split_name"},
                                           {"synth --out /proc/none/x", "/proc/none"}};
    (void)state;
    for (size_t i = 0; i < sizeof wrong / sizeof *wrong; i++) {
        char line[400] = "sambench ";
        command_result r;
        snprintf(line + strlen(line), sizeof line - strlen(line), wrong[i][0], tree.root);
        command(&r, "%s", line);
        assert_int_not_equal(r.code, 0);
        if (!strstr(r.text, wrong[i][1]))
            fail_msg("%s: %s", line, r.text);
    }
    printf("synth: %zu wrong command lines refused\n", sizeof wrong / sizeof *wrong);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(same_seed_same_clips),
        cmocka_unit_test(interrupted_ones_leave_nothing),
        cmocka_unit_test(killed_ones_are_no_data_set),
        cmocka_unit_test(full_disk),
        cmocka_unit_test(wrong_arguments),
    };
    tree_open(&tree);
    int failed = cmocka_run_group_tests(tests, NULL, NULL);
    tree_close(&tree);
    return failed;
}
