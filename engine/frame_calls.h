/* frame_calls.h - what a steady tracked frame consists of, without running it: the operator calls of its graphs with their
 * shapes and costs. A frame is encoded once; its objects then go through the other graphs in one batch (tracker.c,
 * track_work). Of a family without video it is an image, and its objects are prompts. */
#ifndef FRAME_CALLS_H
#define FRAME_CALLS_H

#include "error.h"
#include "op.h"

typedef struct frame_call {
    const char *graph, *op;
    const char *name; /* of the first output, or "" */
    op_id id;
    int n_objects;
    const op_call *call; /* shapes; no addresses, but counts of a full bank where op_def.cost reads them */
    op_cost cost;        /* of a full memory bank: one prompted frame and all recent ones, as many pointers as fit */
    double weight_bytes; /* operands from the weights file or tables */
    double largest_intermediate; /* bytes of the largest operand that another operator wrote or will read */
} frame_call;

/* Calls `visit` for each operator of a frame with n_objects, in order. */
sam_status frame_calls(const sam_model *m, int n_objects, void (*visit)(void *user, const frame_call *c), void *user,
                       sam_error *err);

#endif
