/* synth_texture.c - see synth_texture.h. */
#include "synth_texture.h"

#include <stdlib.h>

typedef enum texture_kind { MARBLE, CELLS, BRICKS, FUR, CAMOUFLAGE, N_TEXTURES } texture_kind;
typedef enum ground_kind { HILLS, PEBBLES, CLOUDS, PLANKS, N_GROUNDS } ground_kind;

/* ---- colors ------------------------------------------------------------------------------------------------------- */

static double distance2(const rgb *a, const rgb *b)
{
    double sum = 0.0;
    for (int i = 0; i < 3; i++)
        sum += (a->c[i] - b->c[i]) * (a->c[i] - b->c[i]);
    return sum;
}

static rgb relative_of(const rgb *c, synth_rng *r, double spread)
{
    rgb out;
    double lighter = rng_range(r, -spread, spread);
    for (int i = 0; i < 3; i++)
        out.c[i] = clamp01(c->c[i] + lighter + rng_range(r, -0.5 * spread, 0.5 * spread));
    return out;
}

palette palette_pick(synth_rng *r, const palette *others, int n, double contrast, double spread)
{
    palette best = {0};
    double best_distance = -1.0;
    for (int attempt = 0; attempt < 40 && best_distance < contrast * contrast; attempt++) {
        rgb c;
        double nearest = 4.0;
        for (int i = 0; i < 3; i++)
            c.c[i] = rng_range(r, 0.06, 0.94);
        for (int i = 0; i < n; i++) {
            double d = distance2(&c, &others[i].colors[0]);
            nearest = d < nearest ? d : nearest;
        }
        if (nearest > best_distance) {
            best_distance = nearest;
            best.colors[0] = c;
        }
    }
    best.colors[1] = relative_of(&best.colors[0], r, spread);
    best.colors[2] = relative_of(&best.colors[0], r, 1.5 * spread);
    return best;
}

static rgb mix(const rgb *a, const rgb *b, double t)
{
    rgb out;
    t = clamp01(t);
    for (int i = 0; i < 3; i++)
        out.c[i] = a->c[i] + t * (b->c[i] - a->c[i]);
    return out;
}

static rgb scaled(rgb c, double gain)
{
    for (int i = 0; i < 3; i++)
        c.c[i] = clamp01(c.c[i] * gain);
    return c;
}

/* ---- patterns: x, y in details, about one detail a unit ------------------------------------------------------------- */

static rgb marble(const palette *p, uint32_t seed, double x, double y)
{
    double bent = x + 2.0 * octave_noise(seed, 0.7 * x, 0.7 * y, 3);
    double vein = 0.5 + 0.5 * wave(0.6 * bent + 0.3 * y);
    return mix(&p->colors[0], &p->colors[vein * vein > 0.8 ? 2 : 1], vein * vein);
}

/* The two nearest of jittered lattice points: flat cells with dark seams. */
static rgb cells(const palette *p, uint32_t seed, double x, double y)
{
    double first = 9.0, second = 9.0, shade = 0.0;
    int32_t ix = (int32_t)(x + 4096.0) - 4096, iy = (int32_t)(y + 4096.0) - 4096;
    for (int32_t j = iy - 1; j <= iy + 1; j++) {
        for (int32_t i = ix - 1; i <= ix + 1; i++) {
            double dx = (double)i + hash_unit(seed, i, j) - x, dy = (double)j + hash_unit(seed + 1, i, j) - y;
            double d = dx * dx + dy * dy;
            if (d < first) {
                second = first;
                first = d;
                shade = hash_unit(seed + 2, i, j);
            } else if (d < second) {
                second = d;
            }
        }
    }
    rgb c = mix(&p->colors[0], &p->colors[shade > 0.7 ? 2 : 1], shade);
    return second - first < 0.12 ? scaled(c, 0.6) : c;
}

static rgb bricks(const palette *p, uint32_t seed, double x, double y)
{
    int32_t row = (int32_t)(y + 4096.0) - 4096;
    double along = 0.5 * x + (row & 1 ? 0.5 : 0.0);
    int32_t column = (int32_t)(along + 4096.0) - 4096;
    if (y - (double)row < 0.14 || along - (double)column < 0.07)
        return p->colors[2];
    rgb c = mix(&p->colors[0], &p->colors[1], hash_unit(seed, column, row));
    return scaled(c, 0.85 + 0.3 * smooth_noise(seed + 1, 4.0 * x, 4.0 * y));
}

static rgb fur(const palette *p, uint32_t seed, double x, double y)
{
    double hair = smooth_noise(seed, 4.0 * x + y, 0.6 * y), tuft = smooth_noise(seed + 1, 0.7 * x, 0.7 * y);
    rgb c = mix(&p->colors[0], &p->colors[1], tuft);
    return scaled(mix(&c, &p->colors[2], hair * hair), 0.8 + 0.35 * hair);
}

static rgb camouflage(const palette *p, uint32_t seed, double x, double y)
{
    if (octave_noise(seed, 0.8 * x, 0.8 * y, 2) > 0.56)
        return p->colors[1];
    return p->colors[octave_noise(seed + 9, 0.8 * x, 0.8 * y, 2) > 0.62 ? 2 : 0];
}

