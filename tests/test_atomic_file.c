/* Files written whole: two processes that write one file, links planted where temporaries go, and what a kill leaves. */
#include "atomic_file.h"
#include "temp_dir.h"

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

enum { N_BYTES = 60000, N_WRITES = 200 };

static temp_dir dir;

static int set_up(void **state)
{
    (void)state;
    temp_dir_make(&dir);
    return 0;
}

static int tear_down(void **state)
{
    (void)state;
    temp_dir_remove(&dir);
    return 0;
}

/* Writes files of one letter; returns how many writes failed. */
static int write_many(const char *path, int letter)
{
    char *text = malloc(N_BYTES);
    int n_failed = 0;
    memset(text, letter, N_BYTES);
    for (int i = 0; i < N_WRITES; i++)
        n_failed += atomic_file_write(path, text, N_BYTES, NULL) != SAM_OK;
    free(text);
    return n_failed;
}

static void two_processes_write_one_file(void **state)
{
    char path[512], *text = malloc(N_BYTES + 1);
    pid_t children[2];
    int n_reads = 0, n_torn = 0, n_mixed = 0, status;
    (void)state;
    temp_dir_file(&dir, "table.csv", path, sizeof path);
    fflush(NULL);
    for (int i = 0; i < 2; i++)
        if (!(children[i] = fork()))
            _exit(write_many(path, 'a' + i) ? 1 : 0);
    for (int n_alive = 2; n_alive > 0;) {
        pid_t gone = waitpid(-1, &status, WNOHANG);
        if (gone > 0) {
            n_alive--;
            assert_true(WIFEXITED(status) && WEXITSTATUS(status) == 0);
        }
        FILE *f = fopen(path, "rb");
        if (!f)
            continue;
        size_t n = fread(text, 1, N_BYTES + 1, f);
        fclose(f);
        n_reads++;
        n_torn += n != N_BYTES;
        n_mixed += memchr(text, 'a', n) && memchr(text, 'b', n);
    }
    print_message("%d reads, %d torn, %d mixed; all of 2 x %d writes went well\n", n_reads, n_torn, n_mixed, N_WRITES);
    assert_int_equal(n_torn + n_mixed, 0);
    assert_int_equal(temp_dir_count(&dir), 1);
    free(text);
}

/* A link where a temporary of this process would go is not followed, nor is it taken away. */
static void planted_links_are_not_followed(void **state)
{
    char path[512], victim[512], link[600], text[16] = "";
    sam_error err = {0};
    struct stat st;
    (void)state;
    temp_dir_file(&dir, "table.csv", path, sizeof path);
    write_file(temp_dir_file(&dir, "victim", victim, sizeof victim), "precious", 8);
    snprintf(link, sizeof link, "%s.%ld.0.tmp", path, (long)getpid());
    assert_int_equal(symlink(victim, link), 0);
    snprintf(link, sizeof link, "%s.tmp", path);
    assert_int_equal(symlink(victim, link), 0);
    assert_int_equal(atomic_file_write(path, "new", 3, &err), SAM_OK);
    FILE *f = fopen(victim, "rb");
    assert_int_equal(fread(text, 1, sizeof text, f), 8);
    fclose(f);
    assert_string_equal(text, "precious");
    assert_true(!lstat(link, &st) && S_ISLNK(st.st_mode));
    assert_int_equal(temp_dir_count(&dir), 4);
}

/* A child is killed in the middle; its file goes, those of living processes and of others stay. */
static void what_a_kill_leaves_is_swept(void **state)
{
    char path[512], name[600];
    int status;
    (void)state;
    temp_dir_file(&dir, "table.csv", path, sizeof path);
    fflush(NULL);
    pid_t child = fork();
    if (!child) {
        char *temporary;
        if (atomic_file_temporary(path, &temporary) < 0)
            _exit(1);
        raise(SIGKILL);
    }
    assert_int_equal(waitpid(child, &status, 0), child);
    assert_true(WIFSIGNALED(status));
    static const char *const others[] = {"notes.tmp", "a.1.tmp", ".1.2.tmp.csv"};
    for (int i = 0; i < 3; i++)
        write_file(temp_dir_file(&dir, others[i], name, sizeof name), "x", 1);
    snprintf(name, sizeof name, "%s.%ld.0.tmp", path, (long)getpid());
    write_file(name, "x", 1);
    int before = temp_dir_count(&dir);
    atomic_file_sweep(dir.path);
    print_message("%d files, %d after sweeping\n", before, temp_dir_count(&dir));
    assert_int_equal(temp_dir_count(&dir), before - 1);
    snprintf(name, sizeof name, "%s.%ld.0.tmp", path, (long)child);
    assert_int_not_equal(access(name, F_OK), 0);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(two_processes_write_one_file, set_up, tear_down),
        cmocka_unit_test_setup_teardown(planted_links_are_not_followed, set_up, tear_down),
        cmocka_unit_test_setup_teardown(what_a_kill_leaves_is_swept, set_up, tear_down),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
