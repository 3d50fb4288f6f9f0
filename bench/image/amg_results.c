#include "amg_results.h"

#include "folders.h"
#include "json_build.h"
#include "mask_picture.h"
#include "rle.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum { PATH_BYTES = 4096, MOST_INDEX = 255 };

static json_t *json_of_rect(const sam_rect *r)
{
    return json_pack("[i,i,i,i]", (int)r->x_px, (int)r->y_px, (int)r->width_px, (int)r->height_px);
}

/* The stability of a mask that is empty is NaN: null. */
static json_t *json_of_mask(const sam_amg_mask *m, int width, int height)
{
    return json_pack("{s:o, s:i, s:o, s:o, s:[[f,f]], s:o, s:o}", "segmentation",
                     rle_write_runs(m->runs, m->n_runs, width, height), "area", (int)m->area_px, "bbox",
                     json_of_rect(&m->bbox), "predicted_iou", json_figure((double)m->predicted_iou), "point_coords",
                     (double)m->x_px, (double)m->y_px, "stability_score", json_figure((double)m->stability_score),
                     "crop_box", json_of_rect(&m->crop_box));
}

json_t *amg_results_json(const char *path, const sam_amg_result *found)
{
    json_t *list = json_array();
    for (int i = 0; list && i < found->n_masks; i++)
        if (json_array_append_new(list, json_of_mask(&found->masks[i], found->width_px, found->height_px))) {
            json_decref(list);
            return NULL;
        }
    return list ? json_pack("{s:s, s:i, s:i, s:o}", "file", path, "width", found->width_px, "height", found->height_px,
                            "masks", list)
                : NULL;
}

/* Places in the list, the largest mask first. */
typedef struct by_area {
    int32_t area;
    int index;
} by_area;

static int larger_first(const void *a_, const void *b_)
{
    const by_area *a = a_, *b = b_;
    return a->area != b->area ? (a->area < b->area ? 1 : -1) : a->index - b->index;
}

/* [height, width] numbers of the first `most` masks, for the caller to free; NULL: no memory. */
static uint16_t *number_pixels(const sam_amg_result *found, int most)
{
    size_t w = (size_t)found->width_px, n_px = w * (size_t)found->height_px;
    int n = found->n_masks < most ? found->n_masks : most;
    by_area *order = malloc(((size_t)n + 1) * sizeof *order);
    uint8_t *mask = malloc(n_px);
    uint16_t *numbers = calloc(n_px, sizeof *numbers);
    int ok = order && mask && numbers;
    for (int i = 0; ok && i < n; i++)
        order[i] = (by_area){found->masks[i].area_px, i};
    if (ok)
        qsort(order, (size_t)n, sizeof *order, larger_first);
    for (int i = 0; ok && i < n; i++) {
        const sam_amg_mask *m = &found->masks[order[i].index];
        sam_runs_bytes(m->runs, m->n_runs, found->width_px, found->height_px, mask, w);
        mask_picture_put(numbers, mask, n_px, (uint16_t)(order[i].index + 1));
    }
    free(order);
    free(mask);
    if (ok)
        return numbers;
    free(numbers);
    return NULL;
}

static sam_status write_index(const char *path, const sam_amg_result *found, sam_error *err)
{
    size_t w = (size_t)found->width_px, n_px = w * (size_t)found->height_px;
    uint16_t *numbers = number_pixels(found, MOST_INDEX);
    uint8_t *index = malloc(n_px);
    sam_status status = numbers && index ? SAM_OK : fail(err, SAM_E_MEMORY, "%s: no memory for it", path);
    for (size_t i = 0; status == SAM_OK && i < n_px; i++)
        index[i] = (uint8_t)numbers[i];
    if (status == SAM_OK)
        status = image_write_mask(path, index, w, found->width_px, found->height_px, 1, err);
    free(numbers);
    free(index);
    return status;
}

static sam_status write_overlay(const char *path, image *image, const sam_amg_result *found, sam_error *err)
{
    size_t row = 3 * (size_t)image->width;
    uint16_t *numbers = number_pixels(found, UINT16_MAX);
    if (!numbers)
        return fail(err, SAM_E_MEMORY, "%s: no memory for it", path);
    mask_picture_draw(&(canvas){image->data, image->width, image->height, row}, numbers);
    free(numbers);
    return image_write_rgb(path, image->data, row, image->width, image->height, err);
}

static sam_status path_in(const char *folder, const char *name, char path[PATH_BYTES], sam_error *err)
{
    int n = snprintf(path, PATH_BYTES, "%s/%s", folder, name);
    return n > 0 && n < PATH_BYTES ? SAM_OK : fail(err, SAM_E_ARG, "--out: the path is too long");
}

sam_status amg_results_pictures(const char *folder, image *image, const sam_amg_result *found, int *n_left_out,
                                sam_error *err)
{
    char path[PATH_BYTES];
    *n_left_out = found->n_masks > MOST_INDEX ? found->n_masks - MOST_INDEX : 0;
    TRY(folders_make(folder, err));
    TRY(path_in(folder, "masks.png", path, err));
    TRY(write_index(path, found, err));
    TRY(path_in(folder, "overlay.png", path, err));
    return write_overlay(path, image, found, err);
}
