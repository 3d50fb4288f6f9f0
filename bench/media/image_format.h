/* image_format.h - which format a picture file has, by its first bytes and never by its name. */
#ifndef IMAGE_FORMAT_H
#define IMAGE_FORMAT_H

#include <stddef.h>
#include <stdint.h>

typedef enum image_format {
    IMAGE_UNKNOWN,
    IMAGE_JPEG,
    IMAGE_PNG,
    IMAGE_BMP,
    IMAGE_TGA,
    IMAGE_PNM, /* PBM, PGM and PPM, plain and raw */
    IMAGE_GIF,
    IMAGE_WEBP,
    N_IMAGE_FORMATS
} image_format;

enum { IMAGE_FORMAT_BYTES = 18 }; /* enough to tell */

/* What a folder of pictures is searched for (listing_read), and the same for a reader. */
#define IMAGE_SUFFIXES     "jpg|jpeg|png|bmp|tga|ppm|pgm|pbm|pnm|gif|webp"
#define IMAGE_SUFFIXES_SAY ".jpg, .jpeg, .png, .bmp, .tga, .ppm, .pgm, .pbm, .pnm, .gif, .webp"
#define IMAGE_FORMATS_SAY  "JPEG, PNG, BMP, TGA, PNM, GIF or WebP"

/* first [n]: the first IMAGE_FORMAT_BYTES of the file, or all of it. TGA has no mark of its own: its header must be one in
 * every field. */
image_format image_format_of(const uint8_t *first, size_t n);
const char *image_format_name(image_format f); /* "PNG" */

#endif
