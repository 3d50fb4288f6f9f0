/* box_tracks.c - see box_tracks.h. */
#include "box_tracks.h"

#include "text_start.h"

#include <errno.h>
#include <limits.h>
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum { MAX_BOXES = 1 << 22, LINE_BYTES = 512 };

typedef struct timed_box {
    int frame;
    int32_t id;
    sam_box box;
} timed_box;

typedef struct box_list {
    timed_box *boxes;
    size_t n, capacity;
    const char *path;
} box_list;

/* `where` names the line or annotation. */
static sam_status add(box_list *l, double frame, double id, const double v[4], const char *where, sam_error *err)
{
    if (!(frame >= 0 && frame < INT_MAX && frame == floor(frame)) || !(id >= 0 && id <= INT32_MAX && id == floor(id)))
        return fail(err, SAM_E_FORMAT, "%s: %s: frame and id are whole numbers, not %g and %g", l->path, where, frame,
                    id);
    if (!(fabs(v[0]) <= 1e6 && fabs(v[1]) <= 1e6 && v[2] > 0 && v[3] > 0 && v[2] <= 1e6 && v[3] <= 1e6))
        return fail(err, SAM_E_FORMAT, "%s: %s: a box of %g x %g pixels at (%g, %g)", l->path, where, v[2], v[3], v[0],
                    v[1]);
    if (l->n == l->capacity) {
        size_t capacity = l->capacity ? 2 * l->capacity : 256;
        timed_box *boxes = capacity <= MAX_BOXES ? realloc(l->boxes, capacity * sizeof *boxes) : NULL;
        if (!boxes)
            return fail(err, SAM_E_MEMORY, "%s: no memory for %zu boxes", l->path, capacity);
        l->boxes = boxes;
        l->capacity = capacity;
    }
    l->boxes[l->n++] =
        (timed_box){(int)frame, (int32_t)id, {(float)v[0], (float)v[1], (float)(v[0] + v[2]), (float)(v[1] + v[3])}};
    return SAM_OK;
}

/* ---- MOT ---------------------------------------------------------------------------------------------------------- */

static int read_six(char *text, double v[6])
{
    for (int i = 0; i < 6; i++) {
        char *end;
        v[i] = strtod(text, &end);
        if (end == text || !isfinite(v[i]))
            return 0;
        text = end + strspn(end, " \t,");
        if (text == end && i < 5)
            return 0;
    }
    return 1;
}

static sam_status read_mot(box_list *l, FILE *from, sam_error *err)
{
    char line[LINE_BYTES], where[32];
    for (int number = 1; fgets(line, sizeof line, from); number++) {
        double v[6];
        char *text = line + (number == 1 ? text_start(line, strlen(line)) : 0);
        text += strspn(text, " \t\r\n");
        snprintf(where, sizeof where, "line %d", number);
        if (!*text)
            continue;
        if (!strchr(line, '\n') && !feof(from))
            return fail(err, SAM_E_FORMAT, "%s: %s: longer than a box needs", l->path, where);
        if (!read_six(text, v))
            return fail(err, SAM_E_FORMAT, "%s: %s: expected frame,id,left,top,width,height", l->path, where);
        if (v[0] < 1)
            return fail(err, SAM_E_FORMAT, "%s: %s: frame %g; MOT counts frames from 1", l->path, where, v[0]);
        const double box[4] = {v[2] - 1, v[3] - 1, v[4], v[5]};
        TRY(add(l, v[0] - 1, v[1], box, where, err));
    }
    return ferror(from) ? fail(err, SAM_E_IO, "%s: %s", l->path, strerror(errno)) : SAM_OK;
}

/* ---- COCO --------------------------------------------------------------------------------------------------------- */

/* {id of an image as text: its frame} */
static json_t *frames_of(const json_t *images)
{
    json_t *frames = json_object();
    size_t i;
    const json_t *image;
    json_array_foreach(images, i, image)
    {
        const json_t *frame = json_object_get(image, "frame_id");
        char key[32];
        snprintf(key, sizeof key, "%lld", (long long)json_integer_value(json_object_get(image, "id")));
        if (frames &&
            json_object_set_new(frames, key,
                                json_integer(json_is_integer(frame) ? json_integer_value(frame) : (json_int_t)i))) {
            json_decref(frames);
            return NULL;
        }
    }
    return frames;
}

