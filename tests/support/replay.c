#include "replay.h"

#include "error.h"

#include <stdlib.h>

enum { MAX_POINTS = 16 };

static int int_of(const json_t *j, const char *key)
{
    return (int)json_integer_value(json_object_get(j, key));
}

static sam_status go_to(replay *r, int frame, sam_error *err)
{
    size_t row = 3 * (size_t)r->width, bytes = row * (size_t)r->height;
    if (r->current == frame)
        return SAM_OK;
    if (frame < 0 || frame >= r->n_frames)
        return fail(err, SAM_E_ARG, "a step is on frame %d of %d", frame, r->n_frames);
    TRY(sam_push_frame(r->s, &(sam_frame){.rgb = r->clip + (size_t)frame * bytes, .row_bytes = row, .index = frame},
                       err));
    r->current = frame;
    return SAM_OK;
}

/* [cx, cy, a, b], as cases.py, ellipse_mask; NULL: no memory. */
static uint8_t *ellipse_mask(const json_t *ellipse, int width, int height)
{
    int64_t c[4];
    uint8_t *mask = calloc((size_t)width * (size_t)height, 1);
    for (size_t i = 0; i < 4; i++)
        c[i] = json_integer_value(json_array_get(ellipse, i));
    for (int64_t i = 0; mask && c[2] && c[3] && i < (int64_t)width * height; i++) {
        int64_t x = (i % width - c[0]) * c[3], y = (i / width - c[1]) * c[2];
        mask[i] = x * x + y * y <= c[2] * c[3] * c[2] * c[3];
    }
    return mask;
}

static sam_status add(replay *r, const json_t *a, sam_error *err)
{
    sam_point points[MAX_POINTS];
    sam_box box;
    sam_prompt_set p = {.points = points, .replace = json_is_true(json_object_get(a, "replace"))};
    const json_t *list = json_object_get(a, "points"), *labels = json_object_get(a, "labels");
    const json_t *corners = json_object_get(a, "box"), *ellipse = json_object_get(a, "mask");
    uint8_t *mask = NULL;
    for (; p.n_points < (int)json_array_size(list) && p.n_points < MAX_POINTS; p.n_points++) {
        const json_t *xy = json_array_get(list, (size_t)p.n_points);
        points[p.n_points] = (sam_point){(float)json_number_value(json_array_get(xy, 0)),
                                         (float)json_number_value(json_array_get(xy, 1)),
                                         (int32_t)json_integer_value(json_array_get(labels, (size_t)p.n_points))};
    }
    if (corners) {
        float c[4];
        for (size_t i = 0; i < 4; i++)
            c[i] = (float)json_number_value(json_array_get(corners, i));
        box = (sam_box){c[0], c[1], c[2], c[3]};
        p.box = &box;
    }
    if (ellipse && !(mask = ellipse_mask(ellipse, r->width, r->height)))
        return fail(err, SAM_E_MEMORY, "no memory for a mask");
    p.mask = mask;
    sam_status status = go_to(r, int_of(a, "frame"), err);
    if (status == SAM_OK)
        status = sam_prompt(r->s, int_of(a, "object"), &p, err);
    free(mask);
    if (status == SAM_OK)
        r->see(r->user, int_of(a, "frame"));
    return status;
}

static sam_status propagate(replay *r, const json_t *go, sam_error *err)
{
    int reverse = json_is_true(json_object_get(go, "reverse")), start = int_of(go, "start");
    const json_t *count = json_object_get(go, "count");
    int left = count ? (int)json_integer_value(count) + 1 : r->n_frames;
    for (int t = start; t >= 0 && t < r->n_frames && left > 0; t += reverse ? -1 : 1, left--) {
        TRY(go_to(r, t, err));
        TRY(sam_track(r->s, reverse ? SAM_REVERSE : SAM_FORWARD, err));
        r->see(r->user, t);
    }
    return SAM_OK;
}

sam_status replay_step(replay *r, const json_t *step, sam_error *err)
{
    const json_t *a = json_object_get(step, "add"), *go = json_object_get(step, "propagate");
    const json_t *remove = json_object_get(step, "remove");
    if (a)
        return add(r, a, err);
    if (go)
        return propagate(r, go, err);
    return remove ? sam_remove_object(r->s, int_of(remove, "object"), err)
                  : fail(err, SAM_E_FORMAT, "a step that is no add, propagate or remove");
}
