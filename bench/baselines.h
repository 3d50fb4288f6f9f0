/* baselines.h - what tracking without a model gets: the least a learned model has to beat.
 *
 *   copy    the mask of the prompted frame on every later frame
 *   colour  a pixel belongs to the object if its colour was more often the object's than not, on the prompted frame,
 *           looked up at the nearest colour seen there; only near the previous frame's mask */
#ifndef BASELINES_H
#define BASELINES_H

#include "dataset.h"
#include "metrics.h"

typedef enum baseline { BASELINE_COPY, BASELINE_COLOR, N_BASELINES } baseline;

extern const char *const baseline_names[N_BASELINES];

/* Follows an object (dataset_find_objects was called) from its first annotated frame to its last and scores it. Videos
 * must be folders of frames. */
sam_status baseline_score(const dataset *d, int video, int object, baseline which, metric_kind metric,
                          object_result *out, sam_error *err);

#endif
