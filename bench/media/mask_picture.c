#include "mask_picture.h"

#include <math.h>

enum { FILL_PERCENT = 55, EDGE_PERCENT = 80 };

void mask_picture_put(uint16_t *numbers, const uint8_t *mask, size_t n_px, uint16_t value)
{
    for (size_t i = 0; i < n_px; i++)
        numbers[i] = mask[i] ? value : numbers[i];
}

/* Each hue is a golden section of the circle from the one before, so any few in a row differ; brightness takes turns. */
void mask_picture_color(int number, uint8_t rgb[3])
{
    const double golden = 0.61803398874989485, brightness[3] = {1, 0.82, 0.92}, depth[2] = {0.75, 0.55};
    double hue = fmod(number * golden, 1) * 6, v = brightness[number % 3], s = depth[number / 3 % 2];
    for (int c = 0; c < 3; c++) {
        double k = fmod(5 - 2 * c + hue, 6), falls = fmin(fmin(k, 4 - k), 1);
        rgb[c] = (uint8_t)(255 * v * (1 - s * fmax(falls, 0)) + 0.5);
    }
}

static void mix(uint8_t *px, const uint8_t color[3], int percent)
{
    for (int k = 0; k < 3; k++)
        px[k] = (uint8_t)((px[k] * (100 - percent) + color[k] * percent + 50) / 100);
}

/* 1 where another number is at most `reach` pixels away, straight across or down. The picture's edge is no border. */
static int is_edge(const canvas *c, const uint16_t *numbers, int x, int y, int reach)
{
    size_t w = (size_t)c->width, at = (size_t)y * w + (size_t)x;
    for (int d = 1; d <= reach; d++) {
        size_t n = (size_t)d;
        if ((x >= d && numbers[at - n] != numbers[at]) || (x + d < c->width && numbers[at + n] != numbers[at]) ||
            (y >= d && numbers[at - n * w] != numbers[at]) || (y + d < c->height && numbers[at + n * w] != numbers[at]))
            return 1;
    }
    return 0;
}

void mask_picture_draw(const canvas *c, const uint16_t *numbers)
{
    int side = c->width > c->height ? c->width : c->height, reach = side / 900 + 1;
    for (int y = 0; y < c->height; y++)
        for (int x = 0; x < c->width; x++) {
            uint8_t *px = c->rgb + (size_t)y * c->row_bytes + 3 * (size_t)x, color[3];
            int number = numbers[(size_t)y * (size_t)c->width + (size_t)x];
            if (!number)
                continue;
            mask_picture_color(number, color);
            mix(px, color, FILL_PERCENT);
            if (!is_edge(c, numbers, x, y, reach))
                continue;
            for (int k = 0; k < 3; k++)
                color[k] = (uint8_t)(128 + color[k] / 2);
            mix(px, color, EDGE_PERCENT);
        }
}
