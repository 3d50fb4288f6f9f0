/* webp_image.c - WebP by libwebp: lossy and lossless, alpha dropped as PIL's convert("RGB") does. */
#include "image_decoders.h"

#include <webp/decode.h>

static const char *reason(VP8StatusCode code)
{
    switch (code) {
    case VP8_STATUS_OUT_OF_MEMORY:
        return "out of memory";
    case VP8_STATUS_NOT_ENOUGH_DATA:
        return "it is cut short";
    case VP8_STATUS_UNSUPPORTED_FEATURE:
        return "a kind that libwebp does not read";
    default:
        return "its data are not WebP's";
    }
}

static sam_status damaged(const char *path, VP8StatusCode code, sam_error *err)
{
    return fail(err, code == VP8_STATUS_OUT_OF_MEMORY ? SAM_E_MEMORY : SAM_E_FORMAT,
                "%s: damaged or unsupported WebP: %s", path, reason(code));
}

sam_status webp_size(const image_file *f, int64_t *width, int64_t *height, sam_error *err)
{
    WebPBitstreamFeatures found;
    VP8StatusCode code = WebPGetFeatures(f->bytes, f->n, &found);
    if (code != VP8_STATUS_OK)
        return damaged(f->path, code, err);
    if (found.has_animation)
        return fail(err, SAM_E_FORMAT, "%s: an animated WebP, which is not read; write its frames as PNG files",
                    f->path);
    *width = found.width;
    *height = found.height;
    return SAM_OK;
}

sam_status webp_rgb(image_file *f, int width, int height, uint8_t *rgb, sam_error *err)
{
    WebPDecoderConfig c;
    if (!WebPInitDecoderConfig(&c))
        return fail(err, SAM_E_FORMAT, "%s: libwebp is of another version than this program was built with", f->path);
    c.output.colorspace = MODE_RGB;
    c.output.is_external_memory = 1;
    c.output.u.RGBA.rgba = rgb;
    c.output.u.RGBA.stride = 3 * width;
    c.output.u.RGBA.size = 3 * (size_t)width * (size_t)height;
    VP8StatusCode code = WebPDecode(f->bytes, f->n, &c);
    WebPFreeDecBuffer(&c.output);
    return code == VP8_STATUS_OK ? SAM_OK : damaged(f->path, code, err);
}

int webp_version(void)
{
    return WebPGetDecoderVersion();
}
