/* pass_time.h - an observer of object_pass that keeps the times of tracked frames. Baselines have none: a column of speeds is
 * one of models. */
#ifndef PASS_TIME_H
#define PASS_TIME_H

#include "object_pass.h"
#include "samples.h"

enum { PASS_STAGES = 5 };

/* Start with {0}. */
typedef struct pass_time {
    samples ms;                  /* of tracked frames, from pixels to mask         */
    samples stages[PASS_STAGES]; /* the same frames, in the order of sam_stats     */
    double prompt_ms;            /* the prompted frame, which is not among them    */
    double decode_ms;            /* sum over all frames                            */
} pass_time;

pass_observer pass_time_observer(pass_time *t);
void pass_time_free(pass_time *t);

#endif
