/* temp_tree.c - see temp_tree.h. */
#include "temp_tree.h"

#include "image_io.h"

#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>

static void must(int ok, const char *what, const char *path)
{
    if (ok)
        return;
    fprintf(stderr, "temp_tree: %s %s failed\n", what, path);
    abort();
}

void tree_open(temp_tree *t)
{
    temp_dir_make(&t->dir);
    t->root = t->dir.path;
}

void tree_close(temp_tree *t)
{
    temp_dir_remove(&t->dir);
}

const char *tree_path(temp_tree *t, const char *format, ...)
{
    va_list args;
    va_start(args, format);
    int n = snprintf(t->path, sizeof t->path, "%s/", t->root);
    vsnprintf(t->path + n, sizeof t->path - (size_t)n, format, args);
    va_end(args);
    return t->path;
}

/* Makes the folders above root/path and returns the whole path. */
static const char *prepare(temp_tree *t, const char *path)
{
    tree_path(t, "%s", path);
    for (char *slash = t->path + strlen(t->root) + 1; (slash = strchr(slash, '/')); slash++) {
        *slash = 0;
        mkdir(t->path, 0777);
        *slash = '/';
    }
    return t->path;
}

void tree_folder(temp_tree *t, const char *path)
{
    mkdir(prepare(t, path), 0777);
}

void tree_text(temp_tree *t, const char *path, const char *text)
{
    FILE *file = fopen(prepare(t, path), "wb");
    must(file != NULL, "fopen", t->path);
    must(fputs(text, file) >= 0 && !fclose(file), "writing", t->path);
}

void tree_mask(temp_tree *t, const char *path, const uint8_t *px, int width, int height)
{
    sam_error err = {0};
    const char *full = prepare(t, path);
    sam_status status = image_write_mask(full, px, (size_t)width, width, height, 1, &err);
    must(status == SAM_OK, err.text, full);
}

void tree_gray(temp_tree *t, const char *path, const uint8_t *px, int width, int height)
{
    sam_error err = {0};
    const char *full = prepare(t, path);
    sam_status status = image_write_mask(full, px, (size_t)width, width, height, 0, &err);
    must(status == SAM_OK, err.text, full);
}

void tree_remove(temp_tree *t, const char *path)
{
    remove_tree(tree_path(t, "%s", path));
}

void fill_box(uint8_t *px, int width, int x0, int y0, int x1, int y1, int value)
{
    for (int y = y0; y < y1; y++)
        memset(px + (size_t)y * width + x0, value, (size_t)(x1 - x0));
}
