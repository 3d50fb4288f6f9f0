/* draw.h - masks, contours, prompts and small text into RGB pixels. Everything is clipped to the canvas. */
#ifndef DRAW_H
#define DRAW_H

#include <stddef.h>
#include <stdint.h>

typedef struct canvas {
    uint8_t *rgb; /* [height, width, 3] u8 */
    int width, height;
    size_t row_bytes; /* >= 3 * width */
} canvas;

/* mask [height, width] u8 of the canvas's size, nonzero is object. */
void draw_fill(const canvas *c, const uint8_t *mask, size_t row_bytes, const uint8_t color[3], int percent);
/* Mask pixels with a neighbour (of four) outside the mask, widened to `thickness` px. The canvas's edge is no border. */
void draw_contour(const canvas *c, const uint8_t *mask, size_t row_bytes, const uint8_t color[3], int thickness);
/* The contour with a dark rim on both sides, which is seen on any ground: how an annotation is drawn. */
void draw_outline(const canvas *c, const uint8_t *mask, size_t row_bytes, const uint8_t color[3], int thickness);
/* The colour of object 1, 2, ...: seven that differ also for the colour-blind, then paler ones. */
void draw_object_color(int id, uint8_t rgb[3]);
/* Outline through both corners, which may come in any order. */
void draw_box(const canvas *c, int x0, int y0, int x1, int y1, const uint8_t color[3], int thickness);
/* Disc with a white rim; `filled` 0 leaves the middle dark with a bar (a background click). */
void draw_point(const canvas *c, int x, int y, int radius, const uint8_t color[3], int filled);
/* ASCII on a dark ground, top left at x, y; each dot is scale px. Returns the width in pixels. */
int draw_text(const canvas *c, int x, int y, int scale, const char *text, const uint8_t color[3]);
int draw_text_height(int scale);
/* The largest scale, up to the one given, at which a text is no wider than `width`; 1 if none is. */
int draw_text_scale(const char *text, int width, int scale);

#endif
