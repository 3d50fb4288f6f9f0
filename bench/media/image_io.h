/* image_io.h - still images: JPEG through libjpeg-turbo (accurate integer IDCT, fancy upsampling: the pixels PIL gives),
 * PNG through libspng, others as image_decoders.h says; which it is, the content tells (image_format.h). Hostile files give
 * SAM_E_FORMAT naming the file; sizes over 32768 a side are refused. No EXIF entry turns a picture. */
#ifndef IMAGE_IO_H
#define IMAGE_IO_H

#include "error.h"

typedef struct image {
    int width, height, channels; /* 3: RGB, 1: mask or index                     */
    uint8_t *data;               /* [height, width, channels] u8; image_free     */
    size_t capacity;             /* bytes at data; reads reuse it when it is enough */
} image;

/* What a mask is read for. */
typedef enum mask_kind {
    MASK_OBJECT, /* of one object: pixels become 0 and 1. Two values but 0 are SAM_E_FORMAT: two objects, or soft edges */
    MASK_IDS, /* pixels are numbers of objects                                                                       */
    MASK_ONE_HUE, /* as MASK_IDS, but any single colour is object 1, as in some masks of DAVIS 2016                       */
} mask_kind;

/* To RGB; gray is spread, alpha dropped, 16 bit reduced, of a GIF the first picture. 16 bit gray with a value
 * above 255 is SAM_E_FORMAT: it would be white, as PIL has it. Reuses out->data. */
sam_status image_read_rgb(const char *path, image *out, sam_error *err);
/* To [h, w] u8. PNG: of a palette the index, of gray (1 to 16 bit) the value. RGB(A): the index of each colour in the DAVIS
 * palette if all are of it, else the value of gray ones (white alone is 1), else SAM_E_FORMAT, for MASK_OBJECT only if
 * there are several. JPEG: gray > 127. Others: as an RGB PNG. */
sam_status image_read_mask(const char *path, mask_kind kind, image *out, sam_error *err);
/* Width and height from the header only. */
sam_status image_read_size(const char *path, int *width, int *height, sam_error *err);
int image_is_animated(const char *path); /* a GIF of more than one picture */
/* Writes a PNG atomically. `palette` != 0: values are indices shown with the DAVIS palette; else 0/nonzero as 0/255 gray. */
sam_status image_write_mask(const char *path, const uint8_t *mask, size_t row_bytes, int width, int height, int palette,
                            sam_error *err);
sam_status image_write_rgb(const char *path, const uint8_t *rgb, size_t row_bytes, int width, int height,
                           sam_error *err);
/* Becomes one channel of zeros. Returns 0 without memory. */
int image_blank(image *im, int width, int height);
void image_free(image *im);

/* Pixels of a one-channel image that are not 0. */
size_t image_mask_area(const image *mask);

/* RGB of index i in the DAVIS/PASCAL VOC palette, and the index of a colour, -1 if it has none. */
void palette_color(int i, uint8_t rgb[3]);
int palette_index(const uint8_t rgb[3]);

#endif
