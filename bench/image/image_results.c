#include "image_results.h"

#include "folders.h"
#include "image_io.h"
#include "rle.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum { PATH_BYTES = 4096 };

static size_t pixels_of(const frame *f)
{
    return (size_t)f->width * (size_t)f->height;
}

sam_status image_results_open(image_results *r, const frame *f, const prompt_file *prompts, const char *path,
                              const char *folder, int wants_json, sam_error *err)
{
    size_t n = (size_t)prompts->n_objects;
    *r = (image_results){.f = f, .prompts = prompts, .folder = folder};
    r->mask = malloc(pixels_of(f));
    r->best = folder ? malloc(n * pixels_of(f) + 1) : NULL;
    r->drawn = calloc(n + 1, sizeof *r->drawn);
    r->json = wants_json
                  ? json_pack("{s:s, s:i, s:i, s:[]}", "file", path, "width", f->width, "height", f->height, "objects")
                  : NULL;
    if (!r->mask || !r->drawn || (folder && !r->best) || (wants_json && !r->json))
        return fail(err, SAM_E_MEMORY, "%s: no memory for the masks of %d objects", path, prompts->n_objects);
    return folder ? folders_make(folder, err) : SAM_OK;
}

void image_results_close(image_results *r)
{
    free(r->mask);
    free(r->best);
    free(r->drawn);
    json_decref(r->json);
    *r = (image_results){0};
}

int best_mask(const sam_mask *masks, int n_masks)
{
    int best = 0;
    for (int i = 1; i < n_masks; i++)
        best = masks[i].iou > masks[best].iou ? i : best;
    return best;
}

/* bbox: x, y, width and height in pixels, as COCO has it; the segmentation is r->mask. */
static json_t *json_of(const image_results *r, const sam_mask *m)
{
    double x = m->area_px ? (double)m->box.x0_px : 0, y = m->area_px ? (double)m->box.y0_px : 0;
    double w = m->area_px ? (double)m->box.x1_px - x + 1 : 0, h = m->area_px ? (double)m->box.y1_px - y + 1 : 0;
    json_t *rle = rle_write(r->mask, (size_t)r->f->width, r->f->width, r->f->height);
    return rle ? json_pack("{s:f, s:i, s:[f,f,f,f], s:o}", "predicted_iou", (double)m->iou, "area", (int)m->area_px,
                           "bbox", x, y, w, h, "segmentation", rle)
               : NULL;
}

static sam_status write_mask(const image_results *r, int id, int k, sam_error *err)
{
    char path[PATH_BYTES];
    int n = r->prompts->n_objects == 1 ? snprintf(path, sizeof path, "%s/mask_%d.png", r->folder, k)
                                       : snprintf(path, sizeof path, "%s/object_%d_mask_%d.png", r->folder, id, k);
    if (n < 0 || n >= PATH_BYTES)
        return fail(err, SAM_E_ARG, "--out: the path is too long");
    return image_write_mask(path, r->mask, (size_t)r->f->width, r->f->width, r->f->height, 0, err);
}

sam_status image_results_add(image_results *r, int index, const sam_mask *masks, int n_masks, sam_error *err)
{
    const prompt_object *o = &r->prompts->objects[index];
    const prompt *p = &o->prompts[0];
    size_t width = (size_t)r->f->width;
    json_t *list = r->json ? json_array() : NULL;
    sam_status status = SAM_OK;
    for (int k = 0; k < n_masks && status == SAM_OK; k++) {
        sam_mask_bytes(&masks[k], r->mask, width);
        if (r->folder)
            status = write_mask(r, (int)o->id, k, err);
        if (status == SAM_OK && r->json && json_array_append_new(list, json_of(r, &masks[k])))
            status = fail(err, SAM_E_MEMORY, "--json: no memory");
    }
    json_t *object = r->json ? json_pack("{s:i, s:O}", "id", (int)o->id, "masks", list) : NULL;
    json_decref(list);
    if (r->json && json_array_append_new(json_object_get(r->json, "objects"), object) && status == SAM_OK)
        status = fail(err, SAM_E_MEMORY, "--json: no memory");
    if (status != SAM_OK || !r->folder)
        return status;
    uint8_t *copy = r->best + (size_t)index * pixels_of(r->f);
    sam_mask_bytes(&masks[best_mask(masks, n_masks)], copy, width);
    r->drawn[index] = (overlay_object){.id = (int)o->id,
                                       .mask = copy,
                                       .mask_row_bytes = width,
                                       .points = p->points,
                                       .n_points = p->n_points,
                                       .box = p->has_box ? &p->box : NULL};
    return SAM_OK;
}

sam_status image_results_finish(image_results *r, sam_error *err)
{
    char path[PATH_BYTES];
    size_t row = 3 * (size_t)r->f->width;
    if (!r->folder)
        return SAM_OK;
    int n = snprintf(path, sizeof path, "%s/overlay.png", r->folder);
    if (n < 0 || n >= PATH_BYTES)
        return fail(err, SAM_E_ARG, "--out: the path is too long");
    uint8_t *picture = malloc(row * (size_t)r->f->height);
    if (!picture)
        return fail(err, SAM_E_MEMORY, "%s: no memory for the picture", path);
    memcpy(picture, r->f->rgb, row * (size_t)r->f->height);
    overlay_draw(&(canvas){picture, r->f->width, r->f->height, row}, r->drawn, r->prompts->n_objects, NULL);
    sam_status status = image_write_rgb(path, picture, row, r->f->width, r->f->height, err);
    free(picture);
    return status;
}
