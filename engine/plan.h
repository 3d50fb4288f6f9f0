/* plan.h - where scratch buffers go in one arena. */
#ifndef PLAN_H
#define PLAN_H

#include <stddef.h>

/* A buffer that is live from step `first` to step `last`, both included. */
typedef struct plan_buffer {
    int first, last;
    size_t bytes;
    size_t offset; /* out: multiple of PLAN_ALIGN */
} plan_buffer;

#define PLAN_ALIGN 256 /* what CUDA libraries ask of a workspace */

/* Gives every buffer an offset such that no two that are live at the same step overlap: largest first, into the
 * smallest gap that fits (as XNNPACK's memory planner). Returns the bytes of the arena. `order` has room for n ints. */
size_t plan_arena(plan_buffer *buffers, int n, int *order);

#endif
