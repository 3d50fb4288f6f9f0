/* temp_tree.h - a temp_dir with generated files, for tests of what reads folders. Any failure ends the test. */
#ifndef TEMP_TREE_H
#define TEMP_TREE_H

#include <stddef.h>
#include <stdint.h>

#include "temp_dir.h"

typedef struct temp_tree {
    temp_dir dir;
    const char *root; /* dir.path */
    char path[512];   /* of the last call of tree_path */
} temp_tree;

void tree_open(temp_tree *t);
void tree_close(temp_tree *t); /* removes everything below root */

/* root/<formatted>, valid until the next call. */
const char *tree_path(temp_tree *t, const char *format, ...) __attribute__((format(printf, 2, 3)));

/* These make missing folders. `px` is [height, width] u8 and becomes a palette PNG with these indices; `tree_gray`
 * writes 0 and 255. */
void tree_folder(temp_tree *t, const char *path);
void tree_text(temp_tree *t, const char *path, const char *text);
void tree_mask(temp_tree *t, const char *path, const uint8_t *px, int width, int height);
void tree_gray(temp_tree *t, const char *path, const uint8_t *px, int width, int height);
void tree_remove(temp_tree *t, const char *path); /* a file, or a folder with all it holds */

/* Sets the box [x0, x1) x [y0, y1) of an image with rows of `width` to `value`. */
void fill_box(uint8_t *px, int width, int x0, int y0, int x1, int y1, int value);

#endif
