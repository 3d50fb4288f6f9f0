/* rle.h - COCO's run-length masks, as SA-V's training annotations and results in JSON hold them: runs of 0, 1, 0, ... down the columns. */
#ifndef RLE_H
#define RLE_H

#include "image_io.h"

#include <jansson.h>

/* {"size": [height, width], "counts": "..." or [runs]} to a mask of 0 and 1; reuses out->data. SAM_E_FORMAT, naming `where`,
 * if runs are negative or do not make up the picture. */
sam_status rle_read(const json_t *rle, const char *where, image *out, sam_error *err);
/* mask [height, row_bytes] u8, nonzero is object, as {"size": [height, width], "counts": "..."}; NULL: no memory. */
json_t *rle_write(const uint8_t *mask, size_t row_bytes, int width, int height);
/* The same of runs down the columns, as sam_amg_mask has them. */
json_t *rle_write_runs(const uint32_t *runs, size_t n_runs, int width, int height);
/* Whether any pixel is set; null shows nothing. What rle_read refuses is refused. */
sam_status rle_shows(const json_t *rle, const char *where, int *shows, sam_error *err);

#endif
