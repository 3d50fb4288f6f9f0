/* prompts.c - prompts from masks and from JSON; see prompts.h. */
#include "prompts.h"

#include "listing.h"
#include "rle.h"
#include "text_start.h"

#include <jansson.h>
#include <limits.h>
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>

/* ---- from a mask ---- */

sam_status prompt_box_from_mask(const uint8_t *mask, size_t row_bytes, int width, int height, sam_box *out,
                                sam_error *err)
{
    int x0 = width, y0 = height, x1 = -1, y1 = -1;
    for (int y = 0; y < height; y++) {
        const uint8_t *row = mask + (size_t)y * row_bytes;
        for (int x = 0; x < width; x++) {
            if (!row[x])
                continue;
            x0 = x < x0 ? x : x0;
            x1 = x > x1 ? x : x1;
            y0 = y < y0 ? y : y0;
            y1 = y;
        }
    }
    if (x1 < 0)
        return fail(err, SAM_E_ARG, "the mask is empty, so it has no box; prompt on a frame that shows the object");
    *out = (sam_box){(float)x0, (float)y0, (float)x1, (float)y1};
    return SAM_OK;
}

sam_status prompt_point_from_mask(const uint8_t *mask, size_t row_bytes, int width, int height, sam_point *out,
                                  sam_error *err)
{
    int64_t n = 0, sum_x = 0, sum_y = 0;
    for (int y = 0; y < height; y++) {
        const uint8_t *row = mask + (size_t)y * row_bytes;
        for (int x = 0; x < width; x++) {
            if (!row[x])
                continue;
            n++;
            sum_x += x;
            sum_y += y;
        }
    }
    if (!n)
        return fail(err, SAM_E_ARG,
                    "the mask is empty, so there is no point on it; prompt on a frame that shows the "
                    "object");
    int cx = (int)(sum_x / n), cy = (int)(sum_y / n);
    int64_t best = INT64_MAX;
    int best_x = cx, best_y = cy;
    for (int y = 0; y < height; y++) {
        const uint8_t *row = mask + (size_t)y * row_bytes;
        int64_t dy2 = (int64_t)(y - cy) * (y - cy);
        for (int x = 0; dy2 < best && x < width; x++) {
            int64_t d2 = dy2 + (int64_t)(x - cx) * (x - cx);
            if (row[x] && d2 < best) {
                best = d2;
                best_x = x;
                best_y = y;
            }
        }
    }
    *out = (sam_point){(float)best_x, (float)best_y, 1};
    return SAM_OK;
}

/* ---- from a file ---- */

enum { MAX_FILE_BYTES = 64 << 20, MAX_POINTS = 4096 };

/* Where in the file the parser is, for messages. */
typedef struct place {
    const char *file;
    char at[96]; /* "objects[0].prompts[2]", "" at the top */
} place;

static place below(const place *p, const char *key, int index)
{
    place child = {.file = p->file};
    char number[16] = "";
    if (index >= 0)
        snprintf(number, sizeof number, "[%d]", index);
    snprintf(child.at, sizeof child.at, "%.48s%s%.24s%s", p->at, p->at[0] && key[0] ? "." : "", key, number);
    return child;
}

static sam_status fail_at(const place *p, const char *key, const char *expected, sam_error *err)
{
    place child = below(p, key, -1);
    return fail(err, SAM_E_FORMAT, "%s: %s: expected %s", p->file, child.at[0] ? child.at : "top level", expected);
}

/* Refuses keys outside `allowed`, a list like "frame|points". */
static sam_status check_keys(const place *p, json_t *object, const char *allowed, sam_error *err)
{
    if (!json_is_object(object))
        return fail_at(p, "", "an object in braces", err);
    const char *key;
    json_t *value;
    json_object_foreach(object, key, value)
    {
        size_t n = strlen(key);
        int known = 0;
        for (const char *a = allowed; a && !known; a = strchr(a, '|')) {
            a += *a == '|';
            known = !strncmp(a, key, n) && (a[n] == '|' || !a[n]) && n;
        }
        if (!known)
            return fail(err, SAM_E_FORMAT, "%s: %s%sunknown key \"%.40s\"; known are %s", p->file, p->at,
                        p->at[0] ? ": " : "", key, allowed);
    }
    return SAM_OK;
}

