/* contact_sheet.c - see contact_sheet.h. Frames are scaled by area averaging, masks by majority, so that contours stay sharp. */
#include "contact_sheet.h"

#include "draw.h"
#include "image_io.h"
#include "jpeg_write.h"

#include <stdlib.h>
#include <string.h>
#include <strings.h>

enum { DEFAULT_TILE_PX = 320, GAP_PX = 4, MAX_SHEET_PX = 32768, JPEG_QUALITY = 85, FILL_PERCENT = 50 };

struct sheet {
    int n_tiles, columns, n_used;
    int tile_width, tile_height; /* height 0: no tile yet */
    canvas pixels;
    uint8_t *mask; /* [tile_height, tile_width] scratch */
};

static const uint8_t white[3] = {255, 255, 255};

sam_status sheet_open(int n_tiles, int columns, int tile_width, sheet **out, sam_error *err)
{
    *out = NULL;
    tile_width = tile_width ? tile_width : DEFAULT_TILE_PX;
    if (n_tiles < 1 || columns < 1 || tile_width < 8 || (int64_t)columns * (tile_width + GAP_PX) > MAX_SHEET_PX)
        return fail(err, SAM_E_ARG,
                    "contact sheet of %d tiles in %d columns of %d px: at most %d px wide, tiles of 8 px or more",
                    n_tiles, columns, tile_width, MAX_SHEET_PX);
    sheet *s = calloc(1, sizeof *s);
    if (!s)
        return fail(err, SAM_E_MEMORY, "no memory for a contact sheet");
    s->n_tiles = n_tiles;
    s->columns = columns < n_tiles ? columns : n_tiles;
    s->tile_width = tile_width;
    *out = s;
    return SAM_OK;
}

void sheet_close(sheet *s)
{
    if (!s)
        return;
    free(s->pixels.rgb);
    free(s->mask);
    free(s);
}

/* The first tile decides the height of all. */
static sam_status take_memory(sheet *s, const sheet_tile *t, sam_error *err)
{
    int64_t tile_height = ((int64_t)t->height * s->tile_width + t->width / 2) / t->width;
    int64_t rows = (s->n_tiles + s->columns - 1) / s->columns;
    tile_height = tile_height < 8 ? 8 : tile_height;
    int64_t height = rows * (tile_height + GAP_PX) + GAP_PX;
    int width = s->columns * (s->tile_width + GAP_PX) + GAP_PX;
    if (height > MAX_SHEET_PX)
        return fail(err, SAM_E_ARG, "a contact sheet of %d tiles would be %lld px high, at most %d; use more columns",
                    s->n_tiles, (long long)height, MAX_SHEET_PX);
    uint8_t *rgb = calloc((size_t)width * (size_t)height, 3);
    uint8_t *mask = malloc((size_t)s->tile_width * (size_t)tile_height);
    if (!rgb || !mask) {
        free(rgb);
        free(mask);
        return fail(err, SAM_E_MEMORY, "no memory for a contact sheet of %d x %lld", width, (long long)height);
    }
    s->pixels = (canvas){rgb, width, (int)height, (size_t)width * 3};
    s->mask = mask;
    s->tile_height = (int)tile_height;
    return SAM_OK;
}

/* First and one past last source pixel of target pixel i; never empty, also when enlarging. */
static void span(int i, int n_target, int n_source, int *first, int *end)
{
    *first = (int)((int64_t)i * n_source / n_target);
    *end = (int)((int64_t)(i + 1) * n_source / n_target);
    if (*end <= *first)
        *end = *first + 1;
}

/* A part of a frame. */
typedef struct region {
    int x, y, width, height;
} region;

static void scale_rgb(const sheet_tile *t, region from, const canvas *to)
{
    for (int y = 0; y < to->height; y++) {
        int y0, y1, x0, x1;
        span(y, to->height, from.height, &y0, &y1);
        for (int x = 0; x < to->width; x++) {
            uint64_t sum[3] = {0, 0, 0};
            span(x, to->width, from.width, &x0, &x1);
            for (int v = y0; v < y1; v++)
                for (int u = x0; u < x1; u++) {
                    const uint8_t *p = t->rgb + ((size_t)(from.y + v) * (size_t)t->width + (size_t)(from.x + u)) * 3;
                    sum[0] += p[0];
                    sum[1] += p[1];
                    sum[2] += p[2];
                }
            uint64_t n = (uint64_t)(y1 - y0) * (uint64_t)(x1 - x0);
            for (int k = 0; k < 3; k++)
                to->rgb[(size_t)y * to->row_bytes + (size_t)x * 3 + (size_t)k] = (uint8_t)((sum[k] + n / 2) / n);
        }
    }
}

/* `row` is the width of the mask. */
static void scale_mask(const uint8_t *mask, int row, region from, uint8_t *to, int to_width, int to_height)
{
    for (int y = 0; y < to_height; y++)
        for (int x = 0; x < to_width; x++) {
            int y0, y1, x0, x1, n_set = 0;
            span(y, to_height, from.height, &y0, &y1);
            span(x, to_width, from.width, &x0, &x1);
            for (int v = y0; v < y1; v++)
                for (int u = x0; u < x1; u++)
                    n_set += mask[(size_t)(from.y + v) * (size_t)row + (size_t)(from.x + u)] != 0;
            to[(size_t)y * (size_t)to_width + (size_t)x] = 2 * n_set >= (y1 - y0) * (x1 - x0);
        }
}

