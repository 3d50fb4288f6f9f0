#include "mask_nms.h"

#include <stdlib.h>

typedef struct ranked {
    float score;
    int index;
} ranked;

static int compare(const void *a_, const void *b_)
{
    const ranked *a = a_, *b = b_;
    if (a->score != b->score)
        return a->score < b->score ? 1 : -1;
    return a->index < b->index ? -1 : a->index > b->index;
}

static float area(const nms_box *b)
{
    return (b->x1 - b->x0) * (b->y1 - b->y0);
}

static float least(float a, float b)
{
    return a < b ? a : b;
}
static float most(float a, float b)
{
    return a > b ? a : b;
}

static float overlap(const nms_box *a, const nms_box *b)
{
    float w = most(0, least(a->x1, b->x1) - most(a->x0, b->x0));
    float h = most(0, least(a->y1, b->y1) - most(a->y0, b->y0));
    return w * h / (area(a) + area(b) - w * h);
}

sam_status mask_nms(const nms_box *boxes, int n, double threshold, int *kept, int *n_kept, sam_error *err)
{
    ranked *order = malloc(((size_t)n + 1) * sizeof *order);
    *n_kept = 0;
    if (!order)
        return fail(err, SAM_E_MEMORY, "no memory to compare %d masks", n);
    for (int i = 0; i < n; i++)
        order[i] = (ranked){boxes[i].score, i};
    qsort(order, (size_t)n, sizeof *order, compare);
    for (int i = 0; i < n; i++) { /* those that are left keep their order */
        int best = order[i].index, left = i + 1;
        kept[(*n_kept)++] = best;
        for (int k = i + 1; k < n; k++)
            if (!((double)overlap(&boxes[best], &boxes[order[k].index]) > threshold))
                order[left++] = order[k];
        n = left;
    }
    free(order);
    return SAM_OK;
}
