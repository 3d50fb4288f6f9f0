/* frames_folder.c - frames from a folder of images. The list of names does not change after opening, so that any
 * thread may read. */
#include "frames_decoder.h"

#include <ctype.h>
#include <dirent.h>
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>

typedef struct entry {
    char *file;         /* "frame_0012.jpg"                     */
    char *stem;         /* "frame_0012"                         */
    const char *digits; /* into stem: "12", leading zeros skipped; NULL: no number */
    size_t n_digits;
} entry;

typedef struct folder {
    decoder base;
    char *path; /* of the folder; of the image itself if single */
    int single, photos;
    entry *entries;
    size_t n, capacity;
} folder;

static void folder_close(decoder *d)
{
    folder *f = (folder *)d;
    for (size_t i = 0; i < f->n; i++) {
        free(f->entries[i].file);
        free(f->entries[i].stem);
    }
    free(f->entries);
    free(f->path);
    free(f);
}

static int is_image_name(const char *name)
{
    const char *dot = strrchr(name, '.');
    if (!dot || name[0] == '.')
        return 0;
    return strcasecmp(dot, ".jpg") == 0 || strcasecmp(dot, ".jpeg") == 0 || strcasecmp(dot, ".png") == 0;
}

/* The last number of the stem, as text: it may have any number of digits. */
static void find_digits(entry *e)
{
    const char *end = e->stem + strlen(e->stem);
    while (end > e->stem && !isdigit((unsigned char)end[-1]))
        end--;
    if (end == e->stem)
        return;
    const char *begin = end;
    while (begin > e->stem && isdigit((unsigned char)begin[-1]))
        begin--;
    while (begin < end - 1 && *begin == '0')
        begin++;
    e->digits = begin;
    e->n_digits = (size_t)(end - begin);
}

static int by_number(const void *a, const void *b)
{
    const entry *x = a, *y = b;
    if (x->n_digits != y->n_digits)
        return x->n_digits < y->n_digits ? -1 : 1;
    return memcmp(x->digits, y->digits, x->n_digits);
}

static int by_name(const void *a, const void *b)
{
    return strcmp(((const entry *)a)->file, ((const entry *)b)->file);
}

static int add_entry(folder *f, const char *name)
{
    if (f->n == f->capacity) {
        size_t capacity = f->capacity ? 2 * f->capacity : 64;
        entry *grown = realloc(f->entries, capacity * sizeof *grown);
        if (!grown)
            return 0;
        f->entries = grown;
        f->capacity = capacity;
    }
    const char *dot = strrchr(name, '.');
    size_t n_stem = dot && dot != name ? (size_t)(dot - name) : strlen(name);
    entry e = {.file = strdup(name), .stem = strndup(name, n_stem)};
    if (!e.file || !e.stem) {
        free(e.file);
        free(e.stem);
        return 0;
    }
    find_digits(&e);
    f->entries[f->n++] = e;
    return 1;
}

static sam_status list_folder(folder *f, sam_error *err)
{
    DIR *dir = opendir(f->path);
    if (!dir)
        return fail(err, SAM_E_IO, "%s: cannot open folder of frames: %s", f->path, strerror(errno));
    sam_status status = SAM_OK;
    size_t n_other = 0;
    for (;;) {
        errno = 0;
        const struct dirent *d = readdir(dir);
        if (!d)
            break;
        if (!is_image_name(d->d_name))
            n_other += d->d_name[0] != '.';
        else if (!add_entry(f, d->d_name)) {
            status = fail(err, SAM_E_MEMORY, "%s: no memory for the list of frames", f->path);
            break;
        }
    }
    if (status == SAM_OK && errno)
        status = fail(err, SAM_E_IO, "%s: cannot read folder of frames: %s", f->path, strerror(errno));
    if (status == SAM_OK && f->n == 0)
        status = fail(err, SAM_E_IO, "%s: no .jpg, .jpeg or .png frames in this folder (%zu other entries)", f->path,
                      n_other);
    closedir(dir);
    return status;
}

