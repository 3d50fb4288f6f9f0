/* baselines.h - tracking without a model: the least that a learned one has to beat.
 *
 *   baseline_copy     the mask of the prompted frame on every later frame
 *   baseline_colour   a pixel belongs to the object if its colour was more often the object's than not on the prompted
 *                     frame, looked up at the nearest colour seen there; only near the previous frame's mask */
#ifndef BASELINES_H
#define BASELINES_H

#include "error.h"

typedef enum baseline { BASELINE_NONE, BASELINE_COPY, BASELINE_COLOR, N_BASELINES } baseline;

extern const char *const baseline_names[N_BASELINES];

typedef struct follower follower;

/* Learns from a frame and its mask: rgb [height, width, 3] u8 without gaps, mask [height, width] u8, nonzero is object.
 * Both are borrowed for the call. */
sam_status follower_open(baseline kind, const uint8_t *rgb, const uint8_t *mask, int width, int height, follower **out,
                         sam_error *err);
/* The next frame, of the same size. */
void follower_track(follower *f, const uint8_t *rgb);
/* [height, width] u8 of 0 and 1, of the frame given last; borrowed until the next call. */
const uint8_t *follower_mask(const follower *f);
void follower_close(follower *f); /* NULL is a no-op */

#endif
