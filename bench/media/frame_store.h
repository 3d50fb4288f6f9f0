/* frame_store.h - a video's frames as the network sees them, in one file: resized, normalised, half precision.
 *
 * A header of FRAME_STORE_HEADER bytes (frame_store.c), then [n_frames, side, side, 3] IEEE half, little endian. Reading
 * maps one frame at a time, so that a long video takes no more memory than a short one. */
#ifndef FRAME_STORE_H
#define FRAME_STORE_H

#include "frames.h"
#include "sam.h"

typedef struct frame_store frame_store;

/* Reads all of `frames` through the resizing of a session with prepared_frames and writes the file; it takes its name when
 * it is whole. At most max_frames (0: all). */
sam_status frame_store_write(const char *path, sam_session *s, int side, frame_source *frames, int64_t max_frames,
                             sam_error *err);

/* SAM_E_FORMAT for a file that is no store, is cut short, or was made for another side. */
sam_status frame_store_open(const char *path, int side, frame_store **out, sam_error *err);
void frame_store_close(frame_store *f); /* NULL is a no-op */
int64_t frame_store_count(const frame_store *f);
void frame_store_size(const frame_store *f, int *width, int *height); /* of the video's frames */

/* sam_push_frame and sam_push_next of frame `index`; the session knows the first by `number`. */
sam_status frame_store_push(const frame_store *f, sam_session *s, int64_t index, int64_t number, sam_error *err);
sam_status frame_store_push_next(const frame_store *f, sam_session *s, int64_t index, sam_error *err);

#endif
