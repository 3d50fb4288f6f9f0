/* video_pixels.c - colour conversion and turning, or neither: NV12.
 *
 * swscale with bicubic chroma, accurate rounding and full chroma resolution: without these flags it takes a fast path
 * that repeats chroma and rounds down. */
#include "video_pixels.h"

#include <libavcodec/avcodec.h>
#include <libavformat/avformat.h>
#include <libavutil/display.h>
#include <libswscale/swscale.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum { CONVERSION = SWS_BICUBIC | SWS_ACCURATE_RND | SWS_FULL_CHR_H_INT | SWS_FULL_CHR_H_INP };

struct video_pixels {
    struct SwsContext *sws;
    int width, height, format, space, full_range; /* what sws was made for */
    AVFrame *rgb;                                 /* as decoded, not turned; swscale may write into its row padding */
    int swap_xy, flip_x, flip_y; /* shown x (y) = stored x, or y if swap_xy, counted from the other end if flip */
};

/* Display matrix [3][3], 16.16: shown x = m0 x + m3 y, shown y = m1 x + m4 y. Only quarter turns and mirrors; any other
 * angle is not applied. */
static void read_orientation(video_pixels *p, const int32_t *m)
{
    const int32_t tenth = 6554;
    if (abs(m[1]) < tenth && abs(m[3]) < tenth) {
        p->flip_x = m[0] < 0;
        p->flip_y = m[4] < 0;
    } else if (abs(m[0]) < tenth && abs(m[4]) < tenth) {
        p->swap_xy = 1;
        p->flip_x = m[3] < 0;
        p->flip_y = m[1] < 0;
    }
}

static const int32_t *display_matrix(const AVStream *stream, const AVFrame *first)
{
#if LIBAVFORMAT_VERSION_INT >= AV_VERSION_INT(60, 15, 100)
    const AVPacketSideData *data = av_packet_side_data_get(
        stream->codecpar->coded_side_data, stream->codecpar->nb_coded_side_data, AV_PKT_DATA_DISPLAYMATRIX);
    if (data && data->size >= 9 * sizeof(int32_t))
        return (const int32_t *)(const void *)data->data;
#else
    const uint8_t *data = av_stream_get_side_data(stream, AV_PKT_DATA_DISPLAYMATRIX, NULL);
    if (data)
        return (const int32_t *)(const void *)data;
#endif
    const AVFrameSideData *side = av_frame_get_side_data(first, AV_FRAME_DATA_DISPLAYMATRIX);
    return side ? (const int32_t *)(const void *)side->data : NULL;
}

video_pixels *video_pixels_new(const AVStream *stream, const AVFrame *first)
{
    video_pixels *p = calloc(1, sizeof *p);
    if (!p)
        return NULL;
    p->rgb = av_frame_alloc();
    if (!p->rgb) {
        free(p);
        return NULL;
    }
    const int32_t *matrix = display_matrix(stream, first);
    if (matrix)
        read_orientation(p, matrix);
    return p;
}

void video_pixels_free(video_pixels *p)
{
    if (!p)
        return;
    sws_freeContext(p->sws);
    av_frame_free(&p->rgb);
    free(p);
}

void video_pixels_size(const video_pixels *p, const AVFrame *f, int *width, int *height)
{
    *width = p->swap_xy ? f->height : f->width;
    *height = p->swap_xy ? f->width : f->height;
}

static int is_full_range(const AVFrame *f)
{
    switch (f->format) {
    case AV_PIX_FMT_YUVJ420P:
    case AV_PIX_FMT_YUVJ422P:
    case AV_PIX_FMT_YUVJ444P:
    case AV_PIX_FMT_YUVJ440P:
    case AV_PIX_FMT_YUVJ411P:
        return 1;
    default:
        return f->color_range == AVCOL_RANGE_JPEG;
    }
}

/* Makes converter and buffer for frames like f, unless they are there. */
static int prepare(video_pixels *p, const AVFrame *f)
{
    int full_range = is_full_range(f);
    if (p->sws && p->width == f->width && p->height == f->height && p->format == f->format &&
        p->space == (int)f->colorspace && p->full_range == full_range)
        return 1;
    sws_freeContext(p->sws);
    p->sws = sws_getContext(f->width, f->height, f->format, f->width, f->height, AV_PIX_FMT_RGB24, CONVERSION, NULL,
                            NULL, NULL);
    if (!p->sws)
        return 0;
    /* Values of AVColorSpace are those of SWS_CS_; unspecified and unknown ones give BT.601. Formats without a colour
     * matrix (RGB) refuse the call, which is fine. */
    const int *source = sws_getCoefficients((int)f->colorspace), *target = sws_getCoefficients(SWS_CS_DEFAULT);
    (void)sws_setColorspaceDetails(p->sws, source, full_range, target, 1, 0, 1 << 16, 1 << 16);
    av_frame_unref(p->rgb);
    p->rgb->width = p->width = f->width;
    p->rgb->height = p->height = f->height;
    p->rgb->format = AV_PIX_FMT_RGB24;
    p->format = f->format;
    p->space = (int)f->colorspace;
    p->full_range = full_range;
    return av_frame_get_buffer(p->rgb, 0) >= 0;
}

