#include "video_stream.h"

#include "clock.h"

#include <errno.h>
#include <stdio.h>
#include <string.h>
#include <time.h>

enum { MAX_FRAME_PIXELS = 1 << 28 };

const char *av_reason(int code, char text[AV_ERROR_MAX_STRING_SIZE])
{
    av_strerror(code, text, AV_ERROR_MAX_STRING_SIZE);
    return text;
}

sam_status video_stream_new(video_stream *v, const char *name, sam_error *err)
{
    *v = (video_stream){.name = name, .packet = av_packet_alloc(), .current = av_frame_alloc()};
    return v->packet && v->current ? SAM_OK : fail(err, SAM_E_MEMORY, "%s: no memory to open the video", name);
}

void video_stream_close(video_stream *v)
{
    avcodec_free_context(&v->codec);
    avformat_close_input(&v->format);
}

void video_stream_free(video_stream *v)
{
    video_stream_close(v);
    av_packet_free(&v->packet);
    av_frame_free(&v->current);
}

sam_status video_stream_pick(AVFormatContext *format, const char *name, int *stream, sam_error *err)
{
    int code = avformat_find_stream_info(format, NULL);
    *stream = code < 0 ? code : av_find_best_stream(format, AVMEDIA_TYPE_VIDEO, -1, -1, NULL, 0);
    if (*stream < 0)
        return fail(err, SAM_E_FORMAT, "%s: no video stream in this file", name);
    for (unsigned i = 0; i < format->nb_streams; i++)
        format->streams[i]->discard = (int)i == *stream ? AVDISCARD_DEFAULT : AVDISCARD_ALL;
    return SAM_OK;
}

static sam_status open_codec(video_stream *v, int n_threads, int at_once, sam_error *err)
{
    char text[AV_ERROR_MAX_STRING_SIZE];
    const AVStream *stream = v->format->streams[v->stream];
    const AVCodec *codec = avcodec_find_decoder(stream->codecpar->codec_id);
    if (!codec)
        return fail(err, SAM_E_FORMAT, "%s: libav here has no decoder for %s; convert it: ffmpeg -i %s out.mp4",
                    v->name, avcodec_get_name(stream->codecpar->codec_id), v->name);
    v->codec = avcodec_alloc_context3(codec);
    if (!v->codec)
        return fail(err, SAM_E_MEMORY, "%s: no memory for a video decoder", v->name);
    int code = avcodec_parameters_to_context(v->codec, stream->codecpar);
    v->codec->pkt_timebase = stream->time_base;
    v->codec->thread_count = n_threads;
    v->codec->max_pixels = MAX_FRAME_PIXELS;
    if (at_once) { /* threads by frame hold back one frame each */
        v->codec->thread_type = FF_THREAD_SLICE;
        v->codec->flags |= AV_CODEC_FLAG_LOW_DELAY;
    }
    if (code >= 0)
        code = avcodec_open2(v->codec, codec, NULL);
    if (code < 0)
        return fail(err, SAM_E_FORMAT, "%s: cannot decode %s: %s", v->name, codec->name, av_reason(code, text));
    return SAM_OK;
}

sam_status video_stream_start(video_stream *v, int n_threads, int at_once, sam_error *err)
{
    v->draining = v->cut_at_last = 0;
    v->damage[0] = 0;
    v->last_dts = AV_NOPTS_VALUE;
    return open_codec(v, n_threads, at_once, err);
}

void video_stream_jumped(video_stream *v)
{
    avcodec_flush_buffers(v->codec);
    v->draining = 0;
    v->damage[0] = 0;
    v->last_dts = AV_NOPTS_VALUE;
}

/* No more packets; what the decoder holds still comes out. */
static void drain(video_stream *v)
{
    if (!v->draining)
        avcodec_send_packet(v->codec, NULL);
    v->draining = 1;
}

/* What is missing is shown no earlier than missing_dts, the decoding time of the first packet lost: frames the decoder
 * still holds are good before that, in doubt after it. */
static void stop_at_damage(video_stream *v, const char *what, int code, int64_t missing_dts)
{
    char text[AV_ERROR_MAX_STRING_SIZE];
    if (!v->damage[0]) {
        snprintf(v->damage, sizeof v->damage, "%s%s%s", what, code ? ": " : "", code ? av_reason(code, text) : "");
        v->safe_pts = missing_dts; /* unknown is the least value: nothing is safe */
    }
    drain(v);
}

