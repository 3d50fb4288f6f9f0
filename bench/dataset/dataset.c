/* dataset.c - finds videos, frames and annotations; see dataset.h. */
#include "dataset.h"

#include "dataset_root.h"
#include "image_format.h"
#include "sav_train.h"

#include <assert.h>
#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum { MAX_VALUES = 256, VOID_VALUE = 255 };

uint64_t splitmix64(uint64_t *state)
{
    uint64_t z = *state += UINT64_C(0x9e3779b97f4a7c15);
    z = (z ^ z >> 30) * UINT64_C(0xbf58476d1ce4e5b9);
    z = (z ^ z >> 27) * UINT64_C(0x94d049bb133111eb);
    return z ^ z >> 31;
}

static void objects_free(dataset_video *v)
{
    for (int i = 0; i < v->n_objects; i++) {
        free(v->objects[i].name);
        free(v->objects[i].annotated);
        listing_free(&v->objects[i].files);
    }
    free(v->objects);
    v->objects = NULL;
    v->n_objects = 0;
}

static void video_free(dataset_video *v)
{
    objects_free(v);
    listing_free(&v->frames);
    listing_free(&v->masks);
    free(v->name);
    free(v->frames_dir);
    free(v->video_file);
    free(v->masks_dir);
    free(v->fault);
    *v = (dataset_video){0};
}

void dataset_close(dataset *d)
{
    for (int i = 0; i < d->n_videos; i++)
        video_free(&d->videos[i]);
    free(d->videos);
    free(d->root);
    free(d->list_file);
    if (d->recent)
        sav_train_close(*d->recent);
    free(d->recent);
    *d = (dataset){0};
}

/* ---- lists ---- */

/* DAVIS 2016 lists pairs of frame and mask, "/JPEGImages/480p/bear/00000.jpg /Annotations/...": the folder's name. */
static void line_to_video(const char *line, const char **name, size_t *n)
{
    *name = line;
    *n = strlen(line);
    const char *end = line + strcspn(line, " \t");
    if (*line != '/')
        return;
    while (end > line && *end != '/')
        end--;
    const char *start = end;
    while (start > line && start[-1] != '/')
        start--;
    *name = start;
    *n = (size_t)(end - start);
}

static sam_status read_list(const dataset *d, listing *names, sam_error *err)
{
    listing lines = {0};
    TRY(listing_read_lines(d->list_file, &lines, err));
    sam_status status = SAM_OK;
    for (int i = 0; status == SAM_OK && i < lines.n; i++) {
        const char *name;
        size_t n;
        line_to_video(lines.names[i], &name, &n);
        int repeated =
            names->n && strlen(names->names[names->n - 1]) == n && !memcmp(names->names[names->n - 1], name, n);
        if (!n || memchr(name, '/', n) || name[0] == '.')
            status = fail(err, SAM_E_FORMAT, "%s: '%.60s' is not the name of a video", d->list_file, lines.names[i]);
        else if (!repeated)
            status = listing_add(names, name, n, err);
    }
    if (status == SAM_OK && !names->n)
        status = fail(err, SAM_E_FORMAT, "%s: lists no video", d->list_file);
    listing_free(&lines);
    return status;
}

/* Without a list: the videos that have annotations; what has only frames is counted. */
static sam_status scan_videos(dataset *d, const char *frames_root, const char *masks_root, listing *names,
                              sam_error *err)
{
    listing frames = {0};
    if (d->layout == DATASET_SAV_TRAIN)
        return sav_train_list(d->root, names, err);
    TRY(listing_read(masks_root, NULL, names, err));
    if (!names->n)
        return fail(err, SAM_E_FORMAT, "%s: no annotations at all; expected one folder per video", masks_root);
    if (!path_is_folder(frames_root))
        return SAM_OK;
    TRY(listing_read(frames_root, NULL, &frames, err));
    for (int i = 0; i < frames.n; i++)
        d->n_unannotated += listing_find(names, frames.names[i]) < 0;
    listing_free(&frames);
    return SAM_OK;
}

