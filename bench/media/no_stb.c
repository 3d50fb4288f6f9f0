/* A build without stb_image. */
#include "image_decoders.h"

static sam_status refuse(const image_file *f, sam_error *err)
{
    return fail(
        err, SAM_E_FORMAT,
        "%s: a %s picture, which this build cannot read; install stb_image (Debian: libstb-dev) and build again, or "
        "convert it to PNG",
        f->path, image_format_name(f->format));
}

sam_status stb_size(const image_file *f, int64_t *width, int64_t *height, sam_error *err)
{
    *width = *height = 0;
    return refuse(f, err);
}

sam_status stb_rgb(image_file *f, int width, int height, uint8_t *rgb, sam_error *err)
{
    (void)width;
    (void)height;
    (void)rgb;
    return refuse(f, err);
}

int stb_is_here(void)
{
    return 0;
}
