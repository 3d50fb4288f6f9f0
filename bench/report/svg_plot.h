/* svg_plot.h - plots as SVG text: lines over time, scattered points, histograms. Colours are classes (s0 .. s7, axis, grid,
 * text), so that a page decides about light and dark; svg_begin_file gives a file of its own a style for both. */
#ifndef SVG_PLOT_H
#define SVG_PLOT_H

#include <stdio.h>

enum { SVG_SERIES = 8 };

typedef struct svg_series {
    const char *name;
    const double *x, *y; /* NaN in y: a gap */
    int n;
} svg_series;

typedef struct svg_point {
    double x, y;
    const char *label; /* beside it and in its tooltip */
    int series;        /* its colour */
} svg_point;

typedef struct svg_frame {
    const char *title, *x_label, *y_label;
    int width, height;
    int y_from_zero;
    double y_span; /* of the y axis at least: less than that is no difference to be shown large */
} svg_frame;

/* Each writes one <svg> element, `y` px down in the enclosing one if that is not 0. */
void svg_lines(FILE *to, const svg_frame *f, const svg_series *series, int n, int y);
void svg_scatter(FILE *to, const svg_frame *f, const svg_point *points, int n);
void svg_histogram(FILE *to, const svg_frame *f, const double *values, int n, int n_bins);

void svg_begin_file(FILE *to, int width, int height);
void svg_end_file(FILE *to);
/* The rules for the classes, for a page's <style>. */
extern const char *const svg_style;

#endif
