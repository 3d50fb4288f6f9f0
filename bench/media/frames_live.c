/* frames_live.c - frames as they come: standard input, a named pipe, a URL, a camera.
 *
 * Pipes are read here, in pieces and with a look at whether to stop, since libav waits for them without end; so libav needs no
 * protocol for them and can open nothing else. For a URL libav may use the protocols of its scheme, which the user named, and
 * no file; playlists are no stream (see VIDEO_FORMATS). What is damaged on the way is passed over and counted. */
#include "frames_decoder.h"
#include "video_pixels.h"
#include "video_stream.h"

#include <libavutil/pixdesc.h>
#ifdef SAM_AVDEVICE
#include <libavdevice/avdevice.h>
#endif

#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

enum {
    PIPE_BYTES = 1 << 16, /* read at once, as much as a pipe holds */
    LOOK_EVERY_MS = 50,   /* whether to stop                       */
    ANALYSE_US = 1000000  /* of a stream, to find out what is in it */
};

typedef struct live {
    decoder base;
    live_options opt;
    char *path;
    const char *shown; /* for messages */
    frames_pixels wanted;
    int fd;          /* of a pipe; -1: none. Standard input is not ours to close */
    AVIOContext *io; /* reads fd */
    video_stream in;
    int has_first; /* in.current is the first frame, not delivered yet */
    video_pixels *pixels;
} live;

static int is_over(void *user)
{
    const live *v = user;
    return atomic_load(&v->base.cancel) || (v->opt.stopped && v->opt.stopped());
}

/* ---- pipes -------------------------------------------------------------------------------------------------------- */

static int read_pipe(void *user, uint8_t *to, int n)
{
    live *v = user;
    for (;;) {
        struct pollfd p = {.fd = v->fd, .events = POLLIN};
        if (is_over(v))
            return AVERROR_EXIT;
        int ready = poll(&p, 1, LOOK_EVERY_MS);
        ssize_t got = ready > 0 ? read(v->fd, to, (size_t)n) : -1;
        if (got >= 0)
            return got ? (int)got : AVERROR_EOF;
        if (ready && errno != EINTR && errno != EAGAIN)
            return AVERROR(errno);
    }
}

/* Standard input may be a file. */
static int64_t seek_file(void *user, int64_t offset, int whence)
{
    live *v = user;
    struct stat info;
    if (whence == AVSEEK_SIZE)
        return fstat(v->fd, &info) == 0 ? (int64_t)info.st_size : AVERROR(errno);
    off_t at = lseek(v->fd, (off_t)offset, whence & ~AVSEEK_FORCE);
    return at < 0 ? AVERROR(errno) : (int64_t)at;
}

static sam_status open_pipe(live *v, sam_error *err)
{
    struct stat info;
    /* Without waiting for whoever writes: that is done where it can be interrupted. */
    v->fd = strcmp(v->path, "-") ? open(v->path, O_RDONLY | O_NONBLOCK | O_CLOEXEC) : STDIN_FILENO;
    if (v->fd < 0)
        return fail(err, SAM_E_IO, "%s: cannot open: %s", v->shown, strerror(errno));
    int is_file = fstat(v->fd, &info) == 0 && S_ISREG(info.st_mode);
    uint8_t *buffer = av_malloc(PIPE_BYTES);
    v->io = buffer ? avio_alloc_context(buffer, PIPE_BYTES, 0, v, read_pipe, NULL, is_file ? seek_file : NULL) : NULL;
    if (!v->io) {
        av_free(buffer);
        return fail(err, SAM_E_MEMORY, "%s: no memory to read it", v->shown);
    }
    return SAM_OK;
}

/* ---- what libav may open ------------------------------------------------------------------------------------------ */

typedef struct scheme {
    const char *name, *protocols, *formats;
} scheme;

static const scheme schemes[] = {
    {"http", "http,https,tls,tcp", VIDEO_FORMATS ",mpjpeg"},
    {"https", "http,https,tls,tcp", VIDEO_FORMATS ",mpjpeg"},
    {"rtsp", "rtsp,rtp,udp,tcp", "rtsp"},
    {"rtsps", "rtsps,rtsp,tls,rtp,srtp,udp,tcp", "rtsp"},
    {"rtmp", "rtmp,tcp", "flv,live_flv"},
    {"rtmps", "rtmps,rtmp,tls,tcp", "flv,live_flv"},
    {"tcp", "tcp", VIDEO_FORMATS ",mpjpeg"},
    {"udp", "udp", VIDEO_FORMATS},
    {"srt", "srt", VIDEO_FORMATS},
};

static const scheme pipe_scheme = {"", "none", VIDEO_FORMATS ",mpjpeg"}, raw_scheme = {"", "none", "rawvideo"},
                    camera_scheme = {"", "none", "video4linux2,v4l2"};

