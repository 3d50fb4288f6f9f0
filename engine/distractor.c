#include "distractor.h"

#include "components.h"
#include "frame_runs.h"
#include "motion_filter.h"

#include <string.h>

#define LEAST_IOU      0.8f /* of the chosen mask, predicted            */
#define LEAST_RATIO    0.8  /* of its area to the median, and the most  */
#define MOST_RATIO     1.2
#define MOST_OVERLAP   0.7 /* of its box and the box with the other     */
#define LEAST_DISTANCE 5   /* an anchor lies more frames from the last  */

void distractor_forget(distractor_memory *d)
{
    *d = (distractor_memory){.n_areas = 0};
}

void distractor_begin(distractor_memory *d, int64_t frame)
{
    d->has_anchor = 1;
    d->anchor = frame;
}

size_t distractor_scratch_bytes(int side)
{
    size_t n = (size_t)side * (size_t)side;
    return n * (2 * sizeof(int32_t) + 1); /* labels, sizes of components, what is apart */
}

/* Median of the areas within reach; 0: there are none. The mean of the middle two of an even number. */
static double median_area(const distractor_memory *d, int64_t frame)
{
    int64_t sorted[AREAS_KEPT];
    int n = 0;
    for (int i = 0; i < d->n_areas; i++) {
        int k = n;
        if (frames_apart(d->at[i], frame) > AREAS_REACH)
            continue;
        for (; k > 0 && sorted[k - 1] > d->area[i]; k--)
            sorted[k] = sorted[k - 1];
        sorted[k] = d->area[i];
        n++;
    }
    return n == 0 ? 0 : n % 2 ? (double)sorted[n / 2] : ((double)sorted[n / 2 - 1] + (double)sorted[n / 2]) / 2;
}

static void keep_area(distractor_memory *d, int64_t frame, int64_t area)
{
    if (d->n_areas == AREAS_KEPT) {
        d->n_areas--;
        memmove(d->area, d->area + 1, (AREAS_KEPT - 1) * sizeof *d->area);
        memmove(d->at, d->at + 1, (AREAS_KEPT - 1) * sizeof *d->at);
    }
    d->area[d->n_areas] = area;
    d->at[d->n_areas++] = frame;
}

/* Columns and rows, inclusive; empty: x1 < x0. */
typedef struct frame_box {
    int x0, y0, x1, y1;
} frame_box;

static void box_add(frame_box *b, int x, int y)
{
    b->x0 = x < b->x0 ? x : b->x0;
    b->y0 = y < b->y0 ? y : b->y0;
    b->x1 = x > b->x1 ? x : b->x1;
    b->y1 = y > b->y1 ? y : b->y1;
}

static double box_overlap(frame_box inner, frame_box outer)
{
    double a = (double)(inner.x1 - inner.x0 + 1) * (inner.y1 - inner.y0 + 1);
    double b = (double)(outer.x1 - outer.x0 + 1) * (outer.y1 - outer.y0 + 1);
    return a / b; /* the outer holds the inner */
}

/* 1: the largest component of what `other` has and `logits` has not makes the box much larger. */
static int shows_another(const float *other, const float *logits, int side, frame_box box, void *scratch)
{
    int32_t n = side * side, *labels = scratch, *sizes = labels + n, best = 0;
    uint8_t *apart = (uint8_t *)(sizes + n);
    for (int32_t i = 0; i < n; i++)
        apart[i] = other[i] > 0 && !(logits[i] > 0);
    int count = components_label(apart, side, side, labels);
    memset(sizes, 0, (size_t)n * sizeof *sizes);
    for (int32_t i = 0; i < n; i++)
        if (labels[i])
            sizes[labels[i] - 1]++;
    for (int32_t k = 1; k < count; k++)
        if (sizes[k] > sizes[best])
            best = k;
    if (!count)
        return 0;
    frame_box both = box;
    for (int32_t i = 0; i < n; i++)
        if (labels[i] == best + 1)
            box_add(&both, i % side, i / side);
    return box_overlap(box, both) <= MOST_OVERLAP;
}

static int another_is_seen(const float *masks, int chosen, const float *logits, int side, void *scratch)
{
    size_t plane = (size_t)side * (size_t)side;
    frame_box box = {side, side, -1, -1};
    for (int i = 0; i < side * side; i++)
        if (logits[i] > 0)
            box_add(&box, i % side, i / side);
    for (int k = 1; k < 4; k++)
        if (k != chosen && shows_another(masks + (size_t)k * plane, logits, side, box, scratch))
            return 1;
    return 0;
}

int distractor_seen(distractor_memory *d, int64_t frame, const float *ious, const float *masks, const float *logits,
                    int side, void *scratch)
{
    int64_t area = 0;
    int chosen = 1 + largest_of_three(ious + 1);
    for (int i = 0; i < side * side; i++)
        area += logits[i] > 0;
    double median = median_area(d, frame), ratio = median > 0 ? (double)area / median : 0;
    if (area)
        keep_area(d, frame, area);
    if (!area || !(ious[chosen] > LEAST_IOU) || ratio < LEAST_RATIO || ratio > MOST_RATIO)
        return 0;
    if (d->has_anchor && frames_apart(frame, d->anchor) <= LEAST_DISTANCE)
        return 0;
    if (!another_is_seen(masks, chosen, logits, side, scratch))
        return 0;
    distractor_begin(d, frame);
    return 1;
}
