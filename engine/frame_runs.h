/* frame_runs.h - a set of frame numbers in little memory: a few runs of consecutive frames. When more are needed, the two
 * nearest become one, so the set may come to hold frames that were never added, but never lacks one that was. */
#ifndef FRAME_RUNS_H
#define FRAME_RUNS_H

#include <stdint.h>

/* How many frames lie from a to b, either way. */
static inline int64_t frames_apart(int64_t a, int64_t b)
{
    return a > b ? a - b : b - a;
}

enum { MAX_FRAME_RUNS = 8 };

typedef struct frame_run {
    int64_t from, to;
    int tag; /* what its frames have in common; of frames that were joined, either's */
} frame_run;

/* Start with {0}. */
typedef struct frame_runs {
    int n;
    frame_run run[MAX_FRAME_RUNS]; /* ascending, apart */
} frame_runs;

void runs_add(frame_runs *r, int64_t frame, int tag);           /* frame >= 0; a frame that is in stays as it is */
const frame_run *runs_find(const frame_runs *r, int64_t frame); /* NULL: not in the set */

#endif
