/* synth_shape.h - outlines that bend and swing: stars, walking figures, worms, crescents, flowers; and boards, which hide
 * others. None of them is a family of the training program. */
#ifndef SYNTH_SHAPE_H
#define SYNTH_SHAPE_H

#include "synth_random.h"

typedef enum shape_kind {
    SHAPE_STAR,
    SHAPE_FIGURE,
    SHAPE_WORM,
    SHAPE_CRESCENT,
    SHAPE_FLOWER,
    N_OBJECT_SHAPES,
    SHAPE_BOARD = N_OBJECT_SHAPES
} shape_kind;

typedef struct shape {
    shape_kind kind;
    int n_parts;                /* spikes, petals, rings of the worm             */
    double proportions[16];     /* 0..1, what makes one of a kind unlike another */
    double rate, phase, amount; /* of its movement: turns a frame, turns, 0..1   */
} shape;

enum { MAX_CAPSULES = 16, MAX_VERTICES = 24 };

/* A shape at a moment, in its own plane, within the circle of radius 1. */
typedef struct capsule {
    double x0, y0, x1, y1, radius;
} capsule;

typedef struct pose {
    int n_capsules, n_vertices, has_hole;
    capsule capsules[MAX_CAPSULES], hole;
    double x[MAX_VERTICES], y[MAX_VERTICES]; /* a polygon */
} pose;

shape shape_pick(synth_rng *r, shape_kind kind, double liveliness);
void shape_pose(const shape *s, double frame, pose *out);
int pose_covers(const pose *p, double x, double y); /* (polygon or capsules) without the hole */

#endif
