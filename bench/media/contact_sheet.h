/* contact_sheet.h - scaled-down frames in rows, with the contours of result and ground truth, as one picture. */
#ifndef CONTACT_SHEET_H
#define CONTACT_SHEET_H

#include "error.h"

typedef struct sheet sheet;

typedef struct sheet_tile {
    const uint8_t *rgb; /* [height, width, 3] u8, rows without gaps */
    int width, height;
    const uint8_t *mask;  /* [height, width] u8, nonzero is object; NULL: none. Orange */
    const uint8_t *truth; /* the same; green, below the result */
    const char *label;    /* "00012 J 0.93"; NULL: none */
} sheet_tile;

/* Room for n_tiles; tile_width in pixels (0: 320), the height follows the first tile. */
sam_status sheet_open(int n_tiles, int columns, int tile_width, sheet **out, sam_error *err);
/* Copies what it needs. SAM_E_FULL after n_tiles. */
sam_status sheet_add(sheet *s, const sheet_tile *t, sam_error *err);
/* As many rows as have tiles. PNG, or JPEG where the path ends in .jpg or .jpeg. */
sam_status sheet_write(const sheet *s, const char *path, sam_error *err);
void sheet_close(sheet *s); /* NULL is a no-op */

#endif
