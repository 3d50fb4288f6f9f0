/* overlay.c - the video writer. Colours are BT.709, limited range, and marked so. */
#include "overlay.h"

#include "atomic_file.h"

#include <errno.h>
#include <libavcodec/avcodec.h>
#include <libavformat/avformat.h>
#include <libavutil/opt.h>
#include <libswscale/swscale.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

enum {
    DEFAULT_CRF = 23,
    DEFAULT_ENCODER_THREADS = 2,
    MPEG4_QUANTISER = 4, /* looks about like CRF 23 */
    MAX_SIDE_PX = 16384
};

struct overlay {
    char *path, *url;
    char *temporary; /* url without "file:"; NULL: there is none (any more) */
    overlay_options opt;
    AVFormatContext *format;
    AVCodecContext *codec;
    AVStream *stream;
    AVPacket *packet;
    AVFrame *rgb, *yuv; /* of the even size */
    struct SwsContext *sws;
    int64_t n_written;
};

static sam_status broken(const overlay *o, const char *what, int code, sam_error *err)
{
    char text[AV_ERROR_MAX_STRING_SIZE];
    av_strerror(code, text, sizeof text);
    return fail(err, code == AVERROR(ENOMEM) ? SAM_E_MEMORY : SAM_E_IO, "%s: cannot %s: %s", o->path, what, text);
}

void overlay_abandon(overlay *o)
{
    if (!o)
        return;
    avcodec_free_context(&o->codec);
    if (o->format && o->format->pb)
        avio_closep(&o->format->pb);
    if (o->temporary)
        unlink(o->temporary);
    avformat_free_context(o->format);
    av_packet_free(&o->packet);
    av_frame_free(&o->rgb);
    av_frame_free(&o->yuv);
    sws_freeContext(o->sws);
    free(o->path);
    free(o->url);
    free(o->temporary);
    free(o);
}

static int try_codec(overlay *o, const AVCodec *codec)
{
    AVRational rate = av_d2q(o->opt.fps, 90000);
    AVCodecContext *c = codec ? avcodec_alloc_context3(codec) : NULL;
    if (!c)
        return AVERROR_ENCODER_NOT_FOUND;
    c->width = (o->opt.width + 1) & ~1;
    c->height = (o->opt.height + 1) & ~1;
    c->pix_fmt = AV_PIX_FMT_YUV420P;
    c->time_base = av_inv_q(rate);
    c->framerate = rate;
    c->thread_count = o->opt.n_threads;
    c->colorspace = AVCOL_SPC_BT709;
    c->color_primaries = AVCOL_PRI_BT709;
    c->color_trc = AVCOL_TRC_BT709;
    c->color_range = AVCOL_RANGE_MPEG;
    if (o->format->oformat->flags & AVFMT_GLOBALHEADER)
        c->flags |= AV_CODEC_FLAG_GLOBAL_HEADER;
    if (codec->id == AV_CODEC_ID_H264) {
        av_opt_set_int(c->priv_data, "crf", o->opt.crf, 0);
        av_opt_set(c->priv_data, "preset", "veryfast", 0);
    } else {
        c->flags |= AV_CODEC_FLAG_QSCALE;
        c->global_quality = MPEG4_QUANTISER * FF_QP2LAMBDA;
    }
    int code = avcodec_open2(c, codec, NULL);
    if (code < 0)
        avcodec_free_context(&c);
    else
        o->codec = c;
    return code;
}

static sam_status open_encoder(overlay *o, sam_error *err)
{
    int code = o->opt.mpeg4 ? -1 : try_codec(o, avcodec_find_encoder_by_name("libx264"));
    if (code < 0)
        code = try_codec(o, avcodec_find_encoder(AV_CODEC_ID_MPEG4));
    return code < 0 ? broken(o, "open a video encoder (libx264 or mpeg4 of libav)", code, err) : SAM_OK;
}

