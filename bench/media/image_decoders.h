/* image_decoders.h - the formats whose files are read into memory as a whole. Two functions each: the size, from the first
 * IMAGE_HEAD_BYTES or more, and the pixels, which PIL's convert("RGB") gives. What is damaged, cut short or of a kind that
 * cannot be read as PIL reads it is SAM_E_FORMAT. Nothing is turned by an EXIF entry. */
#ifndef IMAGE_DECODERS_H
#define IMAGE_DECODERS_H

#include "error.h"
#include "image_format.h"

enum { IMAGE_HEAD_BYTES = 4096 };

typedef struct image_file {
    const char *path;
    image_format format;
    uint8_t *bytes; /* the decoder may change them */
    size_t n;
} image_file;

/* Sizes are those of the header: the caller checks them. */
typedef sam_status image_size_fn(const image_file *f, int64_t *width, int64_t *height, sam_error *err);
/* rgb [height, width, 3] u8, of the size that the first function gave for the whole file. */
typedef sam_status image_rgb_fn(image_file *f, int width, int height, uint8_t *rgb, sam_error *err);

/* PBM, PGM, PPM, plain and raw; P5 and P2 of more than 8 bits are refused. pnm_image.c */
image_size_fn pnm_size;
image_rgb_fn pnm_rgb;

/* BMP, TGA, GIF (first picture), by stb_image. stb_images.c; no_stb.c refuses them. */
image_size_fn stb_size;
image_rgb_fn stb_rgb;
int stb_is_here(void); /* in this build */

/* WebP, by libwebp. webp_image.c; no_webp.c refuses it. */
image_size_fn webp_size;
image_rgb_fn webp_rgb;
int webp_version(void); /* 0x010204 for 1.2.4; 0: not in this build */

/* What a GIF holds, without its pixels. */
typedef struct gif_blocks {
    int n_pictures;          /* whole ones */
    int cut;                 /* the file ends before its end mark */
    int x, y, width, height; /* of the first, in the picture */
    size_t control;          /* where the flags of its graphic control are; 0: it has none */
} gif_blocks;
/* gif_blocks.c */
gif_blocks gif_look(const image_file *f);

#endif
