/* frames.c - the frame source: a thread that decodes ahead, and the queue between it and the caller.
 *
 * A slot is free, being filled (by the thread), ready (in the ring, in order of delivery) or lent (to the caller). */
#include "frames.h"

#include "clock.h"
#include "frames_decoder.h"
#include "image_format.h"
#include "listing.h"

#include <assert.h>
#include <errno.h>
#include <pthread.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <time.h>

enum {
    DEFAULT_PREFETCH = 600,
    DEFAULT_PREFETCH_BYTES = 256 << 20,
    MIN_SLOTS = 2,   /* one in the caller's hands, one being filled */
    PHOTO_SLOTS = 3, /* sizes differ, so bytes are not known beforehand */
    DEFAULT_THREADS = 2,
    MAX_REVERSE_BLOCK = 128
};

typedef struct slot {
    frame shown;
    picture pixels;
    char name[FRAME_NAME_BYTES];
} slot;

struct frame_source {
    decoder *decoder; /* belongs to the thread while it runs, except what does not change */
    decoder *seeker;  /* for frames_read, when it is not the same one; NULL until needed   */
    slot seeker_slot;
    char *path;
    frames_options opt; /* .live: NULL or &live */
    live_options live;

    pthread_t thread;
    int thread_runs;

    pthread_mutex_t lock; /* guards what follows, and shown/pixels of free and ready slots */
    pthread_cond_t can_fill, can_take;
    slot *slots;
    int n_slots;
    int *ready; /* ring [n_slots] of slots */
    int first_ready, n_ready;
    int *free_slots; /* stack: the buffer used last is taken first, so that memory grows only when needed */
    int n_free, n_lent;
    int stop;        /* caller to thread */
    int ended;       /* thread to caller: nothing comes after what is ready */
    sam_error error; /* status SAM_OK: ended because there is no more */
    size_t n_bytes;  /* of all slots */
    int64_t n_received, n_dropped, n_delivered;

    int *block; /* [n_slots] slots of the thread's reverse block */
};

/* ---- the thread ------------------------------------------------------------------------------------------------ */

/* Takes `wanted` free slots to s->block, fewer when the caller holds so many that it would wait for ever. Returns how
 * many; 0: stop. */
static int take_free(frame_source *s, int wanted)
{
    int n = 0;
    pthread_mutex_lock(&s->lock);
    while (!s->stop && s->n_free < wanted && !(s->n_ready == 0 && s->n_free > 0))
        pthread_cond_wait(&s->can_fill, &s->lock);
    if (!s->stop)
        while (n < wanted && s->n_free > 0)
            s->block[n++] = s->free_slots[--s->n_free];
    pthread_mutex_unlock(&s->lock);
    return n;
}

/* Frees the slots of ready frames that a newer one replaces. With the lock. */
static void drop_ready(frame_source *s)
{
    int n = s->n_ready, kept = 0;
    for (int i = 0; i < n; i++) {
        int id = s->ready[(s->first_ready + i) % s->n_slots];
        if (s->live.keep && s->live.keep(s->live.user, s->slots[id].shown.index)) {
            s->ready[(s->first_ready + kept++) % s->n_slots] = id;
        } else {
            s->free_slots[s->n_free++] = id;
            s->n_dropped++;
        }
    }
    s->n_ready = kept;
}

static void give_ready(frame_source *s, int id, size_t grown_bytes)
{
    pthread_mutex_lock(&s->lock);
    s->n_received++;
    if (s->live.realtime)
        drop_ready(s);
    s->ready[(s->first_ready + s->n_ready) % s->n_slots] = id;
    s->n_ready++;
    s->n_bytes += grown_bytes;
    pthread_cond_signal(&s->can_take);
    pthread_mutex_unlock(&s->lock);
}

static size_t taken(const picture *p)
{
    return p->rgb.capacity + p->nv12.capacity;
}

static void free_picture(picture *p)
{
    image_free(&p->rgb);
    image_free(&p->nv12);
}

