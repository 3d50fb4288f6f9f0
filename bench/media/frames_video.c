/* frames_video.c - frames of a video file through libav: opening, decoding in order, going to any frame.
 *
 * A frame's index is its place in display order. Decoding in order counts frames. Going to frame i needs the timeline:
 * one pass over the packets gives the sorted time stamps, whose i-th belongs to frame i, and the key frames. Files
 * without usable time stamps are decoded from their start instead. Pixels are in video_pixels.c. */
#include "frames_decoder.h"
#include "video_pixels.h"
#include "video_stream.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum { SKIP_BY_DECODING = 8 }; /* so many frames ahead are decoded through without looking for a key frame */

typedef struct key_frame {
    int64_t pts, dts;
} key_frame;

typedef struct timeline {
    enum { TIMELINE_UNKNOWN, TIMELINE_READY, TIMELINE_USELESS } state;
    int64_t *pts; /* [n] ascending, of every frame shown */
    size_t n, pts_capacity;
    key_frame *keys; /* [n_keys] ascending pts */
    size_t n_keys, keys_capacity;
} timeline;

typedef struct video {
    decoder base;
    char *url; /* "file:" path, so that no name is taken for a protocol */
    const char *path;
    int n_threads;
    frames_pixels wanted;

    video_stream in;
    int64_t position;  /* frame index of current; -1: none yet */
    int64_t first_pts; /* of frame 0 */
    int by_pts;        /* positions come from the timeline, since we have jumped */
    timeline timeline;
    video_pixels *pixels;
} video;

/* ---- opening --------------------------------------------------------------------------------------------------- */

static sam_status open_container(const video *v, AVFormatContext **out, int *stream, sam_error *err)
{
    char text[AV_ERROR_MAX_STRING_SIZE];
    AVDictionary *options = NULL;
    AVFormatContext *format = NULL;
    av_dict_set(&options, "protocol_whitelist", "file", 0); /* playlists must not reach the network */
    av_dict_set(&options, "format_whitelist", VIDEO_FORMATS ",tty", 0);
    int code = avformat_open_input(&format, v->url, NULL, &options);
    av_dict_free(&options);
    if (code == AVERROR(EINVAL))
        return fail(
            err, SAM_E_FORMAT,
            "%s: not a kind of file that is read here: a playlist, or a list of other files? Expected mp4, mkv, ... or "
            "a folder of images",
            v->path);
    if (code < 0)
        return fail(err, SAM_E_FORMAT,
                    "%s: not a video this build reads: %s; expected mp4, mkv, ... or a folder of images", v->path,
                    av_reason(code, text));
    if (strcmp(format->iformat->name, "tty") == 0) { /* libav renders text files as video */
        avformat_close_input(&format);
        return fail(err, SAM_E_FORMAT, "%s: a text file; expected a video or a folder of images", v->path);
    }
    sam_status status = video_stream_pick(format, v->path, stream, err);
    if (status != SAM_OK) {
        avformat_close_input(&format);
        return status;
    }
    *out = format;
    return SAM_OK;
}

/* Opens the file, or opens it anew, at its start. */
static sam_status open_file(video *v, sam_error *err)
{
    video_stream_close(&v->in);
    v->position = -1;
    v->by_pts = 0;
    TRY(open_container(v, &v->in.format, &v->in.stream, err));
    return video_stream_start(&v->in, v->n_threads, 0, err);
}

/* ---- decoding in order ----------------------------------------------------------------------------------------- */

static int64_t index_of(const timeline *t, int64_t pts)
{
    size_t low = 0, high = t->n;
    while (low < high) {
        size_t middle = low + (high - low) / 2;
        if (t->pts[middle] < pts)
            low = middle + 1;
        else
            high = middle;
    }
    return low < t->n && t->pts[low] == pts ? (int64_t)low : -1;
}

static sam_status damaged(const video *v, int64_t index, const char *what, sam_error *err)
{
    return fail(err, SAM_E_FORMAT, "frame %lld: %s: %s; repair it (ffmpeg -i in.mp4 out.mp4) or stop before this frame",
                (long long)index, v->path, what);
}

/* Decodes the next frame to v->in.current. *end: there is none. */
static sam_status step(video *v, int *end, sam_error *err)
{
    *end = 0;
    if (!v->in.codec)
        return fail(err, SAM_E_IO, "%s: could not be opened again", v->path);
    for (;;) {
        stream_event event = video_stream_next(&v->in);
        if (event == STREAM_DAMAGED)
            return damaged(v, v->position + 1, v->in.damage, err);
        *end = event == STREAM_END;
        if (*end)
            return SAM_OK;
        int64_t index = v->by_pts ? index_of(&v->timeline, v->in.current->pts) : v->position + 1;
        if (index < 0)
            continue; /* before the first frame that decodes from the start */
        v->position = index;
        return SAM_OK;
    }
}

/* ---- the timeline ---------------------------------------------------------------------------------------------- */

