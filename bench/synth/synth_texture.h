/* synth_texture.h - pictures to dress shapes and grounds in.
 *
 * The families are none of those the training program draws from (weights_tools/train/clips.py): marble, cells, bricks,
 * fur and camouflage for things; hills, pebbles, clouds and planks for grounds. */
#ifndef SYNTH_TEXTURE_H
#define SYNTH_TEXTURE_H

#include "error.h"
#include "synth_random.h"

typedef struct rgb {
    double c[3]; /* 0..1 */
} rgb;

typedef struct palette {
    rgb colors[3]; /* main, second, accent: relatives of one another */
} palette;

typedef struct picture {
    int width, height;
    uint8_t *px; /* [height, width, 3] u8; free */
} picture;

/* The main color is at least `contrast` away (Euclidean, RGB in 0..1) from each of the `n` in `others`, or, if chance does
 * not find one, as far as it found. `spread`: how far the relatives are. */
palette palette_pick(synth_rng *r, const palette *others, int n, double contrast, double spread);

/* A square for an object, or a ground of any size; `unit_px` is the height of a frame. */
sam_status texture_draw(picture *out, int side_px, const palette *p, synth_rng *r, sam_error *err);
sam_status ground_draw(picture *out, int width, int height, double unit_px, const palette *p, synth_rng *r,
                       sam_error *err);

/* Bilinear, mirrored at the borders; x, y in pixels from the corner of the first. Values 0..255. */
void picture_sample(const picture *p, double x, double y, double out[3]);

#endif
