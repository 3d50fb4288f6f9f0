/* synth_render.c - see synth_render.h. */
#include "synth_render.h"

enum { N_SAMPLES = 8 };

typedef struct sample {
    double x, y; /* in the pixel */
} sample;

/* Eight rooks; their order is their time. */
static const sample samples[N_SAMPLES] = {{0.0625, 0.4375}, {0.5625, 0.0625}, {0.8125, 0.6875}, {0.3125, 0.9375},
                                          {0.9375, 0.3125}, {0.1875, 0.1875}, {0.6875, 0.8125}, {0.4375, 0.5625}};

/* Adds what a sample sees to `sum`; returns the thing. */
static int look(const scene *s, const moment *m, double x_px, double y_px, double sum[3])
{
    double x, y, u, v, c[3];
    scene_unproject(s, m, x_px, y_px, &x, &y);
    int hit = scene_hit(s, m, x, y, &u, &v);
    if (hit >= 0) {
        const picture *p = &s->textures[s->things[hit].texture];
        picture_sample(p, (0.5 + 0.45 * u) * p->width, (0.5 + 0.45 * v) * p->height, c);
    } else {
        double margin = s->ground_margin, unit = s->size.height;
        picture_sample(&s->ground, (x + margin) * unit, (y + margin) * unit, c);
    }
    double light = m->gain * (1.0 + m->side_light * (2.0 * x_px / s->size.width - 1.0));
    for (int i = 0; i < 3; i++)
        sum[i] += light * s->tint[i] * c[i];
    return hit;
}

static uint8_t byte_of(double x)
{
    return (uint8_t)(x < 0.0 ? 0.0 : x > 255.0 ? 255.0 : x + 0.5);
}

void synth_render(const scene *s, int frame, uint8_t *rgb, uint8_t *const *masks)
{
    moment moments[N_SAMPLES];
    for (int i = 0; i < N_SAMPLES; i++)
        scene_at(s, frame + s->shutter * ((i + 0.5) / N_SAMPLES - 0.5), &moments[i]);
    for (int y = 0; y < s->size.height; y++) {
        for (int x = 0; x < s->size.width; x++) {
            size_t at = (size_t)y * (size_t)s->size.width + (size_t)x;
            double sum[3] = {0};
            int n_seen[MAX_THINGS] = {0};
            for (int i = 0; i < N_SAMPLES; i++) {
                int hit = look(s, &moments[i], x + samples[i].x, y + samples[i].y, sum);
                if (hit >= 0)
                    n_seen[hit]++;
            }
            for (int o = 0; masks && o < s->n_annotated; o++)
                masks[o][at] = 2 * n_seen[s->annotated[o]] >= N_SAMPLES;
            for (int c = 0; rgb && c < 3; c++) {
                double noise = hash_unit(s->noise_seed + 3u * (uint32_t)frame + (uint32_t)c, x, y) - 0.5;
                rgb[3 * at + (size_t)c] = byte_of(sum[c] / N_SAMPLES + s->noise * noise);
            }
        }
    }
}
