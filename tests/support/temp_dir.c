#include "temp_dir.h"

#include <dirent.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

void temp_dir_make(temp_dir *d)
{
    snprintf(d->path, sizeof d->path, "/tmp/sambench_test_XXXXXX");
    if (!mkdtemp(d->path))
        abort(); /* not the code under test */
}

static void remove_entries(const char *path, int depth)
{
    char inner[1024];
    DIR *dir = opendir(path);
    const struct dirent *e;
    while (dir && (e = readdir(dir))) {
        if (strcmp(e->d_name, ".") == 0 || strcmp(e->d_name, "..") == 0)
            continue;
        snprintf(inner, sizeof inner, "%s/%s", path, e->d_name);
        if (unlink(inner) != 0 && depth > 0) {
            remove_entries(inner, depth - 1);
            rmdir(inner);
        }
    }
    if (dir)
        closedir(dir);
}

void temp_dir_remove(temp_dir *d)
{
    remove_entries(d->path, 1);
    rmdir(d->path);
}

char *temp_dir_file(const temp_dir *d, const char *name, char *text, size_t n_text)
{
    snprintf(text, n_text, "%s/%s", d->path, name);
    return text;
}

int temp_dir_count(const temp_dir *d)
{
    int n = 0;
    DIR *dir = opendir(d->path);
    const struct dirent *e;
    while (dir && (e = readdir(dir)))
        n += strcmp(e->d_name, ".") != 0 && strcmp(e->d_name, "..") != 0;
    if (dir)
        closedir(dir);
    return n;
}

void write_file(const char *path, const void *data, size_t n_bytes)
{
    FILE *f = fopen(path, "wb");
    if (!f || fwrite(data, 1, n_bytes, f) != n_bytes || fclose(f) != 0)
        abort(); /* not the code under test */
}
