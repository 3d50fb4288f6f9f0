/* contact_sheet.h - frames or what is around an object in them, in rows, with result and annotation, as one picture. */
#ifndef CONTACT_SHEET_H
#define CONTACT_SHEET_H

#include "error.h"

typedef struct sheet sheet;

typedef struct sheet_tile {
    const uint8_t *rgb; /* [height, width, 3] u8, rows without gaps */
    int width, height;
    const uint8_t *mask;  /* [height, width] u8, nonzero is object; NULL: none. Filled orange */
    const uint8_t *truth; /* the same; a white outline        */
    const char *label;    /* at the bottom: "frame 12 J 0.93"; NULL: none */
    const char *title;    /* at the top: "edgetam_points clip/001"; NULL: none */
    int zooms;            /* shows the surroundings of what mask and truth hold, not the whole frame */
} sheet_tile;

/* Room for n_tiles; tile_width in pixels (0: 320), the height follows the first tile. */
sam_status sheet_open(int n_tiles, int columns, int tile_width, sheet **out, sam_error *err);
/* Copies what it needs. SAM_E_FULL after n_tiles. */
sam_status sheet_add(sheet *s, const sheet_tile *t, sam_error *err);
/* The next tile begins a row. */
void sheet_new_row(sheet *s);
/* As many rows as have tiles. PNG, or JPEG where the path ends in .jpg or .jpeg. */
sam_status sheet_write(const sheet *s, const char *path, sam_error *err);
void sheet_close(sheet *s); /* NULL is a no-op */

#endif
