/* image_inputs.h - the images that --input names, and where the results go (--out, --json): the same for every verb that reads
 * images. */
#ifndef IMAGE_INPUTS_H
#define IMAGE_INPUTS_H

#include "folder_lock.h"
#include "listing.h"

#include <jansson.h>

typedef struct image_inputs {
    listing paths;
    int many;               /* 1: a folder, or several files */
    const char *out, *json; /* NULL: nothing is written there */
    json_t *images;         /* of --json, one a result */
    folder_lock lock;       /* of --out */
} image_inputs;

/* `input`: files and folders, with commas between. A folder without images, and two images whose results would meet in one folder of
 * `out`, are errors. Touches nothing. Start with {0}; image_inputs_close also after a failure. */
sam_status image_inputs_open(image_inputs *in, const char *input, const char *out, const char *json, sam_error *err);
/* Makes room for what will be written, and locks `out`. */
sam_status image_inputs_begin(image_inputs *in, sam_error *err);
void image_inputs_close(image_inputs *in);

/* The folder for the results of `path`, for the caller to free: `out`, or of several images one each in it. */
sam_status image_inputs_folder(const image_inputs *in, const char *path, char **folder, sam_error *err);
/* The result of one image for --json, which takes it; NULL: there was no memory for it. */
sam_status image_inputs_add(image_inputs *in, json_t *result, sam_error *err);
/* The --json file, if there is to be one: the results so far, and what made them. */
sam_status image_inputs_write(const image_inputs *in, const sam_model *m, const char *precision, sam_error *err);

/* After `err` about image i: 1 if there are others to go on with, which has then been said on stderr. */
int image_inputs_go_on(const char *verb, const image_inputs *in, int i, const sam_error *err);
/* The end of a verb: says what failed. Returns 1 if nothing did. */
int image_inputs_end(const char *verb, const image_inputs *in, sam_status status, int n_failed, const sam_error *err);

#endif
