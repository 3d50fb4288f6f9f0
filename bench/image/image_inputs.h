/* image_inputs.h - the images that --input names, and where the results of each go: the same for every verb that reads images. */
#ifndef IMAGE_INPUTS_H
#define IMAGE_INPUTS_H

#include "listing.h"

typedef struct image_inputs {
    listing paths;
    int many; /* 1: a folder, or several files */
} image_inputs;

/* `input`: files and folders, with commas between. A folder without images, and two images whose results would meet in one folder of
 * `out` (NULL: nothing is written), are errors. Start with {0}; image_inputs_close also after a failure. */
sam_status image_inputs_open(image_inputs *in, const char *input, const char *out, sam_error *err);
void image_inputs_close(image_inputs *in);

/* The folder for the results of `path`, for the caller to free: `out`, or of several images one each in it. */
sam_status image_inputs_folder(const image_inputs *in, const char *out, const char *path, char **folder,
                               sam_error *err);

/* After `err` about image i: 1 if there are others to go on with, which has then been said on stderr. */
int image_inputs_go_on(const char *verb, const image_inputs *in, int i, const sam_error *err);

#endif
