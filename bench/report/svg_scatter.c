/* svg_scatter.c - points of two measures, with the line of the best; see svg_plot.h. */
#include "svg_axes.h"
#include "svg_plot.h"

#include "text_out.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

enum { LABEL_HEIGHT = 13, MARK = 5, GAP = 9, N_PLACES = 10 };

void svg_marker(FILE *to, double x, double y, int series, int shape)
{
    static const char *const paths[SVG_SHAPES] = {
        NULL,
        "m-4.5-4.5h9v9h-9z",                 /* a square              */
        "m0-5.8l5.6 10h-11.2z",              /* a triangle            */
        "m0-6.2l6.2 6.2-6.2 6.2-6.2-6.2z",   /* a diamond           */
        "m0 5.8l5.6-10h-11.2z",              /* a triangle upside down */
        "m-2-6h4v4h4v4h-4v4h-4v-4h-4v-4h4z", /* a cross            */
    };
    const char *fill = series > 0 && series / SVG_SERIES % 2 ? "hollow" : "dot", *path = paths[shape % SVG_SHAPES];
    if (series < 0)
        fprintf(to, "<g class=\"plain\">");
    else
        fprintf(to, "<g class=\"s%d\">", series % SVG_SERIES);
    if (path)
        fprintf(to, "<path class=\"%s\" d=\"M%.1f %.1f%s\"/></g>", fill, x, y, path);
    else
        fprintf(to, "<circle class=\"%s\" cx=\"%.1f\" cy=\"%.1f\" r=\"%d\"/></g>", fill, x, y, MARK);
}

void svg_key(FILE *to, int series, int shape)
{
    fprintf(to, "<svg class=\"key\" width=\"14\" height=\"14\" viewBox=\"0 0 14 14\" aria-hidden=\"true\">");
    svg_marker(to, 7, 7, series, shape);
    fprintf(to, "</svg>");
}

/* What a label or a mark takes up, in px. */
typedef struct box {
    double x0, y0, x1, y1;
} box;

static int overlap(box a, box b)
{
    return a.x0 < b.x1 && b.x0 < a.x1 && a.y0 < b.y1 && b.y0 < a.y1;
}

/* Where the label of a point at (x, y) may stand; beside it first. */
static box place(double x, double y, double wide, int which)
{
    static const struct {
        double side, down; /* of the mark: in widths of the label beyond the gap, and px */
    } places[N_PLACES] = {{1, 0}, {-1, 0}, {0, -14}, {0, 14}, {1, -9}, {1, 9}, {-1, -9}, {-1, 9}, {1, -18}, {1, 18}};
    double side = places[which].side,
           x0 = side > 0   ? x + GAP
                : side < 0 ? x - GAP - wide
                           : x - wide / 2,
           middle = y + places[which].down;
    return (box){x0, middle - LABEL_HEIGHT / 2.0, x0 + wide, middle + LABEL_HEIGHT / 2.0};
}

/* Finds each label a place where it covers neither a mark nor another label and stays in the plot. boxes [2n]: the marks, then
 * the labels. Returns 0 if one has none. */
static int place_labels(const svg_frame *f, const svg_point *points, int n, box *boxes)
{
    const box plot = {SVG_LEFT + 1, SVG_TOP - 4, f->width - 2, f->height - SVG_BOTTOM - 1};
    for (int i = 0; i < n; i++) {
        double x = (boxes[i].x0 + boxes[i].x1) / 2, y = (boxes[i].y0 + boxes[i].y1) / 2,
               wide = SVG_LETTER * (double)strlen(points[i].label) + 2;
        int found = 0;
        for (int p = 0; p < N_PLACES && !found; p++) {
            box b = place(x, y, wide, p);
            found = b.x0 >= plot.x0 && b.y0 >= plot.y0 && b.x1 <= plot.x1 && b.y1 <= plot.y1;
            for (int k = 0; k < n + i && found; k++)
                found = !overlap(b, boxes[k]);
            if (found)
                boxes[n + i] = b;
        }
        if (!found)
            return 0;
    }
    return 1;
}

