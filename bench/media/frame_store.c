/* frame_store.c - see frame_store.h. */
#include "frame_store.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <unistd.h>

#define MAGIC "SAMHALF1"
enum { HEADER_BYTES = 4096 }; /* a page, so that frames of a multiple of 64 px begin on one */

typedef struct header {
    char magic[8];
    int32_t side, width, height, unused;
    int64_t n_frames;
} header;

struct frame_store {
    int file;
    header head;
};

static size_t frame_bytes(int side)
{
    return 3 * sizeof(uint16_t) * (size_t)side * (size_t)side;
}

/* ---- writing ---- */

static sam_status write_all(FILE *to, const char *path, const void *bytes, size_t n, sam_error *err)
{
    if (fwrite(bytes, 1, n, to) == n)
        return SAM_OK;
    return fail(err, SAM_E_IO, "%s: %s", path, strerror(errno));
}

static sam_status write_frames(FILE *to, const char *path, sam_session *s, frame_source *frames, int64_t max_frames,
                               header *h, uint16_t *half, sam_error *err)
{
    const frame *f;
    char page[HEADER_BYTES] = {0};
    TRY(write_all(to, path, page, sizeof page, err));
    for (h->n_frames = 0; !max_frames || h->n_frames < max_frames; h->n_frames++) {
        TRY(frames_next(frames, &f, err));
        if (!f)
            break;
        sam_status status = f->width == h->width && f->height == h->height
                                ? sam_prepare_frame(s, &f->input, half, err)
                                : fail(err, SAM_E_FORMAT, "frame %s: is %dx%d, the first is %dx%d", f->name, f->width,
                                       f->height, (int)h->width, (int)h->height);
        frames_release(frames, f);
        TRY(status);
        TRY(write_all(to, path, half, frame_bytes(h->side), err));
    }
    memcpy(page, h, sizeof *h);
    if (fseek(to, 0, SEEK_SET))
        return fail(err, SAM_E_IO, "%s: %s", path, strerror(errno));
    return write_all(to, path, page, sizeof page, err);
}

sam_status frame_store_write(const char *path, sam_session *s, int side, frame_source *frames, int64_t max_frames,
                             sam_error *err)
{
    char part[4096];
    header h = {.magic = MAGIC, .side = side};
    frames_size(frames, &h.width, &h.height);
    if (snprintf(part, sizeof part, "%s.part", path) >= (int)sizeof part)
        return fail(err, SAM_E_ARG, "%.200s...: the path is too long", path);
    uint16_t *half = malloc(frame_bytes(side));
    FILE *to = half ? fopen(part, "wb") : NULL;
    if (!to) {
        sam_status status = half ? fail(err, SAM_E_IO, "%s: %s", part, strerror(errno))
                                 : fail(err, SAM_E_MEMORY, "%s: no memory for a frame", path);
        free(half);
        return status;
    }
    sam_status status = write_frames(to, part, s, frames, max_frames, &h, half, err);
    if (fclose(to) && status == SAM_OK)
        status = fail(err, SAM_E_IO, "%s: %s", part, strerror(errno));
    if (status == SAM_OK && rename(part, path))
        status = fail(err, SAM_E_IO, "%s: %s", path, strerror(errno));
    if (status != SAM_OK)
        remove(part);
    free(half);
    return status;
}

/* ---- reading ---- */

static sam_status check(const frame_store *f, const char *path, int side, sam_error *err)
{
    const header *h = &f->head;
    struct stat st;
    if (memcmp(h->magic, MAGIC, sizeof h->magic) || h->side <= 0 || h->side > 32768 || h->width <= 0 ||
        h->height <= 0 || h->n_frames < 0)
        return fail(err, SAM_E_FORMAT, "%s: not a file of prepared frames", path);
    if (h->side != side)
        return fail(err, SAM_E_FORMAT, "%s: prepared for %d px, needed are %d px", path, (int)h->side, side);
    if (fstat(f->file, &st) || (st.st_size - HEADER_BYTES) / (off_t)frame_bytes(side) < (off_t)h->n_frames)
        return fail(err, SAM_E_FORMAT, "%s: cut short: %lld frames are announced", path, (long long)h->n_frames);
    return SAM_OK;
}

sam_status frame_store_open(const char *path, int side, frame_store **out, sam_error *err)
{
    *out = NULL;
    frame_store *f = calloc(1, sizeof *f);
    if (!f)
        return fail(err, SAM_E_MEMORY, "%s: out of memory", path);
    f->file = open(path, O_RDONLY);
    sam_status status = SAM_OK;
    if (f->file < 0)
        status = fail(err, SAM_E_IO, "%s: %s", path, strerror(errno));
    else if (read(f->file, &f->head, sizeof f->head) != (ssize_t)sizeof f->head)
        status = fail(err, SAM_E_FORMAT, "%s: not a file of prepared frames", path);
    else
        status = check(f, path, side, err);
    if (status != SAM_OK) {
        frame_store_close(f);
        return status;
    }
    *out = f;
    return SAM_OK;
}

void frame_store_close(frame_store *f)
{
    if (f && f->file >= 0)
        close(f->file);
    free(f);
}

int64_t frame_store_count(const frame_store *f)
{
    return f->head.n_frames;
}

void frame_store_size(const frame_store *f, int *width, int *height)
{
    *width = f->head.width;
    *height = f->head.height;
}

static sam_status push(const frame_store *f, int64_t index, int64_t number, sam_session *s,
                       sam_status (*to)(sam_session *s, const sam_frame *f, sam_error *err), sam_error *err)
{
    size_t bytes = frame_bytes(f->head.side), page = (size_t)sysconf(_SC_PAGESIZE);
    if (index < 0 || index >= f->head.n_frames)
        return fail(err, SAM_E_ARG, "frame %lld: %lld are prepared", (long long)index, (long long)f->head.n_frames);
    size_t at = HEADER_BYTES + (size_t)index * bytes, lead = at % page;
    char *map = mmap(NULL, bytes + lead, PROT_READ, MAP_PRIVATE, f->file, (off_t)(at - lead));
    if (map == MAP_FAILED)
        return fail(err, SAM_E_IO, "prepared frame %lld: %s", (long long)index, strerror(errno));
    const sam_frame prepared = {
        .format = SAM_PREPARED_F16, .prepared = (const uint16_t *)(const void *)(map + lead), .index = number};
    sam_status status = to(s, &prepared, err);
    munmap(map, bytes + lead);
    return status;
}

sam_status frame_store_push(const frame_store *f, sam_session *s, int64_t index, int64_t number, sam_error *err)
{
    return push(f, index, number, s, sam_push_frame, err);
}

sam_status frame_store_push_next(const frame_store *f, sam_session *s, int64_t index, sam_error *err)
{
    return push(f, index, index, s, sam_push_next, err);
}