static sam_status order_by_number(folder *f, sam_error *err)
{
    for (size_t i = 0; i < f->n; i++)
        if (!f->entries[i].digits)
            return fail(err, SAM_E_FORMAT,
                        "%s/%s: no number in the name, so its place among the %zu frames is not known; expected names "
                        "like 00012.jpg (or move it out)",
                        f->path, f->entries[i].file, f->n);
    qsort(f->entries, f->n, sizeof *f->entries, by_number);
    for (size_t i = 1; i < f->n; i++)
        if (by_number(&f->entries[i - 1], &f->entries[i]) == 0)
            return fail(err, SAM_E_FORMAT, "%s: %s and %s have the same frame number; remove one of them", f->path,
                        f->entries[i - 1].file, f->entries[i].file);
    return SAM_OK;
}

static sam_status frame_path(const folder *f, int64_t index, char *text, size_t n_bytes, sam_error *err)
{
    int n = f->single ? snprintf(text, n_bytes, "%s", f->path)
                      : snprintf(text, n_bytes, "%s/%s", f->path, f->entries[index].file);
    if (n < 0 || (size_t)n >= n_bytes)
        return fail(err, SAM_E_ARG, "%.200s...: the path is longer than %zu bytes", f->path, n_bytes - 1);
    return SAM_OK;
}

/* Puts the frame's number before a message that names the file. */
static sam_status at_frame(int64_t index, const sam_error *cause, sam_error *err)
{
    return fail(err, cause->status, "frame %lld: %s", (long long)index, cause->text);
}

static sam_status folder_read(decoder *d, int64_t index, picture *out, int *end, sam_error *err)
{
    const folder *f = (const folder *)d;
    char path[4096];
    sam_error cause;
    int width = 0, height = 0;
    *end = index < 0 || index >= d->count;
    if (*end)
        return SAM_OK;
    TRY(frame_path(f, index, path, sizeof path, err));
    /* Size first: a frame of another size must not take memory beyond the queue's bound. */
    if (!f->photos && image_read_size(path, &width, &height, &cause) != SAM_OK)
        return at_frame(index, &cause, err);
    if (!f->photos && (width != d->width || height != d->height))
        return fail(err, SAM_E_FORMAT,
                    "frame %lld: %s is %d x %d, but frame 0 is %d x %d; a video has one size: scale it or move it out",
                    (long long)index, path, width, height, d->width, d->height);
    if (image_read_rgb(path, &out->rgb, &cause) != SAM_OK)
        return at_frame(index, &cause, err);
    return SAM_OK;
}

static const char *folder_name(const decoder *d, int64_t index, char text[FRAME_NAME_BYTES])
{
    (void)text;
    return ((const folder *)d)->entries[index].stem;
}

static sam_status finish_open(folder *f, decoder **out, sam_error *err)
{
    char path[4096];
    sam_error cause;
    f->base.count = (int64_t)f->n;
    f->base.read = folder_read;
    f->base.name = folder_name;
    f->base.close = folder_close;
    TRY(frame_path(f, 0, path, sizeof path, err));
    if (image_read_size(path, &f->base.width, &f->base.height, &cause) != SAM_OK)
        return at_frame(0, &cause, err);
    *out = &f->base;
    return SAM_OK;
}

static folder *new_folder(const char *path, int single, int photos)
{
    folder *f = calloc(1, sizeof *f);
    if (!f)
        return NULL;
    f->path = strdup(path);
    f->single = single;
    f->photos = photos;
    if (f->path)
        return f;
    free(f);
    return NULL;
}

sam_status folder_open(const char *path, int photos, decoder **out, sam_error *err)
{
    folder *f = new_folder(path, 0, photos);
    if (!f)
        return fail(err, SAM_E_MEMORY, "%s: no memory to open the folder", path);
    sam_status status = list_folder(f, err);
    if (status == SAM_OK && photos)
        qsort(f->entries, f->n, sizeof *f->entries, by_name);
    else if (status == SAM_OK)
        status = order_by_number(f, err);
    if (status == SAM_OK)
        status = finish_open(f, out, err);
    if (status != SAM_OK)
        folder_close(&f->base);
    return status;
}

sam_status single_image_open(const char *path, decoder **out, sam_error *err)
{
    const char *slash = strrchr(path, '/');
    folder *f = new_folder(path, 1, 0);
    if (!f || !add_entry(f, slash ? slash + 1 : path)) {
        if (f)
            folder_close(&f->base);
        return fail(err, SAM_E_MEMORY, "%s: no memory to open the image", path);
    }
    sam_status status = finish_open(f, out, err);
    if (status != SAM_OK)
        folder_close(&f->base);
    return status;
}
