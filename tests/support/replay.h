/* replay.h - the steps of tests/parity/cases.py on a session: prompts, tracked stretches and removals, in the order an
 * application would make them. */
#ifndef REPLAY_H
#define REPLAY_H

#include "sam.h"

#include <jansson.h>

typedef struct replay {
    sam_session *s;
    const uint8_t *clip; /* [n_frames, height, width, 3] */
    int width, height, n_frames;
    int64_t current; /* frame of the session; start with -1 */
    /* After each prompt and each tracked frame: masks of the objects that have one can be read. */
    void (*see)(void *user, int frame);
    void *user;
} replay;

/* One step of a case. What it refers to must be in the clip; a mask of the clip's size is allocated for the call. */
sam_status replay_step(replay *r, const json_t *step, sam_error *err);

#endif
