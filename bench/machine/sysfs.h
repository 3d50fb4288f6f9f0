/* sysfs.h - small files of /proc and /sys, below a root that tests may choose. */
#ifndef SYSFS_H
#define SYSFS_H

#include <dirent.h>
#include <stddef.h>

/* The whole of root/path, cut at n_text - 1 bytes; NULL if it cannot be read. */
char *sysfs_text(const char *root, const char *path, char *text, size_t n_text);
/* The number that root/path begins with; NaN if there is none. */
double sysfs_number(const char *root, const char *path);
/* For closedir; NULL if it cannot be opened. */
DIR *sysfs_folder(const char *root, const char *path);

#endif
