/* coco_masks.c - see coco_masks.h. */
#include "coco_masks.h"

#include "json_out.h"
#include "listing.h"
#include "text_start.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

/* ---- written ---- */

sam_status coco_open(coco_writer *w, sam_error *err)
{
    *w = (coco_writer){.images = json_array(), .annotations = json_array()};
    return w->images && w->annotations ? SAM_OK : fail(err, SAM_E_MEMORY, "no memory for masks in JSON");
}

void coco_add_frame(coco_writer *w, int64_t index, const char *name, int width, int height)
{
    json_t *image = json_pack("{s:I, s:I, s:s, s:i, s:i}", "id", (json_int_t)index, "frame_id", (json_int_t)index,
                              "file_name", name, "width", width, "height", height);
    w->failed |= json_array_append_new(w->images, image) != 0;
}

void coco_add_mask(coco_writer *w, int64_t index, int object, const uint8_t *mask, int width, int height,
                   const sam_box *box, int area_px, double score)
{
    if (!area_px)
        return;
    double x = (double)box->x0_px, y = (double)box->y0_px;
    json_t *note = json_pack("{s:i, s:I, s:i, s:i, s:i, s:i, s:f, s:[f,f,f,f], s:o}", "id", w->n_annotations + 1,
                             "image_id", (json_int_t)index, "category_id", 1, "track_id", object, "iscrowd", 0, "area",
                             area_px, "score", score, "bbox", x, y, (double)box->x1_px - x + 1,
                             (double)box->y1_px - y + 1, "segmentation", rle_write(mask, (size_t)width, width, height));
    w->failed |= json_array_append_new(w->annotations, note) != 0;
    w->n_annotations++;
}

sam_status coco_write(coco_writer *w, const char *path, sam_error *err)
{
    int failed = w->failed;
    json_t *root = json_pack("{s:o, s:[{s:i, s:s}], s:o}", "images", w->images, "categories", "id", 1, "name", "object",
                             "annotations", w->annotations);
    *w = (coco_writer){0};
    if (!failed)
        return json_out(path, root, err);
    json_decref(root);
    return fail(err, SAM_E_MEMORY, "%s: no memory for the masks", path);
}

void coco_abandon(coco_writer *w)
{
    json_decref(w->images);
    json_decref(w->annotations);
    *w = (coco_writer){0};
}

/* ---- read ---- */

enum { KEY_BYTES = 600 };

static int key_of(char key[KEY_BYTES], const char *name, int object)
{
    int n = snprintf(key, KEY_BYTES, "%.*s/%d", (int)stem_length(name), name, object);
    return n > 0 && n < KEY_BYTES;
}

static sam_status wrong(const coco_masks *c, const char *list, size_t i, const char *expected, sam_error *err)
{
    return fail(err, SAM_E_FORMAT, "%s: %s[%zu]: expected %s", c->path, list, i, expected);
}

static sam_status read_images(coco_masks *c, json_t *names, sam_error *err)
{
    size_t i;
    json_t *image;
    json_array_foreach(json_object_get(c->root, "images"), i, image)
    {
        const char *name = json_string_value(json_object_get(image, "file_name"));
        const json_t *id = json_object_get(image, "id");
        const json_t *w = json_object_get(image, "width"), *h = json_object_get(image, "height");
        char key[KEY_BYTES], number[32];
        if (!name || !json_is_integer(id) || !json_is_integer(w) || !json_is_integer(h) || !key_of(key, name, 0))
            return wrong(c, "images", i, "id, file_name, width and height", err);
        snprintf(number, sizeof number, "%lld", (long long)json_integer_value(id));
        snprintf(key, sizeof key, "%.*s", (int)stem_length(name), name);
        if (json_object_get(names, number) || json_object_get(c->frames, key))
            return wrong(c, "images", i, "an id and a name that no other image has", err);
        if (json_object_set_new(names, number, json_string(key)) || json_object_set(c->frames, key, image))
            return fail(err, SAM_E_MEMORY, "%s: no memory", c->path);
    }
    return SAM_OK;
}

