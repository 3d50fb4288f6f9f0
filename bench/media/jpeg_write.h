/* jpeg_write.h - pixels to a JPEG file. */
#ifndef JPEG_WRITE_H
#define JPEG_WRITE_H

#include "error.h"

/* rgb [height, width, 3], rows without gaps; quality 1..100, colors at half resolution. Written atomically. */
sam_status jpeg_write(const char *path, const uint8_t *rgb, int width, int height, int quality, sam_error *err);

#endif
