/* profile_record.h - what happened while a model was profiled: every frame, graph and operator with its time, and what
 * comes of it: sums by operator, a roofline, a trace for Perfetto. */
#ifndef PROFILE_RECORD_H
#define PROFILE_RECORD_H

#include "peaks.h"
#include "tap.h"

#include <stdio.h>

typedef struct profile_span {
    const char *name; /* of a graph; NULL: a frame */
    int frame;
    double start_ms, ms;
} profile_span;

typedef struct profile_op {
    tap_node node; /* its strings live as long as the model */
    int frame;
} profile_op;

/* Start with {0}. */
typedef struct profile_record {
    profile_op *ops;
    size_t n_ops, op_capacity;
    profile_span *spans;
    size_t n_spans, span_capacity;
    int frame; /* that events belong to, from 0 */
    double entered_ms;
    int lost; /* events that found no memory */
} profile_record;

/* Callbacks of the engine's tap; user is the record. */
void profile_on_node(void *user, const tap_node *n);
void profile_on_graph(void *user, const char *graph, int begins);
/* After a frame: the next events belong to the one after it. */
void profile_on_frame(profile_record *r, double start_ms, double ms);
void profile_record_free(profile_record *r);

/* All calls of one operator in one graph over frames [first_frame, ...), per frame. */
typedef struct op_sum {
    const char *graph, *op;
    double calls, ms, flops, bytes; /* per frame */
    double max_ms;                  /* of a single call */
} op_sum;

/* Longest first; *n of them, for the caller to free. *n_frames: frames they were taken from. */
sam_status profile_sums(const profile_record *r, int first_frame, op_sum **out, int *n, int *n_frames, sam_error *err);

/* What a roofline says of a sum. */
typedef struct roof {
    double gflop_s, gb_s, intensity; /* achieved; FLOPs a byte                                   */
    double share;                    /* of what the roof allows at this intensity, 0..1          */
    int by_compute;                  /* 1: the product peak is its roof, 0: the copy peak        */
} roof;
roof roof_of(const op_sum *s, const peaks *p);

/* Chrome's trace format, which ui.perfetto.dev opens: a track each for frames, graphs and operators. */
sam_status profile_write_trace(const profile_record *r, const char *title, const char *path, sam_error *err);

#endif
