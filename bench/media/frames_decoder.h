/* frames_decoder.h - what frames.c asks of a folder, a video or a live source. Not for others. */
#ifndef FRAMES_DECODER_H
#define FRAMES_DECODER_H

#include "frames.h"
#include "image_io.h"

#include <stdatomic.h>

enum { FRAME_NAME_BYTES = 256 }; /* the longest file name */

/* A decoded frame; its memory is used again for the next. */
typedef struct picture {
    image rgb;         /* its width and height are the frame's in any case                 */
    int no_rgb;        /* 1: rgb has not been made                                         */
    image nv12;        /* luma [h,w], then chroma [(h+1)/2,(w+1)/2,2]; data and capacity only */
    sam_nv12 yuv;      /* of nv12; y NULL: there is none                                   */
    double arrived_ms; /* of a live source: when all of it had been received          */
} picture;

typedef struct decoder decoder;
struct decoder {
    int width, height; /* of frame 0 */
    int64_t count;     /* see frames_count */
    double rate;
    int is_video;      /* frames depend on each other: going backwards is done in blocks, and each thread has its own */
    atomic_int cancel; /* set by another thread: a long read gives up at the next frame, a live one at once */
    atomic_int n_damaged; /* frames or parts of them that a live source passed over */

    /* Frame `index` to out, *end = 1 if there is none. Cheapest in order. */
    sam_status (*read)(decoder *d, int64_t index, picture *out, int *end, sam_error *err);
    /* Name of a frame: kept by d, or written to text. */
    const char *(*name)(const decoder *d, int64_t index, char text[FRAME_NAME_BYTES]);
    void (*close)(decoder *d);
};

sam_status folder_open(const char *path, int photos, decoder **out, sam_error *err);
/* A folder of one. */
sam_status single_image_open(const char *path, decoder **out, sam_error *err);
sam_status video_open(const char *path, int n_threads, frames_pixels pixels, decoder **out, sam_error *err);
/* What is read as it comes: count is INT64_MAX, frames are read in order only. Waits for the first frame, until o->stopped. */
sam_status live_open(const char *path, const live_options *o, int n_threads, frames_pixels pixels, decoder **out,
                     sam_error *err);

#endif
