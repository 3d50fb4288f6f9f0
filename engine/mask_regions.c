#include "mask_regions.h"

#include "components.h"

#include <string.h>

/* Scratch: labels [h, w] i32, areas by label [h * w + 1] i32. */
size_t mask_regions_bytes(int h, int w)
{
    return (2 * (size_t)h * (size_t)w + 1) * sizeof(int32_t);
}

static void flip(uint8_t *mask, size_t n)
{
    for (size_t i = 0; i < n; i++)
        mask[i] = !mask[i];
}

/* Islands of fewer than `area` pixels become 0; with keep_one the largest stays if none is left. Returns 1 if there were any. */
static int remove_islands(uint8_t *mask, int h, int w, int area, int keep_one, void *scratch)
{
    size_t n_px = (size_t)h * (size_t)w;
    int32_t *labels = scratch, *areas = labels + n_px, largest = 0, n_small = 0;
    int32_t n = components_label(mask, h, w, labels);
    memset(areas, 0, ((size_t)n + 1) * sizeof *areas);
    for (size_t i = 0; i < n_px; i++)
        areas[labels[i]]++;
    for (int32_t k = 1; k <= n; k++) {
        n_small += areas[k] < area;
        largest = !largest || areas[k] > areas[largest] ? k : largest;
    }
    if (!n_small)
        return 0;
    int32_t saved = keep_one && n_small == n ? largest : 0;
    for (size_t i = 0; i < n_px; i++)
        mask[i] = labels[i] && (areas[labels[i]] >= area || labels[i] == saved);
    return 1;
}

int mask_regions_clean(uint8_t *mask, int h, int w, int area, void *scratch)
{
    size_t n_px = (size_t)h * (size_t)w;
    flip(mask, n_px);
    int changed = remove_islands(mask, h, w, area, 0, scratch);
    flip(mask, n_px);
    return remove_islands(mask, h, w, area, 1, scratch) | changed;
}