/* Decodes frame `index` into a slot that nobody else looks at. */
static sam_status fill(decoder *d, int64_t index, slot *into, int *end, sam_error *err)
{
    double begin = clock_ms();
    TRY(d->read(d, index, &into->pixels, end, err));
    if (*end)
        return SAM_OK;
    const picture *p = &into->pixels;
    into->shown = (frame){.rgb = p->no_rgb ? NULL : p->rgb.data,
                          .width = p->rgb.width,
                          .height = p->rgb.height,
                          .input = {.rgb = p->rgb.data,
                                    .row_bytes = 3 * (size_t)p->rgb.width,
                                    .index = index,
                                    .format = p->yuv.y ? SAM_NV12 : SAM_RGB24,
                                    .nv12 = p->yuv},
                          .index = index,
                          .name = d->name(d, index, into->name),
                          .decode_ms = clock_ms() - begin,
                          .arrived_ms = p->arrived_ms};
    return SAM_OK;
}

static sam_status produce_forward(frame_source *s, int64_t first, int64_t n, sam_error *err)
{
    for (int64_t i = 0; i < n; i++) {
        int end = 0;
        if (take_free(s, 1) == 0)
            return SAM_OK;
        slot *into = &s->slots[s->block[0]];
        size_t before = taken(&into->pixels);
        TRY(fill(s->decoder, first + i, into, &end, err));
        if (end)
            return SAM_OK;
        give_ready(s, s->block[0], taken(&into->pixels) - before);
    }
    return SAM_OK;
}

/* Video is decoded forward only, so a block of frames is decoded and handed over from its end. */
static sam_status produce_reverse(frame_source *s, int64_t first, int64_t n, sam_error *err)
{
    int wanted = s->decoder->is_video ? s->n_slots / 2 : 1;
    if (wanted > MAX_REVERSE_BLOCK)
        wanted = MAX_REVERSE_BLOCK;
    for (int64_t last = first; n > 0;) {
        int n_block = take_free(s, n < wanted ? (int)n : wanted), end = 0;
        size_t grown = 0;
        if (n_block == 0)
            return SAM_OK;
        for (int i = 0; i < n_block; i++) {
            slot *into = &s->slots[s->block[i]];
            size_t before = taken(&into->pixels);
            TRY(fill(s->decoder, last - n_block + 1 + i, into, &end, err));
            if (end)
                return fail(err, SAM_E_FORMAT, "%s: frame %lld is missing, the file promised %lld frames", s->path,
                            (long long)(last - n_block + 1 + i), (long long)s->decoder->count);
            grown += taken(&into->pixels) - before;
        }
        for (int i = n_block - 1; i >= 0; i--, grown = 0)
            give_ready(s, s->block[i], grown);
        last -= n_block;
        n -= n_block;
    }
    return SAM_OK;
}

static void *decode_ahead(void *user)
{
    frame_source *s = user;
    sam_error error = {0};
    int64_t n = frames_planned(s);
    sam_status status =
        s->opt.reverse ? produce_reverse(s, s->opt.start, n, &error) : produce_forward(s, s->opt.start, n, &error);
    pthread_mutex_lock(&s->lock);
    s->error = error;
    s->error.status = status;
    s->ended = 1;
    pthread_cond_signal(&s->can_take);
    pthread_mutex_unlock(&s->lock);
    return NULL;
}

static void stop_thread(frame_source *s)
{
    if (!s->thread_runs)
        return;
    atomic_store(&s->decoder->cancel, 1);
    pthread_mutex_lock(&s->lock);
    s->stop = 1;
    pthread_cond_signal(&s->can_fill);
    pthread_mutex_unlock(&s->lock);
    pthread_join(s->thread, NULL);
    s->thread_runs = 0;
    atomic_store(&s->decoder->cancel, 0);
}

/* All slots are free again and the thread starts from s->opt. */
static sam_status start_thread(frame_source *s, sam_error *err)
{
    s->n_ready = s->first_ready = s->n_lent = s->n_free = 0;
    for (int i = s->n_slots - 1; i >= 0; i--)
        s->free_slots[s->n_free++] = i;
    s->stop = s->ended = 0;
    int code = pthread_create(&s->thread, NULL, decode_ahead, s);
    if (code) {
        s->ended = 1;
        s->error.status = SAM_E_MEMORY;
        return fail(err, SAM_E_MEMORY, "%s: cannot start the decoding thread: %s", s->path, strerror(code));
    }
    s->thread_runs = 1;
    return SAM_OK;
}