/* Fisher-Yates. The remainder's bias is below 2^-32 for any number of videos that fits on a disk. */
static void shuffle(listing *names, uint64_t seed)
{
    for (int i = names->n - 1; i > 0; i--) {
        int j = (int)(splitmix64(&seed) % (uint64_t)(i + 1));
        char *name = names->names[i];
        names->names[i] = names->names[j];
        names->names[j] = name;
    }
}

/* ---- one video ---- */

/* SA-V train: names of a list become paths. */
static sam_status find_train_paths(const dataset *d, listing *names, sam_error *err)
{
    listing all = {0}, paths = {0};
    sam_status status = sav_train_list(d->root, &all, err);
    for (int i = 0; i < names->n && status == SAM_OK; i++) {
        int at = sav_train_find(&all, names->names[i]);
        const char *path =
            at < 0 ? names->names[i] : all.names[at]; /* what is not there is found out as the video is */
        status = listing_add(&paths, path, strlen(path), err);
    }
    listing_free(&all);
    listing_free(names);
    *names = paths;
    return status;
}

/* Puts the path of an existing video file into v->video_file. `name` is v->name, or for SA-V train its path. */
static sam_status find_video_file(const dataset *d, dataset_video *v, const char *name, sam_error *err)
{
    static const char *const places[] = {"%s.mp4", "videos/%s.mp4", "JPEGImages_24fps/%s.mp4"};
    for (size_t i = 0; i < sizeof places / sizeof *places; i++) {
        char place[512];
        snprintf(place, sizeof place, places[i], name);
        TRY(path_join(&v->video_file, d->root, place, err));
        if (path_is_file(v->video_file))
            return SAM_OK;
        free(v->video_file);
        v->video_file = NULL;
    }
    return SAM_OK;
}

static sam_status find_frames(const dataset *d, dataset_video *v, const char *name, const char *frames_root,
                              sam_error *err)
{
    TRY(path_join(&v->frames_dir, frames_root, name, err));
    if (path_is_folder(v->frames_dir)) {
        TRY(listing_read(v->frames_dir, IMAGE_SUFFIXES, &v->frames, err));
        if (!v->frames.n)
            return fail(err, SAM_E_FORMAT, "%s: holds no frame (" IMAGE_SUFFIXES_SAY ")", v->frames_dir);
        return listing_check_order(&v->frames, v->frames_dir, err);
    }
    TRY(find_video_file(d, v, name, err));
    if (!v->video_file && d->layout == DATASET_SAV_TRAIN)
        return fail(err, SAM_E_IO,
                    "%s.mp4: no such file, but annotations of it are there; add the one or remove the other",
                    v->frames_dir);
    if (!v->video_file)
        return fail(err, SAM_E_IO, "%s: no such folder, and no %s.mp4 in %s; %s names this video", v->frames_dir,
                    v->name, d->root, d->list_file ? d->list_file : "its folder of annotations");
    free(v->frames_dir);
    v->frames_dir = NULL;
    return SAM_OK;
}

static sam_status number_of_mask(const dataset_video *v, const char *folder, const char *mask, int *frame,
                                 sam_error *err)
{
    char *end;
    long number = strtol(mask, &end, 10);
    if (end != mask + stem_length(mask) || number < 0 || number > INT_MAX)
        return fail(err, SAM_E_FORMAT, "%s/%s: the name is not a frame number of %s", folder, mask, v->video_file);
    *frame = (int)number;
    return SAM_OK;
}

/* The frame a mask file belongs to: the one of the same name, or the number itself for a video file. The search begins
 * at *frame, which is where the previous mask was. */
static sam_status frame_of_mask(const dataset_video *v, const char *folder, const char *mask, int *frame,
                                sam_error *err)
{
    size_t n = stem_length(mask);
    if (v->video_file)
        return number_of_mask(v, folder, mask, frame, err);
    for (int k = 0; k < v->frames.n; k++) {
        int at = (*frame + k) % v->frames.n;
        if (stem_length(v->frames.names[at]) == n && !strncmp(v->frames.names[at], mask, n)) {
            *frame = at;
            return SAM_OK;
        }
    }
    return fail(err, SAM_E_FORMAT,
                "%s/%s: annotates a frame that is not in %s (%d frames, %s to %s); remove the one or add the other",
                folder, mask, v->frames_dir, v->frames.n, v->frames.names[0], v->frames.names[v->frames.n - 1]);
}

