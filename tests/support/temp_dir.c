#include "temp_dir.h"

#include <dirent.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

void temp_dir_make(temp_dir *d)
{
    snprintf(d->path, sizeof d->path, "/tmp/sambench_test_XXXXXX");
    if (!mkdtemp(d->path))
        abort(); /* not the code under test */
}

void remove_tree(const char *path)
{
    struct stat st;
    if (lstat(path, &st))
        return;
    DIR *dir = S_ISDIR(st.st_mode) ? opendir(path) : NULL;
    for (const struct dirent *e; dir && (e = readdir(dir));) {
        char below[1024];
        if (!strcmp(e->d_name, ".") || !strcmp(e->d_name, ".."))
            continue;
        snprintf(below, sizeof below, "%s/%s", path, e->d_name);
        remove_tree(below);
    }
    if (dir)
        closedir(dir);
    remove(path);
}

void temp_dir_remove(temp_dir *d)
{
    remove_tree(d->path);
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
