/* folders.c - see folders.h. */
#include "folders.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>

static int is_folder(const char *path)
{
    struct stat st;
    return !stat(path, &st) && S_ISDIR(st.st_mode);
}

/* The first n characters of path. */
static sam_status make_parts(const char *path, size_t n, sam_error *err)
{
    char *part = malloc(n + 1);
    if (!part)
        return fail(err, SAM_E_MEMORY, "%s: out of memory", path);
    memcpy(part, path, n);
    part[n] = 0;
    sam_status status = SAM_OK;
    for (size_t i = 1; status == SAM_OK && i <= n; i++) {
        if (part[i] != '/' && part[i])
            continue;
        char end = part[i];
        part[i] = 0;
        int why = is_folder(part) || !mkdir(part, 0777) ? 0 : errno;
        if (why && !is_folder(part)) /* another process may have made it meanwhile */
            status = fail(err, SAM_E_IO, "%s: this folder cannot be made: %s", part,
                          why == EEXIST ? "a file has that name" : strerror(why));
        part[i] = end;
    }
    free(part);
    return status;
}

sam_status folders_make(const char *folder, sam_error *err)
{
    return make_parts(folder, strlen(folder), err);
}

sam_status folders_make_for(const char *file, sam_error *err)
{
    const char *slash = strrchr(file, '/');
    return slash && slash > file ? make_parts(file, (size_t)(slash - file), err) : SAM_OK;
}