static sam_status read_int(const place *p, const json_t *object, const char *key, int low, int *out, sam_error *err)
{
    const json_t *value = json_object_get(object, key);
    char expected[64];
    snprintf(expected, sizeof expected, "a whole number from %d to %d", low, INT_MAX);
    if (!json_is_integer(value) || json_integer_value(value) < low || json_integer_value(value) > INT_MAX)
        return fail_at(p, key, expected, err);
    *out = (int)json_integer_value(value);
    return SAM_OK;
}

static sam_status read_bool(const place *p, const json_t *object, const char *key, int *out, sam_error *err)
{
    const json_t *value = json_object_get(object, key);
    if (!value)
        return SAM_OK;
    if (!json_is_boolean(value))
        return fail_at(p, key, "true or false", err);
    *out = json_is_true(value);
    return SAM_OK;
}

/* n finite numbers; their size is limited so that they stay finite as float. */
static int read_numbers(const json_t *array, float *out, size_t n)
{
    if (!json_is_array(array) || json_array_size(array) != n)
        return 0;
    for (size_t i = 0; i < n; i++) {
        const json_t *value = json_array_get(array, i);
        double x = json_number_value(value);
        if (!json_is_number(value) || !(fabs(x) <= 1e6))
            return 0;
        out[i] = (float)x;
    }
    return 1;
}

static sam_status read_points(const place *p, const json_t *object, prompt *out, sam_error *err)
{
    const json_t *points = json_object_get(object, "points"), *labels = json_object_get(object, "labels");
    if (!points && !labels)
        return SAM_OK;
    size_t n = json_array_size(points);
    if (!json_is_array(points) || !n || n > MAX_POINTS)
        return fail_at(p, "points", "a list of [x, y], with one label each in \"labels\"", err);
    if (!json_is_array(labels) || json_array_size(labels) != n)
        return fail_at(p, "labels", "a list with a label (1 object, 0 background) for each point", err);
    out->points = calloc(n, sizeof *out->points);
    if (!out->points)
        return fail(err, SAM_E_MEMORY, "%s: out of memory", p->file);
    for (size_t i = 0; i < n; i++) {
        float xy[2];
        const json_t *label = json_array_get(labels, i);
        place at_point = below(p, "points", (int)i), at_label = below(p, "labels", (int)i);
        if (!read_numbers(json_array_get(points, i), xy, 2))
            return fail_at(&at_point, "", "[x, y] in pixels", err);
        if (!json_is_integer(label) || (json_integer_value(label) != 0 && json_integer_value(label) != 1))
            return fail_at(&at_label, "", "1 (object) or 0 (background)", err);
        out->points[i] = (sam_point){xy[0], xy[1], (int32_t)json_integer_value(label)};
    }
    out->n_points = (int)n;
    return SAM_OK;
}

static sam_status read_box(const place *p, const json_t *object, prompt *out, sam_error *err)
{
    const json_t *box = json_object_get(object, "box");
    float v[4];
    if (!box)
        return SAM_OK;
    if (!read_numbers(box, v, 4) || v[0] > v[2] || v[1] > v[3])
        return fail_at(p, "box", "[x0, y0, x1, y1] in pixels with x0 <= x1 and y0 <= y1", err);
    out->has_box = 1;
    out->box = (sam_box){v[0], v[1], v[2], v[3]};
    return SAM_OK;
}

/* A path in the file, made relative to the file's folder. */
static sam_status read_path(const place *p, const json_t *object, const char *key, char **out, sam_error *err)
{
    const json_t *value = json_object_get(object, key);
    if (!value)
        return SAM_OK;
    const char *path = json_string_value(value), *slash = strrchr(p->file, '/');
    if (!path || !path[0])
        return fail_at(p, key, "the path of a file", err);
    if (path[0] == '/' || !slash)
        return path_join(out, "", path, err);
    char *folder;
    TRY(path_join(&folder, "", p->file, err));
    folder[slash - p->file + 1] = 0;
    sam_status status = path_join(out, folder, path, err);
    free(folder);
    return status;
}