static sam_status open_file(overlay *o, sam_error *err)
{
    o->stream = avformat_new_stream(o->format, NULL);
    if (!o->stream)
        return broken(o, "add a stream", AVERROR(ENOMEM), err);
    o->stream->time_base = o->codec->time_base;
    o->stream->avg_frame_rate = o->codec->framerate;
    int code = avcodec_parameters_from_context(o->stream->codecpar, o->codec);
    if (code >= 0)
        code = avio_open(&o->format->pb, o->url, AVIO_FLAG_WRITE);
    if (code < 0)
        return broken(o, "write the video", code, err);
    AVDictionary *options = NULL;
    av_dict_set(&options, "movflags", "faststart", 0); /* plays before it is loaded */
    code = avformat_write_header(o->format, &options);
    av_dict_free(&options);
    return code < 0 ? broken(o, "write the video", code, err) : SAM_OK;
}

static int new_frame(AVFrame **out, const AVCodecContext *codec, int format)
{
    *out = av_frame_alloc();
    if (!*out)
        return AVERROR(ENOMEM);
    (*out)->format = format;
    (*out)->width = codec->width;
    (*out)->height = codec->height;
    (*out)->colorspace = codec->colorspace;
    (*out)->color_range = codec->color_range;
    return av_frame_get_buffer(*out, 0);
}

static sam_status open_conversion(overlay *o, sam_error *err)
{
    const AVCodecContext *c = o->codec;
    o->packet = av_packet_alloc();
    int code = o->packet ? new_frame(&o->rgb, c, AV_PIX_FMT_RGB24) : AVERROR(ENOMEM);
    if (code >= 0)
        code = new_frame(&o->yuv, c, AV_PIX_FMT_YUV420P);
    if (code < 0)
        return broken(o, "prepare frames", code, err);
    o->sws = sws_getContext(c->width, c->height, AV_PIX_FMT_RGB24, c->width, c->height, AV_PIX_FMT_YUV420P,
                            SWS_BICUBIC | SWS_ACCURATE_RND | SWS_FULL_CHR_H_INT, NULL, NULL, NULL);
    if (!o->sws)
        return broken(o, "prepare colour conversion", AVERROR(ENOMEM), err);
    const int *matrix = sws_getCoefficients(SWS_CS_ITU709);
    (void)sws_setColorspaceDetails(o->sws, matrix, 1, matrix, 0, 0, 1 << 16, 1 << 16);
    return SAM_OK;
}

static sam_status check_options(const char *path, overlay_options *opt, sam_error *err)
{
    if (opt->width < 1 || opt->height < 1 || opt->width > MAX_SIDE_PX || opt->height > MAX_SIDE_PX)
        return fail(err, SAM_E_ARG, "%s: video of %d x %d, sides of 1 to %d are accepted", path, opt->width,
                    opt->height, MAX_SIDE_PX);
    opt->fps = opt->fps == 0 ? 24 : opt->fps;
    if (!(opt->fps >= 0.1 && opt->fps <= 1000))
        return fail(err, SAM_E_ARG, "%s: %g frames per second, expected 0.1 to 1000", path, opt->fps);
    opt->crf = opt->crf ? opt->crf : DEFAULT_CRF;
    if (opt->crf < 1 || opt->crf > 51)
        return fail(err, SAM_E_ARG, "%s: crf %d, expected 1 to 51", path, opt->crf);
    opt->n_threads = opt->n_threads > 0 ? opt->n_threads : DEFAULT_ENCODER_THREADS;
    return SAM_OK;
}

/* libav opens files by name, so an empty one is made first, which is nobody else's. */
static sam_status make_temporary(overlay *o, sam_error *err)
{
    int fd = atomic_file_temporary(o->path, &o->temporary);
    if (fd < 0)
        return fail(err, SAM_E_IO, "%s: cannot write a video: %s", o->path, strerror(errno));
    close(fd);
    size_t n = strlen(o->temporary) + 6;
    o->url = malloc(n);
    if (!o->url)
        return fail(err, SAM_E_MEMORY, "%s: no memory to write a video", o->path);
    snprintf(o->url, n, "file:%s", o->temporary);
    return SAM_OK;
}

