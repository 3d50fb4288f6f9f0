/* draw.c - see draw.h. The font is 3 x 5 dots a glyph, enough for frame numbers and scores. */
#include "draw.h"

#include <string.h>

enum { GLYPH_WIDTH = 3, GLYPH_HEIGHT = 5 };

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

/* Rows from the top, three bits each, in octal: 075557 is a zero. */
static unsigned glyph(char letter)
{
    static const uint16_t digits[10] = {075557, 026227, 071747, 071717, 055711, 074717, 074757, 071222, 075757, 075717};
    static const uint16_t letters[26] = {025755, 065656, 034443, 065556, 074647, 074644, 034553, 055755, 072227,
                                         011152, 055655, 044447, 057755, 065555, 075557, 075744, 025563, 065655,
                                         034216, 072222, 055557, 055552, 055775, 055255, 055222, 071247};
    static const char marks[] = ".-/:%&+()#";
    static const uint16_t mark_glyphs[] = {000002, 000700, 011244, 002020, 051245,
                                           025253, 002720, 024442, 021112, 057575};
    if (letter >= '0' && letter <= '9')
        return digits[letter - '0'];
    if (letter >= 'a' && letter <= 'z')
        return letters[letter - 'a'];
    if (letter >= 'A' && letter <= 'Z')
        return letters[letter - 'A'];
    const char *mark = letter ? strchr(marks, letter) : NULL;
    return mark ? mark_glyphs[mark - marks] : 0;
}

int draw_text(const canvas *c, int x, int y, int scale, const char *text, const uint8_t color[3])
{
    int advance = (GLYPH_WIDTH + 1) * scale, width = (int)strnlen(text, 256) * advance + scale;
    fill_rectangle(c, x, y, width, (GLYPH_HEIGHT + 2) * scale, dark);
    for (int i = 0; i < 256 && text[i]; i++) {
        unsigned bits = glyph(text[i]);
        for (int row = 0; row < GLYPH_HEIGHT; row++)
            for (int column = 0; column < GLYPH_WIDTH; column++)
                if (bits >> (14 - row * GLYPH_WIDTH - column) & 1)
                    fill_rectangle(c, x + scale + i * advance + column * scale, y + (row + 1) * scale, scale, scale,
                                   color);
    }
    return width;
}