/* ---- opening and closing --------------------------------------------------------------------------------------- */

int frames_is_live_name(const char *path)
{
    struct stat info;
    if (!strcmp(path, "-") || strstr(path, "://"))
        return 1;
    return stat(path, &info) == 0 && (S_ISFIFO(info.st_mode) || S_ISCHR(info.st_mode));
}

static sam_status open_decoder(const char *path, const frames_options *opt, decoder **out, sam_error *err)
{
    struct stat info;
    int width, height, is_live = frames_is_live_name(path);
    if (is_live && opt->live)
        return live_open(path, opt->live, opt->decode_threads, opt->pixels, out, err);
    if (opt->live && opt->live->raw)
        return fail(err, SAM_E_ARG, "%s: raw frames are read from standard input (-) or a named pipe", path);
    if (opt->live && opt->live->realtime)
        return fail(err, SAM_E_ARG,
                    "%s: only what is live has a time of its own; play a file with ffmpeg -re -i %s -f nut - into "
                    "standard input",
                    path, path);
    if (is_live)
        return fail(err, SAM_E_IO, "%s: expected a video file or a folder of images; `track` alone reads live sources",
                    path);
    if (stat(path, &info) != 0)
        return fail(err, SAM_E_IO, "%s: cannot open frames: %s; expected a video file or a folder of images", path,
                    strerror(errno));
    if (S_ISDIR(info.st_mode))
        return folder_open(path, opt->photos, out, err);
    if (!S_ISREG(info.st_mode))
        return fail(err, SAM_E_IO, "%s: expected a video file or a folder of images, this is a special file", path);
    sam_error cause;
    if (image_is_animated(path))
        return video_open(path, opt->decode_threads, opt->pixels, out, err);
    if (image_read_size(path, &width, &height, &cause) == SAM_OK)
        return single_image_open(path, out, err);
    if (path_has_suffix(path, IMAGE_SUFFIXES))
        return fail(err, cause.status, "%s", cause.text); /* what libav says about a broken image is less clear */
    return video_open(path, opt->decode_threads, opt->pixels, out, err);
}

static int slots_for(const frames_options *opt, const decoder *d)
{
    size_t n_px = (size_t)d->width * (size_t)d->height;
    size_t frame_bytes = 3 * n_px + (opt->pixels == FRAMES_NV12_AND_RGB ? 2 * n_px : 0);
    size_t n = opt->prefetch_bytes / frame_bytes;
    if (n > (size_t)opt->prefetch)
        n = (size_t)opt->prefetch;
    if (opt->photos && n > PHOTO_SLOTS)
        n = PHOTO_SLOTS;
    return n < MIN_SLOTS ? MIN_SLOTS : (int)n;
}

static sam_status check_start(const frame_source *s, int64_t start, int64_t *first, sam_error *err)
{
    int64_t count = s->decoder->count;
    if (start < -1 || start >= count)
        return fail(err, SAM_E_ARG, "%s: start at frame %lld, but the frames are 0 to %lld", s->path, (long long)start,
                    (long long)count - 1);
    *first = start < 0 ? count - 1 : start;
    return SAM_OK;
}

static sam_status with_defaults(const char *path, const frames_options *given, frames_options *opt, sam_error *err)
{
    *opt = given ? *given : (frames_options){0};
    if (opt->max_frames < 0 || opt->prefetch < 0 || opt->decode_threads < 0)
        return fail(err, SAM_E_ARG, "%s: max_frames %lld, prefetch %d, decode_threads %d: expected 0 (default) or more",
                    path, (long long)opt->max_frames, opt->prefetch, opt->decode_threads);
    opt->prefetch = opt->prefetch ? opt->prefetch : DEFAULT_PREFETCH;
    opt->prefetch_bytes = opt->prefetch_bytes ? opt->prefetch_bytes : DEFAULT_PREFETCH_BYTES;
    opt->decode_threads = opt->decode_threads ? opt->decode_threads : DEFAULT_THREADS;
    return SAM_OK;
}