static sam_status read_annotation(box_list *l, const json_t *note, const json_t *frames, const char *where,
                                  sam_error *err)
{
    const json_t *box = json_object_get(note, "bbox"), *track = json_object_get(note, "track_id");
    char key[32];
    double v[4] = {0};
    snprintf(key, sizeof key, "%lld", (long long)json_integer_value(json_object_get(note, "image_id")));
    const json_t *frame = json_object_get(frames, key);
    if (!frame)
        return fail(err, SAM_E_FORMAT, "%s: %s: no image %s among \"images\"", l->path, where, key);
    if (!json_is_integer(track) || json_array_size(box) != 4)
        return fail(err, SAM_E_FORMAT, "%s: %s: expected track_id and bbox [left, top, width, height]", l->path, where);
    for (size_t k = 0; k < 4; k++) {
        if (!json_is_number(json_array_get(box, k)))
            return fail(err, SAM_E_FORMAT, "%s: %s: bbox is not of four numbers", l->path, where);
        v[k] = json_number_value(json_array_get(box, k));
    }
    return add(l, (double)json_integer_value(frame), (double)json_integer_value(track), v, where, err);
}

static sam_status read_coco(box_list *l, sam_error *err)
{
    json_error_t why;
    json_t *root = json_read_file(l->path, 0, &why), *frames = NULL;
    size_t i;
    const json_t *note, *notes = json_object_get(root, "annotations");
    if (!root)
        return fail(err, SAM_E_FORMAT, "%s:%d: %s", l->path, why.line, why.text);
    sam_status status = SAM_OK;
    if (!json_is_array(notes) || !json_is_array(json_object_get(root, "images")))
        status = fail(err, SAM_E_FORMAT, "%s: expected \"images\" and \"annotations\", as COCO has them", l->path);
    else if (!(frames = frames_of(json_object_get(root, "images"))))
        status = fail(err, SAM_E_MEMORY, "%s: no memory", l->path);
    json_array_foreach(notes, i, note)
    {
        char where[48];
        snprintf(where, sizeof where, "annotations[%zu]", i);
        if (status == SAM_OK)
            status = read_annotation(l, note, frames, where, err);
    }
    json_decref(frames);
    json_decref(root);
    return status;
}

/* ---- prompts ------------------------------------------------------------------------------------------------------ */

/* By object, then frame. */
static int by_object(const void *a, const void *b)
{
    const timed_box *x = a, *y = b;
    if (x->id != y->id)
        return x->id < y->id ? -1 : 1;
    return (x->frame > y->frame) - (x->frame < y->frame);
}

static sam_status add_prompts(const box_list *l, int every, prompt_file *out, sam_error *err)
{
    int first = INT_MAX, last = 0;
    for (size_t i = 0; i < l->n; i++)
        first = l->boxes[i].frame < first ? l->boxes[i].frame : first;
    for (size_t i = 0; i < l->n; i++) {
        const timed_box *b = &l->boxes[i];
        int starts = i == 0 || b[-1].id != b->id;
        if (!starts && b[-1].frame == b->frame)
            return fail(err, SAM_E_FORMAT, "%s: object %d has two boxes on frame %d", l->path, (int)b->id, b->frame);
        if (!starts && (!every || b->frame - last < every))
            continue;
        prompt p = {
            .frame = b->frame, .when = b->frame == first ? PROMPT_BEFORE : PROMPT_TRACKED, .has_box = 1, .box = b->box};
        TRY(prompts_add(out, b->id, &p, err));
        last = b->frame;
    }
    return SAM_OK;
}

sam_status box_tracks_read(const char *path, int every, prompt_file *out, sam_error *err)
{
    box_list l = {.path = path};
    char head[8] = "";
    FILE *from = fopen(path, "rb");
    if (!from)
        return fail(err, SAM_E_IO, "%s: %s", path, strerror(errno));
    size_t n = fread(head, 1, sizeof head - 1, from);
    rewind(from);
    sam_status status = head[text_start(head, n)] == '{' ? read_coco(&l, err) : read_mot(&l, from, err);
    fclose(from);
    if (status == SAM_OK && !l.n)
        status = fail(err, SAM_E_FORMAT, "%s: holds no box", path);
    if (status == SAM_OK) {
        qsort(l.boxes, l.n, sizeof *l.boxes, by_object);
        status = add_prompts(&l, every, out, err);
    }
    free(l.boxes);
    return status;
}
