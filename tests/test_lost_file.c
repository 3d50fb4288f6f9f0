/* A file that becomes shorter while it is mapped ends the program with a line that names it, not with a signal. */
#include <setjmp.h>
#include <stdarg.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>
/* cmocka.h defines a macro named fail: after error.h */
#include "lost_file.h"
#include "mapped_file.h"
#include "temp_dir.h"

#include <cmocka.h>

enum { N = 1 << 16 };

static int child(const char *path, int says)
{
    void *bytes = NULL;
    size_t n = 0;
    dup2(says, STDERR_FILENO);
    lost_file_watch();
    if (file_map(path, &bytes, &n, NULL) != SAM_OK || truncate(path, 0) != 0)
        return 2;
    return ((volatile const uint8_t *)bytes)[n - 1] + 3; /* not reached */
}

static void truncated(void **state)
{
    (void)state;
    temp_dir d;
    char path[300], said[1024] = "";
    int ends[2], status = 0;
    uint8_t *data = calloc(1, N);
    temp_dir_make(&d);
    write_file(temp_dir_file(&d, "weights.safetensors", path, sizeof path), data, N);
    free(data);
    assert_int_equal(pipe(ends), 0);
    pid_t pid = fork();
    if (pid == 0)
        _exit(child(path, ends[1]));
    close(ends[1]);
    assert_int_equal(waitpid(pid, &status, 0), pid);
    assert_true(read(ends[0], said, sizeof said - 1) > 0);
    close(ends[0]);
    assert_true(WIFEXITED(status) && WEXITSTATUS(status) == 1);
    assert_non_null(strstr(said, path));
    printf("%s", said);
    temp_dir_remove(&d);
}

int main(void)
{
    const struct CMUnitTest tests[] = {cmocka_unit_test(truncated)};
    return cmocka_run_group_tests(tests, NULL, NULL);
}
