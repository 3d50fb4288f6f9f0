/* A build without libav (SAM_VIDEO=OFF): what frames_video.c and overlay.c do with video files is refused. */
#include "frames_decoder.h"
#include "overlay.h"

#include <stdio.h>

#define NO_VIDEO "this build has no video support (libav); "

sam_status video_open(const char *path, int n_threads, frames_pixels pixels, decoder **out, sam_error *err)
{
    (void)n_threads;
    (void)pixels;
    *out = NULL;
    return fail(err, SAM_E_IO, "%s: " NO_VIDEO "give a folder of images, or build with libav", path);
}

sam_status live_open(const char *path, const live_options *o, int n_threads, frames_pixels pixels, decoder **out,
                     sam_error *err)
{
    (void)o;
    return video_open(path, n_threads, pixels, out, err);
}

sam_status overlay_open(const char *path, const overlay_options *opt, overlay **out, sam_error *err)
{
    (void)opt;
    *out = NULL;
    return fail(err, SAM_E_IO, "%s: " NO_VIDEO "run without overlays, or build with libav", path);
}

sam_status overlay_write(overlay *o, const uint8_t *rgb, size_t row_bytes, sam_error *err)
{
    (void)o;
    (void)rgb;
    (void)row_bytes;
    return fail(err, SAM_E_STATE, NO_VIDEO "there is no overlay");
}

sam_status overlay_close(overlay *o, sam_error *err)
{
    (void)o;
    return fail(err, SAM_E_STATE, NO_VIDEO "there is no overlay");
}

void overlay_abandon(overlay *o)
{
    (void)o;
}

const char *overlay_encoder(const overlay *o)
{
    (void)o;
    return "";
}

void video_print_versions(void)
{
    printf("libav          not in this build: folders of images only, no overlay videos\n");
}
