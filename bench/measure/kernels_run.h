/* kernels_run.h - one configuration of `sambench kernels`: the operator calls of a steady frame of a model, each distinct
 * one timed where it stands, with the data it has there. */
#ifndef KERNELS_RUN_H
#define KERNELS_RUN_H

#include "op.h"
#include "open_model.h"
#include "peaks.h"
#include "samples.h"

/* A distinct call: operator, types, shapes, attributes. */
typedef struct kernel_row {
    op_id op;
    char shapes[320];   /* "f32[1,4096,64] f32[1,64,64] -> f32[1,4096,64]"             */
    char attrs[160];    /* "heads 8 scale 0.25": those that are set                    */
    char graphs[96];    /* that make it: "attend,decode"                               */
    int calls;          /* a frame                                                     */
    int timed;          /* 0: passed over by the filter                                */
    samples cold, warm; /* us                                                        */
    op_cost cost;
} kernel_row;

typedef struct kernels_run {
    /* What is asked. */
    const char *name, *filter; /* filter: part of an operator's, a graph's or a shapes' text; NULL: all */
    model_choice choice;
    int n_objects, runs, warmup;
    size_t flush_bytes;
    int (*stop)(void);
    void (*on_row)(void *user); /* after each distinct call; NULL: nobody asks */
    void *user;
    /* What is found. */
    kernel_row *rows; /* in the order of the frame */
    int n_rows, row_capacity;
    int image_px;
    peaks peaks;
    char backend[32], device[96];
} kernels_run;

/* kernels_run_free also after a failure. */
sam_status kernels_measure(kernels_run *r, sam_error *err);
void kernels_run_free(kernels_run *r);

#endif