static int append(void **items, size_t *n, size_t *capacity, const void *item, size_t item_bytes)
{
    if (*n == *capacity) {
        size_t grown = *capacity ? 2 * *capacity : 256;
        void *moved = realloc(*items, grown * item_bytes);
        if (!moved)
            return 0;
        *items = moved;
        *capacity = grown;
    }
    memcpy((char *)*items + (*n)++ * item_bytes, item, item_bytes);
    return 1;
}

static int by_pts(const void *a, const void *b) /* of int64_t and of key_frame, which begins with it */
{
    int64_t x = *(const int64_t *)a, y = *(const int64_t *)b;
    return (x > y) - (x < y);
}

/* Drops what comes before frame 0 (a recording may begin between key frames) and judges the rest. */
static void finish_timeline(timeline *t, int64_t first_pts)
{
    t->state = TIMELINE_READY;
    if (t->n) /* a list without entries has no storage */
        qsort(t->pts, t->n, sizeof *t->pts, by_pts);
    if (t->n_keys)
        qsort(t->keys, t->n_keys, sizeof *t->keys, by_pts);
    size_t n_before = 0;
    while (n_before < t->n && t->pts[n_before] < first_pts)
        n_before++;
    if (first_pts == AV_NOPTS_VALUE || n_before == t->n || t->pts[n_before] != first_pts) {
        t->state = TIMELINE_USELESS;
        return;
    }
    t->n -= n_before;
    memmove(t->pts, t->pts + n_before, t->n * sizeof *t->pts);
    for (size_t i = 1; i < t->n; i++)
        if (t->pts[i] == t->pts[i - 1])
            t->state = TIMELINE_USELESS;
}

/* Reads every packet with a container of its own. */
static sam_status read_timeline(video *v, sam_error *err)
{
    timeline *t = &v->timeline;
    AVFormatContext *format = NULL;
    int stream, no_pts = 0, room = 1;
    t->n = t->n_keys = 0; /* an earlier pass may have been cancelled */
    TRY(open_container(v, &format, &stream, err));
    while (room && !atomic_load(&v->base.cancel) && av_read_frame(format, v->in.packet) >= 0) {
        const AVPacket *p = v->in.packet;
        if (p->stream_index == stream && p->size > 0) {
            key_frame key = {p->pts, p->dts == AV_NOPTS_VALUE ? p->pts : p->dts};
            no_pts |= p->pts == AV_NOPTS_VALUE;
            if (!(p->flags & AV_PKT_FLAG_DISCARD)) /* cut away by an edit list */
                room = append((void **)&t->pts, &t->n, &t->pts_capacity, &p->pts, sizeof p->pts);
            if (room && p->flags & AV_PKT_FLAG_KEY)
                room = append((void **)&t->keys, &t->n_keys, &t->keys_capacity, &key, sizeof key);
        }
        av_packet_unref(v->in.packet);
    }
    av_packet_unref(v->in.packet);
    avformat_close_input(&format);
    if (!room)
        return fail(err, SAM_E_MEMORY, "%s: no memory for the list of frames", v->path);
    if (no_pts)
        t->state = TIMELINE_USELESS;
    else if (!atomic_load(&v->base.cancel))
        finish_timeline(t, v->first_pts);
    return SAM_OK;
}

/* ---- going to a frame ------------------------------------------------------------------------------------------ */

/* Jumps to key frame k and decodes the first frame there. True if it is at or before index. */
static int jump(video *v, const key_frame *k, int64_t index)
{
    int end = 0;
    if (av_seek_frame(v->in.format, v->in.stream, k->dts, AVSEEK_FLAG_BACKWARD) < 0)
        return 0;
    video_stream_jumped(&v->in);
    v->by_pts = 1;
    v->position = -1;
    return step(v, &end, NULL) == SAM_OK && !end && v->position <= index;
}

/* Brings v->position to index or before it, at the nearest key frame if that saves work. Frames before a key frame in
 * display order may refer to what came before it ("open GOP"), so a key frame serves only frames shown after it. */
static sam_status approach(video *v, int64_t index, sam_error *err)
{
    timeline *t = &v->timeline;
    int ahead = v->position >= 0 && v->position <= index;
    if (v->position < index && index - v->position <= SKIP_BY_DECODING)
        return SAM_OK;
    if (t->state == TIMELINE_UNKNOWN)
        TRY(read_timeline(v, err));
    if (t->state == TIMELINE_READY && index < (int64_t)t->n) {
        size_t k = t->n_keys;
        while (k > 0 && t->keys[k - 1].pts > t->pts[index])
            k--;
        if (ahead && (k == 0 || t->keys[k - 1].pts <= t->pts[v->position]))
            return SAM_OK;
        for (int tries = 0; tries < 3 && k > 0; tries++, k--)
            if (jump(v, &t->keys[k - 1], index))
                return SAM_OK;
    } else if (ahead) {
        return SAM_OK;
    }
    return open_file(v, err);
}

static sam_status go_to(video *v, int64_t index, int *end, sam_error *err)
{
    *end = 0;
    if (v->position == index)
        return SAM_OK;
    TRY(approach(v, index, err));
    while (v->position < index && !*end) {
        TRY(step(v, end, err));
        *end |= atomic_load(&v->base.cancel);
    }
    if (!*end && v->position != index)
        return damaged(v, index, "missing between its neighbours", err);
    return SAM_OK;
}

