/* listing.h - names in a folder, sorted, and paths put together. */
#ifndef LISTING_H
#define LISTING_H

#include "error.h"

typedef struct listing {
    char **names;
    int n;
} listing;

/* The order of all names, of frames, masks and videos: stems are compared from the left, a run of digits as one number, what
 * is between by bytes. frame2 is before frame10, 5.25.png before 7.1.png, cam_1_640x480 before cam_2_640x480. Names that
 * differ only in zeros or in the suffix follow by bytes. */
int name_compare(const char *x, const char *y);

/* Adds to an empty `out` the entries of `folder`, in the order of name_compare; those that begin with '.' are left out
 * (.DS_Store), as is __MACOSX, which archives of that system hold. `suffixes` is NULL for subfolders, or "png", "jpg|png" for files by suffix in any case. A folder
 * that cannot be read and a link to nothing are SAM_E_IO, an empty result is not an error. */
sam_status listing_read(const char *folder, const char *suffixes, listing *out, sam_error *err);

/* The same of a folder that is searched: what cannot be looked at, and links to nothing (caches have them), are left out. */
sam_status listing_scan(const char *folder, const char *suffixes, listing *out, sam_error *err);

/* The nonempty lines of a text file, without white space around them; repeated lines once. SAM_E_FORMAT for a file over
 * 16 MiB or with a zero byte. */
sam_status listing_read_lines(const char *path, listing *out, sam_error *err);

sam_status listing_add(listing *l, const char *name, size_t n_name, sam_error *err);
/* SAM_E_FORMAT if a sorted listing, of frames or masks in `folder`, has names whose order is anybody's guess: 1.png and
 * 01.png; 1.jpg and 1.png; 1.5.png and 1.25.png. */
sam_status listing_check_order(const listing *l, const char *folder, sam_error *err);
int listing_find(const listing *l, const char *name); /* position in a sorted listing, or -1 */
void listing_free(listing *l);

/* Joins with '/', into memory for the caller to free. */
sam_status path_join(char **out, const char *folder, const char *name, sam_error *err);
int path_has_suffix(const char *path, const char *suffixes); /* one of "jpg|jpeg|png", in any case */
int path_is_folder(const char *path);
/* SAM_E_IO that says what is wrong with a path where a folder is due: not there, a file, or not to be read. `what` is put
 * before it ("--weights_dir "). */
sam_status path_expect_folder(const char *what, const char *path, sam_error *err);
int path_is_file(const char *path);

/* The part of a path behind its last '/'. */
const char *path_name(const char *path);

/* Length of a file name without its suffix. */
size_t stem_length(const char *file_name);

#endif
