/* svg_plot.c - see svg_plot.h. */
#include "svg_plot.h"

#include "text_out.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

enum { LEFT = 64, RIGHT = 16, TOP = 30, BOTTOM = 44, LEGEND_ROW = 17, LETTER = 7, LABEL_HEIGHT = 13 };
enum { MARKED = 40 }; /* points at most of a line whose points are marked */

/* Eight colours that stay apart on white and on black, also for the colour-blind (after Okabe and Ito). */
const char *const svg_style =
    "svg{font:12px system-ui,sans-serif}.text{fill:#333}.axis{stroke:#888;fill:none}.grid{stroke:#8884;fill:none}"
    ".line{fill:none;stroke-width:1.6}"
    ".s0{stroke:#0072b2;color:#0072b2}.s1{stroke:#d55e00;color:#d55e00}.s2{stroke:#009e73;color:#009e73}"
    ".s3{stroke:#cc79a7;color:#cc79a7}.s4{stroke:#b08600;color:#b08600}.s5{stroke:#56a4d8;color:#56a4d8}"
    ".s6{stroke:#7d5fb2;color:#7d5fb2}.s7{stroke:#777;color:#777}.dot{fill:currentColor}"
    "@media(prefers-color-scheme:dark){.text{fill:#ddd}}";

typedef struct scale {
    double low, high, step;
} scale;

static scale scale_of(double low, double high, int from_zero)
{
    scale s = {low, high, 1};
    if (!(high >= low)) /* nothing to show */
        s = (scale){0, 1, 1};
    if (from_zero && s.low > 0)
        s.low = 0;
    if (s.high - s.low < 1e-9 * (fabs(s.high) + 1e-9))
        s.high = s.low + (s.low != 0 ? fabs(s.low) * 0.1 : 1);
    /* About five ticks at 1, 2 or 5 times a power of ten. */
    double rough = (s.high - s.low) / 5, power = pow(10, floor(log10(rough))), m = rough / power;
    s.step = power * (m < 1.5 ? 1 : m < 3 ? 2 : m < 7 ? 5 : 10);
    s.low = floor(s.low / s.step + 1e-9) * s.step;
    s.high = ceil(s.high / s.step - 1e-9) * s.step;
    return s;
}

static void widen(double x, double *low, double *high)
{
    if (!isfinite(x))
        return;
    *low = x < *low ? x : *low;
    *high = x > *high ? x : *high;
}

static double at_x(const svg_frame *f, scale s, double x)
{
    return LEFT + (x - s.low) / (s.high - s.low) * (f->width - LEFT - RIGHT);
}

static double at_y(const svg_frame *f, scale s, double y)
{
    return f->height - BOTTOM - (y - s.low) / (s.high - s.low) * (f->height - TOP - BOTTOM);
}

static void text(FILE *to, double x, double y, const char *anchor, const char *t)
{
    fprintf(to, "<text class=\"text\" x=\"%.1f\" y=\"%.1f\" text-anchor=\"%s\">", x, y, anchor);
    text_html(to, t);
    fprintf(to, "</text>\n");
}

static void ticks(FILE *to, const svg_frame *f, scale x, scale y)
{
    char label[32];
    /* Labels that would run into each other are left out. */
    int wide = LETTER * (2 + snprintf(label, sizeof label, "%.6g", x.high)),
        n_px = (int)(at_x(f, x, x.step) - at_x(f, x, 0));
    int every = n_px > 0 ? (wide + n_px - 1) / n_px : 1;
    for (int i = 0; i <= 20 && x.low + i * x.step <= x.high + x.step / 2; i++) {
        double v = x.low + i * x.step, px = at_x(f, x, v);
        fprintf(to, "<path class=\"grid\" d=\"M%.1f %dV%d\"/>\n", px, TOP, f->height - BOTTOM);
        snprintf(label, sizeof label, "%.6g", fabs(v) < x.step * 1e-6 ? 0 : v);
        if (i % every == 0)
            text(to, px, f->height - BOTTOM + 16, "middle", label);
    }
    for (int i = 0; i <= 20 && y.low + i * y.step <= y.high + y.step / 2; i++) {
        double v = y.low + i * y.step, py = at_y(f, y, v);
        fprintf(to, "<path class=\"grid\" d=\"M%d %.1fH%d\"/>\n", LEFT, py, f->width - RIGHT);
        snprintf(label, sizeof label, "%.6g", fabs(v) < y.step * 1e-6 ? 0 : v);
        text(to, LEFT - 6, py + 4, "end", label);
    }
}