static sam_status open_queue(frame_source *s, sam_error *err)
{
    s->n_slots = slots_for(&s->opt, s->decoder);
    size_t n = (size_t)s->n_slots;
    s->slots = calloc(n, sizeof *s->slots);
    s->ready = calloc(n, sizeof *s->ready);
    s->free_slots = calloc(n, sizeof *s->free_slots);
    s->block = calloc(n, sizeof *s->block);
    if (!s->slots || !s->ready || !s->free_slots || !s->block)
        return fail(err, SAM_E_MEMORY, "%s: no memory for a queue of %d frames", s->path, s->n_slots);
    return start_thread(s, err);
}

sam_status frames_open(const char *path, const frames_options *opt, frame_source **out, sam_error *err)
{
    *out = NULL;
    frames_options filled;
    TRY(with_defaults(path, opt, &filled, err));
    frame_source *s = calloc(1, sizeof *s);
    if (!s)
        return fail(err, SAM_E_MEMORY, "%s: no memory to open frames", path);
    s->opt = filled;
    if (filled.live) {
        s->live = *filled.live;
        s->opt.live = &s->live;
    }
    pthread_mutex_init(&s->lock, NULL);
    pthread_cond_init(&s->can_fill, NULL);
    pthread_cond_init(&s->can_take, NULL);
    s->path = strdup(path);
    sam_status status =
        s->path ? open_decoder(path, &s->opt, &s->decoder, err) : fail(err, SAM_E_MEMORY, "%s: no memory", path);
    if (status == SAM_OK && frames_are_live(s))
        s->opt.start = s->live.first;
    else if (status == SAM_OK) {
        s->live = (live_options){0};
        status = check_start(s, s->opt.start, &s->opt.start, err);
    }
    if (status == SAM_OK)
        status = open_queue(s, err);
    if (status != SAM_OK) {
        frames_close(s);
        return status;
    }
    *out = s;
    return SAM_OK;
}

void frames_close(frame_source *s)
{
    if (!s)
        return;
    stop_thread(s);
    for (int i = 0; s->slots && i < s->n_slots; i++)
        free_picture(&s->slots[i].pixels);
    free_picture(&s->seeker_slot.pixels);
    if (s->seeker)
        s->seeker->close(s->seeker);
    if (s->decoder)
        s->decoder->close(s->decoder);
    pthread_cond_destroy(&s->can_take);
    pthread_cond_destroy(&s->can_fill);
    pthread_mutex_destroy(&s->lock);
    free(s->slots);
    free(s->ready);
    free(s->free_slots);
    free(s->block);
    free(s->path);
    free(s);
}

/* ---- the caller's side ----------------------------------------------------------------------------------------- */

/* Until there is a frame or none will come, with the lock. A live source may stall, so from time to time its caller is asked
 * whether to go on; 0: no. */
static int wait_for_frame(frame_source *s)
{
    enum { ASK_EVERY_NS = 50000000 };
    while (s->n_ready == 0 && !s->ended && s->n_lent < s->n_slots) {
        struct timespec until;
        if (!s->live.stopped) {
            pthread_cond_wait(&s->can_take, &s->lock);
            continue;
        }
        if (s->live.stopped())
            return 0;
        clock_gettime(CLOCK_REALTIME, &until);
        until.tv_nsec += ASK_EVERY_NS;
        until.tv_sec += until.tv_nsec / 1000000000;
        until.tv_nsec %= 1000000000;
        pthread_cond_timedwait(&s->can_take, &s->lock, &until);
    }
    return 1;
}

