/* video_stream.h - a container that is read and decoded in order: what files (frames_video.c) and live sources (frames_live.c)
 * share. libav reads it; whoever opens it says what may be opened. */
#ifndef VIDEO_STREAM_H
#define VIDEO_STREAM_H

#include "error.h"

#include <libavcodec/avcodec.h>
#include <libavformat/avformat.h>

/* Containers and bare streams that hold their own data. Others name further files (playlists, lists of pictures, edit lists),
 * which whoever gave us the file could choose. */
#define VIDEO_FORMATS                                                                                                  \
    "mov,mp4,matroska,webm,avi,flv,mpeg,mpegts,ogg,asf,nut,ivf,gif,h264,hevc,m4v,mpegvideo,mjpeg,"                     \
    "obu,av1,yuv4mpegpipe,mxf,rm,dv,wtv,apng,webp_pipe"

typedef struct video_stream {
    const char *name; /* for messages */
    AVFormatContext *format;
    AVCodecContext *codec;
    AVPacket *packet;
    AVFrame *current;
    int stream;
    int draining;
    int cut_short;      /* the caller knows that the file ends before the data its index lists */
    char damage[128];   /* why decoding stopped early; "": it has not */
    int64_t safe_pts;   /* then: frames from here on may have a missing one before them */
    int64_t last_dts;   /* of the packets read */
    double received_ms; /* when the last packet had been read */

    int goes_on;      /* 1: what is damaged is passed over, as long as more comes */
    int n_damaged;    /* packets passed over */
    int cut_at_last;  /* the last packet was damaged */
    int64_t last_end; /* where in the source the last packet ended */
} video_stream;

typedef enum stream_event {
    STREAM_FRAME,  /* in current */
    STREAM_END,    /* there is no more */
    STREAM_DAMAGED /* there may be more, but not for us: damage says why */
} stream_event;

/* libav's words for an error code. */
const char *av_reason(int code, char text[AV_ERROR_MAX_STRING_SIZE]);

/* What does not change while a source is opened again and again. */
sam_status video_stream_new(video_stream *v, const char *name, sam_error *err);
void video_stream_free(video_stream *v); /* closes, too */

/* The video stream of an opened container, whose other streams are not read. */
sam_status video_stream_pick(AVFormatContext *format, const char *name, int *stream, sam_error *err);
/* The decoder of v->format's v->stream, at the start. at_once: 1: frames come out as soon as they can. */
sam_status video_stream_start(video_stream *v, int n_threads, int at_once, sam_error *err);
void video_stream_close(video_stream *v);
/* After a jump to another place of the file. */
void video_stream_jumped(video_stream *v);

/* Decodes the next frame to v->current. */
stream_event video_stream_next(video_stream *v);

#endif
