/* overlay_draw.c - one frame's results drawn over it. */
#include "image_io.h"
#include "overlay.h"

#include <stdio.h>

enum { FILL_PERCENT = 45 };

static int round_px(float v)
{
    return v > -1e6f && v < 1e6f ? (int)(v < 0 ? v - 0.5f : v + 0.5f) : -1000000; /* NaN too */
}

void overlay_draw(const canvas *c, const overlay_object *objects, int n_objects, int64_t frame_index)
{
    int side = c->width > c->height ? c->width : c->height;
    int line = side / 640 + 1;
    for (int i = 0; i < n_objects; i++) {
        const overlay_object *o = &objects[i];
        uint8_t color[3];
        palette_color(o->id & 255, color);
        if (o->mask) {
            draw_fill(c, o->mask, o->mask_row_bytes, color, FILL_PERCENT);
            draw_contour(c, o->mask, o->mask_row_bytes, color, line);
        }
    }
    for (int i = 0; i < n_objects; i++) { /* over every mask */
        const overlay_object *o = &objects[i];
        uint8_t color[3];
        palette_color(o->id & 255, color);
        if (o->box)
            draw_box(c, round_px(o->box->x0_px), round_px(o->box->y0_px), round_px(o->box->x1_px),
                     round_px(o->box->y1_px), color, line + 1);
        for (int k = 0; k < o->n_points; k++)
            draw_point(c, round_px(o->points[k].x_px), round_px(o->points[k].y_px), 3 * line + 1, color,
                       o->points[k].label == 1);
    }
    if (frame_index >= 0) {
        char text[24];
        snprintf(text, sizeof text, "%lld", (long long)frame_index);
        draw_text(c, 4 * line, 4 * line, 2 * line, text, (const uint8_t[3]){255, 255, 255});
    }
}
