/* amg_results.h - what the verb `amg` writes of one image: its part of the --json file, and the pictures. */
#ifndef AMG_RESULTS_H
#define AMG_RESULTS_H

#include "image_io.h"

#include <jansson.h>

/* The image's object of docs/files.md, "amg --json"; NULL: no memory. */
json_t *amg_results_json(const char *path, const sam_amg_result *found);

/* folder/masks.png, whose pixels are the place in the list, from 1 on, of the smallest mask there, and folder/overlay.png. A PNG
 * counts to 255: *n_left_out masks, the last ones of the list, are not in masks.png. `image` is drawn over. */
sam_status amg_results_pictures(const char *folder, image *image, const sam_amg_result *found, int *n_left_out,
                                sam_error *err);

#endif
