/* draw.c - see draw.h. */
#include "draw.h"

#include "font.h"

#include <string.h>

enum { MAX_LETTERS = 256 };

static const uint8_t white[3] = {255, 255, 255}, dark[3] = {16, 16, 16};

static void fill_rectangle(const canvas *c, int x0, int y0, int width, int height, const uint8_t color[3])
{
    int x1 = x0 + width < c->width ? x0 + width : c->width;
    int y1 = y0 + height < c->height ? y0 + height : c->height;
    x0 = x0 < 0 ? 0 : x0;
    y0 = y0 < 0 ? 0 : y0;
    for (int y = y0; y < y1; y++)
        for (int x = x0; x < x1; x++)
            memcpy(c->rgb + (size_t)y * c->row_bytes + (size_t)x * 3, color, 3);
}

void draw_fill(const canvas *c, const uint8_t *mask, size_t row_bytes, const uint8_t color[3], int percent)
{
    for (int y = 0; y < c->height; y++) {
        const uint8_t *m = mask + (size_t)y * row_bytes;
        uint8_t *p = c->rgb + (size_t)y * c->row_bytes;
        for (int x = 0; x < c->width; x++, p += 3)
            for (int k = 0; m[x] && k < 3; k++)
                p[k] = (uint8_t)((p[k] * (100 - percent) + color[k] * percent + 50) / 100);
    }
}

void draw_contour(const canvas *c, const uint8_t *mask, size_t row_bytes, const uint8_t color[3], int thickness)
{
    int before = (thickness - 1) / 2;
    for (int y = 0; y < c->height; y++) {
        const uint8_t *m = mask + (size_t)y * row_bytes;
        for (int x = 0; x < c->width; x++) {
            if (!m[x])
                continue;
            int border = (x > 0 && !m[x - 1]) || (x + 1 < c->width && !m[x + 1]) || (y > 0 && !*(m + x - row_bytes)) ||
                         (y + 1 < c->height && !m[(size_t)x + row_bytes]);
            if (border)
                fill_rectangle(c, x - before, y - before, thickness, thickness, color);
        }
    }
}

void draw_outline(const canvas *c, const uint8_t *mask, size_t row_bytes, const uint8_t color[3], int thickness)
{
    draw_contour(c, mask, row_bytes, dark, thickness + 2);
    draw_contour(c, mask, row_bytes, color, thickness);
}

/* Okabe and Ito's colours, which the colour-blind tell apart, without black; blue, the darkest, comes last. Later rounds
 * are paler. */
void draw_object_color(int id, uint8_t rgb[3])
{
    static const uint8_t colors[7][3] = {{230, 159, 0},   {86, 180, 233}, {0, 158, 115}, {240, 228, 66},
                                         {204, 121, 167}, {213, 94, 0},   {0, 114, 178}};
    int at = id > 0 ? id - 1 : 0, paler = at / 7 % 3 * 30;
    for (int k = 0; k < 3; k++)
        rgb[k] = (uint8_t)(colors[at % 7][k] + (255 - colors[at % 7][k]) * paler / 100);
}

static int clip(int v, int low, int high)
{
    return v < low ? low : v > high ? high : v;
}

void draw_box(const canvas *c, int x0, int y0, int x1, int y1, const uint8_t color[3], int thickness)
{
    int margin = thickness + 1, half = thickness / 2; /* clipped just outside the canvas: sides beyond it stay hidden */
    int left = clip(x0 < x1 ? x0 : x1, -margin, c->width + margin);
    int right = clip(x0 < x1 ? x1 : x0, -margin, c->width + margin);
    int top = clip(y0 < y1 ? y0 : y1, -margin, c->height + margin);
    int bottom = clip(y0 < y1 ? y1 : y0, -margin, c->height + margin);
    fill_rectangle(c, left - half, top - half, right - left + thickness, thickness, color);
    fill_rectangle(c, left - half, bottom - half, right - left + thickness, thickness, color);
    fill_rectangle(c, left - half, top - half, thickness, bottom - top + thickness, color);
    fill_rectangle(c, right - half, top - half, thickness, bottom - top + thickness, color);
}

void draw_point(const canvas *c, int x, int y, int radius, const uint8_t color[3], int filled)
{
    int rim = radius / 3 + 1, outer = radius + rim;
    if (x < -outer || y < -outer || x > c->width + outer || y > c->height + outer)
        return;
    for (int dy = -outer; dy <= outer; dy++)
        for (int dx = -outer; dx <= outer; dx++) {
            int d2 = dx * dx + dy * dy;
            if (d2 > outer * outer)
                continue;
            int bar = dy >= -radius / 4 && dy <= radius / 4;
            const uint8_t *inside = filled || bar ? color : dark;
            fill_rectangle(c, x + dx, y + dy, 1, 1, d2 > radius * radius ? white : inside);
        }
}

static int text_width(const char *text, int scale)
{
    return ((int)strnlen(text, MAX_LETTERS) * (FONT_WIDTH + 1) + 1) * scale;
}

int draw_text_height(int scale)
{
    return (FONT_HEIGHT + 2) * scale;
}

int draw_text_scale(const char *text, int width, int scale)
{
    while (scale > 1 && text_width(text, scale) > width)
        scale--;
    return scale;
}

int draw_text(const canvas *c, int x, int y, int scale, const char *text, const uint8_t color[3])
{
    int width = text_width(text, scale);
    fill_rectangle(c, x, y, width, draw_text_height(scale), dark);
    for (int i = 0; i < MAX_LETTERS && text[i]; i++) {
        const uint8_t *columns = font_columns(text[i]);
        for (int column = 0; column < FONT_WIDTH; column++)
            for (int row = 0; row < FONT_HEIGHT; row++)
                if (columns[column] >> row & 1)
                    fill_rectangle(c, x + (1 + i * (FONT_WIDTH + 1) + column) * scale, y + (row + 1) * scale, scale,
                                   scale, color);
    }
    return width;
}
