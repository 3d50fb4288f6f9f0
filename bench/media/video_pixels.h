/* video_pixels.h - decoded video frames to upright RGB or to NV12, as frames.h promises. Used by frames_video.c. */
#ifndef VIDEO_PIXELS_H
#define VIDEO_PIXELS_H

#include "frames_decoder.h"

struct AVFrame;
struct AVStream;
typedef struct video_pixels video_pixels;

/* Orientation is taken from the stream, else from its first frame. NULL: no memory. */
video_pixels *video_pixels_new(const struct AVStream *stream, const struct AVFrame *first);
void video_pixels_free(video_pixels *p);
/* Size after turning. */
void video_pixels_size(const video_pixels *p, const struct AVFrame *f, int *width, int *height);
/* Reuses the memory of out. On failure `text` says why, for the caller to put file and frame before it. */
sam_status video_pixels_convert(video_pixels *p, const struct AVFrame *f, frames_pixels wanted, picture *out,
                                char *text, size_t n_text);

#endif
