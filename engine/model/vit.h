/* vit.h - SAM v1's image encoder and the numbers that make one size differ from another. */
#ifndef VIT_H
#define VIT_H

#include "graph.h"

enum { MAX_GLOBAL = 4 };

typedef struct vit_config {
    int embed_dim, num_heads, depth, window;
    int n_global, global_blocks[MAX_GLOBAL]; /* ascending; the others attend within windows */
    int trained_side;                        /* of the grid that positions were learned for */
    int d_model;                             /* channels of the features                    */
} vit_config;

/* vit.c. image [side_px*side_px, 3] normalised -> features [side*side, d_model], side = side_px / 16. */
val vit(builder *b, const vit_config *c, val image, int side_px, scope w);

#endif
