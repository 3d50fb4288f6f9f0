#include "amg_crops.h"

#include <math.h>
#include <stdlib.h>

static int crop_length(int length, int n, int overlap)
{
    return (int)ceil(((double)overlap * (n - 1) + length) / n);
}

/* The crops of a layer; returns how many, 0 if one would be empty. */
static int layer_crops(int width, int height, int layer, double overlap_ratio, amg_crop *out)
{
    int n = 1 << layer, count = 0, shorter = width < height ? width : height;
    int overlap = (int)(overlap_ratio * shorter * (2.0 / n));
    int w = crop_length(width, n, overlap), h = crop_length(height, n, overlap);
    for (int i = 0; i < n; i++)
        for (int k = 0; k < n; k++) {
            amg_crop c = {.x0 = (w - overlap) * i, .y0 = (h - overlap) * k, .layer = layer};
            c.x1 = c.x0 + w < width ? c.x0 + w : width;
            c.y1 = c.y0 + h < height ? c.y0 + h : height;
            if (c.x1 <= c.x0 || c.y1 <= c.y0)
                return 0;
            out[count++] = c;
        }
    return count;
}

sam_status amg_crops(int width, int height, int n_layers, double overlap_ratio, amg_crop **out, int *n_crops,
                     sam_error *err)
{
    size_t most = (((size_t)4 << 2 * n_layers) - 1) / 3; /* 1 + 4 + 16 + ... */
    amg_crop *crops = malloc(most * sizeof *crops);
    if (!crops)
        return fail(err, SAM_E_MEMORY, "no memory for %zu crops", most);
    crops[0] = (amg_crop){0, 0, width, height, 0};
    *n_crops = 1;
    for (int layer = 1; layer <= n_layers; layer++) {
        int n = layer_crops(width, height, layer, overlap_ratio, crops + *n_crops);
        if (!n) {
            free(crops);
            return fail(err, SAM_E_ARG, "crop_n_layers %d: %d x %d pixels are too few for %d x %d crops", n_layers,
                        width, height, 1 << layer, 1 << layer);
        }
        *n_crops += n;
    }
    *out = crops;
    return SAM_OK;
}

int amg_points_of_layer(int n, int factor, int layer)
{
    return (int)(n / pow(factor, layer));
}

/* numpy.linspace(1 / 2n, 1 - 1 / 2n, n). */
double amg_grid(int n, int i)
{
    double first = 1.0 / (2.0 * n), last = 1 - first;
    return i == n - 1 && n > 1 ? last : i * ((last - first) / (n > 1 ? n - 1 : 1)) + first;
}
