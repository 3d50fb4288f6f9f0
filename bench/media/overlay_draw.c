/* overlay_draw.c - one frame's results drawn over it. */
#include "overlay.h"

enum { FILL_PERCENT = 55 };

static const uint8_t white[3] = {255, 255, 255};

static int round_px(float v)
{
    return v > -1e6f && v < 1e6f ? (int)(v < 0 ? v - 0.5f : v + 0.5f) : -1000000; /* NaN too */
}

static void draw_masks(const canvas *c, const overlay_object *o, int line)
{
    uint8_t color[3];
    draw_object_color(o->id, color);
    if (o->mask)
        draw_fill(c, o->mask, o->mask_row_bytes, color, FILL_PERCENT);
    if (o->truth)
        draw_outline(c, o->truth, o->truth_row_bytes, white, line);
    if (o->mask)
        draw_contour(c, o->mask, o->mask_row_bytes, color, line);
}

void overlay_draw(const canvas *c, const overlay_object *objects, int n_objects, const char *label)
{
    int side = c->width > c->height ? c->width : c->height;
    int line = side / 640 + 1;
    for (int i = 0; i < n_objects; i++)
        draw_masks(c, &objects[i], line);
    for (int i = 0; i < n_objects; i++) { /* over every mask */
        const overlay_object *o = &objects[i];
        uint8_t color[3];
        draw_object_color(o->id, color);
        if (o->box)
            draw_box(c, round_px(o->box->x0_px), round_px(o->box->y0_px), round_px(o->box->x1_px),
                     round_px(o->box->y1_px), color, line + 1);
        for (int k = 0; k < o->n_points; k++)
            draw_point(c, round_px(o->points[k].x_px), round_px(o->points[k].y_px), 3 * line + 1, color,
                       o->points[k].label == 1);
    }
    if (label)
        draw_text(c, 4 * line, 4 * line, draw_text_scale(label, c->width - 8 * line, side / 480 + 1), label, white);
}
