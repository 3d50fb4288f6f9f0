/* amg.h - what is behind sam_amg: an image session, where it looks, and what it has found so far. */
#ifndef AMG_H
#define AMG_H

#include "amg_crops.h"
#include "mask_runs.h"
#include "session.h"

/* A mask of a batch whose predicted quality is good enough. The point is in pixels of the crop. */
typedef struct amg_candidate {
    float x, y, iou, stability;
} amg_candidate;

/* A mask that is kept, in pixels of the image. */
typedef struct found_mask {
    mask_runs runs;
    int32_t area, box[4]; /* box: first and last column and row, inclusive */
    float iou, stability, x, y;
    int crop;
    int changed; /* 1: small regions have been cleaned */
} found_mask;

struct sam_amg {
    sam_amg_options o; /* defaults filled in, -1 as 0 */
    sam_session *s;    /* of points_per_batch objects */
    amg_crop *crops;
    int n_crops, n_points;   /* points of all crops             */
    picture_source *sources; /* [n_sources] the first is the session's own */
    int *source_of;          /* [n_crops] */
    int n_sources;
    size_t more_bytes; /* of the sources but the first */

    /* One batch: [points_per_batch], and three times as many. */
    sam_point *points;
    sam_prompt_set *sets, *refined;
    amg_candidate *candidates;
    const float **planes;
    int *picks;

    found_mask *found;
    int n_found, capacity;
    sam_amg_mask *result;

    /* For clean-up of finished masks; NULL without. */
    uint8_t *pixels; /* [height, width] */
    packed_mask *cleaned;
    void *regions;
};

#endif
