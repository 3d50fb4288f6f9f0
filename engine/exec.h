/* exec.h - graphs on the CPU backend: packing weights (once per model), binding memory (once per session), running. */
#ifndef EXEC_H
#define EXEC_H

#include "graph.h"
#include "tap.h"

/* A graph whose operators have their weights in the layout they want. Part of a model; read only while running. */
typedef struct compiled {
    graph g;
    void **packed; /* per node, or NULL */
    const op_cpu *const *ops;
} compiled;

/* Takes over c->g. *bytes adds what packing took. */
sam_status compiled_pack(compiled *c, weights *w, const op_cpu *const *ops, size_t *bytes, sam_error *err);
void compiled_free(compiled *c);

/* A compiled graph with memory: one session's. */
typedef struct program {
    const compiled *c;
    op_call *calls;   /* per node */
    tensor *tensors;  /* behind calls */
    void **bound;     /* per node */
    size_t *offset;   /* per value, then per node (operator scratch): where in the scratch arena */
    size_t scratch_bytes;
} program;

/* Plans the scratch of `c` for max_objects: p->scratch_bytes is what the arena must hold. */
sam_status program_plan(program *p, const compiled *c, int max_objects, int n_threads, sam_error *err);
/* Fills in addresses and lets operators take what they need. `state` has one address per state. */
sam_status program_bind(program *p, const weights *w, const states *s, char *scratch, void *const *state,
                        int max_objects, sam_error *err);
void program_free(program *p);
/* Runs with n_objects (1 .. max_objects) in the per-object values. Allocates nothing. */
void program_run(const program *p, int n_objects, const tap *t);

#endif
