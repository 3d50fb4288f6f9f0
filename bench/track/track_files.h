/* track_files.h - what `track` writes per frame: masks, their figures, the overlay video, the dump. */
#ifndef TRACK_FILES_H
#define TRACK_FILES_H

#include "clip.h"
#include "coco_masks.h"
#include "dump.h"
#include "folder_lock.h"
#include "mask_stream.h"
#include "overlay.h"
#include "text_out.h"

enum { TRACK_PATH_BYTES = 4096 };

/* Set folder, dump_path, draw and what else is to be written; the rest starts as 0. */
typedef struct track_files {
    const char *folder;    /* --out; NULL: no masks and no overlay */
    const char *dump_path; /* NULL: none                           */
    int draw;              /* OUT/overlay.mp4                      */
    int labels;            /* OUT/labels/<frame>.png: all objects in one picture, with the DAVIS palette */
    int rle;               /* OUT/masks.json: coco_masks.h */
    int mot;               /* OUT/mot.txt: boxes, as MOTChallenge has them */
    const char *model;     /* named in the overlay */
    const char *pipe;      /* the same to standard output: mask_stream.h; NULL: not */
    const prompt_file *prompts;
    int width, height;
    mask_stream stream;
    overlay *video;
    text_out figures; /* OUT/objects.csv                    */
    text_out times;   /* OUT/frames.csv                     */
    text_out boxes;   /* OUT/mot.txt                        */
    coco_writer coco;
    char figures_path[TRACK_PATH_BYTES], times_path[TRACK_PATH_BYTES], boxes_path[TRACK_PATH_BYTES];
    uint8_t *picture;        /* [height, width] of labels and pipe */
    uint8_t *masks;          /* [n_objects, height, width] u8, those of the frame at hand */
    uint8_t *pixels;         /* [height, width, 3] a frame to draw on */
    overlay_object *objects; /* [n_objects]                           */
    dump tensors;
    folder_lock lock; /* of folder */
} track_files;

/* Makes folders and tries to write, so that a run does not find out at its end. fps 0: not known. */
sam_status files_open(track_files *f, const prompt_file *prompts, int width, int height, double fps, sam_error *err);
/* The masks that the session holds: OUT/masks/001/<frame>.png for object 1, as SA-V has them, a row in OUT/objects.csv
 * (docs/columns.md), and what else was asked for. */
sam_status files_add(track_files *f, const clip *c, const frame *at, sam_error *err);
/* The frame's row of OUT/frames.csv: what it took. */
void files_add_times(track_files *f, const clip_result *at);
/* Completes figures, overlay and dump. `n_frames` 0: there is nothing to write. */
sam_status files_finish(track_files *f, int n_frames, sam_error *err);
void files_close(track_files *f);

#endif
