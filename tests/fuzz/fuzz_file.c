#include "fuzz_file.h"

#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

static char folder[64], path[256];

static void must(int ok, const char *what)
{
    if (ok)
        return;
    perror(what);
    exit(1);
}

/* libFuzzer leaves by exit: two folders deep is all that is made here. */
static void remove_folder(void)
{
    char line[128];
    snprintf(line, sizeof line, "rm -rf %s", folder);
    if (system(line))
        fprintf(stderr, "%s stays\n", folder);
}

const char *fuzz_folder(void)
{
    if (!folder[0]) {
        snprintf(folder, sizeof folder, "/dev/shm/sam_fuzz.XXXXXX");
        must(mkdtemp(folder) != NULL, folder);
        atexit(remove_folder);
    }
    return folder;
}

const char *fuzz_file(const char *name, const uint8_t *bytes, size_t n_bytes)
{
    snprintf(path, sizeof path, "%s/%s", fuzz_folder(), name);
    for (char *slash = path + strlen(folder) + 1; (slash = strchr(slash, '/')); slash++) {
        *slash = 0;
        mkdir(path, 0777);
        *slash = '/';
    }
    int fd = open(path, O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0666);
    must(fd >= 0, path);
    must(write(fd, bytes, n_bytes) == (ssize_t)n_bytes, path);
    close(fd);
    return path;
}
