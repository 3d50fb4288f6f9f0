#include "svg_axes.h"

#include "text_out.h"

#include <math.h>
#include <string.h>

enum { MAX_TICKS = 40, MIN_DECADE_PX = 110 };

svg_scale svg_linear(double low, double high, int from_zero)
{
    svg_scale s = {low, high, 1, 0};
    if (!(high >= low)) /* nothing to show */
        s = (svg_scale){0, 1, 1, 0};
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

/* The next of ..., 0.5, 1, 2, 5, 10, ... at or below x (or at or above it). */
static double round_power(double x, int up)
{
    static const double marks[] = {1, 2, 5, 10};
    double power = pow(10, floor(log10(x) + 1e-9)), m = x / power;
    for (int i = 0; up && i < 4; i++)
        if (marks[i] >= m * (1 - 1e-9))
            return marks[i] * power;
    for (int i = 3; !up && i >= 0; i--)
        if (marks[i] <= m * (1 + 1e-9))
            return marks[i] * power;
    return power;
}

svg_scale svg_logarithmic(double low, double high)
{
    if (!(high >= low))
        return (svg_scale){1, 10, 1, 1};
    svg_scale s = {round_power(low, 0), round_power(high, 1), 1, 1};
    if (s.high <= s.low * 1.01) {
        s.low = round_power(low * 0.7, 0);
        s.high = round_power(high * 1.3, 1);
    }
    return s;
}

void svg_widen(double x, double *low, double *high)
{
    if (!isfinite(x))
        return;
    *low = x < *low ? x : *low;
    *high = x > *high ? x : *high;
}

void svg_spread(const svg_frame *f, double *low, double *high)
{
    double missing = f->y_span - (*high - *low);
    if (missing <= 0 || *high < *low)
        return;
    *low -= missing / 2;
    *high += missing / 2;
}

/* 0..1 along the axis */
static double share(svg_scale s, double v)
{
    return s.log ? log(v / s.low) / log(s.high / s.low) : (v - s.low) / (s.high - s.low);
}

double svg_x(const svg_frame *f, svg_scale s, double x)
{
    return SVG_LEFT + share(s, x) * (f->width - SVG_LEFT - SVG_RIGHT);
}

double svg_y(const svg_frame *f, svg_scale s, double y)
{
    return f->height - SVG_BOTTOM - share(s, y) * (f->height - SVG_TOP - SVG_BOTTOM);
}

void svg_text(FILE *to, double x, double y, const char *anchor, const char *text)
{
    fprintf(to, "<text class=\"text\" x=\"%.1f\" y=\"%.1f\" text-anchor=\"%s\">", x, y, anchor);
    text_html(to, text);
    fprintf(to, "</text>\n");
}

/* Returns how many. Of powers those at 2 and 5 are left out where a decade is narrow. */
static int tick_values(svg_scale s, double px, double *at)
{
    int n = 0;
    if (!s.log) {
        for (int i = 0; n < MAX_TICKS && s.low + i * s.step <= s.high + s.step / 2; i++)
            at[n++] = s.low + i * s.step;
        return n;
    }
    int all = px / log10(s.high / s.low) >= MIN_DECADE_PX;
    for (double v = s.low; n < MAX_TICKS && v < s.high * 1.001; v = round_power(v * 1.1, 1))
        if (all || fabs(log10(v) - round(log10(v))) < 1e-6)
            at[n++] = v;
    return n;
}

static void tick_label(char *label, size_t n, svg_scale s, double v)
{
    snprintf(label, n, "%.6g", !s.log && fabs(v) < s.step * 1e-6 ? 0 : v);
}

/* Names below the places 0, 1, ... of x; those that would run into the one before are left out, the last one never. */
static void named_ticks(FILE *to, const svg_frame *f, svg_scale x)
{
    int wide = 0, n = f->n_x_names;
    for (int i = 0; i < n; i++)
        wide = (int)strlen(f->x_names[i]) > wide ? (int)strlen(f->x_names[i]) : wide;
    double step = n > 1 ? svg_x(f, x, 1) - svg_x(f, x, 0) : f->width;
    int every = (int)ceil((wide + 2) * SVG_LETTER / step);
    for (int i = 0; i < n; i++) {
        double px = svg_x(f, x, i), half = wide * SVG_LETTER / 2.0;
        fprintf(to, "<path class=\"grid\" d=\"M%.1f %dV%d\"/>\n", px, SVG_TOP, f->height - SVG_BOTTOM);
        if ((n - 1 - i) % every == 0)
            svg_text(to, px + half > f->width ? f->width : px, f->height - SVG_BOTTOM + 16,
                     px + half > f->width ? "end" : "middle", f->x_names[i]);
    }
}

static void number_ticks(FILE *to, const svg_frame *f, svg_scale x)
{
    double at[MAX_TICKS];
    char label[32];
    int n = tick_values(x, f->width - SVG_LEFT - SVG_RIGHT, at);
    /* Labels that would run into each other are left out. */
    tick_label(label, sizeof label, x, x.high);
    int wide = SVG_LETTER * (2 + (int)strlen(label)), n_px = n > 1 ? (int)(svg_x(f, x, at[1]) - svg_x(f, x, at[0])) : 0;
    int every = n_px > 0 && !x.log ? (wide + n_px - 1) / n_px : 1;
    for (int i = 0; i < n; i++) {
        double px = svg_x(f, x, at[i]);
        fprintf(to, "<path class=\"grid\" d=\"M%.1f %dV%d\"/>\n", px, SVG_TOP, f->height - SVG_BOTTOM);
        tick_label(label, sizeof label, x, at[i]);
        if (i % every == 0)
            svg_text(to, px, f->height - SVG_BOTTOM + 16, "middle", label);
    }
}

static void ticks(FILE *to, const svg_frame *f, svg_scale x, svg_scale y)
{
    double at[MAX_TICKS];
    char label[32];
    if (f->x_names)
        named_ticks(to, f, x);
    else
        number_ticks(to, f, x);
    int n = tick_values(y, f->height - SVG_TOP - SVG_BOTTOM, at);
    for (int i = 0; i < n; i++) {
        double py = svg_y(f, y, at[i]);
        fprintf(to, "<path class=\"grid\" d=\"M%d %.1fH%d\"/>\n", SVG_LEFT, py, f->width - SVG_RIGHT);
        tick_label(label, sizeof label, y, at[i]);
        svg_text(to, SVG_LEFT - 6, py + 4, "end", label);
    }
}

/* A title that is wider than the plot ends in "...". */
static void title(FILE *to, const svg_frame *f)
{
    char shown[200];
    size_t fits = (size_t)(f->width - 8) / SVG_LETTER, n = strlen(f->title);
    fits = fits < sizeof shown - 4 ? fits : sizeof shown - 4;
    snprintf(shown, sizeof shown, "%.*s%s", (int)(n > fits ? fits - 3 : n), f->title, n > fits ? "..." : "");
    svg_text(to, 4, 16, "start", shown);
}

void svg_begin(FILE *to, const svg_frame *f, svg_scale x, svg_scale y, int down, int below)
{
    fprintf(to,
            "<svg xmlns=\"http://www.w3.org/2000/svg\" y=\"%d\" width=\"%d\" height=\"%d\" viewBox=\"0 0 %d %d\" "
            "role=\"img\">\n<title>",
            down, f->width, f->height + below, f->width, f->height + below);
    text_html(to, f->title);
    fprintf(to, "</title>\n");
    title(to, f);
    ticks(to, f, x, y);
    fprintf(to, "<path class=\"axis\" d=\"M%d %dV%dH%d\"/>\n", SVG_LEFT, SVG_TOP, f->height - SVG_BOTTOM,
            f->width - SVG_RIGHT);
    svg_text(to, f->width - SVG_RIGHT, f->height - 8, "end", f->x_label);
    svg_text(to, SVG_LEFT, SVG_TOP - 8, "start", f->y_label);
}
