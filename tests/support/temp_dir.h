/* temp_dir.h - a folder for one test's files. */
#ifndef TEMP_DIR_H
#define TEMP_DIR_H

#include <stddef.h>

typedef struct temp_dir {
    char path[256];
} temp_dir;

void temp_dir_make(temp_dir *d);   /* asserts */
void temp_dir_remove(temp_dir *d); /* with its files, and folders one level deep */
/* d/name in a buffer of the caller's; returns it. */
char *temp_dir_file(const temp_dir *d, const char *name, char *text, size_t n_text);
int temp_dir_count(const temp_dir *d); /* entries in it */
void write_file(const char *path, const void *data, size_t n_bytes);

#endif
