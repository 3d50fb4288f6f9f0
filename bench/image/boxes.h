/* boxes.h - a detector's boxes for images, as prompts.
 *
 *   COCO  one JSON file: {"images": [{"id": 7, "file_name": "a/truck.jpg"}], "annotations": [{"image_id": 7, "bbox": [x, y, w,
 *         h]}]}, or a list of results [{"image_id": 7, "bbox": [x, y, w, h]}]; without "images" an image's id is the name of its
 *         file without the suffix. Pixels.
 *   YOLO  a text file of lines "class cx cy w h [confidence]", in parts of the image's sides; of several images a folder with
 *         NAME.txt for each NAME.jpg. */
#ifndef BOXES_H
#define BOXES_H

#include "error.h"
#include "prompts.h"

#include <jansson.h>

typedef struct boxes {
    const char *path;
    json_t *root; /* NULL: YOLO */
    int is_folder;
} boxes;

/* n_images: a YOLO file is for one only. boxes_close also after a failure. */
sam_status boxes_open(boxes *b, const char *path, int n_images, sam_error *err);
void boxes_close(boxes *b);

/* The boxes of the image at `path`, in the file's order, as objects 1, 2, ... with one box each; none is no error. Boxes are cut
 * to the image; one without area, or outside, is SAM_E_FORMAT. Start with {0}; prompts_free also after a failure. */
sam_status boxes_of(const boxes *b, const char *path, int width, int height, prompt_file *out, sam_error *err);

#endif
