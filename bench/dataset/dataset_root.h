/* dataset_root.h - which data set lies in a folder, and in which layout. */
#ifndef DATASET_ROOT_H
#define DATASET_ROOT_H

#include "dataset.h"

/* Where a layout keeps things below its root. */
typedef struct layout_folders {
    dataset_layout layout;
    const char *frames, *masks;
} layout_folders;

/* The root, split_dir or split_dir/split_name, for the caller to free also after a failure, and its layout. Start with
 * *root = NULL. What is wrong
 * with a folder that is none is looked for and told. */
sam_status dataset_root_find(const char *split_dir, const char *split_name, char **root, const layout_folders **layout,
                             sam_error *err);

/* The file that lists a split's videos, for the caller to free; NULL: there is none. */
sam_status dataset_list_find(const char *root, const char *split_name, char **path, sam_error *err);
/* The names of the lists there are below ImageSets: "2016/train, 2016/val, 2017/val"; "" for none. */
void dataset_lists(const char *root, char *text, size_t n_text);

#endif
