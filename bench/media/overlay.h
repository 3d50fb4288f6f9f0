/* overlay.h - a video that shows masks and prompts over the frames: H.264 in mp4 where libav has libx264, else MPEG-4.
 *
 *   overlay_open("out.mp4", &(overlay_options){.width = w, .height = h, .fps = 24}, &o, &err);
 *   memcpy(pixels, f->rgb, ...);
 *   overlay_draw(&(canvas){pixels, w, h, 3 * w}, objects, n_objects, f->index);
 *   overlay_write(o, pixels, 3 * w, &err);
 *   overlay_close(o, &err);
 *
 * The file takes its name only when overlay_close succeeds; until then it is NAME.PID.tmp beside it. */
#ifndef OVERLAY_H
#define OVERLAY_H

#include "draw.h"
#include "error.h"

typedef struct overlay overlay;

/* Zero means default. */
typedef struct overlay_options {
    int width, height; /* required; odd sizes are extended to even ones by repeating the last column or row */
    double fps;        /* default 24                                              */
    int crf;           /* quality of H.264, 1 (best) to 51; default 23            */
    int n_threads;     /* of the encoder; default 2                               */
    int mpeg4;         /* 1: MPEG-4 even where there is H.264                     */
} overlay_options;

sam_status overlay_open(const char *path, const overlay_options *opt, overlay **out, sam_error *err);
/* rgb [height, width, 3] u8 */
sam_status overlay_write(overlay *o, const uint8_t *rgb, size_t row_bytes, sam_error *err);
/* Finishes the file and frees o, also on failure. Without a frame there is no file, which is an error. */
sam_status overlay_close(overlay *o, sam_error *err);
/* Frees o and leaves no file. NULL is a no-op. */
void overlay_abandon(overlay *o);
const char *overlay_encoder(const overlay *o); /* "libx264": for the report */

typedef struct overlay_object {
    int id;              /* its colour is draw_object_color(id)                     */
    const uint8_t *mask; /* [height, width] u8 of the canvas's size; NULL: none     */
    size_t mask_row_bytes;
    const uint8_t *truth; /* the annotation, drawn as a white outline; NULL: none    */
    size_t truth_row_bytes;
    const sam_point *points;
    int n_points;
    const sam_box *box;
} overlay_object;

/* Fill, contour, annotation, box and points of every object, and a line of text at the top ("frame 12"; NULL: none). */
void overlay_draw(const canvas *c, const overlay_object *objects, int n_objects, const char *label);

/* The lines of `doctor` on the video libraries. */
void video_print_versions(void);

#endif