/* `below` px are left under the plot's frame. */
static void begin(FILE *to, const svg_frame *f, scale x, scale y, int down, int below)
{
    fprintf(to,
            "<svg xmlns=\"http://www.w3.org/2000/svg\" y=\"%d\" width=\"%d\" height=\"%d\" viewBox=\"0 0 %d %d\" "
            "role=\"img\">\n<title>",
            down, f->width, f->height + below, f->width, f->height + below);
    text_html(to, f->title);
    fprintf(to, "</title>\n");
    text(to, LEFT, 18, "start", f->title);
    ticks(to, f, x, y);
    fprintf(to, "<path class=\"axis\" d=\"M%d %dV%dH%d\"/>\n", LEFT, TOP, f->height - BOTTOM, f->width - RIGHT);
    text(to, f->width - RIGHT, f->height - 8, "end", f->x_label);
    text(to, f->width - RIGHT, 18, "end", f->y_label);
}

/* Few points are marked: a line through one of them would not be seen. */
static void marks(FILE *to, const svg_frame *f, const svg_series *s, int k, scale x, scale y)
{
    fprintf(to, "<g class=\"s%d\">", k % SVG_SERIES);
    for (int i = 0; i < s->n; i++)
        if (isfinite(s->y[i]))
            fprintf(to, "<circle class=\"dot\" cx=\"%.1f\" cy=\"%.1f\" r=\"2.5\"/>", at_x(f, x, s->x[i]),
                    at_y(f, y, s->y[i]));
    fprintf(to, "</g>\n");
}

/* Names below the plot, in as many lines as they need; returns how many. Without `to` they are only counted. */
static int legend(FILE *to, const svg_frame *f, const svg_series *series, int n)
{
    int rows = 1;
    double at = LEFT;
    for (int k = 0; k < n; k++) {
        double wide = 36 + LETTER * (double)strlen(series[k].name);
        if (at > LEFT && at + wide > f->width) {
            at = LEFT;
            rows++;
        }
        if (to) {
            int y = f->height + rows * LEGEND_ROW - 8;
            fprintf(to, "<path class=\"line s%d\" d=\"M%.0f %dh14\"/>\n", k % SVG_SERIES, at, y - 4);
            text(to, at + 18, y, "start", series[k].name);
        }
        at += wide;
    }
    return rows;
}

static void line(FILE *to, const svg_frame *f, const svg_series *s, int k, scale x, scale y)
{
    int pen = 0;
    fprintf(to, "<path class=\"line s%d\" d=\"", k % SVG_SERIES);
    for (int i = 0; i < s->n; i++) {
        int there = isfinite(s->y[i]);
        if (there)
            fprintf(to, "%c%.1f %.1f", pen ? 'L' : 'M', at_x(f, x, s->x[i]), at_y(f, y, s->y[i]));
        pen = there;
    }
    fprintf(to, "\"/>\n");
    if (s->n <= MARKED)
        marks(to, f, s, k, x, y);
}

void svg_lines(FILE *to, const svg_frame *f, const svg_series *series, int n, int down)
{
    double x0 = INFINITY, x1 = -INFINITY, y0 = INFINITY, y1 = -INFINITY;
    for (int k = 0; k < n; k++) {
        for (int i = 0; i < series[k].n; i++) {
            widen(series[k].x[i], &x0, &x1);
            widen(series[k].y[i], &y0, &y1);
        }
    }
    scale x = scale_of(x0, x1, 0), y = scale_of(y0, y1, f->y_from_zero);
    int below = LEGEND_ROW * legend(NULL, f, series, n);
    svg_frame plot = *f;
    plot.height -= below;
    begin(to, &plot, x, y, down, below);
    for (int k = 0; k < n; k++)
        line(to, &plot, &series[k], k, x, y);
    legend(to, &plot, series, n);
    fprintf(to, "</svg>\n");
}

/* A box that a label takes up, in px. */
typedef struct label_box {
    double x0, x1, y;
} label_box;

/* The nearest height to y at which the label covers none of the n others. */
static double free_height(const label_box *others, int n, label_box box, double y)
{
    for (int step = 0; step < 2 * n + 1; step++) {
        int taken = 0;
        box.y = y + (step % 2 ? 1 : -1) * ((step + 1) / 2) * LABEL_HEIGHT;
        for (int i = 0; i < n; i++)
            taken |= box.x0 < others[i].x1 && others[i].x0 < box.x1 && fabs(box.y - others[i].y) < LABEL_HEIGHT - 1;
        if (!taken)
            return box.y;
    }
    return y;
}

