/* amg_crops.h - where the automatic mask generator looks: crops of an image and a grid of points in each. The same in both official
 * packages: utils/amg.py, generate_crop_boxes and build_all_layer_point_grids. */
#ifndef AMG_CROPS_H
#define AMG_CROPS_H

#include "error.h"

typedef struct amg_crop {
    int x0, y0, x1, y1; /* x1 and y1 are beyond */
    int layer;          /* 0: the image         */
} amg_crop;

enum { AMG_MOST_LAYERS = 6, AMG_MOST_POINTS = 4096 };

/* The image, then 4^i crops of layer i = 1 .. n_layers, each of at least a pixel. overlap_ratio: of the short side. *out is released by
 * free. SAM_E_ARG where the image has too few pixels for so many crops, SAM_E_MEMORY. */
sam_status amg_crops(int width, int height, int n_layers, double overlap_ratio, amg_crop **out, int *n_crops,
                     sam_error *err);

/* Points a side of layer i's grid, which may be 0: n / factor^i, rounded down. */
int amg_points_of_layer(int n, int factor, int layer);
/* Place of point i of n along a side of length 1: evenly, half a gap from the ends. */
double amg_grid(int n, int i);

#endif
