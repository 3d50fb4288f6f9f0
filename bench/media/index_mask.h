/* index_mask.h - one picture for all objects of a frame, as the DAVIS, MOSE and YouTube-VOS sets and their servers have it: each
 * pixel is an object's number, 0 the background. */
#ifndef INDEX_MASK_H
#define INDEX_MASK_H

#include "error.h"

#include <stddef.h>
#include <stdint.h>

/* Puts an object into the picture at `path`, which is made if it is not there. Where objects overlap the lowest number stays,
 * as in the official script (tools/vos_inference.py, put_per_obj_mask). mask: [height, width] u8, nonzero is the object. A
 * picture of another size is SAM_E_FORMAT. */
sam_status index_mask_put(const char *path, int value, const uint8_t *mask, size_t row_bytes, int width, int height,
                          sam_error *err);
/* Removes the pictures of a folder, if there are any. */
sam_status index_mask_clear(const char *folder, sam_error *err);

#endif