/* from: [height, width, 3] with from_bytes a row; to: shown pixels without gaps. */
static void turn(const video_pixels *p, const uint8_t *from, size_t from_bytes, int width, int height, uint8_t *to)
{
    int shown_width = p->swap_xy ? height : width, shown_height = p->swap_xy ? width : height;
    ptrdiff_t step_x = p->swap_xy ? (ptrdiff_t)from_bytes : 3, step_y = p->swap_xy ? 3 : (ptrdiff_t)from_bytes;
    if (p->flip_x) {
        from += (shown_width - 1) * step_x;
        step_x = -step_x;
    }
    if (p->flip_y) {
        from += (shown_height - 1) * step_y;
        step_y = -step_y;
    }
    for (int y = 0; y < shown_height; y++, from += step_y) {
        const uint8_t *pixel = from;
        if (step_x == 3) {
            memcpy(to, from, (size_t)shown_width * 3);
            to += (size_t)shown_width * 3;
            continue;
        }
        for (int x = 0; x < shown_width; x++, pixel += step_x, to += 3)
            memcpy(to, pixel, 3);
    }
}

/* ---- NV12 --------------------------------------------------------------------------------------------------------- */

static sam_status reserve(image *to, size_t n_bytes, const AVFrame *f, char *text, size_t n_text)
{
    if (to->capacity >= n_bytes)
        return SAM_OK;
    uint8_t *grown = malloc(n_bytes);
    if (!grown) {
        snprintf(text, n_text, "no memory for a frame of %d x %d", f->width, f->height);
        return SAM_E_MEMORY;
    }
    free(to->data);
    to->data = grown;
    to->capacity = n_bytes;
    return SAM_OK;
}

/* 0: the engine does not convert this space. Unspecified is BT.601, as for RGB. */
static sam_yuv_matrix matrix_of(const AVFrame *f)
{
    switch (f->colorspace) {
    case AVCOL_SPC_BT709:
        return SAM_BT709;
    case AVCOL_SPC_UNSPECIFIED:
    case AVCOL_SPC_BT470BG:
    case AVCOL_SPC_SMPTE170M:
        return SAM_BT601;
    default:
        return 0;
    }
}

static int is_420(const AVFrame *f)
{
    return f->format == AV_PIX_FMT_YUV420P || f->format == AV_PIX_FMT_YUVJ420P || f->format == AV_PIX_FMT_NV12;
}

static void interleave(const uint8_t *u, const uint8_t *v, uint8_t *restrict to, size_t n)
{
    for (size_t i = 0; i < n; i++) {
        to[2 * i] = u[i];
        to[2 * i + 1] = v[i];
    }
}

/* f without gaps in out->nv12, described by out->yuv. */
static sam_status copy_nv12(const AVFrame *f, picture *out, char *text, size_t n_text)
{
    size_t w = (size_t)f->width, h = (size_t)f->height, uv_row = (w + 1) / 2 * 2, n_uv = (h + 1) / 2;
    sam_status status = reserve(&out->nv12, w * h + n_uv * uv_row, f, text, n_text);
    if (status != SAM_OK)
        return status;
    uint8_t *y = out->nv12.data, *uv = y + w * h;
    for (size_t i = 0; i < h; i++)
        memcpy(y + i * w, f->data[0] + (ptrdiff_t)i * f->linesize[0], w);
    for (size_t i = 0; i < n_uv; i++) {
        const uint8_t *u = f->data[1] + (ptrdiff_t)i * f->linesize[1];
        if (f->format == AV_PIX_FMT_NV12)
            memcpy(uv + i * uv_row, u, uv_row);
        else
            interleave(u, f->data[2] + (ptrdiff_t)i * f->linesize[2], uv + i * uv_row, uv_row / 2);
    }
    out->yuv = (sam_nv12){.y = y,
                          .uv = uv,
                          .y_row_bytes = w,
                          .uv_row_bytes = uv_row,
                          .matrix = matrix_of(f),
                          .full_range = is_full_range(f)};
    return SAM_OK;
}

/* ---- RGB ---------------------------------------------------------------------------------------------------------- */

static sam_status convert_rgb(video_pixels *p, const AVFrame *f, image *out, char *text, size_t n_text)
{
    if (!prepare(p, f)) {
        sws_freeContext(p->sws);
        p->sws = NULL;
        snprintf(text, n_text, "cannot convert pixel format %d to RGB", f->format);
        return SAM_E_FORMAT;
    }
    int code =
        sws_scale(p->sws, (const uint8_t *const *)f->data, f->linesize, 0, f->height, p->rgb->data, p->rgb->linesize);
    size_t n_bytes = (size_t)f->width * (size_t)f->height * 3;
    if (code != f->height) {
        snprintf(text, n_text, "conversion to RGB failed");
        return SAM_E_FORMAT;
    }
    sam_status status = reserve(out, n_bytes, f, text, n_text);
    if (status != SAM_OK)
        return status;
    turn(p, p->rgb->data[0], (size_t)p->rgb->linesize[0], f->width, f->height, out->data);
    out->channels = 3;
    return SAM_OK;
}

sam_status video_pixels_convert(video_pixels *p, const AVFrame *f, frames_pixels wanted, picture *out, char *text,
                                size_t n_text)
{
    int is_turned = p->swap_xy || p->flip_x || p->flip_y;
    int is_nv12 = wanted != FRAMES_RGB && is_420(f) && matrix_of(f) && !is_turned;
    sam_status status = SAM_OK;
    video_pixels_size(p, f, &out->rgb.width, &out->rgb.height);
    out->yuv = (sam_nv12){0};
    out->no_rgb = is_nv12 && wanted == FRAMES_NV12;
    if (is_nv12)
        status = copy_nv12(f, out, text, n_text);
    if (status == SAM_OK && !out->no_rgb)
        status = convert_rgb(p, f, &out->rgb, text, n_text);
    return status;
}
