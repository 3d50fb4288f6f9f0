/* op_ways.h - an operator of a session that may go several ways (ways.h), each number of objects its own. What is the same for
 * all such operators: op_cuda.scratch_bytes, bind, unbind and run. */
#ifndef OP_WAYS_H
#define OP_WAYS_H

#include "ways.h"

#ifdef __cplusplus
extern "C" {
#endif

/* Our kernel, in tile 1, 2, .. or (0) the one of its own rule. */
typedef const char *op_own(const op_call *c, int tile);

typedef struct op_ways {
    int n_in; /* inputs of the operator */
    /* The candidates for the shapes of `c`, at most MAX_WAYS, one of them {WAY_OWN}; and their name in the tuning file. */
    int (*list)(const op_call *c, way *to);
    void (*key)(const op_call *c, char *key);
    /* What a library needs on the host for `c`; NULL: it refuses, and our kernel is taken. */
    void *(*prepare)(const op_call *c);
    void (*release)(void *prepared);
    const char *(*run)(const op_call *c, const way *w, const void *prepared);
} op_ways;

size_t op_ways_scratch(const op_ways *o, const op_call *c);
void *op_ways_bind(const op_ways *o, const op_call *c, op_own *own);
void op_ways_unbind(void *bound);
const char *op_ways_run(const op_call *c, op_own *own);

#ifdef __cplusplus
}
#endif

#endif