static sam_status find_scheme(const live *v, const scheme **out, sam_error *err)
{
    size_t n = (size_t)(strstr(v->path, "://") - v->path);
    for (size_t i = 0; i < sizeof schemes / sizeof *schemes; i++)
        if (strlen(schemes[i].name) == n && !strncmp(v->path, schemes[i].name, n)) {
            *out = &schemes[i];
            return SAM_OK;
        }
    return fail(err, SAM_E_ARG, "%s: expected a URL of http, https, rtsp, rtsps, rtmp, rtmps, tcp, udp or srt",
                v->shown);
}

/* "640x480:nv12@25" to libav's options; format and rate may be left out. */
static sam_status read_raw(const char *text, AVDictionary **options, sam_error *err)
{
    int width = 0, height = 0, at = 0, from = 0;
    char format[32] = "rgb24", rate[32] = "30";
    int good = sscanf(text, "%6dx%6d%n", &width, &height, &at) == 2 && width > 0 && height > 0;
    if (good && text[at] == ':')
        good = sscanf(text + (from = at), ":%31[a-z0-9]%n", format, &at) == 1;
    at += from;
    from = 0;
    if (good && text[at] == '@')
        good = sscanf(text + (from = at), "@%31[0-9./]%n", rate, &at) == 1;
    at += from;
    if (!good || text[at])
        return fail(err, SAM_E_ARG, "--raw: '%s' is not WIDTHxHEIGHT[:FORMAT][@FPS], such as 640x480:nv12@25", text);
    const AVPixFmtDescriptor *d = av_pix_fmt_desc_get(av_get_pix_fmt(format));
    if (!d || d->flags & AV_PIX_FMT_FLAG_HWACCEL)
        return fail(err, SAM_E_ARG, "--raw: '%s' is no pixel format; ffmpeg -pix_fmts lists them", format);
    char size[32];
    snprintf(size, sizeof size, "%dx%d", width, height);
    av_dict_set(options, "video_size", size, 0);
    av_dict_set(options, "pixel_format", format, 0);
    av_dict_set(options, "framerate", rate, 0);
    return SAM_OK;
}

/* ---- opening ------------------------------------------------------------------------------------------------------ */

static sam_status open_container(live *v, const scheme *s, AVDictionary **options, sam_error *err)
{
    char text[AV_ERROR_MAX_STRING_SIZE];
    const AVInputFormat *format = s == &raw_scheme ? av_find_input_format("rawvideo") : NULL;
    if (s == &camera_scheme)
        format = av_find_input_format("video4linux2");
    v->in.format = avformat_alloc_context();
    if (!v->in.format)
        return fail(err, SAM_E_MEMORY, "%s: no memory to open it", v->shown);
    v->in.format->interrupt_callback = (AVIOInterruptCB){.callback = is_over, .opaque = v};
    v->in.format->pb = v->io;
    if (s == &camera_scheme)
        v->in.format->flags |= AVFMT_FLAG_NONBLOCK;
    av_dict_set(options, "protocol_whitelist", s->protocols, 0);
    av_dict_set(options, "format_whitelist", s->formats, 0);
    av_dict_set(options, "rtsp_flags", "prefer_tcp", 0);
    av_dict_set_int(options, "analyzeduration", ANALYSE_US, 0);
    int code = avformat_open_input(&v->in.format, v->io ? NULL : v->path, format, options);
    if (code == AVERROR_EXIT || (code < 0 && is_over(v)))
        return fail(err, SAM_E_IO, "%s: stopped before the first frame", v->shown);
    if (code == AVERROR(EINVAL))
        return fail(
            err, SAM_E_FORMAT,
            "%s: not a kind of stream that is read here: a playlist, or a list of other files? Let ffmpeg read it: "
            "ffmpeg -i ... -f nut - into standard input",
            v->shown);
    if (code < 0)
        return fail(err, SAM_E_FORMAT,
                    "%s: not a stream this build reads: %s; expected Y4M, NUT, Matroska, MPEG-TS, MJPEG, ... or --raw",
                    v->shown, av_reason(code, text));
    return SAM_OK;
}

static sam_status open_source(live *v, sam_error *err)
{
    const scheme *s = &pipe_scheme;
    AVDictionary *options = NULL;
    struct stat info;
    sam_status status = SAM_OK;
    if (strstr(v->path, "://")) {
        status = find_scheme(v, &s, err);
    } else if (strcmp(v->path, "-") && stat(v->path, &info) == 0 && S_ISCHR(info.st_mode)) {
        s = &camera_scheme;
#ifdef SAM_AVDEVICE
        avdevice_register_all();
#else
        status = fail(err, SAM_E_IO,
                      "%s: this build reads no cameras (libavdevice); let ffmpeg: ffmpeg -f v4l2 -i %s -f nut - into "
                      "standard input",
                      v->path, v->path);
#endif
    } else {
        s = v->opt.raw ? &raw_scheme : s;
        status = open_pipe(v, err);
    }
    if (status == SAM_OK && v->opt.raw && s != &raw_scheme)
        status = fail(err, SAM_E_ARG, "%s: raw frames are read from standard input (-) or a named pipe", v->shown);
    if (status == SAM_OK && v->opt.raw)
        status = read_raw(v->opt.raw, &options, err);
    if (status == SAM_OK)
        status = open_container(v, s, &options, err);
    av_dict_free(&options);
    return status;
}

