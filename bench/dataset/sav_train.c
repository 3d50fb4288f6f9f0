#include "sav_train.h"

#include "rle.h"
#include "text_start.h"

#include <limits.h>
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum { USUAL_STEP = 4 }; /* 24 frames a second, annotated at 6 */

struct sav_train {
    char *path;
    json_t *root, *masklets;
    int n_frames, n_objects, step;
};

static const char *const endings[] = {"_manual.json", "_auto.json"};

const char *sav_train_name(const char *video)
{
    return path_name(video);
}

static int by_name(const void *a, const void *b)
{
    return name_compare(sav_train_name(*(char *const *)a), sav_train_name(*(char *const *)b));
}

/* Adds the videos of root/below, one that has both files twice. */
static sam_status list_files(const char *path, const char *below, listing *videos, sam_error *err)
{
    listing files = {0};
    char video[1024];
    TRY(listing_read(path, "json", &files, err));
    sam_status status = SAM_OK;
    for (int i = 0; i < files.n && status == SAM_OK; i++) {
        for (int e = 0; e < 2 && status == SAM_OK; e++) {
            size_t n = strlen(files.names[i]), n_end = strlen(endings[e]);
            if (n <= n_end || strcmp(files.names[i] + n - n_end, endings[e]))
                continue;
            snprintf(video, sizeof video, "%s%s%.*s", below, *below ? "/" : "", (int)(n - n_end), files.names[i]);
            status = listing_add(videos, video, strlen(video), err);
        }
    }
    listing_free(&files);
    return status;
}

static sam_status list_below(const char *root, const char *below, int down, listing *videos, sam_error *err)
{
    char *path = NULL, next[1024];
    listing folders = {0};
    TRY(path_join(&path, root, below, err));
    sam_status status = list_files(path, below, videos, err);
    if (status == SAM_OK && down)
        status = listing_read(path, NULL, &folders, err);
    for (int i = 0; i < folders.n && status == SAM_OK; i++) {
        if (strncmp(folders.names[i], "sav_", 4))
            continue;
        snprintf(next, sizeof next, "%s%s%.500s", below, *below ? "/" : "", folders.names[i]);
        status = list_below(root, next, down - 1, videos, err);
    }
    listing_free(&folders);
    free(path);
    return status;
}

int sav_train_is_at(const char *folder, int down)
{
    listing videos = {0};
    int found = list_below(folder, "", down, &videos, NULL) == SAM_OK && videos.n;
    listing_free(&videos);
    return found;
}

sam_status sav_train_list(const char *folder, listing *videos, sam_error *err)
{
    TRY(list_below(folder, "", SAV_TRAIN_DOWN, videos, err));
    if (videos->n)
        qsort(videos->names, (size_t)videos->n, sizeof *videos->names, by_name);
    int n = 0;
    for (int i = 0; i < videos->n; i++) {
        if (n && !strcmp(videos->names[n - 1], videos->names[i])) { /* it has both files */
            free(videos->names[i]);
            continue;
        }
        videos->names[n++] = videos->names[i];
    }
    videos->n = n;
    for (int i = 1; i < n; i++)
        if (!by_name(&videos->names[i - 1], &videos->names[i]))
            return fail(err, SAM_E_FORMAT,
                        "%s: %.150s and %.150s are two videos of one name; give one of their folders", folder,
                        videos->names[i - 1], videos->names[i]);
    return SAM_OK;
}

int sav_train_find(const listing *videos, const char *name)
{
    char **at = videos->n ? bsearch(&name, videos->names, (size_t)videos->n, sizeof *videos->names, by_name) : NULL;
    return at ? (int)(at - videos->names) : -1;
}

sam_status sav_train_path(const char *folder, const char *video, char **path, sam_error *err)
{
    char name[512];
    for (int e = 0; e < 2; e++) {
        snprintf(name, sizeof name, "%.400s%s", video, endings[e]);
        TRY(path_join(path, folder, name, err));
        if (path_is_file(*path))
            return SAM_OK;
        free(*path);
        *path = NULL;
    }
    return fail(err, SAM_E_IO, "%s: there is no %s_manual.json or _auto.json", folder, video);
}

static int64_t id_of(const json_t *root, int object)
{
    const json_t *id = json_array_get(json_object_get(root, "masklet_id"), (size_t)object);
    return json_is_integer(id) ? (int64_t)json_integer_value(id) : object;
}

