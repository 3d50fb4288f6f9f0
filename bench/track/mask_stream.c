#include "mask_stream.h"

#include <errno.h>
#include <signal.h>
#include <string.h>

static sam_status sent(const mask_stream *s, sam_error *err)
{
    return fflush(s->to) || ferror(s->to)
               ? fail(err, SAM_E_IO, "masks cannot be written to standard output: %s", strerror(errno))
               : SAM_OK;
}

sam_status mask_stream_begin(mask_stream *s, FILE *to, const char *form, int width, int height, double fps,
                             sam_error *err)
{
    const double default_fps = 25;
    *s = (mask_stream){.to = to, .has_headers = !strcmp(form, "y4m"), .n_pixels = (size_t)width * (size_t)height};
    signal(SIGPIPE, SIG_IGN);
    if (s->has_headers)
        fprintf(to, "YUV4MPEG2 W%d H%d F%.0f:1000 Ip A1:1 Cmono XCOLORRANGE=FULL\n", width, height,
                1000 * (fps > 0 ? fps : default_fps));
    return sent(s, err);
}

sam_status mask_stream_put(mask_stream *s, const uint8_t *numbers, sam_error *err)
{
    if (s->has_headers)
        fputs("FRAME\n", s->to);
    fwrite(numbers, 1, s->n_pixels, s->to);
    return sent(s, err);
}