static sam_status read_when(const place *p, const json_t *object, prompt *out, sam_error *err)
{
    const json_t *value = json_object_get(object, "when");
    const char *when = value ? json_string_value(value) : "before";
    if (!when || (strcmp(when, "before") && strcmp(when, "tracked")))
        return fail_at(p, "when", "\"before\" or \"tracked\"", err);
    out->when = strcmp(when, "tracked") ? PROMPT_BEFORE : PROMPT_TRACKED;
    return SAM_OK;
}

static sam_status read_prompt(const place *p, json_t *object, prompt *out, sam_error *err)
{
    TRY(check_keys(p, object, "frame|image|points|labels|box|mask|logits|when", err));
    TRY(read_path(p, object, "image", &out->image_path, err));
    out->frame = -1;
    if (out->image_path && (json_object_get(object, "frame") || json_object_get(object, "when")))
        return fail_at(p, "image", "no frame and no \"when\" beside it: the picture is no frame", err);
    if (!out->image_path)
        TRY(read_int(p, object, "frame", 0, &out->frame, err));
    TRY(read_when(p, object, out, err));
    TRY(read_points(p, object, out, err));
    TRY(read_box(p, object, out, err));
    if (json_is_object(json_object_get(object, "mask")))
        out->mask_code = json_incref(json_object_get(object, "mask"));
    else
        TRY(read_path(p, object, "mask", &out->mask_path, err));
    TRY(read_path(p, object, "logits", &out->logits_path, err));
    if (!out->n_points && !out->has_box && !prompt_has_mask(out) && !out->logits_path)
        return fail_at(p, "", "\"points\", \"box\", \"mask\" or \"logits\"", err);
    if (prompt_has_mask(out) && (out->n_points || out->has_box || out->logits_path))
        return fail_at(p, "mask", "a mask without points, box or logits beside it", err);
    return SAM_OK;
}

static void free_prompt(prompt *p)
{
    free(p->points);
    free(p->mask_path);
    free(p->logits_path);
    free(p->image_path);
    json_decref(p->mask_code);
    *p = (prompt){0};
}

/* Pictures are each on their own. */
static int same_call(const prompt *a, const prompt *b)
{
    return a->frame == b->frame && a->when == b->when && !a->image_path && !b->image_path;
}

/* Orders by frame, then by when, and keeps the file's order among equals. */
static void sort_prompts(prompt *prompts, int n)
{
    for (int i = 1; i < n; i++) {
        prompt p = prompts[i];
        int j = i;
        for (; j > 0; j--) {
            const prompt *before = &prompts[j - 1];
            if (before->frame < p.frame || (before->frame == p.frame && before->when <= p.when))
                break;
            prompts[j] = *before;
        }
        prompts[j] = p;
    }
}

/* Adds `from`, which comes later in the file, to `to` and empties it. facebookresearch/sam2, sam2_video_predictor.py:
 * add_new_points_or_box drops the frame's mask, add_new_mask drops its points. */
static sam_status merge(const place *p, prompt *to, prompt *from, sam_error *err)
{
    if (prompt_has_mask(from) || prompt_has_mask(to)) {
        free_prompt(to);
        *to = *from;
        *from = (prompt){0};
        return SAM_OK;
    }
    if (from->n_points) {
        size_t n = (size_t)to->n_points + (size_t)from->n_points;
        sam_point *points = realloc(to->points, n * sizeof *points);
        if (!points)
            return fail(err, SAM_E_MEMORY, "%s: out of memory", p->file);
        memcpy(points + to->n_points, from->points, (size_t)from->n_points * sizeof *points);
        to->points = points;
        to->n_points = (int)n;
    }
    if (from->has_box) {
        to->has_box = 1;
        to->box = from->box;
    }
    if (from->logits_path) {
        free(to->logits_path);
        to->logits_path = from->logits_path;
        from->logits_path = NULL;
    }
    free_prompt(from);
    return SAM_OK;
}

/* One prompt for what is given to the model in one call. */
static sam_status merge_prompts(const place *p, prompt_object *o, sam_error *err)
{
    int n = 1;
    sort_prompts(o->prompts, o->n_prompts);
    for (int i = 1; i < o->n_prompts; i++) {
        if (same_call(&o->prompts[n - 1], &o->prompts[i])) {
            TRY(merge(p, &o->prompts[n - 1], &o->prompts[i], err));
            continue;
        }
        if (n != i) {
            o->prompts[n] = o->prompts[i];
            o->prompts[i] = (prompt){0};
        }
        n++;
    }
    o->n_prompts = n;
    return SAM_OK;
}

