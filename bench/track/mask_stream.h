/* mask_stream.h - pictures of numbers, one a frame, as they come, for a program at the other end of a pipe. */
#ifndef MASK_STREAM_H
#define MASK_STREAM_H

#include "error.h"

#include <stddef.h>
#include <stdint.h>
#include <stdio.h>

typedef struct mask_stream {
    FILE *to; /* NULL: there is none */
    int has_headers;
    size_t n_pixels;
} mask_stream;

/* form: "y4m" (gray, full range, as ffmpeg reads and writes it) or "raw" (the pixels alone). fps 0: not known. A reader that
 * goes away is an error of the next frame, no signal. */
sam_status mask_stream_begin(mask_stream *s, FILE *to, const char *form, int width, int height, double fps,
                             sam_error *err);
/* numbers: [height, width] u8. It has left this process when the call returns. */
sam_status mask_stream_put(mask_stream *s, const uint8_t *numbers, sam_error *err);

#endif
