/* Two passes. First every pixel is joined, in a forest over pixel indices, with those of the same class among its four
 * earlier neighbours; the root of a tree is its first pixel. Then, row by row, roots get their labels and the others
 * copy their parent's, which comes earlier and is done. The second pass overwrites the forest in place. */
#include "components.h"

#include <assert.h>
#include <string.h>

enum { LEFT_OUT, BACKGROUND, OBJECT }; /* classes; pixels left out belong to no component */

static int32_t root_of(int32_t *parent, int32_t i)
{
    while (parent[i] != i)
        i = parent[i] = parent[parent[i]];
    return i;
}

static void join(int32_t *parent, int32_t i, int32_t j)
{
    i = root_of(parent, i);
    j = root_of(parent, j);
    if (i < j)
        parent[j] = i;
    else
        parent[i] = j;
}

/* kind [h,w] u8: class of each pixel. A pixel starts in the tree of its left neighbour; others are joined only where neither
 * that one nor the one above has done so: inside a region nowhere. */
static void grow_forest(const uint8_t *kind, int h, int w, int32_t *parent)
{
    for (int y = 0; y < h; y++)
        for (int x = 0; x < w; x++) {
            int32_t i = y * w + x;
            uint8_t k = kind[i];
            int left = k != LEFT_OUT && x > 0 && kind[i - 1] == k;
            parent[i] = left ? parent[i - 1] : i;
            if (k == LEFT_OUT || y == 0)
                continue;
            int up_left = x > 0 && kind[i - w - 1] == k;
            if (kind[i - w] == k) { /* its own neighbours left and right are joined with it already */
                if (!left || !up_left)
                    join(parent, i, i - w);
                continue;
            }
            if (up_left && !left)
                join(parent, i, i - w - 1);
            if (x + 1 < w && kind[i - w + 1] == k)
                join(parent, i, i - w + 1);
        }
}

static int32_t label_kinds(const uint8_t *kind, int h, int w, int32_t *labels)
{
    assert(h > 0 && w > 0 && h <= INT32_MAX / w);
    int32_t n = 0;
    grow_forest(kind, h, w, labels);
    for (int32_t i = 0; i < h * w; i++)
        labels[i] = kind[i] == LEFT_OUT ? 0 : labels[i] == i ? ++n : labels[labels[i]];
    return n;
}

int components_label(const uint8_t *mask, int h, int w, int32_t *labels)
{
    return label_kinds(mask, h, w, labels);
}

/* Scratch: labels [h*w] i32, areas by label [h*w + 1] i32, classes [h*w] u8. */
size_t components_scratch_bytes(int h, int w)
{
    size_t n_px = (size_t)h * (size_t)w;
    return (2 * n_px + 1) * sizeof(int32_t) + n_px;
}

size_t clean_logits(float *logits, int h, int w, int max_hole_area, float hole_value, int max_speck_area,
                    float speck_value, void *scratch)
{
    size_t n_px = (size_t)h * (size_t)w, n_changed = 0;
    if (max_hole_area <= 0 && max_speck_area <= 0)
        return 0;
    /* A class of which nothing is cleaned needs no components. */
    const uint8_t object = max_speck_area > 0 ? OBJECT : LEFT_OUT,
                  background = max_hole_area > 0 ? BACKGROUND : LEFT_OUT;
    int32_t *labels = scratch, *areas = labels + n_px;
    uint8_t *kind = (uint8_t *)(areas + n_px + 1);
    for (size_t i = 0; i < n_px; i++)
        kind[i] = logits[i] > 0 ? object : logits[i] <= 0 ? background : LEFT_OUT;
    int32_t n = label_kinds(kind, h, w, labels);
    memset(areas, 0, ((size_t)n + 1) * sizeof *areas);
    for (size_t i = 0; i < n_px; i++)
        areas[labels[i]]++;
    for (size_t i = 0; i < n_px; i++) {
        int max_area = kind[i] == OBJECT ? max_speck_area : kind[i] == BACKGROUND ? max_hole_area : 0;
        if (areas[labels[i]] > max_area)
            continue;
        logits[i] = kind[i] == OBJECT ? speck_value : hole_value;
        n_changed++;
    }
    return n_changed;
}
