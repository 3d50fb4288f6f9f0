/* tap.h - looking at every value a session computes: dumps, parity tests, debugging. Not part of the public API. */
#ifndef TAP_H
#define TAP_H

#include "op.h"
#include "sam.h"

/* Called after each node of a graph with the value it computed, while it lives. Values without a name are "".
 * Names that stay: the states of model/sam2.h ("features", "high_res_0", "high_res_1", "low_res", "pointer", ...). */
typedef struct tap {
    void (*see)(void *user, const char *graph, const char *name, int n_objects, const tensor *t);
    void *user;
} tap;

/* Sets the session's tap; {0} removes it. */
void session_tap(sam_session *s, tap t);

#endif