static int compare_ids(const void *a, const void *b)
{
    int64_t x = *(const int64_t *)a, y = *(const int64_t *)b;
    return (x > y) - (x < y);
}

/* Objects are told apart, in tables and files, by their ids alone. */
static sam_status check_ids(const sav_train *t, sam_error *err)
{
    int64_t *ids = malloc((size_t)t->n_objects * sizeof *ids);
    if (!ids)
        return fail(err, SAM_E_MEMORY, "%s: out of memory", t->path);
    for (int i = 0; i < t->n_objects; i++)
        ids[i] = id_of(t->root, i);
    qsort(ids, (size_t)t->n_objects, sizeof *ids, compare_ids);
    sam_status status = SAM_OK;
    for (int i = 1; i < t->n_objects && status == SAM_OK; i++)
        if (ids[i] == ids[i - 1])
            status = fail(err, SAM_E_FORMAT, "%s: two masklets have the id %lld; give each its own in \"masklet_id\"",
                          t->path, (long long)ids[i]);
    free(ids);
    return status;
}

static sam_status check(sav_train *t, sam_error *err)
{
    double frames = json_number_value(json_object_get(t->root, "video_frame_count"));
    t->masklets = json_object_get(t->root, "masklet");
    t->n_frames = (int)json_array_size(t->masklets);
    t->n_objects = (int)json_array_size(json_array_get(t->masklets, 0));
    if (!json_is_array(t->masklets) || !t->n_frames || !t->n_objects)
        return fail(err, SAM_E_FORMAT, "%s: no \"masklet\" with frames and objects in it: not an annotation of SA-V",
                    t->path);
    for (int i = 0; i < t->n_frames; i++)
        if ((int)json_array_size(json_array_get(t->masklets, (size_t)i)) != t->n_objects)
            return fail(err, SAM_E_FORMAT, "%s: masklet %d has %d objects, the first has %d", t->path, i,
                        (int)json_array_size(json_array_get(t->masklets, (size_t)i)), t->n_objects);
    if (frames > INT_MAX / 2)
        return fail(err, SAM_E_FORMAT, "%s: a video of %.3g frames", t->path, frames);
    t->step = frames > 0 ? (int)lround(frames / t->n_frames) : USUAL_STEP;
    if (t->step < 1)
        return fail(err, SAM_E_FORMAT, "%s: %d annotated frames of %.0f in the video", t->path, t->n_frames, frames);
    return check_ids(t, err);
}

sam_status sav_train_open(const char *path, sav_train **out, sam_error *err)
{
    json_error_t why;
    *out = NULL;
    sav_train *t = calloc(1, sizeof *t);
    if (!t || path_join(&t->path, "", path, err) != SAM_OK) {
        free(t);
        return fail(err, SAM_E_MEMORY, "%s: out of memory", path);
    }
    t->root = json_read_file(path, 0, &why);
    sam_status status = t->root ? check(t, err) : fail(err, SAM_E_FORMAT, "%s, line %d: %s", path, why.line, why.text);
    if (status != SAM_OK) {
        sav_train_close(t);
        return status;
    }
    *out = t;
    return SAM_OK;
}

void sav_train_close(sav_train *t)
{
    if (!t)
        return;
    json_decref(t->root);
    free(t->path);
    free(t);
}

const char *sav_train_file(const sav_train *t)
{
    return t->path;
}

int sav_train_frames(const sav_train *t)
{
    return t->n_frames;
}

int sav_train_step(const sav_train *t)
{
    return t->step;
}

int sav_train_objects(const sav_train *t)
{
    return t->n_objects;
}

int64_t sav_train_id(const sav_train *t, int object)
{
    return id_of(t->root, object);
}

static const json_t *rle_at(const sav_train *t, int annotated, int object)
{
    return json_array_get(json_array_get(t->masklets, (size_t)annotated), (size_t)object);
}

static const char *place(const sav_train *t, int annotated, int object, char *text, size_t n_text)
{
    snprintf(text, n_text, "%.500s: masklet %d, object %d", t->path, annotated, object);
    return text;
}

sam_status sav_train_shows(const sav_train *t, int annotated, int object, int *shows, sam_error *err)
{
    char where[600];
    return rle_shows(rle_at(t, annotated, object), place(t, annotated, object, where, sizeof where), shows, err);
}

sam_status sav_train_mask(const sav_train *t, int annotated, int object, image *out, sam_error *err)
{
    char where[600];
    return rle_read(rle_at(t, annotated, object), place(t, annotated, object, where, sizeof where), out, err);
}
