/* exec.h - graphs that run: weights packed once per model, memory bound once per session. */
#ifndef EXEC_H
#define EXEC_H

#include "backend.h"
#include "graph.h"
#include "tap.h"

/* A graph whose operators have their weights in the backend's memory, in the layout they want. Part of a model; read
 * only while running. */
typedef struct compiled {
    graph g;
    void **packed; /* per node, or NULL */
    backend *b;
} compiled;

/* Takes over c->g. *took adds what its weights take. */
sam_status compiled_pack(compiled *c, weights *w, backend *b, weight_room *took, sam_error *err);
void compiled_free(compiled *c);

/* A compiled graph with memory: one session's. */
typedef struct program {
    const compiled *c;
    op_call *calls;  /* per node */
    tensor *tensors; /* behind calls */
    void **bound;    /* per node */
    size_t *offset;  /* per value, then per node (operator scratch): where in the scratch arena */
    size_t scratch_bytes;
    int check; /* 1: wait after each node, so that a device's failure names it */
} program;

/* Plans the scratch of `c` for max_objects: p->scratch_bytes is what the arena must hold. */
sam_status program_plan(program *p, const compiled *c, int max_objects, sam_error *err);
/* Fills in addresses and lets operators take what they need. `state` has one address per state of `s`; pools have
 * more_slots slots beyond those they were declared with. */
sam_status program_bind(program *p, const weights *w, const states *s, char *scratch, void *const *state,
                        int max_objects, int more_slots, void *stream, sam_error *err);
/* Runs each kind of bound work once, for one object: oneDNN builds some of its code, and the thread pool its threads, on
 * first use, and keeps them. Inputs are whatever is there; outputs, states among them, are written. */
sam_status program_warm(const program *p, sam_error *err);
void program_free(program *p);
/* Enqueues the graph for n_objects (1 .. max_objects) in the per-object values. Allocates nothing. With a tap that
 * sees values or times, waits for each node. SAM_E_DEVICE names graph and node. */
sam_status program_run(const program *p, int n_objects, const tap *t, sam_error *err);

#endif
