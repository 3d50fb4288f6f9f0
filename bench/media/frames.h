/* frames.h - where frames come from: a folder of JPEG/PNG images, one image, a video file, or a live source.
 *
 *   frame_source *s; const frame *f;
 *   frames_open("clip.mp4", NULL, &s, &err);
 *   while (frames_next(s, &f, &err) == SAM_OK && f) { ...; frames_release(s, f); }
 *   frames_close(s);
 *
 * Decoding runs ahead on a thread of its own through a bounded queue, whose buffers are reused: reading takes no more
 * memory for a long video than for a short one. The caller's side is one thread. Frames before a damaged one are
 * delivered, then frames_next fails and keeps failing with the same message, which names frame and file.
 *
 * Folder: files whose name says a picture (IMAGE_SUFFIXES, any case; others and dot files are passed over), ordered by the last
 * number in their name without extension ("00012.jpg", "frame_12.png"); frame i is the i-th of them. Every one needs a
 * number, no number twice, all of one size.
 * Video: the best video stream of anything libav reads from a local file, frames in display order whatever their
 * time stamps; to RGB by swscale with bicubic chroma and accurate rounding, by the colour matrix and range the stream
 * declares (BT.601, limited if it does not say, as ffmpeg does), turned as its display matrix says. Pixels are not
 * stretched to the sample aspect ratio.
 * Live (frames_options.live): "-" (standard input), a named pipe, a URL or a camera (/dev/video0), whatever libav reads there;
 * nobody knows its length, and nothing can be read twice: no frames_read, no frames_restart. */
#ifndef FRAMES_H
#define FRAMES_H

#include "error.h"

typedef struct frame {
    const uint8_t *rgb; /* [height, width, 3] u8, rows without gaps; NULL: only NV12 was asked for */
    int width, height;
    sam_frame input;   /* for the engine: NV12 where asked for and the video has it, else rgb */
    int64_t index;     /* position in the source, from 0, also in reverse and after start */
    const char *name;  /* file name without extension, "00012"; of videos the index in five digits */
    double decode_ms;  /* time the decoding thread spent on it                            */
    double arrived_ms; /* live: when all of it had been received, by clock_ms            */
} frame;

typedef struct frame_source frame_source;

/* Frames of NV12 are those of 8-bit 4:2:0 video that is not turned, of BT.601 (also if it does not say) or BT.709, as decoded:
 * nothing converts them. All others, and all pictures, are RGB. */
typedef enum frames_pixels { FRAMES_RGB, FRAMES_NV12, FRAMES_NV12_AND_RGB } frames_pixels;

typedef struct live_options {
    const char
        *raw;      /* frames without a header, on standard input or a pipe: "640x480:rgb24@30"; NULL: libav finds out */
    int realtime;  /* 1: a frame that came while another waits replaces it, unless keep says otherwise */
    int64_t first; /* number of the first frame                                                       */
    int (*stopped)(void); /* asked while waiting: 1: the source ends here; NULL: never                       */
    int (*keep)(const void *user,
                int64_t index); /* 1: this frame is not dropped; NULL: any may be. On another thread */
    const void *user;
} live_options;

/* What became of the frames of a live source. */
typedef struct live_counts {
    int64_t received, dropped; /* dropped: of these, by realtime     */
    int damaged;               /* not received whole, and passed over */
} live_counts;

/* Zero means default. */
typedef struct frames_options {
    int64_t start;            /* first frame delivered; -1: the last one                                       */
    int reverse;              /* 1: start, start - 1, ..., 0                                                   */
    int64_t max_frames;       /* frames_next delivers at most so many; default: all                            */
    int prefetch;             /* frames in memory at most, those in the caller's hands included; default 600   */
    size_t prefetch_bytes;    /* the same in bytes; default 256 MiB. Two frames are kept in any case           */
    int photos;               /* 1: unrelated pictures: any names, ordered by name, any sizes (frame.width);
                              three are kept                                                                */
    int decode_threads;       /* of the video decoder; default 2                                               */
    frames_pixels pixels;     /* default FRAMES_RGB                                                            */
    const live_options *live; /* copied; NULL: live sources are refused                                     */
} frames_options;

sam_status frames_open(const char *path, const frames_options *opt, frame_source **out, sam_error *err);
void frames_close(frame_source *s); /* NULL is a no-op */

/* The next frame, borrowed until frames_release; NULL after the last one, and where live_options.stopped says so. For the engine
 * (frame.input.index) frames of a live source count without gaps, those dropped left out. */
sam_status frames_next(frame_source *s, const frame **out, sam_error *err);
void frames_release(frame_source *s, const frame *f); /* NULL is a no-op */

/* Any frame, wherever frames_next is; borrowed until the next frames_read or close. Videos go to the key frame before
 * it and decode forward with a second decoder; the first such call reads through the file once to index it. */
sam_status frames_read(frame_source *s, int64_t index, const frame **out, sam_error *err);

/* Frames of frames_next begin anew at `start`. None may be in the caller's hands (SAM_E_STATE). */
sam_status frames_restart(frame_source *s, int64_t start, int reverse, sam_error *err);

/* All frames of the source; INT64_MAX of a live one. Exact for folders. Videos: from the index of mp4 and mov files, for others by reading
 * through the file once when it is opened; a damaged file may deliver fewer, none delivers more. */
int64_t frames_count(const frame_source *s);
/* How many frames_next delivers, of a sound file: by start, direction and max_frames. */
int64_t frames_planned(const frame_source *s);
void frames_size(const frame_source *s, int *width, int *height); /* of frame 0 */
int frames_is_video(const frame_source *s);
int frames_is_live_name(const char *path); /* what frames_open would take for a live source */
int frames_are_live(const frame_source *s);
live_counts frames_live_counts(frame_source *s); /* so far; zeros of what is not live */
double frames_rate(const frame_source *s);       /* frames per second a video declares; 0: not known */
size_t frames_memory(frame_source *s);           /* bytes of pixels taken so far, queue and frames_read together */

#endif