/* Adds an object whose masks are masks[first..] of `folder`. */
static sam_status add_object(dataset_video *v, const char *name, int value, const char *folder, const listing *masks,
                             int first, sam_error *err)
{
    dataset_object *objects = realloc(v->objects, (size_t)(v->n_objects + 1) * sizeof *objects);
    if (!objects)
        return fail(err, SAM_E_MEMORY, "out of memory: objects of %s", v->name);
    v->objects = objects;
    dataset_object *o = &objects[v->n_objects++];
    *o = (dataset_object){.value = value};
    o->annotated = malloc((size_t)(masks->n - first) * sizeof *o->annotated);
    if (!o->annotated)
        return fail(err, SAM_E_MEMORY, "out of memory: objects of %s", v->name);
    TRY(path_join(&o->name, "", name, err));
    int frame = 0;
    for (int i = first; i < masks->n; i++) {
        TRY(frame_of_mask(v, folder, masks->names[i], &frame, err));
        TRY(listing_add(&o->files, masks->names[i], strlen(masks->names[i]), err));
        o->annotated[o->n_annotated++] = frame;
    }
    return SAM_OK;
}

/* SA-V: the masks in one object's folder. */
static sam_status find_object_masks(dataset_video *v, const char *folder, const char *name, sam_error *err)
{
    listing masks = {0};
    TRY(listing_read(folder, "png", &masks, err));
    sam_status status = masks.n ? listing_check_order(&masks, folder, err)
                                : fail(err, SAM_E_FORMAT, "%s: holds no .png annotation", folder);
    if (status == SAM_OK)
        status = add_object(v, name, 0, folder, &masks, 0, err);
    listing_free(&masks);
    return status;
}

static sam_status find_object_folders(const dataset *d, dataset_video *v, sam_error *err)
{
    listing folders = {0};
    TRY(listing_read(v->masks_dir, NULL, &folders, err));
    sam_status status = SAM_OK;
    if (!folders.n)
        status = fail(err, SAM_E_FORMAT, "%s: no annotations; expected a folder of masks per object", v->masks_dir);
    int n = d->limit_objects && d->limit_objects < folders.n ? d->limit_objects : folders.n;
    for (int i = 0; status == SAM_OK && i < n; i++) {
        char *folder;
        status = path_join(&folder, v->masks_dir, folders.names[i], err);
        if (status != SAM_OK)
            break;
        status = find_object_masks(v, folder, folders.names[i], err);
        free(folder);
    }
    listing_free(&folders);
    return status;
}

/* DAVIS and flat: the index masks; which objects they hold is for dataset_find_objects. */
static sam_status find_index_masks(dataset_video *v, sam_error *err)
{
    int frame = 0;
    TRY(listing_read(v->masks_dir, "png", &v->masks, err));
    if (!v->masks.n)
        return fail(err, SAM_E_FORMAT, "%s: holds no .png annotation", v->masks_dir);
    TRY(listing_check_order(&v->masks, v->masks_dir, err));
    for (int i = 0; i < v->masks.n; i++)
        TRY(frame_of_mask(v, v->masks_dir, v->masks.names[i], &frame, err));
    return SAM_OK;
}

/* What is wrong with a video is kept, for whoever asks for its objects: it must not stop the others. */
static sam_status keep_fault(dataset_video *v, const sam_error *why, sam_error *err)
{
    char *name = v->name;
    v->name = NULL;
    video_free(v);
    v->name = name;
    v->fault = malloc(sizeof *v->fault);
    if (!v->fault)
        return fail(err, SAM_E_MEMORY, "%s: out of memory", name);
    *v->fault = *why;
    return SAM_OK;
}

static sam_status find_video(const dataset *d, dataset_video *v, const char *name, const char *frames_root,
                             const char *masks_root, sam_error *err)
{
    TRY(path_join(&v->name, "", d->layout == DATASET_SAV_TRAIN ? sav_train_name(name) : name, err));
    if (d->layout == DATASET_SAV_TRAIN)
        TRY(sav_train_path(d->root, name, &v->masks_dir, err));
    TRY(find_frames(d, v, name, frames_root, err));
    if (d->layout == DATASET_SAV_TRAIN)
        return SAM_OK;
    TRY(path_join(&v->masks_dir, masks_root, name, err));
    if (!path_is_folder(v->masks_dir))
        return fail(err, SAM_E_IO, "%s: no such folder; %s names this video, but it has no annotations", v->masks_dir,
                    d->list_file ? d->list_file : d->root);
    return d->layout == DATASET_SAV ? find_object_folders(d, v, err) : find_index_masks(v, err);
}

