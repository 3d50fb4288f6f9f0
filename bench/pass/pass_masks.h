/* pass_masks.h - an observer of object_pass that writes each mask as a PNG, in the data set's own layout: OUT_DIR/masks/MODEL/
 * VIDEO/OBJECT/FRAME.png for SA-V, VIDEO/FRAME.png with all objects for the other sets. */
#ifndef PASS_MASKS_H
#define PASS_MASKS_H

#include "object_pass.h"

/* The first two fields are the caller's. */
typedef struct pass_masks {
    const char *out_dir;
    int is_first;      /* no object of this video and model has been written yet: pictures of an earlier run go */
    int output_failed; /* a file could not be written */
} pass_masks;

pass_observer pass_masks_observer(pass_masks *m);

#endif