static sam_status note_object(coco_masks *c, int object, sam_error *err)
{
    int at = 0;
    while (at < c->n_objects && c->objects[at] < object)
        at++;
    if (at < c->n_objects && c->objects[at] == object)
        return SAM_OK;
    int *objects = realloc(c->objects, (size_t)(c->n_objects + 1) * sizeof *objects);
    if (!objects)
        return fail(err, SAM_E_MEMORY, "%s: no memory", c->path);
    c->objects = objects;
    memmove(objects + at + 1, objects + at, (size_t)(c->n_objects++ - at) * sizeof *objects);
    objects[at] = object;
    return SAM_OK;
}

static sam_status read_annotations(coco_masks *c, const json_t *names, sam_error *err)
{
    size_t i;
    json_t *note;
    json_array_foreach(json_object_get(c->root, "annotations"), i, note)
    {
        const json_t *image = json_object_get(note, "image_id"), *track = json_object_get(note, "track_id");
        json_t *code = json_object_get(note, "segmentation");
        char key[KEY_BYTES], number[32];
        json_int_t object = json_integer_value(track);
        if (!json_is_integer(image) || !json_is_integer(track) || object < 0 || object > INT32_MAX ||
            !json_is_object(code))
            return wrong(c, "annotations", i, "image_id, track_id (from 0 on) and a run-length segmentation", err);
        snprintf(number, sizeof number, "%lld", (long long)json_integer_value(image));
        const char *name = json_string_value(json_object_get(names, number));
        if (!name)
            return wrong(c, "annotations", i, "the id of one of the images", err);
        snprintf(key, sizeof key, "%s/%d", name, (int)object);
        if (json_object_get(c->masks, key))
            return wrong(c, "annotations", i, "one mask of an object on a frame", err);
        if (json_object_set(c->masks, key, code))
            return fail(err, SAM_E_MEMORY, "%s: no memory", c->path);
        TRY(note_object(c, (int)object, err));
    }
    return SAM_OK;
}

sam_status coco_masks_read(coco_masks *c, const char *path, sam_error *err)
{
    json_error_t why;
    TRY(path_join(&c->path, "", path, err));
    c->root = json_read_file(path, JSON_REJECT_DUPLICATES, &why);
    if (!c->root)
        return fail(err, SAM_E_FORMAT, "%s:%d: %s", path, why.line, why.text);
    if (!json_is_array(json_object_get(c->root, "images")) || !json_is_array(json_object_get(c->root, "annotations")))
        return fail(err, SAM_E_FORMAT, "%s: expected \"images\" and \"annotations\", as COCO has them", path);
    json_t *names = json_object();
    c->frames = json_object();
    c->masks = json_object();
    sam_status status = names && c->frames && c->masks ? SAM_OK : fail(err, SAM_E_MEMORY, "%s: no memory", path);
    if (status == SAM_OK)
        status = read_images(c, names, err);
    if (status == SAM_OK)
        status = read_annotations(c, names, err);
    json_decref(names);
    return status;
}

sam_status coco_mask_of(const coco_masks *c, const char *frame, int object, image *out, sam_error *err)
{
    char key[KEY_BYTES], where[KEY_BYTES + 64];
    snprintf(key, sizeof key, "%.*s", (int)stem_length(frame), frame);
    const json_t *image_of = json_object_get(c->frames, key);
    if (!image_of)
        return fail(err, SAM_E_IO, "%s: no image \"%.80s\"; every annotated frame that is scored needs one", c->path,
                    key);
    int width = (int)json_integer_value(json_object_get(image_of, "width"));
    int height = (int)json_integer_value(json_object_get(image_of, "height"));
    snprintf(where, sizeof where, "%.200s: frame %.80s, object %d", c->path, key, object);
    if (!key_of(key, frame, object))
        return fail(err, SAM_E_FORMAT, "%s: the name is too long", where);
    const json_t *code = json_object_get(c->masks, key);
    json_t *empty =
        code ? NULL : json_pack("{s:[i,i], s:[I]}", "size", height, width, "counts", (json_int_t)height * width);
    sam_status status = rle_read(code ? code : empty, where, out, err);
    json_decref(empty);
    if (status == SAM_OK && (out->width != width || out->height != height))
        return fail(err, SAM_E_FORMAT, "%s: the mask is %d x %d, its image %d x %d", where, out->width, out->height,
                    width, height);
    return status;
}

void coco_masks_free(coco_masks *c)
{
    json_decref(c->root);
    json_decref(c->frames);
    json_decref(c->masks);
    free(c->objects);
    free(c->path);
    *c = (coco_masks){0};
}
