/* synthetic_clip.c - formulas and their order are those of tests/parity/synthetic_clip.py's head comment. */
#include "synthetic_clip.h"

#define GOLDEN   UINT64_C(0x9E3779B97F4A7C15)
#define N_SHAPES 3

static const int shapes[N_SHAPES][6] = {{4, 10, 14, -5, 9, 12}, {11, 6, -11, 4, 8, 10}, {8, 3, 3, 9, 5, 7}};
static const int colour[N_SHAPES][3] = {{150, 40, 60}, {50, 170, 70}, {90, 80, 190}};

uint64_t synthetic_mix(uint64_t z)
{
    z = (z ^ (z >> 30)) * UINT64_C(0xBF58476D1CE4E5B9);
    z = (z ^ (z >> 27)) * UINT64_C(0x94D049BB133111EB);
    return z ^ (z >> 31);
}

uint64_t synthetic_fnv1a(const uint8_t *bytes, size_t n, uint64_t h)
{
    for (size_t i = 0; i < n; i++)
        h = (h ^ bytes[i]) * UINT64_C(0x100000001B3);
    return h;
}

void synthetic_sample_indices(int64_t size, int64_t count, int64_t *out)
{
    if (size <= count) {
        for (int64_t i = 0; i < size; i++)
            out[i] = i;
        return;
    }
    for (int64_t i = 0; i < count; i++) {
        int64_t lo = i * size / count, hi = (i + 1) * size / count;
        out[i] = lo + (int64_t)(synthetic_mix((uint64_t)(i + 1) * GOLDEN) % (uint64_t)(hi - lo));
    }
}

static int64_t lattice(uint64_t key, int64_t ix, int64_t iy)
{
    return (int64_t)(synthetic_mix(key + ((uint64_t)iy * 65536u + (uint64_t)ix + 1u) * GOLDEN) >> 56);
}

static int64_t noise(uint64_t seed, int layer, int c, int64_t x, int64_t y, int s)
{
    uint64_t key = synthetic_mix(seed ^ (uint64_t)(layer * 4 + c));
    int64_t m = (int64_t)1 << s, lx = x >> s, ly = y >> s, fx = x & (m - 1), fy = y & (m - 1);
    int64_t top = lattice(key, lx, ly) * (m - fx) + lattice(key, lx + 1, ly) * fx;
    int64_t bottom = lattice(key, lx, ly + 1) * (m - fx) + lattice(key, lx + 1, ly + 1) * fx;
    return (top * (m - fy) + bottom * fy) >> (2 * s);
}

/* Number of the last ellipse that holds pixel (x, y) in frame t, or 0; its centre in eighths of a pixel. */
static int shape_at(int width, int height, int t, int64_t x, int64_t y, int64_t *cx8, int64_t *cy8)
{
    for (int k = N_SHAPES; k >= 1; k--) {
        const int *p = shapes[k - 1];
        int64_t a = (int64_t)width * p[4] / 64, b = (int64_t)height * p[5] / 64;
        *cx8 = (int64_t)8 * width * p[0] / 16 + (int64_t)t * p[2];
        *cy8 = (int64_t)8 * height * p[1] / 16 + (int64_t)t * p[3];
        int64_t dx = (8 * x - *cx8) * b, dy = (8 * y - *cy8) * a, r = 8 * a * b;
        if (dx * dx + dy * dy <= r * r)
            return k;
    }
    return 0;
}

void synthetic_frame(int width, int height, uint64_t seed, int t, uint8_t *rgb, uint8_t *ids)
{
    for (int64_t y = 0; y < height; y++) {
        for (int64_t x = 0; x < width; x++) {
            int64_t cx8, cy8;
            int k = shape_at(width, height, t, x, y, &cx8, &cy8);
            uint8_t *pixel = rgb + (y * width + x) * 3;
            for (int c = 0; c < 3; c++) {
                int64_t v;
                if (k == 0)
                    v = (noise(seed, 0, c, x + t, y, 5) * 5 + noise(seed, 1, c, x + t, y, 2) * 3) >> 4;
                else /* centres stay non-negative in any clip a test uses */
                    v = colour[k - 1][c] +
                        (noise(seed, 1 + k, c, x + 4096 - (cx8 >> 3), y + 4096 - (cy8 >> 3), 3) >> 2);
                pixel[c] = (uint8_t)v;
            }
            if (ids)
                ids[y * width + x] = (uint8_t)k;
        }
    }
}
