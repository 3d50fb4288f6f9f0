/* frames_folder.c - frames from a folder of images. The list of names does not change after opening, so that any
 * thread may read. */
#include "frames_decoder.h"

#include "image_format.h"
#include "listing.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

typedef struct folder {
    decoder base;
    char *path; /* of the folder; of the image itself if single */
    int single, photos;
    listing files; /* "frame_0012.jpg" */
} folder;

static void folder_close(decoder *d)
{
    folder *f = (folder *)d;
    listing_free(&f->files);
    free(f->path);
    free(f);
}

/* A cover or a logo among numbered frames would become one of them. */
static sam_status check_numbers(const folder *f, sam_error *err)
{
    static const char digits[] = "0123456789";
    for (int i = 0; i < f->files.n; i++)
        if (strcspn(f->files.names[i], digits) >= stem_length(f->files.names[i]))
            return fail(err, SAM_E_FORMAT,
                        "%s/%s: no number in the name, so its place among the %d frames is not known; expected names "
                        "like 00012.jpg: give a folder of the frames alone",
                        f->path, f->files.names[i], f->files.n);
    return SAM_OK;
}

static sam_status list_folder(folder *f, sam_error *err)
{
    TRY(listing_read(f->path, IMAGE_SUFFIXES, &f->files, err));
    if (!f->files.n)
        return fail(err, SAM_E_IO, "%s: no frames in this folder (" IMAGE_SUFFIXES_SAY ")", f->path);
    if (f->photos)
        return SAM_OK;
    TRY(check_numbers(f, err));
    return listing_check_order(&f->files, f->path, err);
}

static sam_status frame_path(const folder *f, int64_t index, char *text, size_t n_bytes, sam_error *err)
{
    int n = f->single ? snprintf(text, n_bytes, "%s", f->path)
                      : snprintf(text, n_bytes, "%s/%s", f->path, f->files.names[index]);
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
        return fail(
            err, SAM_E_FORMAT,
            "frame %lld: %s is %d x %d, but frame 0 is %d x %d; a video has one size: scale it, or give a folder of one size",
            (long long)index, path, width, height, d->width, d->height);
    if (image_read_rgb(path, &out->rgb, &cause) != SAM_OK)
        return at_frame(index, &cause, err);
    return SAM_OK;
}

static const char *folder_name(const decoder *d, int64_t index, char text[FRAME_NAME_BYTES])
{
    const char *file = ((const folder *)d)->files.names[index];
    snprintf(text, FRAME_NAME_BYTES, "%.*s", (int)stem_length(file), file);
    return text;
}

static sam_status finish_open(folder *f, decoder **out, sam_error *err)
{
    char path[4096];
    sam_error cause;
    f->base.count = f->files.n;
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
    if (status == SAM_OK)
        status = finish_open(f, out, err);
    if (status != SAM_OK)
        folder_close(&f->base);
    return status;
}

sam_status single_image_open(const char *path, decoder **out, sam_error *err)
{
    folder *f = new_folder(path, 1, 0);
    if (!f)
        return fail(err, SAM_E_MEMORY, "%s: no memory to open the image", path);
    const char *name = path_name(path);
    sam_status status = listing_add(&f->files, name, strlen(name), err);
    if (status == SAM_OK)
        status = finish_open(f, out, err);
    if (status != SAM_OK)
        folder_close(&f->base);
    return status;
}
