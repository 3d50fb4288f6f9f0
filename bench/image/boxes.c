#include "boxes.h"

#include "listing.h"

#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum { MOST_BOXES = 100000 };

static int ends_in_json(const char *path)
{
    size_t n = strlen(path);
    return n > 5 && !strcmp(path + n - 5, ".json");
}

sam_status boxes_open(boxes *b, const char *path, int n_images, sam_error *err)
{
    json_error_t where;
    *b = (boxes){.path = path, .is_folder = path_is_folder(path)};
    if (b->is_folder)
        return SAM_OK;
    if (!ends_in_json(path))
        return n_images == 1
                   ? SAM_OK
                   : fail(err, SAM_E_ARG,
                          "--boxes %s: YOLO text is of one image, and there are %d; give the folder of the texts", path,
                          n_images);
    b->root = json_load_file(path, 0, &where);
    if (!b->root)
        return where.line < 1 ? fail(err, SAM_E_IO, "%s", where.text)
                              : fail(err, SAM_E_FORMAT, "%s:%d: %s", path, where.line, where.text);
    if (!json_is_array(b->root) && !json_is_array(json_object_get(b->root, "annotations")))
        return fail(err, SAM_E_FORMAT, "%s: expected COCO's \"annotations\", or a list of results with \"bbox\"", path);
    return SAM_OK;
}

void boxes_close(boxes *b)
{
    json_decref(b->root);
    b->root = NULL;
}

/* Corners in pixels, cut to the image, as the next object. `where` names the box. */
static sam_status add_box(prompt_file *out, const double corner[4], int width, int height, const char *where,
                          sam_error *err)
{
    double x0 = fmax(corner[0], 0), y0 = fmax(corner[1], 0), x1 = fmin(corner[2], width), y1 = fmin(corner[3], height);
    if (!(corner[2] > corner[0] && corner[3] > corner[1]))
        return fail(err, SAM_E_FORMAT, "%s: the box (%g, %g, %g, %g) has no area", where, corner[0], corner[1],
                    corner[2], corner[3]);
    if (!(x1 > x0 && y1 > y0))
        return fail(err, SAM_E_FORMAT, "%s: the box (%g, %g, %g, %g) is outside the %d x %d image", where, corner[0],
                    corner[1], corner[2], corner[3], width, height);
    if (out->n_objects == MOST_BOXES)
        return fail(err, SAM_E_FORMAT, "%s: more than %d boxes for one image", where, MOST_BOXES);
    prompt_object *objects = realloc(out->objects, (size_t)(out->n_objects + 1) * sizeof *objects);
    prompt *p = calloc(1, sizeof *p);
    if (objects)
        out->objects = objects;
    if (!objects || !p) {
        free(p);
        return fail(err, SAM_E_MEMORY, "%s: no memory for its boxes", where);
    }
    *p = (prompt){.has_box = 1, .box = {(float)x0, (float)y0, (float)x1, (float)y1}};
    objects[out->n_objects] = (prompt_object){.id = out->n_objects + 1, .prompts = p, .n_prompts = 1};
    out->n_objects++;
    return SAM_OK;
}

/* Whether a COCO image_id is the image at `path`. */
static int is_of(const boxes *b, const json_t *id, const char *path)
{
    const json_t *images = json_is_array(b->root) ? NULL : json_object_get(b->root, "images");
    char text[64];
    if (json_is_array(images)) {
        for (size_t i = 0; i < json_array_size(images); i++) {
            const json_t *image = json_array_get(images, i);
            const char *name = json_string_value(json_object_get(image, "file_name"));
            if (json_equal(json_object_get(image, "id"), id))
                return name && !strcmp(path_name(name), path_name(path));
        }
        return 0;
    }
    const char *base = path_name(path), *name = json_string_value(id);
    size_t stem = stem_length(base);
    if (json_is_integer(id)) {
        char *end;
        long long number = strtoll(base, &end, 10); /* 000000000139.jpg is image 139 */
        return end == base + stem && end != base && number == json_integer_value(id);
    }
    snprintf(text, sizeof text, "%.63s", name ? name : "");
    return name && ((strlen(name) == stem && !strncmp(name, base, stem)) || !strcmp(name, base));
}

static sam_status read_coco(const boxes *b, const char *path, int width, int height, prompt_file *out, sam_error *err)
{
    const json_t *list = json_is_array(b->root) ? b->root : json_object_get(b->root, "annotations");
    for (size_t i = 0; i < json_array_size(list); i++) {
        const json_t *one = json_array_get(list, i), *bbox = json_object_get(one, "bbox");
        char where[300];
        double v[4] = {0};
        int ok = json_array_size(bbox) == 4 && json_object_get(one, "image_id");
        snprintf(where, sizeof where, "%.200s: annotation %zu", b->path, i);
        for (size_t k = 0; k < 4 && ok; k++) {
            v[k] = json_number_value(json_array_get(bbox, k));
            ok = json_is_number(json_array_get(bbox, k)) && fabs(v[k]) <= 1e6;
        }
        if (!ok)
            return fail(err, SAM_E_FORMAT, "%s: expected \"image_id\" and \"bbox\": [x, y, width, height]", where);
        if (!is_of(b, json_object_get(one, "image_id"), path))
            continue;
        TRY(add_box(out, (double[]){v[0], v[1], v[0] + v[2], v[1] + v[3]}, width, height, where, err));
    }
    return SAM_OK;
}

static sam_status read_yolo(const char *text_path, int width, int height, prompt_file *out, sam_error *err)
{
    char line[400], where[300];
    FILE *f = fopen(text_path, "r");
    sam_status status = SAM_OK;
    if (!f)
        return fail(err, SAM_E_IO, "%s: cannot be read", text_path);
    for (int n = 1; status == SAM_OK && fgets(line, sizeof line, f); n++) {
        double class, cx, cy, w, h;
        char *first = line + strspn(line, " \t\r\n");
        snprintf(where, sizeof where, "%.200s:%d", text_path, n);
        if (!*first)
            continue;
        if (sscanf(first, "%lf %lf %lf %lf %lf", &class, &cx, &cy, &w, &h) != 5 || !(fabs(cx) <= 2 && fabs(cy) <= 2) ||
            !(fabs(w) <= 4 && fabs(h) <= 4))
            status = fail(err, SAM_E_FORMAT, "%s: expected \"class cx cy w h\" in parts of the image's sides (0 to 1)",
                          where);
        else
            status = add_box(
                out,
                (double[]){(cx - w / 2) * width, (cy - h / 2) * height, (cx + w / 2) * width, (cy + h / 2) * height},
                width, height, where, err);
    }
    fclose(f);
    return status;
}

sam_status boxes_of(const boxes *b, const char *path, int width, int height, prompt_file *out, sam_error *err)
{
    out->start_frame = -1;
    if (b->root)
        return read_coco(b, path, width, height, out, err);
    if (!b->is_folder)
        return read_yolo(b->path, width, height, out, err);
    char name[300], *text = NULL;
    const char *base = path_name(path);
    snprintf(name, sizeof name, "%.*s.txt", (int)(stem_length(base) < 280 ? stem_length(base) : 280), base);
    TRY(path_join(&text, b->path, name, err));
    sam_status status = path_is_file(text) ? read_yolo(text, width, height, out, err) : SAM_OK;
    free(text);
    return status;
}
