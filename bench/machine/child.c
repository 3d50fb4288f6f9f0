#include "child.h"

#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <spawn.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

extern char **environ;

sam_status child_self(char *path, size_t n_path, sam_error *err)
{
    ssize_t n = readlink("/proc/self/exe", path, n_path - 1);
    if (n <= 0)
        return fail(err, SAM_E_IO, "/proc/self/exe: %s: needed to start this program again", strerror(errno));
    path[n] = 0;
    return SAM_OK;
}

static sam_status start(const char *const *words, const posix_spawn_file_actions_t *files, pid_t *pid, sam_error *err)
{
    fflush(NULL);
    int wrong = posix_spawnp(pid, words[0], files, NULL, (char *const *)(uintptr_t)words, environ);
    return wrong ? fail(err, SAM_E_IO, "%s: cannot be started: %s", words[0], strerror(wrong)) : SAM_OK;
}

sam_status child_start(const char *const *words, pid_t *pid, sam_error *err)
{
    return start(words, NULL, pid, err);
}

sam_status child_wait(pid_t pid, child_end *end, sam_error *err)
{
    int status;
    *end = (child_end){0};
    while (waitpid(pid, &status, 0) < 0)
        if (errno != EINTR)
            return fail(err, SAM_E_IO, "waiting for process %ld: %s", (long)pid, strerror(errno));
    if (WIFSIGNALED(status))
        end->signal = WTERMSIG(status);
    else
        end->code = WEXITSTATUS(status);
    return SAM_OK;
}

sam_status child_run(const char *const *words, child_end *end, sam_error *err)
{
    pid_t pid;
    TRY(child_start(words, &pid, err));
    return child_wait(pid, end, err);
}

sam_status child_run_into(const char *const *words, const char *log, child_end *end, sam_error *err)
{
    pid_t pid;
    posix_spawn_file_actions_t files;
    if (posix_spawn_file_actions_init(&files))
        return fail(err, SAM_E_MEMORY, "out of memory");
    int wrong = posix_spawn_file_actions_addopen(&files, STDOUT_FILENO, log, O_WRONLY | O_CREAT | O_TRUNC, 0600);
    wrong = wrong ? wrong : posix_spawn_file_actions_adddup2(&files, STDOUT_FILENO, STDERR_FILENO);
    sam_status status =
        wrong ? fail(err, SAM_E_MEMORY, "%s: %s", log, strerror(wrong)) : start(words, &files, &pid, err);
    posix_spawn_file_actions_destroy(&files);
    return status == SAM_OK ? child_wait(pid, end, err) : status;
}

const char *child_says(const child_end *end, char *text, size_t n_text)
{
    if (end->signal == SIGKILL)
        snprintf(text, n_text, "killed by SIGKILL: the kernel's out-of-memory killer, or a kill -9");
    else if (end->signal)
        snprintf(text, n_text, "killed by signal %d (%s)", end->signal, strsignal(end->signal));
    else
        snprintf(text, n_text, "exit status %d", end->code);
    return text;
}