sam_status frames_next(frame_source *s, const frame **out, sam_error *err)
{
    sam_status status = SAM_OK;
    const frame *next = NULL;
    pthread_mutex_lock(&s->lock);
    int go_on = wait_for_frame(s);
    if (!go_on) {
        next = NULL;
    } else if (s->n_ready > 0) {
        slot *taken_slot = &s->slots[s->ready[s->first_ready]];
        if (frames_are_live(s))
            taken_slot->shown.input.index = s->live.first + s->n_delivered;
        s->n_delivered++;
        next = &taken_slot->shown;
        s->first_ready = (s->first_ready + 1) % s->n_slots;
        s->n_ready--;
        s->n_lent++;
    } else if (!s->ended) {
        status = fail(err, SAM_E_STATE, "%s: all %d frames of the queue are held; release one, or raise prefetch",
                      s->path, s->n_slots);
    } else if (s->error.status != SAM_OK) {
        status = fail(err, s->error.status, "%s", s->error.text);
    }
    pthread_mutex_unlock(&s->lock);
    if (status == SAM_OK)
        *out = next;
    return status;
}

void frames_release(frame_source *s, const frame *f)
{
    if (!f || f == &s->seeker_slot.shown)
        return;
    const slot *held = (const slot *)(const void *)f; /* shown is its first member */
    assert(held >= s->slots && held < s->slots + s->n_slots);
    pthread_mutex_lock(&s->lock);
    assert(s->n_lent > 0);
    s->free_slots[s->n_free++] = (int)(held - s->slots);
    s->n_lent--;
    pthread_cond_signal(&s->can_fill);
    pthread_mutex_unlock(&s->lock);
}

sam_status frames_read(frame_source *s, int64_t index, const frame **out, sam_error *err)
{
    int end = 0;
    decoder *d = s->decoder;
    if (frames_are_live(s))
        return fail(err, SAM_E_STATE, "%s: frame %lld of what is live cannot be read by itself", s->path,
                    (long long)index);
    if (index < 0 || index >= d->count)
        return fail(err, SAM_E_ARG, "%s: there is no frame %lld, the frames are 0 to %lld", s->path, (long long)index,
                    (long long)d->count - 1);
    if (d->is_video) {
        if (!s->seeker)
            TRY(video_open(s->path, s->opt.decode_threads, s->opt.pixels, &s->seeker, err));
        d = s->seeker;
    }
    TRY(fill(d, index, &s->seeker_slot, &end, err));
    if (end)
        return fail(err, SAM_E_FORMAT, "%s: frame %lld is missing, the file promised %lld frames", s->path,
                    (long long)index, (long long)d->count);
    *out = &s->seeker_slot.shown;
    return SAM_OK;
}

sam_status frames_restart(frame_source *s, int64_t start, int reverse, sam_error *err)
{
    int64_t first = 0;
    if (frames_are_live(s))
        return fail(err, SAM_E_STATE, "%s: what is live cannot be read again", s->path);
    TRY(check_start(s, start, &first, err));
    if (s->n_lent > 0)
        return fail(err, SAM_E_STATE, "%s: restart while %d frames are held; release them first", s->path, s->n_lent);
    stop_thread(s);
    s->opt.start = first;
    s->opt.reverse = reverse;
    return start_thread(s, err);
}

int64_t frames_count(const frame_source *s)
{
    return s->decoder->count;
}

int64_t frames_planned(const frame_source *s)
{
    int64_t n = s->opt.reverse ? s->opt.start + 1 : s->decoder->count - s->opt.start;
    return s->opt.max_frames && s->opt.max_frames < n ? s->opt.max_frames : n;
}

void frames_size(const frame_source *s, int *width, int *height)
{
    *width = s->decoder->width;
    *height = s->decoder->height;
}

int frames_is_video(const frame_source *s)
{
    return s->decoder->is_video;
}

int frames_are_live(const frame_source *s)
{
    return s->decoder->count == INT64_MAX;
}

live_counts frames_live_counts(frame_source *s)
{
    live_counts n = {0};
    if (!frames_are_live(s))
        return n;
    pthread_mutex_lock(&s->lock);
    n = (live_counts){s->n_received, s->n_dropped, atomic_load(&s->decoder->n_damaged)};
    pthread_mutex_unlock(&s->lock);
    return n;
}

double frames_rate(const frame_source *s)
{
    return s->decoder->rate;
}

size_t frames_memory(frame_source *s)
{
    pthread_mutex_lock(&s->lock);
    size_t n = s->n_bytes + taken(&s->seeker_slot.pixels);
    pthread_mutex_unlock(&s->lock);
    return n;
}
