/* frames_ahead.h - frames of a source in order, with the one after the current handed to the session early, so that one
 * that overlaps (sam_session_options.overlap) can encode it meanwhile. */
#ifndef FRAMES_AHEAD_H
#define FRAMES_AHEAD_H

#include "frames.h"

/* The first five fields are the caller's. */
typedef struct frames_ahead {
    frame_source *frames;
    int overlap;       /* 0: frames_next, and nothing else */
    int width, height; /* of the session                   */
    int64_t end;       /* frames from here on are not for the session */
    int asked;
    const frame *next; /* once asked: NULL after the last frame, or with a failure, which belongs to it */
    sam_status status;
    sam_error failure;
} frames_ahead;

/* frames_next. The frame after it may be in memory too. */
sam_status ahead_next(frames_ahead *a, const frame **out, sam_error *err);
/* sam_push_next of the frame after the one ahead_next gave, if there is one; between sam_push_frame and sam_track. */
sam_status ahead_push(const frames_ahead *a, sam_session *s, sam_error *err);
/* Before the source is closed. */
void ahead_close(frames_ahead *a);

#endif
