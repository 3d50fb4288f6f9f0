/* enlarged_extent.h - which pixels of an enlarged mask are inside, looked for where they can be.
 *
 * Bilinear enlargement by k makes the pixels between four neighbours, a cell, of those four alone (edges repeat). A cell with
 * no positive corner has no pixel inside; of one with four positive corners all are. Only the others are computed, by the
 * formula of mask_upscale: down first, then across. */
#ifndef ENLARGED_EXTENT_H
#define ENLARGED_EXTENT_H

#ifdef __CUDACC__
#define EXTENT_FN static __host__ __device__ __forceinline__
#else
#define EXTENT_FN static inline
#endif

/* Columns and rows of the pixels inside; empty: x1 < x0. */
typedef struct extent {
    int x0, y0, x1, y1;
} extent;

EXTENT_FN void extent_add(extent *e, int x0, int y0, int x1, int y1)
{
    e->x0 = x0 < e->x0 ? x0 : e->x0;
    e->y0 = y0 < e->y0 ? y0 : e->y0;
    e->x1 = x1 > e->x1 ? x1 : e->x1;
    e->y1 = y1 > e->y1 ? y1 : e->y1;
}

/* Enlarged pixels between source pixel `cell` (-1: the edge before the first) and the next: first .. end - 1, of n * k. Pixel i
 * lies at (2 i + 1 - k) / 2k of the source. */
EXTENT_FN int cell_first(int cell, int k)
{
    int i = (2 * k * cell + k) / 2; /* 2 i + 1 - k >= 2 k cell */
    return cell < 0 ? 0 : i;
}
EXTENT_FN int cell_end(int cell, int n, int k)
{
    return cell + 1 >= n ? n * k : cell_first(cell + 1, k);
}
/* Weight of the source pixel after `cell` in enlarged pixel i. */
EXTENT_FN float cell_weight(int i, int cell, int k)
{
    return (float)(2 * i + 1 - k - 2 * k * cell) / (float)(2 * k);
}

/* The pixels inside of cell (cx, cy), -1 .. w - 1 and -1 .. h - 1, of mask [h, w] enlarged k times, join *e. */
EXTENT_FN void extent_of_cell(extent *e, const float *mask, int h, int w, int k, int cx, int cy)
{
    int left = cx < 0 ? 0 : cx, right = cx + 1 < w ? cx + 1 : w - 1;
    const float *above = mask + (cy < 0 ? 0 : cy) * w, *below = mask + (cy + 1 < h ? cy + 1 : h - 1) * w;
    float v00 = above[left], v01 = above[right], v10 = below[left], v11 = below[right];
    int n_inside = (v00 > 0.0f) + (v01 > 0.0f) + (v10 > 0.0f) + (v11 > 0.0f);
    int x_first = cell_first(cx, k), x_end = cell_end(cx, w, k), y_first = cell_first(cy, k),
        y_end = cell_end(cy, h, k);
    if (n_inside == 4)
        extent_add(e, x_first, y_first, x_end - 1, y_end - 1);
    if (n_inside == 0 || n_inside == 4)
        return;
    for (int y = y_first; y < y_end; y++) {
        float down = cell_weight(y, cy, k);
        float a = (1.0f - down) * v00 + down * v10, b = (1.0f - down) * v01 + down * v11;
        for (int x = x_first; x < x_end; x++) {
            float across = cell_weight(x, cx, k);
            if ((1.0f - across) * a + across * b > 0.0f)
                extent_add(e, x, y, x, y);
        }
    }
}

#endif
