/* temp_dir.h - a folder for one test's files. temp_tree.h makes files of other kinds in one. */
#ifndef TEMP_DIR_H
#define TEMP_DIR_H

#include <stddef.h>

typedef struct temp_dir {
    char path[256];
} temp_dir;

void temp_dir_make(temp_dir *d);    /* asserts */
void temp_dir_remove(temp_dir *d);  /* with all it holds */
void remove_tree(const char *path); /* a file, or a folder with all it holds; links are removed, not followed */
/* d/name in a buffer of the caller's; returns it. */
char *temp_dir_file(const temp_dir *d, const char *name, char *text, size_t n_text);
int temp_dir_count(const temp_dir *d); /* entries in it */
void write_file(const char *path, const void *data, size_t n_bytes);

#endif
