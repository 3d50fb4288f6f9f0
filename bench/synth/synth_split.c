/* synth_split.c - see synth_split.h. */
#define _XOPEN_SOURCE 700 /* nftw */
#include "synth_split.h"

#include "atomic_file.h"
#include "folders.h"
#include "image_io.h"
#include "jpeg_write.h"
#include "listing.h"
#include "synth_render.h"

#include <dirent.h>
#include <errno.h>
#include <ftw.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

enum { PATH_BYTES = 4096, NAME_BYTES = 32 };

typedef struct writer {
    const char *root;
    const synth_options *options;
    scene scene;
    char clip[NAME_BYTES];
    uint8_t *rgb, *masks[MAX_ANNOTATED];
    int n_done;
} writer;

static synth_difficulty difficulty_of(const synth_options *o, int clip)
{
    for (int d = 0; d < N_DIFFICULTIES; d++)
        if (!strcmp(o->difficulty, synth_difficulty_names[d]))
            return (synth_difficulty)d;
    return (synth_difficulty)(clip % N_DIFFICULTIES);
}

static void name_clip(const synth_options *o, int clip, char name[NAME_BYTES])
{
    snprintf(name, NAME_BYTES, "%s_%04d", synth_difficulty_names[difficulty_of(o, clip)], clip);
}

static sam_status write_frame(writer *w, int t, sam_error *err)
{
    char path[PATH_BYTES];
    const synth_size *size = &w->options->size;
    synth_render(&w->scene, t, w->rgb, w->masks);
    snprintf(path, sizeof path, "%s/JPEGImages_24fps/%s/%05d.jpg", w->root, w->clip, t);
    TRY(folders_make_for(path, err));
    TRY(jpeg_write(path, w->rgb, size->width, size->height, w->scene.jpeg_quality, err));
    for (int o = 0; o < w->scene.n_annotated && t % w->options->annotate_every == 0; o++) {
        snprintf(path, sizeof path, "%s/Annotations_6fps/%s/%03d/%05d.png", w->root, w->clip, o, t);
        TRY(folders_make_for(path, err));
        TRY(image_write_mask(path, w->masks[o], (size_t)size->width, size->width, size->height, 0, err));
    }
    w->n_done++;
    int n_total = w->options->n_clips * size->n_frames;
    if (w->options->on_frame && w->options->on_frame(w->options->user, w->n_done, n_total))
        return fail(err, SAM_E_STATE, "interrupted after %d of %d frames; nothing is left of them", w->n_done, n_total);
    return SAM_OK;
}

static sam_status write_clip(writer *w, int clip, sam_error *err)
{
    const synth_options *o = w->options;
    name_clip(o, clip, w->clip);
    sam_status status = scene_make(&w->scene, difficulty_of(o, clip), &o->size, o->seed, (uint64_t)clip, err);
    for (int t = 0; status == SAM_OK && t < o->size.n_frames; t++)
        status = write_frame(w, t, err);
    scene_free(&w->scene);
    return status;
}

static sam_status write_list(const writer *w, const char *split_name, sam_error *err)
{
    char path[PATH_BYTES], name[NAME_BYTES];
    size_t n = 0;
    char *text = malloc((size_t)w->options->n_clips * NAME_BYTES);
    if (!text)
        return fail(err, SAM_E_MEMORY, "%s: out of memory", w->root);
    for (int i = 0; i < w->options->n_clips; i++) {
        name_clip(w->options, i, name);
        n += (size_t)sprintf(text + n, "%s\n", name);
    }
    snprintf(path, sizeof path, "%s/%s.txt", w->root, split_name);
    sam_status status = atomic_file_write(path, text, n, err);
    free(text);
    return status;
}

sam_status synth_split_write(const char *root, const char *split_name, const synth_options *options, sam_error *err)
{
    if (strlen(root) + strlen(split_name) > PATH_BYTES - 128)
        return fail(err, SAM_E_ARG, "%.200s...: the path is too long", root);
    writer w = {.root = root, .options = options};
    size_t n_px = (size_t)options->size.width * (size_t)options->size.height;
    int has_memory = (w.rgb = malloc(3 * n_px)) != NULL;
    for (int o = 0; o < MAX_ANNOTATED; o++)
        has_memory &= (w.masks[o] = malloc(n_px)) != NULL;
    sam_status status = has_memory ? SAM_OK : fail(err, SAM_E_MEMORY, "%s: out of memory", root);
    for (int i = 0; status == SAM_OK && i < options->n_clips; i++)
        status = write_clip(&w, i, err);
    if (status == SAM_OK)
        status = write_list(&w, split_name, err);
    free(w.rgb);
    for (int o = 0; o < MAX_ANNOTATED; o++)
        free(w.masks[o]);
    return status;
}

/* ---- all or nothing ----------------------------------------------------------------------------------------------- */

static int remove_entry(const char *path, const struct stat *info, int kind, struct FTW *where)
{
    (void)info;
    (void)kind;
    (void)where;
    return remove(path);
}

static void remove_tree(const char *path)
{
    nftw(path, remove_entry, 8, FTW_DEPTH | FTW_PHYS);
}

static sam_status check_is_free(const char *root, sam_error *err)
{
    DIR *folder = opendir(root);
    if (!folder && errno == ENOENT)
        return SAM_OK;
    if (!folder)
        return fail(err, SAM_E_IO, "%s: this folder cannot be made: %s", root,
                    errno == ENOTDIR ? "a file has that name, or one above it" : strerror(errno));
    int n = 0;
    for (const struct dirent *e; (e = readdir(folder));)
        n += strcmp(e->d_name, ".") && strcmp(e->d_name, "..");
    closedir(folder);
    return n ? fail(err, SAM_E_ARG, "%s: is not empty; name a folder that is new", root) : SAM_OK;
}

sam_status synth_split_create(const char *root, const char *split_name, const synth_options *options, sam_error *err)
{
    char partial[PATH_BYTES];
    size_t n = strlen(root);
    while (n > 1 && root[n - 1] == '/')
        n--;
    int length = snprintf(partial, sizeof partial, "%.*s.partial", (int)(n < PATH_BYTES ? n : PATH_BYTES), root);
    if (!n || length < 0 || (size_t)length >= sizeof partial)
        return fail(err, SAM_E_ARG, "%.200s: the path is %s", root, n ? "too long" : "empty");
    TRY(check_is_free(root, err));
    TRY(folders_make_for(partial, err));
    remove_tree(partial);
    sam_status status = synth_split_write(partial, split_name, options, err);
    if (status == SAM_OK && rename(partial, root))
        status = fail(err, SAM_E_IO, "%s: cannot be renamed to %s: %s", partial, root, strerror(errno));
    if (status != SAM_OK)
        remove_tree(partial);
    return status;
}
