/* coco_masks.h - a video's masks in one JSON file, as COCO has them: run-length codes, one for each frame and object.
 *
 *   {"images": [{"id": 0, "frame_id": 0, "file_name": "00000", "width": 960, "height": 540}],
 *    "categories": [{"id": 1, "name": "object"}],
 *    "annotations": [{"id": 1, "image_id": 0, "category_id": 1, "track_id": 3, "iscrowd": 0, "area": 812, "score": 0.93,
 *                     "bbox": [x, y, w, h], "segmentation": {"size": [540, 960], "counts": "..."}}]}
 *
 * A frame is found by its name without suffix. An object without annotation on a frame that is among the images is not there. */
#ifndef COCO_MASKS_H
#define COCO_MASKS_H

#include "rle.h"

/* ---- written frame by frame ---- */

typedef struct coco_writer {
    json_t *images, *annotations;
    int n_annotations, failed; /* failed: memory ran out */
} coco_writer;

sam_status coco_open(coco_writer *w, sam_error *err);
/* The frame of the masks that follow; its number is its id. */
void coco_add_frame(coco_writer *w, int64_t index, const char *name, int width, int height);
/* An object's mask [height, width] u8 on that frame, nonzero is object; an empty one adds nothing. box: inclusive maxima. */
void coco_add_mask(coco_writer *w, int64_t index, int object, const uint8_t *mask, int width, int height,
                   const sam_box *box, int area_px, double score);
/* The file, atomically; frees. */
sam_status coco_write(coco_writer *w, const char *path, sam_error *err);
void coco_abandon(coco_writer *w); /* harmless for {0} */

/* ---- read ---- */

/* Start with {0}; coco_masks_free also after a failure. */
typedef struct coco_masks {
    json_t *root;
    json_t *frames; /* {name: image}                          */
    json_t *masks;  /* {"name/object": segmentation}          */
    int *objects;   /* [n_objects] numbers, ascending         */
    int n_objects;
    char *path;
} coco_masks;

/* Errors name the file and the annotation. The segmentations are checked when they are asked for. */
sam_status coco_masks_read(coco_masks *c, const char *path, sam_error *err);
/* A mask of 0 and 1 on a frame "00000" or "00000.png"; empty if the object is not there. An unknown frame is SAM_E_IO. */
sam_status coco_mask_of(const coco_masks *c, const char *frame, int object, image *out, sam_error *err);
void coco_masks_free(coco_masks *c);

#endif
