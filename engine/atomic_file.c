/* atomic_file.c - see atomic_file.h. */
#include "atomic_file.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

/* 0, or the errno of what went wrong. */
static int write_and_close(int fd, const char *bytes, size_t n_bytes, int sync)
{
    int failed = 0;
    while (n_bytes && !failed) {
        ssize_t n = write(fd, bytes, n_bytes);
        if (n < 0 && errno == EINTR)
            continue;
        if (n < 0) {
            failed = errno;
        } else {
            bytes += n;
            n_bytes -= (size_t)n;
        }
    }
    if (!failed && sync && fsync(fd))
        failed = errno;
    if (close(fd) && !failed)
        failed = errno;
    return failed;
}

/* Makes the rename last through a power cut; not every file system can, so failure is ignored. */
static void sync_folder_of(char *path)
{
    char *slash = strrchr(path, '/');
    if (slash)
        slash[slash == path] = 0;
    int fd = open(slash ? path : ".", O_RDONLY | O_CLOEXEC);
    if (fd < 0)
        return;
    fsync(fd);
    close(fd);
}

enum { MAX_TEMPORARIES = 100 };

int atomic_file_temporary(const char *path, char **temporary)
{
    size_t n = strlen(path) + 48;
    int fd = -1;
    *temporary = malloc(n);
    if (!*temporary)
        return -1;
    for (int i = 0; i < MAX_TEMPORARIES && fd < 0;
         i++) { /* another thread, or a process of another machine, may have it */
        snprintf(*temporary, n, "%s.%ld.%d.tmp", path, (long)getpid(), i);
        fd = open(*temporary, O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC, 0666);
        if (fd < 0 && errno != EEXIST)
            break;
    }
    if (fd < 0) {
        int why = errno;
        free(*temporary);
        *temporary = NULL;
        errno = why;
    }
    return fd;
}

/* The process in a name that ends in .PID.N.tmp; 0: it is no such name. */
static long process_of(const char *name)
{
    static const char end[] = ".tmp";
    size_t n = strlen(name), n_end = sizeof end - 1;
    if (n < n_end || strcmp(name + n - n_end, end))
        return 0;
    size_t at = n - n_end, dots = 0;
    while (at > 0 && dots < 2) {
        at--;
        if (name[at] == '.')
            dots++;
        else if (name[at] < '0' || name[at] > '9')
            return 0;
    }
    return dots == 2 && at > 0 ? strtol(name + at + 1, NULL, 10) : 0;
}

void atomic_file_sweep(const char *folder)
{
    DIR *dir = opendir(folder);
    for (struct dirent *e; dir && (e = readdir(dir));) {
        struct stat st;
        long pid = process_of(e->d_name);
        if (pid > 0 && kill((pid_t)pid, 0) && errno == ESRCH &&
            !fstatat(dirfd(dir), e->d_name, &st, AT_SYMLINK_NOFOLLOW) && S_ISREG(st.st_mode))
            unlinkat(dirfd(dir), e->d_name, 0);
    }
    if (dir)
        closedir(dir);
}

sam_status atomic_file_write(const char *path, const void *bytes, size_t n_bytes, sam_error *err)
{
    struct stat st;
    char *temporary = NULL;
    int in_place = !stat(path, &st) && !S_ISREG(st.st_mode);
    int fd = in_place ? open(path, O_WRONLY | O_CLOEXEC) : atomic_file_temporary(path, &temporary);
    int failed = fd < 0 ? errno : write_and_close(fd, bytes, n_bytes, !in_place);
    if (!failed && !in_place && rename(temporary, path))
        failed = errno;
    if (failed && temporary)
        unlink(temporary);
    if (!failed && temporary)
        sync_folder_of(temporary);
    free(temporary);
    if (failed)
        return fail(err, SAM_E_IO, "%s: cannot be written: %s", path, strerror(failed));
    return SAM_OK;
}