/* The name is the folder's, so it need not be a list's. */
static int is_named(const char *root, const char *name)
{
    size_t n_root = strlen(root), n = strlen(name);
    while (n_root && root[n_root - 1] == '/')
        n_root--;
    return n_root > n && root[n_root - n - 1] == '/' && !strncmp(root + n_root - n, name, n);
}

static sam_status find_videos(dataset *d, const dataset_options *o, const char *frames_root, const char *masks_root,
                              listing *names, sam_error *err)
{
    char lists[300];
    sam_error first = {0};
    TRY(dataset_list_find(d->root, o->split_name, &d->list_file, err));
    dataset_lists(d->root, lists, sizeof lists);
    if (!d->list_file && o->split_required && lists[0] && !is_named(d->root, o->split_name))
        return fail(err, SAM_E_ARG, "--split_name %.60s: %.200s has no such list; there are %s", o->split_name, d->root,
                    lists);
    TRY(d->list_file ? read_list(d, names, err) : scan_videos(d, frames_root, masks_root, names, err));
    if (d->list_file && d->layout == DATASET_SAV_TRAIN)
        TRY(find_train_paths(d, names, err));
    if (o->shuffle)
        shuffle(names, o->seed);
    int n = o->limit_videos > 0 && o->limit_videos < names->n ? o->limit_videos : names->n;
    d->videos = calloc((size_t)n, sizeof *d->videos);
    if (!d->videos)
        return fail(err, SAM_E_MEMORY, "out of memory: %d videos", n);
    for (int i = 0; i < n; i++) {
        sam_error why;
        d->n_videos++;
        sam_status status = find_video(d, &d->videos[i], names->names[i], frames_root, masks_root, &why);
        if (status == SAM_E_MEMORY)
            return fail(err, status, "%s", why.text);
        if (status == SAM_OK)
            continue;
        TRY(keep_fault(&d->videos[i], &why, err));
        if (!d->n_faulty++)
            first = why;
    }
    /* Nothing to run: the set is another one, or its layout is. */
    return d->n_faulty < n ? SAM_OK : fail(err, first.status, "%s", first.text);
}

sam_status dataset_open(dataset *d, const char *split_dir, const dataset_options *options, sam_error *err)
{
    const dataset_options defaults = {0}, *o = options ? options : &defaults;
    const layout_folders *layout = NULL;
    char *frames_root = NULL, *masks_root = NULL;
    listing names = {0};
    *d = (dataset){.limit_objects = o->limit_objects > 0 ? o->limit_objects : 0};
    d->recent = calloc(1, sizeof *d->recent);
    sam_status status = d->recent ? dataset_root_find(split_dir, o->split_name, &d->root, &layout, err)
                                  : fail(err, SAM_E_MEMORY, "%s: out of memory", split_dir);
    if (status == SAM_OK)
        d->layout = layout->layout;
    if (status == SAM_OK)
        status = path_join(&frames_root, d->root, layout->frames, err);
    if (status == SAM_OK)
        status = path_join(&masks_root, d->root, layout->masks, err);
    if (status == SAM_OK)
        status = find_videos(d, o, frames_root, masks_root, &names, err);
    listing_free(&names);
    free(frames_root);
    free(masks_root);
    if (status != SAM_OK)
        dataset_close(d);
    return status;
}

/* ---- objects of index masks ---- */

/* The objects of DAVIS are those of its first picture, so one colour there is one object. */
static mask_kind kind_of_ids(const dataset *d)
{
    return d->layout == DATASET_DAVIS ? MASK_ONE_HUE : MASK_IDS;
}