static sam_status read_object(const place *p, json_t *json, prompt_object *out, sam_error *err)
{
    TRY(check_keys(p, json, "id|prompts", err));
    int id;
    TRY(read_int(p, json, "id", 0, &id, err));
    out->id = id;
    json_t *prompts = json_object_get(json, "prompts");
    size_t n = json_array_size(prompts);
    if (!json_is_array(prompts) || !n || n > MAX_POINTS)
        return fail_at(p, "prompts", "a list with at least one prompt", err);
    out->prompts = calloc(n, sizeof *out->prompts);
    if (!out->prompts)
        return fail(err, SAM_E_MEMORY, "%s: out of memory", p->file);
    for (size_t i = 0; i < n; i++) {
        place child = below(p, "prompts", (int)i);
        out->n_prompts++; /* what a failing prompt already owns is freed too */
        TRY(read_prompt(&child, json_array_get(prompts, i), &out->prompts[i], err));
    }
    return merge_prompts(p, out, err);
}

/* "masks": pictures of numbers. */
static sam_status read_numbers_of(const place *p, const json_t *root, prompt_file *out, sam_error *err)
{
    const json_t *masks = json_object_get(root, "masks");
    if (masks && (!json_is_array(masks) || !json_array_size(masks)))
        return fail_at(p, "masks", "a list of {\"frame\": 0, \"mask\": \"numbers.png\"}", err);
    for (size_t i = 0; i < json_array_size(masks); i++) {
        place child = below(p, "masks", (int)i);
        json_t *entry = json_array_get(masks, i);
        char *path = NULL;
        int frame = 0;
        TRY(check_keys(&child, entry, "frame|mask", err));
        TRY(read_int(&child, entry, "frame", 0, &frame, err));
        TRY(read_path(&child, entry, "mask", &path, err));
        if (!path)
            return fail_at(&child, "mask", "the path of a file", err);
        sam_status status = prompts_add_numbers(out, path, frame, err);
        free(path);
        TRY(status);
    }
    return SAM_OK;
}

static sam_status read_root(const place *p, json_t *root, prompt_file *out, sam_error *err)
{
    TRY(check_keys(p, root, "objects|masks|start_frame|reverse|multimask", err));
    out->start_frame = -1;
    out->multimask = 1;
    if (json_object_get(root, "start_frame"))
        TRY(read_int(p, root, "start_frame", 0, &out->start_frame, err));
    TRY(read_bool(p, root, "reverse", &out->reverse, err));
    TRY(read_bool(p, root, "multimask", &out->multimask, err));
    json_t *objects = json_object_get(root, "objects");
    size_t n = json_array_size(objects);
    int others = json_object_get(root, "masks") != NULL;
    if (others && !objects)
        return read_numbers_of(p, root, out, err);
    if (!json_is_array(objects) || !n || n > MAX_POINTS)
        return fail_at(p, "objects", "a list with at least one object", err);
    out->objects = calloc(n, sizeof *out->objects);
    if (!out->objects)
        return fail(err, SAM_E_MEMORY, "%s: out of memory", p->file);
    for (size_t i = 0; i < n; i++) {
        place child = below(p, "objects", (int)i);
        out->n_objects++;
        TRY(read_object(&child, json_array_get(objects, i), &out->objects[i], err));
        for (size_t k = 0; k < i; k++)
            if (out->objects[k].id == out->objects[i].id)
                return fail_at(&child, "id", "a number that no other object has", err);
    }
    return read_numbers_of(p, root, out, err);
}

sam_status prompts_read(const char *path, prompt_file *out, sam_error *err)
{
    struct stat st;
    if (!stat(path, &st) && st.st_size > MAX_FILE_BYTES)
        return fail(err, SAM_E_FORMAT, "%s: over 64 MiB, so it is no file of prompts", path);
    json_error_t where;
    json_t *root = json_read_file(path, JSON_REJECT_DUPLICATES, &where);
    if (!root && where.line < 1)
        return fail(err, SAM_E_IO, "%s", where.text); /* names the file and the reason */
    if (!root)
        return fail(err, SAM_E_FORMAT, "%s:%d: %s", path, where.line, where.text);
    place top = {.file = path};
    sam_status status = read_root(&top, root, out, err);
    json_decref(root);
    return status;
}