/* av_read_frame of the chosen stream. A camera that has nothing yet is asked again, until the caller's callback says no. */
static int read_packet(video_stream *v)
{
    const AVIOInterruptCB *stop = &v->format->interrupt_callback;
    for (;;) {
        int code = av_read_frame(v->format, v->packet);
        if (code == AVERROR(EAGAIN)) {
            if (stop->callback && stop->callback(stop->opaque))
                return AVERROR_EXIT;
            nanosleep(&(struct timespec){.tv_nsec = 2000000}, NULL);
        } else if (code < 0 || (v->packet->stream_index == v->stream && v->packet->size > 0)) {
            v->received_ms = clock_ms();
            return code;
        } else {
            av_packet_unref(v->packet);
        }
    }
}

/* At the end of what goes on: a part of a frame was there, too. libav says so, but not of Y4M, whose bytes after the last whole
 * frame tell it. */
static int is_cut(const video_stream *v)
{
    return v->cut_at_last || (v->goes_on && v->format->pb && !strcmp(v->format->iformat->name, "yuv4mpegpipe") &&
                              avio_tell(v->format->pb) > v->last_end);
}

/* libav calls it an input/output error, too, when a connection without a length, which HTTP allows, is closed. */
static int is_end(const video_stream *v, int code)
{
    AVIOContext *io = v->format->pb;
    return code == AVERROR_EOF || (code == AVERROR(EIO) && v->goes_on && io && avio_size(io) < 0);
}

/* Gives the decoder one more packet. */
static void feed(video_stream *v)
{
    AVPacket *p = v->packet;
    int code = read_packet(v);
    int64_t after_last = v->last_dts == AV_NOPTS_VALUE ? AV_NOPTS_VALUE : v->last_dts + 1;
    if (is_end(v, code))
        code = AVERROR_EOF;
    if (code == AVERROR_EOF && v->cut_short) {
        stop_at_damage(v, "the file is cut short", 0, after_last);
    } else if (code == AVERROR_EOF && is_cut(v)) {
        stop_at_damage(v, "it ends in the middle of a frame", 0, after_last);
    } else if (code == AVERROR_EOF) {
        drain(v);
    } else if (code < 0) {
        stop_at_damage(v, "cannot read", code, after_last);
    } else if (p->flags & AV_PKT_FLAG_CORRUPT && v->goes_on) {
        v->n_damaged++;
        v->cut_at_last = 1;
    } else if (p->flags & AV_PKT_FLAG_CORRUPT) {
        stop_at_damage(v, "damaged or cut short", 0, after_last);
    } else {
        v->last_dts = p->dts;
        v->last_end = p->pos + p->size;
        v->cut_at_last = 0;
        code = avcodec_send_packet(v->codec, p);
        if (code < 0 && v->goes_on)
            v->n_damaged++;
        else if (code < 0) /* of this packet or, with threads, of an earlier one */
            stop_at_damage(v, "cannot decode", code, AV_NOPTS_VALUE);
    }
    av_packet_unref(p);
}

static stream_event damaged_here(video_stream *v)
{
    if (!v->damage[0])
        snprintf(v->damage, sizeof v->damage, "cannot decode");
    return STREAM_DAMAGED;
}

stream_event video_stream_next(video_stream *v)
{
    for (;;) {
        int code = avcodec_receive_frame(v->codec, v->current);
        if (code == 0) {
            int in_doubt = v->damage[0] && (v->current->pts >= v->safe_pts || v->current->pts == AV_NOPTS_VALUE);
            return in_doubt && !v->goes_on ? damaged_here(v) : STREAM_FRAME;
        }
        if (code == AVERROR(EAGAIN))
            feed(v);
        else if (code == AVERROR_EOF)
            return v->damage[0] ? damaged_here(v) : STREAM_END;
        else if (v->draining)
            return damaged_here(v);
        else if (v->goes_on)
            v->n_damaged++;
        else
            stop_at_damage(v, "cannot decode", code, AV_NOPTS_VALUE);
    }
}