static sam_status read_index_mask(const dataset *d, const dataset_video *v, int mask, image *out, sam_error *err)
{
    char *path;
    TRY(path_join(&path, v->masks_dir, v->masks.names[mask], err));
    sam_status status = image_read_mask(path, kind_of_ids(d), out, err);
    free(path);
    return status;
}

/* first[value] = the first mask file that shows a value, or -1. Reads `n_read` files. */
static sam_status first_masks(const dataset *d, const dataset_video *v, int n_read, int first[MAX_VALUES],
                              sam_error *err)
{
    image im = {0};
    sam_status status = SAM_OK;
    for (int i = 0; i < MAX_VALUES; i++)
        first[i] = -1;
    for (int i = 0; i < n_read; i++) {
        status = read_index_mask(d, v, i, &im, err);
        if (status != SAM_OK)
            break;
        size_t n_px = (size_t)im.width * im.height;
        for (size_t p = 0; p < n_px; p++)
            if (first[im.data[p]] < 0)
                first[im.data[p]] = i;
    }
    image_free(&im);
    return status;
}

static sam_status add_index_objects(const dataset *d, dataset_video *v, sam_error *err)
{
    int first[MAX_VALUES], n_values = 0;
    TRY(first_masks(d, v, d->layout == DATASET_DAVIS ? 1 : v->masks.n, first, err));
    for (int i = 1; i < MAX_VALUES; i++)
        n_values += first[i] >= 0;
    if (!n_values)
        return fail(err, SAM_E_FORMAT, "%s: %s; there is no object to track", v->masks_dir,
                    d->layout == DATASET_DAVIS ? "the first annotation is empty" : "all annotations are empty");
    for (int i = 1; i < MAX_VALUES; i++) {
        int is_void = i == VOID_VALUE && n_values > 1;
        if (first[i] < 0 || is_void || (d->limit_objects && v->n_objects == d->limit_objects))
            continue;
        char name[12];
        snprintf(name, sizeof name, "%03d", i);
        TRY(add_object(v, name, i, v->masks_dir, &v->masks, first[i], err));
    }
    return SAM_OK;
}

/* ---- SA-V train ---- */

/* The annotations of a video: objects are run one after another, so the last file is the next one, mostly. */
static sam_status open_train(const dataset *d, const dataset_video *v, const sav_train **out, sam_error *err)
{
    if (!*d->recent || strcmp(sav_train_file(*d->recent), v->masks_dir)) {
        sav_train_close(*d->recent);
        *d->recent = NULL;
        TRY(sav_train_open(v->masks_dir, d->recent, err));
    }
    *out = *d->recent;
    return SAM_OK;
}

/* One object, from the annotation that shows it first. */
static sam_status add_train_object(dataset_video *v, const sav_train *t, int object, int first, sam_error *err)
{
    dataset_object *objects = realloc(v->objects, (size_t)(v->n_objects + 1) * sizeof *objects);
    if (!objects)
        return fail(err, SAM_E_MEMORY, "out of memory: objects of %s", v->name);
    char name[32];
    v->objects = objects;
    dataset_object *o = &objects[v->n_objects++];
    *o = (dataset_object){.value = object};
    o->annotated = malloc((size_t)sav_train_frames(t) * sizeof *o->annotated);
    if (!o->annotated)
        return fail(err, SAM_E_MEMORY, "out of memory: objects of %s", v->name);
    snprintf(name, sizeof name, "%03lld", (long long)sav_train_id(t, object));
    TRY(path_join(&o->name, "", name, err));
    for (int i = first; i < sav_train_frames(t); i++) {
        int frame = i * sav_train_step(t);
        snprintf(name, sizeof name, "%05d.png", frame);
        TRY(listing_add(&o->files, name, strlen(name), err));
        o->annotated[o->n_annotated++] = frame;
    }
    return SAM_OK;
}

static sam_status add_train_objects(const dataset *d, dataset_video *v, sam_error *err)
{
    const sav_train *t;
    TRY(open_train(d, v, &t, err));
    for (int i = 0; i < sav_train_objects(t) && !(d->limit_objects && v->n_objects == d->limit_objects); i++) {
        int first = -1, shows = 0;
        while (!shows && ++first < sav_train_frames(t))
            TRY(sav_train_shows(t, first, i, &shows, err));
        if (shows)
            TRY(add_train_object(v, t, i, first, err));
    }
    return v->n_objects
               ? SAM_OK
               : fail(err, SAM_E_FORMAT, "%s: all masklets are empty; there is no object to track", v->masks_dir);
}

