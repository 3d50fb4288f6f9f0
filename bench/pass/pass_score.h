/* pass_score.h - an observer of object_pass that scores each annotated frame as soon as it is tracked. */
#ifndef PASS_SCORE_H
#define PASS_SCORE_H

#include "metrics.h"
#include "object_pass.h"

/* Start with {.score.kind = ...}. */
typedef struct pass_score {
    object_score score;
    int n_nonempty;  /* frames whose mask shows something, scored or not            */
    double j, f;     /* of the frame at hand; NaN: it is not scored                 */
    image truth;     /* [height, width] u8, the annotation scored last              */
    int before;      /* annotations of the video before the object's first (index masks) */
    int n_annotated; /* of the object, within the clip                              */
    int next;        /* the annotation that is looked at next                       */
    int64_t last;    /* frame seen                                                  */
    metric_scratch scratch;
} pass_score;

pass_observer pass_score_observer(pass_score *s);
void pass_score_free(pass_score *s);

#endif
