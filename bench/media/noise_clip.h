/* noise_clip.h - what sessions are measured on: frames of noise with a disc that moves, a click on it for each object. A session
 * of images gets the same frames and clicks, each frame with all of them. */
#ifndef NOISE_CLIP_H
#define NOISE_CLIP_H

#include "sam.h"

typedef struct noise_clip {
    sam_session *session; /* the caller's, for frames of width x height; set before noise_clip_start */
    int width, height, t; /* t: frame in rgb */
    int images;           /* 1: of the mode SAM_IMAGE; set before noise_clip_start */
    int n_objects;
    uint8_t *rgb;
    sam_point *clicks; /* of images: a prompt set for each object, and its masks */
    sam_prompt_set *sets;
    sam_mask *masks;
    int *n_masks;
} noise_clip;

sam_status noise_clip_open(noise_clip *c, int width, int height, sam_error *err);
/* Frame 0, and objects 1 .. n_objects prompted on it. */
sam_status noise_clip_start(noise_clip *c, int n_objects, sam_error *err);
/* The next frame's pixels; then pushing them and tracking, or prompting. */
void noise_clip_draw(noise_clip *c);
sam_status noise_clip_track(const noise_clip *c, sam_error *err);
void noise_clip_close(noise_clip *c);

#endif
