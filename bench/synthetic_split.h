/* synthetic_split.h - a tiny annotated video for checks of a set-up: three PNG frames of 192x144 in SA-V layout, a disc
 * (object 000) and a box (001) that move over a textured ground, every frame annotated. Always the same bytes of pixels. */
#ifndef SYNTHETIC_SPLIT_H
#define SYNTHETIC_SPLIT_H

#include "error.h"

#define SYNTHETIC_SPLIT_VIDEO "synthetic"

/* Writes the split's folders and <split_name>.txt below `root`, which is made if needed; what is there is replaced. */
sam_status synthetic_split_write(const char *root, const char *split_name, sam_error *err);

#endif
