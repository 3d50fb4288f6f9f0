/* A build without libwebp. */
#include "image_decoders.h"

static sam_status refuse(const image_file *f, sam_error *err)
{
    return fail(
        err, SAM_E_FORMAT,
        "%s: a WebP picture, which this build cannot read; install libwebp (Debian: libwebp-dev) and build again, or "
        "convert it to PNG",
        f->path);
}

sam_status webp_size(const image_file *f, int64_t *width, int64_t *height, sam_error *err)
{
    *width = *height = 0;
    return refuse(f, err);
}

sam_status webp_rgb(image_file *f, int width, int height, uint8_t *rgb, sam_error *err)
{
    (void)width;
    (void)height;
    (void)rgb;
    return refuse(f, err);
}

int webp_version(void)
{
    return 0;
}