static rgb texture_color(texture_kind kind, const palette *p, uint32_t seed, double x, double y)
{
    static rgb (*const colors[N_TEXTURES])(const palette *, uint32_t, double, double) = {marble, cells, bricks, fur,
                                                                                         camouflage};
    return colors[kind](p, seed, x, y);
}

/* x, y in heights of the frame. */
static rgb ground_color(ground_kind kind, const palette *p, uint32_t seed, double detail, double x, double y)
{
    double far = octave_noise(seed + 20, 1.5 * x, 1.5 * y, 5);
    rgb c;
    if (kind == HILLS) { /* ridges one behind the other under a sky */
        c = mix(&p->colors[1], &p->colors[2], 0.4 + 0.6 * y);
        for (int ridge = 0; ridge < 3; ridge++)
            if (y > 0.25 + 0.22 * ridge + 0.3 * octave_noise(seed + (uint32_t)ridge, (1.0 + ridge) * x, 0.5, 4) - 0.15)
                c = scaled(p->colors[0], 0.75 + 0.18 * ridge + 0.5 * (octave_noise(seed + 7, 14 * x, 14 * y, 3) - 0.5));
        return c;
    }
    if (kind == PEBBLES)
        c = cells(p, seed, detail * x, detail * y);
    else if (kind == CLOUDS)
        c = mix(&p->colors[0], &p->colors[1], 2.2 * (octave_noise(seed, 3.0 * x, 3.0 * y, 6) - 0.28));
    else
        c = fur(p, seed, 0.35 * detail * y, detail * 0.1 * x);
    return scaled(c, 0.6 + 0.8 * far);
}

/* ---- pictures ----------------------------------------------------------------------------------------------------- */

static sam_status make(picture *out, int width, int height, sam_error *err)
{
    *out = (picture){width, height, malloc((size_t)width * (size_t)height * 3)};
    return out->px ? SAM_OK : fail(err, SAM_E_MEMORY, "no memory for a picture of %d x %d", width, height);
}

static void put(picture *p, int x, int y, const rgb *c)
{
    uint8_t *px = p->px + 3 * ((size_t)y * (size_t)p->width + (size_t)x);
    for (int i = 0; i < 3; i++)
        px[i] = (uint8_t)(255.0 * clamp01(c->c[i]) + 0.5);
}

sam_status texture_draw(picture *out, int side_px, const palette *p, synth_rng *r, sam_error *err)
{
    texture_kind kind = (texture_kind)rng_int(r, N_TEXTURES);
    uint32_t seed = rng_seed(r);
    double n_details = rng_range(r, 5.0, 11.0), tilt = rng_range(r, -0.6, 0.6), shade = rng_range(r, 0.0, 0.35);
    TRY(make(out, side_px, side_px, err));
    for (int y = 0; y < side_px; y++) {
        for (int x = 0; x < side_px; x++) {
            double u = n_details * (double)x / side_px, v = n_details * (double)y / side_px;
            rgb c = texture_color(kind, p, seed, u + tilt * v, v - tilt * u);
            c = scaled(c, 1.0 + shade * (0.5 - (double)(x + y) / (2 * side_px)));
            put(out, x, y, &c);
        }
    }
    return SAM_OK;
}

sam_status ground_draw(picture *out, int width, int height, double unit_px, const palette *p, synth_rng *r,
                       sam_error *err)
{
    ground_kind kind = (ground_kind)rng_int(r, N_GROUNDS);
    uint32_t seed = rng_seed(r);
    double detail = rng_range(r, 6.0, 18.0);
    TRY(make(out, width, height, err));
    for (int y = 0; y < height; y++) {
        for (int x = 0; x < width; x++) {
            rgb c = ground_color(kind, p, seed, detail, x / unit_px, y / unit_px);
            put(out, x, y, &c);
        }
    }
    return SAM_OK;
}

static int mirrored(int i, int n)
{
    i = i < 0 ? -1 - i : i;
    i %= 2 * n;
    return i < n ? i : 2 * n - 1 - i;
}

void picture_sample(const picture *p, double x, double y, double out[3])
{
    x -= 0.5;
    y -= 0.5;
    int ix = (int)(x + 65536.0) - 65536, iy = (int)(y + 65536.0) - 65536;
    double fx = x - ix, fy = y - iy;
    size_t x0 = (size_t)mirrored(ix, p->width), x1 = (size_t)mirrored(ix + 1, p->width);
    const uint8_t *top = p->px + 3 * (size_t)mirrored(iy, p->height) * (size_t)p->width;
    const uint8_t *bottom = p->px + 3 * (size_t)mirrored(iy + 1, p->height) * (size_t)p->width;
    for (size_t c = 0; c < 3; c++) {
        double a = top[3 * x0 + c] + fx * (top[3 * x1 + c] - top[3 * x0 + c]);
        double b = bottom[3 * x0 + c] + fx * (bottom[3 * x1 + c] - bottom[3 * x0 + c]);
        out[c] = a + fy * (b - a);
    }
}
