/* image_io.h - still images: JPEG through libjpeg-turbo (accurate integer IDCT, fancy upsampling: the pixels PIL gives),
 * PNG through libspng. Hostile files give SAM_E_FORMAT naming the file; sizes over 32768 a side are refused. */
#ifndef IMAGE_IO_H
#define IMAGE_IO_H

#include "error.h"

typedef struct image {
    int width, height, channels; /* 3: RGB, 1: mask or index                     */
    uint8_t *data;               /* [height, width, channels] u8; image_free     */
    size_t capacity;             /* bytes at data; reads reuse it when it is enough */
    int many_colours;            /* a mask read from an RGB picture of several: which object is which is lost */
} image;

/* JPEG or PNG (by content, not by name) to RGB; gray is spread, alpha dropped, 16 bit reduced. Reuses out->data. */
sam_status image_read_rgb(const char *path, image *out, sam_error *err);
/* PNG (palette: the index; gray 1/2/4/8/16 bit: the value; RGB(A): nonzero -> 1; JPEG: gray > 127) to [h, w] u8. */
sam_status image_read_mask(const char *path, image *out, sam_error *err);
/* Width and height from the header only. */
sam_status image_read_size(const char *path, int *width, int *height, sam_error *err);
/* Writes a PNG atomically. `palette` != 0: values are indices shown with the DAVIS palette; else 0/nonzero as 0/255 gray. */
sam_status image_write_mask(const char *path, const uint8_t *mask, size_t row_bytes, int width, int height, int palette,
                            sam_error *err);
sam_status image_write_rgb(const char *path, const uint8_t *rgb, size_t row_bytes, int width, int height,
                           sam_error *err);
void image_free(image *im);

/* Pixels of a one-channel image that are not 0. */
size_t image_mask_area(const image *mask);

/* RGB of index i in the DAVIS/PASCAL VOC palette. */
void palette_color(int i, uint8_t rgb[3]);

#endif
