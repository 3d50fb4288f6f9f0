#include "mapped_file.h"

#include <errno.h>
#include <fcntl.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <unistd.h>

static sam_status map_open(const char *path, int fd, void **bytes, size_t *n_bytes, sam_error *err)
{
    struct stat st;
    if (fstat(fd, &st) != 0)
        return fail(err, SAM_E_IO, "%s: %s", path, strerror(errno));
    if (S_ISDIR(st.st_mode))
        return fail(err, SAM_E_IO, "%s: is a folder; name the file in it (model.safetensors)", path);
    if (!S_ISREG(st.st_mode))
        return fail(err, SAM_E_IO, "%s: is a pipe or a device; weights must be in a file", path);
    if (st.st_size == 0)
        return fail(err, SAM_E_FORMAT, "%s: the file is empty", path);
    void *at = mmap(NULL, (size_t)st.st_size, PROT_READ, MAP_PRIVATE, fd, 0);
    if (at == MAP_FAILED)
        return fail(err, SAM_E_IO, "%s: cannot map %lld bytes: %s", path, (long long)st.st_size, strerror(errno));
    *bytes = at;
    *n_bytes = (size_t)st.st_size;
    return SAM_OK;
}

sam_status file_map(const char *path, void **bytes, size_t *n_bytes, sam_error *err)
{
    int fd = open(path, O_RDONLY | O_CLOEXEC | O_NONBLOCK); /* a pipe must not make it wait */
    if (fd < 0)
        return fail(err, SAM_E_IO, "%s: %s", path, strerror(errno));
    sam_status status = map_open(path, fd, bytes, n_bytes, err);
    close(fd);
    return status;
}

void file_unmap(void *bytes, size_t n_bytes)
{
    if (bytes)
        munmap(bytes, n_bytes);
}
