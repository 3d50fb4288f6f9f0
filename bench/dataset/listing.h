/* listing.h - names in a folder, sorted, and paths put together. */
#ifndef LISTING_H
#define LISTING_H

#include "error.h"

typedef struct listing {
    char **names;
    int n;
} listing;

/* Adds to an empty `out` the entries of `folder`, by byte order of their names; those that begin with '.' are left out
 * (.DS_Store). `suffixes` is NULL for subfolders, or "png", "jpg|jpeg|png" for files by suffix in any case. A folder
 * that cannot be read is SAM_E_IO, an empty result is not an error. */
sam_status listing_read(const char *folder, const char *suffixes, listing *out, sam_error *err);

/* The nonempty lines of a text file, without white space around them; repeated lines once. SAM_E_FORMAT for a file over
 * 16 MiB or with a zero byte. */
sam_status listing_read_lines(const char *path, listing *out, sam_error *err);

sam_status listing_add(listing *l, const char *name, size_t n_name, sam_error *err);
/* Sorts by the number that the stems are (2.png before 10.png); does nothing unless all stems are numbers. */
void listing_sort_by_number(listing *l);
int listing_find(const listing *l, const char *name); /* position in a sorted listing, or -1 */
void listing_free(listing *l);

/* Joins with '/', into memory for the caller to free. */
sam_status path_join(char **out, const char *folder, const char *name, sam_error *err);
int path_is_folder(const char *path);
int path_is_file(const char *path);

/* Length of a file name without its suffix. */
size_t stem_length(const char *file_name);

#endif
