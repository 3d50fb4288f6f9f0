/* tap.h - looking at every value a session computes, and at the time it took: dumps, parity tests, profiles. Not part of
 * the public API. */
#ifndef TAP_H
#define TAP_H

#include "op.h"
#include "sam.h"

/* An operator that has run. */
typedef struct tap_node {
    const char *graph, *op;
    const char *name; /* of its first output, or ""                                                     */
    int index;        /* node of the graph                                                              */
    int n_objects;
    double start_ms, ms; /* CLOCK_MONOTONIC; ms by device events where the backend has them             */
    op_cost cost;        /* of what was computed; on a device, where counts are not read back, of a full memory bank */
} tap_node;

/* An operator that is about to run, with everything it needs in place. */
typedef struct tap_call {
    const char *graph;
    const char *name; /* of its first output, or "" */
    op_id op;
    struct backend *b;
    const op_call *call; /* addresses are the backend's */
} tap_call;

typedef struct tap {
    /* Called after each node of a graph with the value it computed, while it lives; of a device's, a copy. Values without a name are "".
     * Names that stay: those of host_states.def and of model/sam2.c ("features", "high_res_0", "low_res", "pointer", ...). */
    void (*see)(void *user, const char *graph, const char *name, int n_objects, const tensor *t);
    void *user;
    /* Called after each operator with the time it took. Operators are waited for one by one. */
    void (*timed)(void *user, const tap_node *n);
    /* Called before (begins 1) and after (0) a graph is enqueued; nothing is waited for. */
    void (*span)(void *user, const char *graph, int begins);
    /* Called in place of running an operator: microbenchmarks run it as often as they like, at least once, and
     * wait for it where `see` is set. NULL, or what went wrong. `timed` is not called then. */
    const char *(*run)(void *user, const tap_call *c);
} tap;

/* Sets the session's tap; {0} removes it. */
void session_tap(sam_session *s, tap t);

#endif
