/* pass_overlay.h - an observer of object_pass that draws mask, annotation, prompt, and a line with model, object, J and frame into a video,
 * OUT_DIR/overlays/VIDEO__objOBJECT__MODEL.mp4. */
#ifndef PASS_OVERLAY_H
#define PASS_OVERLAY_H

#include "object_pass.h"
#include "overlay.h"
#include "pass_score.h"

/* The first two fields are the caller's. */
typedef struct pass_overlay {
    const char *out_dir;
    const pass_score *score; /* an observer before this one; NULL: no J and no annotation */
    char path[4096];         /* of the video; "": none was begun        */
    int output_failed;       /* it could not be written                 */
    uint8_t *pixels;         /* [height, width, 3] u8                   */
    overlay *video;
} pass_overlay;

pass_observer pass_overlay_observer(pass_overlay *o);
/* A video that was not finished leaves no file. */
void pass_overlay_free(pass_overlay *o);

#endif
