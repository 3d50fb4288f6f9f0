#include "noise_clip.h"

#include "error.h"

#include <stdlib.h>

sam_status noise_clip_open(noise_clip *c, int width, int height, sam_error *err)
{
    *c = (noise_clip){.width = width, .height = height, .rgb = malloc(3 * (size_t)width * (size_t)height)};
    return c->rgb ? SAM_OK : fail(err, SAM_E_MEMORY, "no memory for a frame of %d x %d", width, height);
}

/* Noise that compresses to nothing, and a disc to follow. */
static void draw(uint8_t *rgb, int width, int height, int t)
{
    uint32_t hash = 12345u + (uint32_t)t;
    int cx = width / 2 + 2 * t, cy = height / 2, radius = height / 5;
    for (int y = 0; y < height; y++) {
        for (int x = 0; x < width; x++, rgb += 3) {
            int in = (x - cx) * (x - cx) + (y - cy) * (y - cy) < radius * radius;
            hash = hash * 1664525u + 1013904223u;
            rgb[0] = (uint8_t)((in ? 200 : 60) + (hash >> 27));
            rgb[1] = (uint8_t)((in ? 60 : 110) + (hash >> 26 & 31));
            rgb[2] = (uint8_t)(90 + (hash >> 25 & 31));
        }
    }
}

static sam_status push(const noise_clip *c, sam_error *err)
{
    return sam_push_frame(c->session, &(sam_frame){.rgb = c->rgb, .row_bytes = 3 * (size_t)c->width, .index = c->t},
                          err);
}

static sam_point click(const noise_clip *c, int object)
{
    float offset = (float)(object % 7 - 3) * (float)c->height / 64;
    return (sam_point){(float)c->width / 2 + offset, (float)c->height / 2 + offset, 1};
}

/* A click for each object on the image, all at once. */
static sam_status predict(const noise_clip *c, sam_error *err)
{
    return sam_image_predict(c->session, c->sets, c->n_objects, c->masks, c->n_masks, err);
}

static sam_status make_sets(noise_clip *c, sam_error *err)
{
    size_t n = (size_t)c->n_objects;
    c->clicks = malloc(n * sizeof *c->clicks);
    c->sets = calloc(n, sizeof *c->sets);
    c->masks = malloc(3 * n * sizeof *c->masks);
    c->n_masks = malloc(n * sizeof *c->n_masks);
    if (!c->clicks || !c->sets || !c->masks || !c->n_masks)
        return fail(err, SAM_E_MEMORY, "no memory for %d clicks", c->n_objects);
    for (int i = 0; i < c->n_objects; i++) {
        c->clicks[i] = click(c, i);
        c->sets[i].points = &c->clicks[i];
        c->sets[i].n_points = 1;
    }
    return SAM_OK;
}

sam_status noise_clip_start(noise_clip *c, int n_objects, sam_error *err)
{
    c->t = 0;
    c->n_objects = n_objects;
    draw(c->rgb, c->width, c->height, 0);
    TRY(push(c, err));
    if (c->images) {
        TRY(make_sets(c, err));
        return predict(c, err);
    }
    for (int i = 0; i < n_objects; i++) {
        const sam_point point = click(c, i);
        TRY(sam_prompt(c->session, i + 1, &(sam_prompt_set){.points = &point, .n_points = 1}, err));
    }
    return SAM_OK;
}

void noise_clip_draw(noise_clip *c)
{
    draw(c->rgb, c->width, c->height, ++c->t);
}

sam_status noise_clip_track(const noise_clip *c, sam_error *err)
{
    TRY(push(c, err));
    return c->images ? predict(c, err) : sam_track(c->session, SAM_FORWARD, err);
}

void noise_clip_close(noise_clip *c)
{
    free(c->rgb);
    free(c->clicks);
    free(c->sets);
    free(c->masks);
    free(c->n_masks);
    *c = (noise_clip){0};
}