static int is_shown(const svg_frame *f, const svg_point *p)
{
    return isfinite(p->x) && isfinite(p->y) && (!f->log_x || p->x > 0);
}

static int is_better(const svg_frame *f, const svg_point *a, const svg_point *b)
{
    double x = f->less_is_better ? b->x - a->x : a->x - b->x, y = a->y - b->y;
    return x >= 0 && y >= 0 && (x > 0 || y > 0);
}

static int by_x(const void *a, const void *b)
{
    double x = ((const svg_point *)a)->x, y = ((const svg_point *)b)->x;
    return (x > y) - (x < y);
}

/* The line through the best points of one shape; `points` are sorted by x. */
static void front(FILE *to, const svg_frame *f, svg_scale x, svg_scale y, const svg_point *points, int n, int shape)
{
    static const char *const dashes[SVG_SHAPES] = {"none", "7 4", "2 3", "9 3 2 3", "4 4", "1 5"};
    int n_best = 0;
    for (int i = 0; i < n; i++) {
        int best = points[i].shape == shape && !points[i].no_front;
        for (int k = 0; k < n && best; k++)
            best = points[k].shape != shape || points[k].no_front || !is_better(f, &points[k], &points[i]);
        if (!best)
            continue;
        if (!n_best++)
            fprintf(to, "<path class=\"front\" stroke-dasharray=\"%s\" d=\"M", dashes[shape % SVG_SHAPES]);
        else
            fprintf(to, "L");
        fprintf(to, "%.1f %.1f", svg_x(f, x, points[i].x), svg_y(f, y, points[i].y));
    }
    if (n_best)
        fprintf(to, "\"/>\n");
}

static void scales(const svg_frame *f, const svg_point *points, int n, svg_scale *x, svg_scale *y)
{
    double x0 = f->log_x ? INFINITY : 0, x1 = -INFINITY, y0 = INFINITY, y1 = -INFINITY;
    for (int i = 0; i < n; i++) {
        svg_widen(points[i].x, &x0, &x1);
        svg_widen(points[i].y, &y0, &y1);
    }
    svg_spread(f, &y0, &y1);
    *x = f->log_x ? svg_logarithmic(x0, x1) : svg_linear(x0, x1, 1);
    *y = svg_linear(y0, y1, f->y_from_zero);
}

int svg_scatter(FILE *to, const svg_frame *f, const svg_point *points, int n, int labels)
{
    svg_point *shown = malloc((size_t)n * sizeof *shown + 1);
    box *boxes = malloc((size_t)n * 2 * sizeof *boxes + 1);
    svg_scale x, y;
    int n_shown = 0, n_shapes = 0, labelled;
    for (int i = 0; i < n && shown; i++) {
        if (is_shown(f, &points[i]))
            shown[n_shown++] = points[i];
        n_shapes = points[i].shape >= n_shapes ? points[i].shape + 1 : n_shapes;
    }
    if (n_shown)
        qsort(shown, (size_t)n_shown, sizeof *shown, by_x);
    scales(f, shown, n_shown, &x, &y);
    svg_begin(to, f, x, y, 0, 0);
    for (int shape = 0; shape < n_shapes; shape++)
        front(to, f, x, y, shown, n_shown, shape);
    for (int i = 0; i < n_shown && boxes; i++) {
        double px = svg_x(f, x, shown[i].x), py = svg_y(f, y, shown[i].y);
        boxes[i] = (box){px - MARK - 1, py - MARK - 1, px + MARK + 1, py + MARK + 1};
        fprintf(to, "<g><title>");
        text_html(to, shown[i].label);
        fprintf(to, ": %.6g, %.6g</title>", shown[i].x, shown[i].y);
        svg_marker(to, px, py, shown[i].series, shown[i].shape);
        fprintf(to, "</g>\n");
    }
    labelled = labels && boxes && place_labels(f, shown, n_shown, boxes);
    for (int i = 0; i < n_shown && labelled; i++)
        svg_text(to, boxes[n_shown + i].x0 + 1, boxes[n_shown + i].y1 - 3, "start", shown[i].label);
    fprintf(to, "</svg>\n");
    free(shown);
    free(boxes);
    return labelled;
}
