/* svg_plot.c - lines and histograms; see svg_plot.h. */
#include "svg_plot.h"

#include "svg_axes.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

enum { LEGEND_ROW = 17, MARKED = 40 }; /* points at most of a line whose points are marked */

/* Eight colours that stay apart on white and on black, also for the colour-blind (after Okabe and Ito). */
const char *const svg_style =
    "svg{font:12px system-ui,sans-serif}.text{fill:#333}.axis{stroke:#888;fill:none}.grid{stroke:#8884;fill:none}"
    ".line{fill:none;stroke-width:1.6}"
    ".s0{stroke:#0072b2;color:#0072b2}.s1{stroke:#d55e00;color:#d55e00}.s2{stroke:#009e73;color:#009e73}"
    ".s3{stroke:#cc79a7;color:#cc79a7}.s4{stroke:#b08600;color:#b08600}.s5{stroke:#56a4d8;color:#56a4d8}"
    ".s6{stroke:#7d5fb2;color:#7d5fb2}.s7{stroke:#777;color:#777}.dot{fill:currentColor}"
    ".hollow{fill:none;stroke-width:2}.front{fill:none;stroke:#888;stroke-width:1.2}"
    "@media screen and (prefers-color-scheme:dark){.text{fill:#ddd}}";

/* Few points are marked: a line through one of them would not be seen. */
static void marks(FILE *to, const svg_frame *f, const svg_series *s, int k, svg_scale x, svg_scale y)
{
    fprintf(to, "<g class=\"s%d\">", k % SVG_SERIES);
    for (int i = 0; i < s->n; i++)
        if (isfinite(s->y[i]))
            fprintf(to, "<circle class=\"dot\" cx=\"%.1f\" cy=\"%.1f\" r=\"2.5\"/>", svg_x(f, x, s->x[i]),
                    svg_y(f, y, s->y[i]));
    fprintf(to, "</g>\n");
}

/* Names below the plot, in as many lines as they need; returns how many. Without `to` they are only counted. */
static int legend(FILE *to, const svg_frame *f, const svg_series *series, int n)
{
    int rows = 1;
    double at = SVG_LEFT;
    for (int k = 0; k < n; k++) {
        double wide = 36 + SVG_LETTER * (double)strlen(series[k].name);
        if (at > SVG_LEFT && at + wide > f->width) {
            at = SVG_LEFT;
            rows++;
        }
        if (to) {
            int y = f->height + rows * LEGEND_ROW - 8;
            fprintf(to, "<path class=\"line s%d\" d=\"M%.0f %dh14\"/>\n", k % SVG_SERIES, at, y - 4);
            svg_text(to, at + 18, y, "start", series[k].name);
        }
        at += wide;
    }
    return rows;
}

static void line(FILE *to, const svg_frame *f, const svg_series *s, int k, svg_scale x, svg_scale y)
{
    int pen = 0;
    fprintf(to, "<path class=\"line s%d\" d=\"", k % SVG_SERIES);
    for (int i = 0; i < s->n; i++) {
        int there = isfinite(s->y[i]);
        if (there)
            fprintf(to, "%c%.1f %.1f", pen ? 'L' : 'M', svg_x(f, x, s->x[i]), svg_y(f, y, s->y[i]));
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
            svg_widen(series[k].x[i], &x0, &x1);
            svg_widen(series[k].y[i], &y0, &y1);
        }
    }
    svg_spread(f, &y0, &y1);
    svg_scale x = f->x_names ? (svg_scale){-0.5, f->n_x_names - 0.5, 1, 0} : svg_linear(x0, x1, 0);
    svg_scale y = svg_linear(y0, y1, f->y_from_zero);
    int below = LEGEND_ROW * legend(NULL, f, series, n);
    svg_frame plot = *f;
    plot.height -= below;
    svg_begin(to, &plot, x, y, down, below);
    for (int k = 0; k < n; k++)
        line(to, &plot, &series[k], k, x, y);
    legend(to, &plot, series, n);
    fprintf(to, "</svg>\n");
}

/* The scale of a histogram's values: the frame's range or theirs. */
static svg_scale value_scale(const svg_frame *f, const double *values, int n)
{
    double x0 = INFINITY, x1 = -INFINITY;
    for (int i = 0; i < n && !(f->x1 > f->x0); i++)
        svg_widen(f->log_x && !(values[i] > 0) ? NAN : values[i], &x0, &x1);
    if (f->x1 > f->x0) {
        x0 = f->x0;
        x1 = f->x1;
    }
    return f->log_x ? svg_logarithmic(x0, x1) : svg_linear(x0, x1, 0);
}

/* Where bin b of n begins, as a value. */
static double bin_edge(svg_scale x, int b, int n)
{
    double at = (double)b / n;
    return x.log ? x.low * pow(x.high / x.low, at) : x.low + at * (x.high - x.low);
}

static int bin_of(svg_scale x, double value, int n)
{
    double at = x.log ? log(value / x.low) / log(x.high / x.low) : (value - x.low) / (x.high - x.low);
    return at <= 0 ? 0 : at >= 1 ? n - 1 : (int)(at * n);
}

void svg_histogram(FILE *to, const svg_frame *f, const double *values, int n, int n_bins)
{
    double y1 = 0;
    int *count = calloc((size_t)n_bins, sizeof *count);
    svg_scale x = value_scale(f, values, n);
    for (int i = 0; i < n && count; i++) {
        if (!isfinite(values[i]) || (x.log && !(values[i] > 0)))
            continue;
        int bin = bin_of(x, values[i], n_bins);
        y1 = ++count[bin] > y1 ? count[bin] : y1;
    }
    svg_scale y = svg_linear(0, y1, 1);
    svg_begin(to, f, x, y, 0, 0);
    for (int b = 0; b < n_bins && count; b++) {
        double low = bin_edge(x, b, n_bins), high = bin_edge(x, b + 1, n_bins), left = svg_x(f, x, low),
               right = svg_x(f, x, high), top = svg_y(f, y, count[b]);
        if (count[b])
            fprintf(
                to,
                "<g class=\"s0\"><rect class=\"dot\" x=\"%.1f\" y=\"%.1f\" width=\"%.1f\" height=\"%.1f\"><title>%d from "
                "%.4g to %.4g</title></rect></g>\n",
                left, top, right - left - 1 > 1 ? right - left - 1 : 1, f->height - SVG_BOTTOM - top, count[b], low,
                high);
    }
    fprintf(to, "</svg>\n");
    free(count);
}

void svg_begin_file(FILE *to, int width, int height)
{
    fprintf(to,
            "<svg xmlns=\"http://www.w3.org/2000/svg\" width=\"%d\" height=\"%d\" viewBox=\"0 0 %d %d\">\n<style>%s"
            ".back{fill:#fff}@media screen and (prefers-color-scheme:dark){.back{fill:#161616}}</style>\n"
            "<rect class=\"back\" width=\"%d\" height=\"%d\"/>\n",
            width, height, width, height, svg_style, width, height);
}

void svg_end_file(FILE *to)
{
    fprintf(to, "</svg>\n");
}