static sam_status video_read(decoder *d, int64_t index, picture *out, int *end, sam_error *err)
{
    video *v = (video *)d;
    char text[160];
    TRY(go_to(v, index, end, err));
    if (*end)
        return SAM_OK;
    if (v->in.current->decode_error_flags || v->in.current->flags & AV_FRAME_FLAG_CORRUPT)
        return damaged(v, index, "damaged data", err);
    int width, height;
    video_pixels_size(v->pixels, v->in.current, &width, &height);
    if (width != d->width || height != d->height)
        return fail(err, SAM_E_FORMAT,
                    "frame %lld: %s: its size is %d x %d, but frame 0 is %d x %d; cut the video there",
                    (long long)index, v->path, width, height, d->width, d->height);
    sam_status status = video_pixels_convert(v->pixels, v->in.current, v->wanted, out, text, sizeof text);
    if (status != SAM_OK)
        return fail(err, status, "frame %lld: %s: %s", (long long)index, v->path, text);
    return SAM_OK;
}

static const char *video_frame_name(const decoder *d, int64_t index, char text[FRAME_NAME_BYTES])
{
    (void)d;
    snprintf(text, FRAME_NAME_BYTES, "%05lld", (long long)index);
    return text;
}

/* ---- opening and closing --------------------------------------------------------------------------------------- */

/* mp4 and mov list every packet; 0 when this file does not. The lists were public fields before libavformat 59. */
static int64_t count_by_index(video *v)
{
    AVStream *stream = v->in.format->streams[v->in.stream];
    int64_t n_shown = 0, end = 0, n_bytes = avio_size(v->in.format->pb);
    if (!strstr(v->in.format->iformat->name, "mp4") || stream->nb_frames <= 0)
        return 0;
#if LIBAVFORMAT_VERSION_MAJOR >= 59
    int n = avformat_index_get_entries_count(stream);
#else
    int n = stream->nb_index_entries;
#endif
    for (int i = 0; i < n; i++) {
#if LIBAVFORMAT_VERSION_MAJOR >= 59
        const AVIndexEntry *e = avformat_index_get_entry(stream, i);
#else
        const AVIndexEntry *e = &stream->index_entries[i];
#endif
        n_shown += !(e->flags & AVINDEX_DISCARD_FRAME);
        if (e->pos + e->size > end)
            end = e->pos + e->size;
    }
    v->in.cut_short = n_bytes > 0 && end > n_bytes;
    return n_shown;
}

static void video_close(decoder *d)
{
    video *v = (video *)d;
    video_stream_free(&v->in);
    video_pixels_free(v->pixels);
    free(v->timeline.pts);
    free(v->timeline.keys);
    free(v->url);
    free(v);
}

static sam_status prepare(video *v, sam_error *err)
{
    int end = 0;
    TRY(open_file(v, err));
    v->base.count = count_by_index(v);
    TRY(step(v, &end, err));
    if (end)
        return fail(err, SAM_E_FORMAT, "%s: no frame in the video stream", v->path);
    v->first_pts = v->in.current->pts;
    const AVStream *stream = v->in.format->streams[v->in.stream];
    v->base.rate = av_q2d(stream->avg_frame_rate.num > 0 && stream->avg_frame_rate.den > 0 ? stream->avg_frame_rate
                                                                                           : (AVRational){0, 1});
    v->pixels = video_pixels_new(stream, v->in.current);
    if (!v->pixels)
        return fail(err, SAM_E_MEMORY, "%s: no memory for a frame", v->path);
    video_pixels_size(v->pixels, v->in.current, &v->base.width, &v->base.height);
    if (v->base.count == 0) {
        TRY(read_timeline(v, err));
        v->base.count = v->timeline.n > 0 ? (int64_t)v->timeline.n : 1;
    }
    return SAM_OK;
}

sam_status video_open(const char *path, int n_threads, frames_pixels pixels, decoder **out, sam_error *err)
{
    av_log_set_level(AV_LOG_QUIET); /* libav prints to stderr; what matters comes back in err */
    size_t n_url = strlen(path) + 6;
    video *v = calloc(1, sizeof *v);
    if (!v)
        return fail(err, SAM_E_MEMORY, "%s: no memory to open the video", path);
    v->url = malloc(n_url);
    v->n_threads = n_threads;
    v->wanted = pixels;
    v->base.is_video = 1;
    v->base.read = video_read;
    v->base.name = video_frame_name;
    v->base.close = video_close;
    sam_status status;
    if (!v->url) {
        status = fail(err, SAM_E_MEMORY, "%s: no memory to open the video", path);
    } else {
        snprintf(v->url, n_url, "file:%s", path);
        v->path = v->url + 5;
        status = video_stream_new(&v->in, v->path, err);
        if (status == SAM_OK)
            status = prepare(v, err);
    }
    if (status != SAM_OK)
        video_close(&v->base);
    else
        *out = &v->base;
    return status;
}
