/* image_results.h - what the verb `image` writes of one image: masks, a picture of them, and its part of the --json file. */
#ifndef IMAGE_RESULTS_H
#define IMAGE_RESULTS_H

#include "frames.h"
#include "overlay.h"
#include "prompts.h"

#include <jansson.h>

enum { MAX_MASKS = 3 }; /* of one object */

typedef struct image_results {
    const frame *f;
    const prompt_file *prompts;
    const char *folder;    /* of masks and picture; NULL: none are written */
    json_t *json;          /* of this image; NULL: none is written         */
    uint8_t *mask;         /* [height, width] the one being written        */
    uint8_t *best;         /* [n_objects, height, width] copies, for the picture */
    overlay_object *drawn; /* [n_objects] */
} image_results;

/* Start with {0}; image_results_close also after a failure. `path` is what the image is called in the JSON. */
sam_status image_results_open(image_results *r, const frame *f, const prompt_file *prompts, const char *path,
                              const char *folder, int wants_json, sam_error *err);
/* The masks of object `index`. */
sam_status image_results_add(image_results *r, int index, const sam_mask *masks, int n_masks, sam_error *err);
/* The picture. */
sam_status image_results_finish(image_results *r, sam_error *err);
void image_results_close(image_results *r);

/* Of the highest predicted quality. */
int best_mask(const sam_mask *masks, int n_masks);

#endif
