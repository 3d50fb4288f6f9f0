/* synthetic_split.c - see synthetic_split.h. */
#include "synthetic_split.h"

#include "atomic_file.h"
#include "folders.h"
#include "image_io.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum { WIDTH = 192, HEIGHT = 144, N_FRAMES = 3, N_OBJECTS = 2 };

/* Object 0 is a disc going right, object 1 a box going up. */
static int shows(int object, int t, int x, int y)
{
    if (object == 0) {
        int dx = x - (60 + 6 * t), dy = y - 60;
        return dx * dx + dy * dy <= 28 * 28;
    }
    return x >= 120 && x < 168 && y >= 80 - 5 * t && y < 116 - 5 * t;
}

/* Object colours over a ground with a gradient and a hash of the position as texture. */
static void draw(int t, int x, int y, uint8_t rgb[3])
{
    static const uint8_t colors[N_OBJECTS][3] = {{210, 60, 50}, {60, 90, 220}};
    uint32_t hash = (uint32_t)x * 73856093u ^ (uint32_t)y * 19349663u;
    hash = (hash ^ hash >> 13) * 0x5bd1e995u;
    int texture = (int)(hash >> 28);
    const uint8_t ground[3] = {(uint8_t)(70 + x / 4), (uint8_t)(110 + y / 4), 90};
    const uint8_t *color = ground;
    for (int o = 0; o < N_OBJECTS; o++)
        if (shows(o, t, x, y))
            color = colors[o];
    for (int c = 0; c < 3; c++)
        rgb[c] = (uint8_t)(color[c] + texture);
}

static sam_status write_frame(const char *root, int t, uint8_t *pixels, sam_error *err)
{
    char path[4096];
    for (int y = 0; y < HEIGHT; y++)
        for (int x = 0; x < WIDTH; x++)
            draw(t, x, y, pixels + 3 * (y * WIDTH + x));
    snprintf(path, sizeof path, "%s/JPEGImages_24fps/" SYNTHETIC_SPLIT_VIDEO "/%05d.png", root, t);
    TRY(folders_make_for(path, err));
    return image_write_rgb(path, pixels, 3 * WIDTH, WIDTH, HEIGHT, err);
}

static sam_status write_mask(const char *root, int object, int t, uint8_t *pixels, sam_error *err)
{
    char path[4096];
    for (int y = 0; y < HEIGHT; y++)
        for (int x = 0; x < WIDTH; x++)
            pixels[y * WIDTH + x] = (uint8_t)shows(object, t, x, y);
    snprintf(path, sizeof path, "%s/Annotations_6fps/" SYNTHETIC_SPLIT_VIDEO "/%03d/%05d.png", root, object, t);
    TRY(folders_make_for(path, err));
    return image_write_mask(path, pixels, WIDTH, WIDTH, HEIGHT, 0, err);
}

sam_status synthetic_split_write(const char *root, const char *split_name, sam_error *err)
{
    char path[4096];
    uint8_t *pixels = malloc(3 * WIDTH * HEIGHT);
    if (strlen(root) + strlen(split_name) > sizeof path - 128 || !pixels) {
        free(pixels);
        return fail(err, SAM_E_ARG, "%.200s...: the path is too long", root);
    }
    sam_status status = SAM_OK;
    for (int t = 0; status == SAM_OK && t < N_FRAMES; t++) {
        status = write_frame(root, t, pixels, err);
        for (int o = 0; status == SAM_OK && o < N_OBJECTS; o++)
            status = write_mask(root, o, t, pixels, err);
    }
    free(pixels);
    snprintf(path, sizeof path, "%s/%s.txt", root, split_name);
    return status == SAM_OK
               ? atomic_file_write(path, SYNTHETIC_SPLIT_VIDEO "\n", strlen(SYNTHETIC_SPLIT_VIDEO) + 1, err)
               : status;
}