/* Takes what a mask holds into low..high, which begin as an empty box. */
static void widen(const uint8_t *mask, int width, int height, int low[2], int high[2])
{
    for (int y = 0; mask && y < height; y++)
        for (int x = 0; x < width; x++) {
            if (!mask[(size_t)y * (size_t)width + (size_t)x])
                continue;
            low[0] = x < low[0] ? x : low[0];
            low[1] = y < low[1] ? y : low[1];
            high[0] = x + 1 > high[0] ? x + 1 : high[0];
            high[1] = y + 1 > high[1] ? y + 1 : high[1];
        }
}

/* The object with as much again around it, in the shape of a tile, enlarged at most three times; else the whole frame. */
static region surroundings(const sheet *s, const sheet_tile *t)
{
    int low[2] = {t->width, t->height}, high[2] = {0, 0};
    const region whole = {0, 0, t->width, t->height};
    widen(t->mask, t->width, t->height, low, high);
    widen(t->truth, t->width, t->height, low, high);
    if (!t->zooms || high[0] <= low[0])
        return whole;
    int64_t width = 2 * (int64_t)(high[0] - low[0]), height = 2 * (int64_t)(high[1] - low[1]);
    width = width < s->tile_width / 3 + 1 ? s->tile_width / 3 + 1 : width;
    if (width * s->tile_height < height * s->tile_width)
        width = height * s->tile_width / s->tile_height;
    height = (width * s->tile_height + s->tile_width - 1) / s->tile_width;
    if (width >= t->width || height >= t->height)
        return whole;
    int64_t x = ((int64_t)low[0] + high[0] - width) / 2, y = ((int64_t)low[1] + high[1] - height) / 2;
    x = x < 0 ? 0 : x > t->width - width ? t->width - width : x;
    y = y < 0 ? 0 : y > t->height - height ? t->height - height : y;
    return (region){(int)x, (int)y, (int)width, (int)height};
}

static void draw_tile(sheet *s, const sheet_tile *t, const canvas *place)
{
    uint8_t color[3];
    size_t row = (size_t)s->tile_width;
    int line = 1 + s->tile_width / 400, size = 1 + s->tile_width / 320;
    region from = surroundings(s, t);
    draw_object_color(1, color);
    scale_rgb(t, from, place);
    if (t->mask) {
        scale_mask(t->mask, t->width, from, s->mask, s->tile_width, s->tile_height);
        draw_fill(place, s->mask, row, color, FILL_PERCENT);
    }
    if (t->truth) {
        scale_mask(t->truth, t->width, from, s->mask, s->tile_width, s->tile_height);
        draw_outline(place, s->mask, row, white, line);
    }
    if (t->mask) { /* over the annotation: where both agree the result's colour is seen, with a dark rim */
        scale_mask(t->mask, t->width, from, s->mask, s->tile_width, s->tile_height);
        draw_contour(place, s->mask, row, color, line);
    }
    if (t->title)
        draw_text(place, 2, 2, draw_text_scale(t->title, s->tile_width - 4, size), t->title, white);
    if (t->label)
        draw_text(place, 2, s->tile_height - 2 - draw_text_height(draw_text_scale(t->label, s->tile_width - 4, size)),
                  draw_text_scale(t->label, s->tile_width - 4, size), t->label, white);
}

sam_status sheet_add(sheet *s, const sheet_tile *t, sam_error *err)
{
    if (s->n_used == s->n_tiles)
        return fail(err, SAM_E_FULL, "the contact sheet has room for %d tiles", s->n_tiles);
    if (!t->rgb || t->width < 1 || t->height < 1)
        return fail(err, SAM_E_ARG, "contact sheet tile of %d x %d", t->width, t->height);
    if (!s->tile_height)
        TRY(take_memory(s, t, err));
    size_t x = (size_t)(GAP_PX + s->n_used % s->columns * (s->tile_width + GAP_PX));
    size_t y = (size_t)(GAP_PX + s->n_used / s->columns * (s->tile_height + GAP_PX));
    const canvas place = {s->pixels.rgb + y * s->pixels.row_bytes + x * 3, s->tile_width, s->tile_height,
                          s->pixels.row_bytes};
    draw_tile(s, t, &place);
    s->n_used++;
    return SAM_OK;
}

void sheet_new_row(sheet *s)
{
    int n = (s->n_used + s->columns - 1) / s->columns * s->columns;
    s->n_used = n < s->n_tiles ? n : s->n_tiles;
}

sam_status sheet_write(const sheet *s, const char *path, sam_error *err)
{
    if (s->n_used == 0)
        return fail(err, SAM_E_STATE, "%s: the contact sheet has no tiles", path);
    int rows = (s->n_used + s->columns - 1) / s->columns;
    int height = rows * (s->tile_height + GAP_PX) + GAP_PX;
    const char *dot = strrchr(path, '.');
    if (dot && (!strcasecmp(dot, ".jpg") || !strcasecmp(dot, ".jpeg")))
        return jpeg_write(path, s->pixels.rgb, s->pixels.width, height, JPEG_QUALITY, err);
    return image_write_rgb(path, s->pixels.rgb, s->pixels.row_bytes, s->pixels.width, height, err);
}