void prompts_free(prompt_file *p)
{
    for (int i = 0; i < p->n_objects; i++) {
        for (int k = 0; k < p->objects[i].n_prompts; k++)
            free_prompt(&p->objects[i].prompts[k]);
        free(p->objects[i].prompts);
    }
    free(p->objects);
    *p = (prompt_file){0};
}

/* ---- what both have ---- */

int prompt_has_mask(const prompt *p)
{
    return p->mask_path || p->mask_code;
}

sam_status prompt_read_mask(const prompt *p, image *out, sam_error *err)
{
    if (p->mask_code)
        return rle_read(p->mask_code, "the prompt's mask", out, err);
    TRY(image_read_mask(p->mask_path, p->mask_value ? MASK_IDS : MASK_OBJECT, out, err));
    for (size_t i = 0; p->mask_value && i < (size_t)out->width * (size_t)out->height; i++)
        out->data[i] = out->data[i] == p->mask_value;
    return SAM_OK;
}

static sam_status find_or_add(prompt_file *f, int32_t id, prompt_object **out, sam_error *err)
{
    for (int i = 0; i < f->n_objects; i++)
        if (f->objects[i].id == id) {
            *out = &f->objects[i];
            return SAM_OK;
        }
    prompt_object *objects = realloc(f->objects, (size_t)(f->n_objects + 1) * sizeof *objects);
    if (!objects)
        return fail(err, SAM_E_MEMORY, "no memory for prompts");
    f->objects = objects;
    *out = &objects[f->n_objects++];
    **out = (prompt_object){.id = id};
    return SAM_OK;
}

sam_status prompts_add_object(prompt_file *f, int32_t id, sam_error *err)
{
    prompt_object *o;
    return find_or_add(f, id, &o, err);
}

sam_status prompts_add(prompt_file *f, int32_t id, prompt *p, sam_error *err)
{
    prompt_object *o = NULL;
    place nowhere = {.file = "prompts"};
    sam_status status = find_or_add(f, id, &o, err);
    prompt *prompts = status == SAM_OK ? realloc(o->prompts, (size_t)(o->n_prompts + 1) * sizeof *prompts) : NULL;
    if (!prompts) {
        free_prompt(p);
        return status == SAM_OK ? fail(err, SAM_E_MEMORY, "no memory for prompts") : status;
    }
    o->prompts = prompts;
    prompts[o->n_prompts++] = *p;
    *p = (prompt){0};
    return merge_prompts(&nowhere, o, err);
}

sam_status prompts_add_numbers(prompt_file *f, const char *path, int frame, sam_error *err)
{
    enum { N_VALUES = 256, VOID_VALUE = 255 };
    image picture = {0};
    int present[N_VALUES] = {0}, n = 0;
    sam_status status = image_read_mask(path, MASK_IDS, &picture, err);
    for (size_t i = 0; status == SAM_OK && i < (size_t)picture.width * (size_t)picture.height; i++)
        present[picture.data[i]] = 1;
    image_free(&picture);
    TRY(status);
    for (int v = 1; v < N_VALUES; v++)
        n += present[v];
    if (!n)
        return fail(err, SAM_E_FORMAT, "%s: shows no object: every pixel is 0", path);
    for (int v = 1; v < N_VALUES; v++) {
        prompt p = {.frame = frame, .when = PROMPT_BEFORE, .mask_value = v};
        if (!present[v] || (v == VOID_VALUE && n > 1))
            continue;
        TRY(path_join(&p.mask_path, "", path, err));
        TRY(prompts_add(f, v, &p, err));
    }
    return SAM_OK;
}

int prompts_have_pictures(const prompt_file *f)
{
    for (int i = 0; i < f->n_objects; i++)
        for (int k = 0; k < f->objects[i].n_prompts; k++)
            if (f->objects[i].prompts[k].image_path)
                return 1;
    return 0;
}
