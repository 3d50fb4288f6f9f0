/* One process writes into a folder of results at a time, and a killed one leaves neither lock nor files behind. */
#include "folder_lock.h"
#include "temp_tree.h"
#include "verb_line.h"

#include <setjmp.h>
#include <signal.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#include <cmocka.h>

static temp_tree tree;

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

static void the_second_is_told_who_the_first_is(void **state)
{
    (void)state;
    folder_lock l = {0};
    sam_error err = {0};
    char folder[256], who[32], byte;
    int ready[2], status;
    snprintf(folder, sizeof folder, "%s", tree_path(&tree, "out"));
    assert_int_equal(pipe(ready), 0);
    fflush(NULL);
    pid_t child = fork();
    if (!child) {
        int taken = folder_lock_take(&l, folder, NULL) == SAM_OK;
        FILE *left = fopen(tree_path(&tree, "out/frames.csv.%ld.0.tmp", (long)getpid()), "w");
        if (!taken || !left || write(ready[1], "x", 1) != 1)
            _exit(1);
        pause();
    }
    assert_int_equal(read(ready[0], &byte, 1), 1);
    assert_int_equal(folder_lock_take(&l, folder, &err), SAM_E_STATE);
    printf("%s\n", err.text);
    snprintf(who, sizeof who, "process %ld", (long)child);
    assert_non_null(strstr(err.text, who));
    folder_lock_free(&l); /* harmless */
    kill(child, SIGKILL);
    assert_int_equal(waitpid(child, &status, 0), child);
    assert_int_equal(folder_lock_take(&l, folder, &err), SAM_OK);
    assert_int_not_equal(access(tree_path(&tree, "out/frames.csv.%ld.0.tmp", (long)child), F_OK), 0);
    folder_lock_free(&l);
    assert_int_not_equal(access(tree_path(&tree, "out/" FOLDER_LOCK_FILE), F_OK), 0);
    assert_int_equal(folder_lock_take(&l, folder, &err), SAM_OK); /* again */
    folder_lock_free(&l);
}

static void a_planted_link_is_not_followed(void **state)
{
    (void)state;
    folder_lock l = {0};
    sam_error err = {0};
    struct stat st;
    tree_text(&tree, "victim", "precious");
    tree_folder(&tree, "out");
    char victim[256];
    snprintf(victim, sizeof victim, "%s", tree_path(&tree, "victim"));
    assert_int_equal(symlink(victim, tree_path(&tree, "out/" FOLDER_LOCK_FILE)), 0);
    char folder[256];
    snprintf(folder, sizeof folder, "%s", tree_path(&tree, "out"));
    assert_int_equal(folder_lock_take(&l, folder, &err), SAM_E_IO);
    printf("%s\n", err.text);
    assert_true(!stat(victim, &st) && st.st_size == 8);
}

/* Every verb that fills a folder refuses while another one does. */
static void verbs_refuse_a_folder_in_use(void **state)
{
    (void)state;
    static const char *const lines[] = {
        "run --split_dir @/set --models baseline_copy --device cpu --out_dir @/out",
        "edge --split_dir @/set --models sam2.1_tiny_points --weights_dir @ --device cpu --out_dir @/out",
        "profile --test_mode --models sam2_tiny_points --device cpu --out_dir @/out",
        "merge @/one --out @/out",
    };
    folder_lock l = {0};
    sam_error err = {0};
    verb_line(&(command_result){0}, &tree, 0, "synth --out @/set --clips 1 --frames 4 --width 64 --height 64 --seed 3");
    verb_line(&(command_result){0}, &tree, 0,
              "run --split_dir @/set --models baseline_copy --device cpu --out_dir @/one --quiet");
    char folder[256];
    snprintf(folder, sizeof folder, "%s", tree_path(&tree, "out"));
    assert_int_equal(folder_lock_take(&l, folder, &err), SAM_OK);
    for (size_t i = 0; i < sizeof lines / sizeof *lines; i++)
        verb_says(&tree, 1, "another sambench is writing there", lines[i]);
    folder_lock_free(&l);
    verb_line(&(command_result){0}, &tree, 0, lines[0]);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(the_second_is_told_who_the_first_is, set_up, tear_down),
        cmocka_unit_test_setup_teardown(a_planted_link_is_not_followed, set_up, tear_down),
        cmocka_unit_test_setup_teardown(verbs_refuse_a_folder_in_use, set_up, tear_down),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