void svg_scatter(FILE *to, const svg_frame *f, const svg_point *points, int n)
{
    double x0 = 0, x1 = -INFINITY, y0 = INFINITY, y1 = -INFINITY;
    for (int i = 0; i < n; i++) {
        if (!isfinite(points[i].x) || !isfinite(points[i].y))
            continue;
        widen(points[i].x, &x0, &x1);
        widen(points[i].y, &y0, &y1);
    }
    double missing = f->y_span - (y1 - y0);
    if (missing > 0 && y1 >= y0) {
        y0 -= missing / 2;
        y1 += missing / 2;
    }
    scale x = scale_of(x0, x1, 1), y = scale_of(y0, y1, f->y_from_zero);
    label_box *boxes = malloc((size_t)n * sizeof *boxes + 1);
    int n_boxes = 0;
    begin(to, f, x, y, 0, 0);
    for (int i = 0; i < n; i++) {
        const svg_point *p = &points[i];
        if (!isfinite(p->x) || !isfinite(p->y))
            continue;
        double px = at_x(f, x, p->x), py = at_y(f, y, p->y);
        int right = px > f->width * 0.6;
        fprintf(to, "<g class=\"s%d\"><circle class=\"dot\" cx=\"%.1f\" cy=\"%.1f\" r=\"5\"><title>",
                p->series % SVG_SERIES, px, py);
        text_html(to, p->label);
        fprintf(to, ": %.6g, %.6g</title></circle></g>\n", p->x, p->y);
        double wide = LETTER * (double)strlen(p->label), at = px + (right ? -9 : 9);
        label_box box = {right ? at - wide : at, right ? at : at + wide, py + 4};
        if (boxes) {
            box.y = free_height(boxes, n_boxes, box, py + 4);
            boxes[n_boxes++] = box;
        }
        text(to, at, box.y, right ? "end" : "start", p->label);
    }
    free(boxes);
    fprintf(to, "</svg>\n");
}

void svg_histogram(FILE *to, const svg_frame *f, const double *values, int n, int n_bins)
{
    double x0 = INFINITY, x1 = -INFINITY, y1 = 0;
    int *count = calloc((size_t)n_bins, sizeof *count);
    for (int i = 0; i < n; i++)
        widen(values[i], &x0, &x1);
    scale x = scale_of(x0, x1, 0);
    double width = (x.high - x.low) / n_bins;
    for (int i = 0; i < n && count; i++) {
        if (!isfinite(values[i]))
            continue;
        int bin = (int)((values[i] - x.low) / width);
        bin = bin < 0 ? 0 : bin < n_bins ? bin : n_bins - 1;
        y1 = ++count[bin] > y1 ? count[bin] : y1;
    }
    scale y = scale_of(0, y1, 1);
    begin(to, f, x, y, 0, 0);
    for (int b = 0; b < n_bins && count; b++) {
        double left = at_x(f, x, x.low + b * width), right = at_x(f, x, x.low + (b + 1) * width),
               top = at_y(f, y, count[b]);
        if (count[b])
            fprintf(
                to,
                "<g class=\"s0\"><rect class=\"dot\" x=\"%.1f\" y=\"%.1f\" width=\"%.1f\" height=\"%.1f\"><title>%d from "
                "%.4g to %.4g</title></rect></g>\n",
                left, top, right - left - 1 > 1 ? right - left - 1 : 1, f->height - BOTTOM - top, count[b],
                x.low + b * width, x.low + (b + 1) * width);
    }
    fprintf(to, "</svg>\n");
    free(count);
}

void svg_begin_file(FILE *to, int width, int height)
{
    fprintf(to,
            "<svg xmlns=\"http://www.w3.org/2000/svg\" width=\"%d\" height=\"%d\" viewBox=\"0 0 %d %d\">\n<style>%s"
            ".back{fill:#fff}@media(prefers-color-scheme:dark){.back{fill:#161616}}</style>\n"
            "<rect class=\"back\" width=\"%d\" height=\"%d\"/>\n",
            width, height, width, height, svg_style, width, height);
}

void svg_end_file(FILE *to)
{
    fprintf(to, "</svg>\n");
}