/* ---- reading ------------------------------------------------------------------------------------------------------ */

/* The next whole frame to in.current. */
static sam_status next_frame(live *v, int64_t index, int *end, sam_error *err)
{
    *end = 0;
    for (;;) {
        stream_event event = video_stream_next(&v->in);
        const AVFrame *f = v->in.current;
        int is_bad = event == STREAM_FRAME && (f->decode_error_flags || f->flags & AV_FRAME_FLAG_CORRUPT);
        v->in.n_damaged += is_bad;
        atomic_store(&v->base.n_damaged, v->in.n_damaged);
        *end = is_over(v) || event == STREAM_END;
        if (*end || (event == STREAM_FRAME && !is_bad))
            return SAM_OK;
        if (event == STREAM_DAMAGED)
            return fail(err, SAM_E_FORMAT, "frame %lld: %s: %s", (long long)index, v->shown, v->in.damage);
    }
}

static sam_status live_read(decoder *d, int64_t index, picture *out, int *end, sam_error *err)
{
    live *v = (live *)d;
    char text[160];
    int width, height;
    *end = 0;
    if (!v->has_first)
        TRY(next_frame(v, index, end, err));
    v->has_first = 0;
    if (*end)
        return SAM_OK;
    video_pixels_size(v->pixels, v->in.current, &width, &height);
    if (width != d->width || height != d->height)
        return fail(err, SAM_E_FORMAT, "frame %lld: %s: its size is %d x %d, but the stream began with %d x %d",
                    (long long)index, v->shown, width, height, d->width, d->height);
    sam_status status = video_pixels_convert(v->pixels, v->in.current, v->wanted, out, text, sizeof text);
    if (status != SAM_OK)
        return fail(err, status, "frame %lld: %s: %s", (long long)index, v->shown, text);
    out->arrived_ms = v->in.received_ms;
    return SAM_OK;
}

static const char *live_name(const decoder *d, int64_t index, char text[FRAME_NAME_BYTES])
{
    (void)d;
    snprintf(text, FRAME_NAME_BYTES, "%05lld", (long long)index);
    return text;
}

static void live_close(decoder *d)
{
    live *v = (live *)d;
    video_stream_free(&v->in);
    if (v->io)
        av_freep(&v->io->buffer);
    avio_context_free(&v->io);
    video_pixels_free(v->pixels);
    if (v->fd > STDIN_FILENO)
        close(v->fd);
    free(v->path);
    free(v);
}

static sam_status prepare(live *v, int n_threads, sam_error *err)
{
    int end = 0;
    TRY(video_stream_new(&v->in, v->shown, err));
    v->in.goes_on = 1;
    TRY(open_source(v, err));
    sam_status status = video_stream_pick(v->in.format, v->shown, &v->in.stream, err);
    if (is_over(v))
        return fail(err, SAM_E_IO, "%s: stopped before the first frame", v->shown);
    TRY(status);
    TRY(video_stream_start(&v->in, n_threads, 1, err));
    TRY(next_frame(v, v->opt.first, &end, err));
    if (end)
        return fail(err, SAM_E_FORMAT, "%s: %s", v->shown,
                    is_over(v) ? "stopped before the first frame" : "it ended before the first frame");
    v->has_first = 1;
    const AVStream *stream = v->in.format->streams[v->in.stream];
    v->base.rate =
        stream->avg_frame_rate.num > 0 && stream->avg_frame_rate.den > 0 ? av_q2d(stream->avg_frame_rate) : 0;
    v->pixels = video_pixels_new(stream, v->in.current);
    if (!v->pixels)
        return fail(err, SAM_E_MEMORY, "%s: no memory for a frame", v->shown);
    video_pixels_size(v->pixels, v->in.current, &v->base.width, &v->base.height);
    return SAM_OK;
}

sam_status live_open(const char *path, const live_options *o, int n_threads, frames_pixels pixels, decoder **out,
                     sam_error *err)
{
    av_log_set_level(AV_LOG_QUIET); /* libav prints to stderr; what matters comes back in err */
    live *v = calloc(1, sizeof *v);
    char *copy = strdup(path);
    if (!v || !copy) {
        free(v);
        free(copy);
        return fail(err, SAM_E_MEMORY, "%s: no memory to open it", path);
    }
    v->base.count = INT64_MAX;
    v->base.is_video = 1;
    v->base.read = live_read;
    v->base.name = live_name;
    v->base.close = live_close;
    v->opt = *o;
    v->path = copy;
    v->shown = strcmp(copy, "-") ? copy : "standard input";
    v->wanted = pixels;
    v->fd = -1;
    sam_status status = prepare(v, n_threads, err);
    if (status != SAM_OK)
        live_close(&v->base);
    else
        *out = &v->base;
    return status;
}