static sam_status read_train_mask(const dataset *d, const dataset_video *v, const dataset_object *o, int frame,
                                  int width, int height, image *out, sam_error *err)
{
    const sav_train *t;
    TRY(open_train(d, v, &t, err));
    if (frame % sav_train_step(t) || frame / sav_train_step(t) >= sav_train_frames(t))
        return fail(err, SAM_E_ARG, "%s/%s: frame %d is not annotated", v->name, o->name, frame);
    TRY(sav_train_mask(t, frame / sav_train_step(t), o->value, out, err));
    if ((width || height) && (out->width != width || out->height != height))
        return fail(err, SAM_E_FORMAT, "%s: its masks are %d x %d, expected %d x %d as the video's frames",
                    v->masks_dir, out->width, out->height, width, height);
    return SAM_OK;
}

sam_status dataset_find_objects(dataset *d, int video, sam_error *err)
{
    assert(video >= 0 && video < d->n_videos);
    dataset_video *v = &d->videos[video];
    if (v->fault)
        return fail(err, v->fault->status, "%s", v->fault->text);
    if (v->n_objects)
        return SAM_OK;
    sam_status status = d->layout == DATASET_SAV_TRAIN ? add_train_objects(d, v, err) : add_index_objects(d, v, err);
    if (status != SAM_OK)
        objects_free(v);
    return status;
}

/* ---- masks ---- */

static sam_status mask_path(const dataset *d, const dataset_video *v, const dataset_object *o, int frame, char **out,
                            sam_error *err)
{
    int at = 0;
    while (at < o->n_annotated && o->annotated[at] != frame)
        at++;
    if (at == o->n_annotated)
        return fail(err, SAM_E_ARG, "%s/%s: frame %d is not annotated", v->name, o->name, frame);
    if (d->layout != DATASET_SAV)
        return path_join(out, v->masks_dir, o->files.names[at], err);
    char *folder;
    TRY(path_join(&folder, v->masks_dir, o->name, err));
    sam_status status = path_join(out, folder, o->files.names[at], err);
    free(folder);
    return status;
}

static sam_status read_mask_at(const char *path, mask_kind kind, int value, int width, int height, image *out,
                               sam_error *err)
{
    TRY(image_read_mask(path, kind, out, err));
    if ((width || height) && (out->width != width || out->height != height))
        return fail(err, SAM_E_FORMAT, "%s: is %d x %d, expected %d x %d as the video's frames", path, out->width,
                    out->height, width, height);
    size_t n = (size_t)out->width * out->height;
    for (size_t i = 0; i < n; i++)
        out->data[i] = value ? out->data[i] == value : out->data[i] != 0;
    return SAM_OK;
}

sam_status dataset_read_mask(const dataset *d, int video, int object, int frame, int width, int height, image *out,
                             sam_error *err)
{
    assert(video >= 0 && video < d->n_videos && object >= 0 && object < d->videos[video].n_objects);
    const dataset_video *v = &d->videos[video];
    const dataset_object *o = &v->objects[object];
    if (d->layout == DATASET_SAV_TRAIN)
        return read_train_mask(d, v, o, frame, width, height, out, err);
    char *path;
    TRY(mask_path(d, v, o, frame, &path, err));
    sam_status status = read_mask_at(path, o->value ? kind_of_ids(d) : MASK_OBJECT, o->value, width, height, out, err);
    free(path);
    return status;
}

int dataset_masks_by_object(const dataset *d)
{
    return d->layout == DATASET_SAV || d->layout == DATASET_SAV_TRAIN;
}

sam_status dataset_frame_path(const dataset *d, int video, int frame, char **out, sam_error *err)
{
    assert(video >= 0 && video < d->n_videos);
    const dataset_video *v = &d->videos[video];
    if (frame < 0 || frame >= v->frames.n)
        return fail(err, SAM_E_ARG, "%s: no frame %d, it has %d", v->name, frame, v->frames.n);
    return path_join(out, v->frames_dir, v->frames.names[frame], err);
}
