/* svg_plot.h - plots as SVG text: lines over time, scattered points, histograms. Colours are classes (s0 .. s7, axis, grid,
 * text), so that a page decides about light and dark; svg_begin_file gives a file of its own a style for both. */
#ifndef SVG_PLOT_H
#define SVG_PLOT_H

#include <stdio.h>

enum { SVG_SERIES = 8, SVG_SHAPES = 6 };

typedef struct svg_series {
    const char *name;
    const double *x, *y; /* NaN in y: a gap */
    int n;
} svg_series;

typedef struct svg_point {
    double x, y;
    const char *label; /* in its tooltip, and beside it where it is labelled */
    int series;        /* its colour; from SVG_SERIES on the same colours, hollow   */
    int shape;
    int no_front; /* takes no part in the line of the best: a baseline */
} svg_point;

typedef struct svg_frame {
    const char *title, *x_label, *y_label;
    int width, height;
    int y_from_zero;
    double y_span; /* of the y axis at least, of lines and points: less than that is no difference to be shown large */
    int log_x;     /* only values above 0 are shown                                              */
    double x0, x1; /* of histograms: the range of x, so that several have one; both 0: the data's */
    const char *const *x_names; /* of lines: what x = 0, 1, ... are called; NULL: numbers */
    int n_x_names;
    int less_is_better; /* of scattered points, along x: which way the line of the best goes          */
} svg_frame;

/* Each writes one <svg> element, `y` px down in the enclosing one if that is not 0. */
void svg_lines(FILE *to, const svg_frame *f, const svg_series *series, int n, int y);
void svg_histogram(FILE *to, const svg_frame *f, const double *values, int n, int n_bins);
/* With a line, for each shape, through the points that no other is better than in both directions (more y is better).
 * Returns whether labels stand beside their points: if they are asked for all do, or, where they would collide, none. */
int svg_scatter(FILE *to, const svg_frame *f, const svg_point *points, int n, int labels);

/* The mark of such a point, at a place in an <svg>; in a text an <svg> of its own. Series -1: the colour of text. */
void svg_marker(FILE *to, double x, double y, int series, int shape);
void svg_key(FILE *to, int series, int shape);

void svg_begin_file(FILE *to, int width, int height);
void svg_end_file(FILE *to);
/* The rules for the classes, for a page's <style>. */
extern const char *const svg_style;

#endif
