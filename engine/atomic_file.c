/* atomic_file.c - see atomic_file.h. */
#include "atomic_file.h"

#include <errno.h>
#include <fcntl.h>
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

sam_status atomic_file_write(const char *path, const void *bytes, size_t n_bytes, sam_error *err)
{
    struct stat st;
    int in_place = !stat(path, &st) && !S_ISREG(st.st_mode);
    size_t n_path = strlen(path);
    char *temporary = malloc(n_path + 5);
    if (!temporary)
        return fail(err, SAM_E_MEMORY, "%s: out of memory", path);
    memcpy(temporary, path, n_path);
    memcpy(temporary + n_path, ".tmp", 5);

    int fd =
        in_place ? open(path, O_WRONLY | O_CLOEXEC) : open(temporary, O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0666);
    int failed = fd < 0 ? errno : write_and_close(fd, bytes, n_bytes, !in_place);
    if (!failed && !in_place && rename(temporary, path))
        failed = errno;
    if (failed && !in_place && fd >= 0)
        unlink(temporary);
    if (!failed && !in_place)
        sync_folder_of(temporary);
    free(temporary);
    if (failed)
        return fail(err, SAM_E_IO, "%s: cannot be written: %s", path, strerror(failed));
    return SAM_OK;
}
