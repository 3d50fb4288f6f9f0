/* svg_axes.h - the frame of a plot: scales, ticks, title and axes, for svg_plot.c and svg_scatter.c. */
#ifndef SVG_AXES_H
#define SVG_AXES_H

#include "svg_plot.h"

enum { SVG_LEFT = 60, SVG_RIGHT = 16, SVG_TOP = 42, SVG_BOTTOM = 44, SVG_LETTER = 7 };

/* Where values lie on an axis. log: low and high are above 0. */
typedef struct svg_scale {
    double low, high, step;
    int log;
} svg_scale;

/* The range, widened to round numbers; an empty one (low > high) becomes 0..1. */
svg_scale svg_linear(double low, double high, int from_zero);
/* The same for an axis of powers; values that are not above 0 must not be in the range. */
svg_scale svg_logarithmic(double low, double high);

/* Takes a finite x into the range; others leave it. */
void svg_widen(double x, double *low, double *high);

/* Widens low..high to the least span that the frame asks for; an empty range stays. */
void svg_spread(const svg_frame *f, double *low, double *high);

/* px in the plot */
double svg_x(const svg_frame *f, svg_scale s, double x);
double svg_y(const svg_frame *f, svg_scale s, double y);

void svg_text(FILE *to, double x, double y, const char *anchor, const char *text);
/* The <svg> element up to what is plotted. `below` px are left under the plot's frame. */
void svg_begin(FILE *to, const svg_frame *f, svg_scale x, svg_scale y, int down, int below);

#endif
