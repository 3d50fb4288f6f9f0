#include "sysfs.h"

#include <math.h>
#include <stdio.h>
#include <stdlib.h>

enum { PATH_BYTES = 1024 };

char *sysfs_text(const char *root, const char *path, char *text, size_t n_text)
{
    char full[PATH_BYTES];
    snprintf(full, sizeof full, "%s%s", root, path);
    FILE *f = fopen(full, "r");
    if (!f)
        return NULL;
    size_t n = fread(text, 1, n_text - 1, f);
    text[n] = 0;
    fclose(f);
    return text;
}

double sysfs_number(const char *root, const char *path)
{
    char text[64], *end;
    if (!sysfs_text(root, path, text, sizeof text))
        return NAN;
    double x = strtod(text, &end);
    return end == text ? NAN : x;
}

DIR *sysfs_folder(const char *root, const char *path)
{
    char full[PATH_BYTES];
    snprintf(full, sizeof full, "%s%s", root, path);
    return opendir(full);
}
