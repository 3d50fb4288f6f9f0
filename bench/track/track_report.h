/* track_report.h - the figures of one tracked clip, gathered frame by frame, as text and as the JSON of --json. */
#ifndef TRACK_REPORT_H
#define TRACK_REPORT_H

#include "clip.h"
#include "samples.h"

#include <jansson.h>
#include <stdio.h>

/* Of a longer clip, or of a stream that does not end, the latest so many count, at least half of them. */
enum { MOST_SAMPLES = 1 << 16 };
/* From this many frames of a pass on, memory attention sees a full bank. */
enum { FULL_BANK_FRAMES = 7 };

/* Start with {0}. */
typedef struct track_report {
    samples ms, stage_ms[SAM_N_STAGES], own, libraries, host, device, latency, /* of all frames of a live source */
        waits;            /* of the frames that were encoded and tracked; allocations by whom */
    size_t first_full;    /* where in them the bank is full; n: nowhere                        */
    int n_frames;         /* tracked                                                           */
    int n_incomplete;     /* masks that lack memories: sam_mask.incomplete                     */
    double official_ms;   /* of all tracked frames: push and track, without resizing masks out */
    double cold_ms;       /* age of the process when the first masks were there                */
    double end_to_end_ms; /* first frame asked for to last mask; writing files not counted     */
    sam_stats stats;      /* of the last frame                                                 */
} track_report;

/* Room for a clip, so that nothing is allocated while frames are measured. */
sam_status report_reserve(track_report *r, int n_frames, sam_error *err);
/* is_live: latency counts. */
sam_status report_add(track_report *r, const clip_result *frame, int is_live, sam_error *err);
void report_free(track_report *r);

/* What was run; the rest of the JSON file. */
typedef struct track_setting {
    const char *model, *precision, *input;
    const char *tracker;
    int image_px, width, height, n_objects, n_threads, history, interrupted;
    size_t frame_queue_bytes, rss_peak_bytes;
    int is_live;
    live_counts came; /* frames of a live source */
} track_setting;

/* NULL: no memory. */
json_t *report_json(const track_report *r, const track_setting *s);
void report_print(const track_report *r, const track_setting *s, FILE *to);

#endif