sam_status overlay_open(const char *path, const overlay_options *opt, overlay **out, sam_error *err)
{
    overlay_options checked = *opt;
    *out = NULL;
    TRY(check_options(path, &checked, err));
    av_log_set_level(AV_LOG_QUIET); /* libav prints to stderr; what matters comes back in err */
    overlay *o = calloc(1, sizeof *o);
    if (!o)
        return fail(err, SAM_E_MEMORY, "%s: no memory to write a video", path);
    o->opt = checked;
    o->path = strdup(path);
    sam_status status =
        o->path ? make_temporary(o, err) : fail(err, SAM_E_MEMORY, "%s: no memory to write a video", path);
    if (status == SAM_OK) {
        int code = avformat_alloc_output_context2(&o->format, NULL, "mp4", o->url);
        status = code < 0 ? broken(o, "write mp4", code, err) : open_encoder(o, err);
    }
    if (status == SAM_OK)
        status = open_conversion(o, err);
    if (status == SAM_OK)
        status = open_file(o, err);
    if (status != SAM_OK)
        overlay_abandon(o);
    else
        *out = o;
    return status;
}

/* frame NULL: flush. */
static sam_status encode(overlay *o, const AVFrame *f, sam_error *err)
{
    int code = avcodec_send_frame(o->codec, f);
    while (code >= 0) {
        code = avcodec_receive_packet(o->codec, o->packet);
        if (code == AVERROR(EAGAIN) || code == AVERROR_EOF)
            return SAM_OK;
        if (code < 0)
            break;
        if (o->packet->duration == 0)
            o->packet->duration = 1; /* of the codec's time base: one frame, else the last one is lost to players */
        av_packet_rescale_ts(o->packet, o->codec->time_base, o->stream->time_base);
        o->packet->stream_index = o->stream->index;
        code = av_interleaved_write_frame(o->format, o->packet);
    }
    return broken(o, "write a frame of the video", code, err);
}

sam_status overlay_write(overlay *o, const uint8_t *rgb, size_t row_bytes, sam_error *err)
{
    int code = av_frame_make_writable(o->yuv); /* the encoder may still hold the last one */
    if (code < 0)
        return broken(o, "prepare a frame", code, err);
    size_t n = (size_t)o->opt.width * 3;
    for (int y = 0; y < o->rgb->height; y++) {
        const uint8_t *from = rgb + (size_t)(y < o->opt.height ? y : o->opt.height - 1) * row_bytes;
        uint8_t *to = o->rgb->data[0] + (ptrdiff_t)y * o->rgb->linesize[0];
        memcpy(to, from, n);
        if (o->rgb->width > o->opt.width)
            memcpy(to + n, from + n - 3, 3);
    }
    sws_scale(o->sws, (const uint8_t *const *)o->rgb->data, o->rgb->linesize, 0, o->rgb->height, o->yuv->data,
              o->yuv->linesize);
    o->yuv->pts = o->n_written++;
    return encode(o, o->yuv, err);
}

sam_status overlay_close(overlay *o, sam_error *err)
{
    sam_status status = SAM_OK;
    if (o->n_written == 0)
        status = fail(err, SAM_E_STATE, "%s: no frame was written, so there is no video", o->path);
    if (status == SAM_OK)
        status = encode(o, NULL, err);
    if (status == SAM_OK) {
        int code = av_write_trailer(o->format);
        int closed = code < 0 ? code : avio_closep(&o->format->pb);
        if (code < 0 || closed < 0)
            status = broken(o, "finish the video", code < 0 ? code : closed, err);
    }
    if (status == SAM_OK && rename(o->temporary, o->path) != 0) {
        status = fail(err, SAM_E_IO, "%s: cannot put the finished video in place: %s", o->path, strerror(errno));
    } else if (status == SAM_OK) {
        free(o->temporary);
        o->temporary = NULL;
    }
    overlay_abandon(o);
    return status;
}

const char *overlay_encoder(const overlay *o)
{
    return o->codec->codec->name;
}

void video_print_versions(void)
{
    unsigned format = avformat_version(), codec = avcodec_version();
    printf("libav          %s (libavformat %u.%u.%u, libavcodec %u.%u.%u, libswscale %u)\n", av_version_info(),
           AV_VERSION_MAJOR(format), AV_VERSION_MINOR(format), AV_VERSION_MICRO(format), AV_VERSION_MAJOR(codec),
           AV_VERSION_MINOR(codec), AV_VERSION_MICRO(codec), AV_VERSION_MAJOR(swscale_version()));
    printf("H.264 encoder  %s\n", avcodec_find_encoder_by_name("libx264") ? "libx264" : "none: overlays are MPEG-4");
}
