/* trial.h - one operator with memory of its own on a backend, and timing an operator: what peaks and microbenchmarks are
 * made of. Functions that return text return NULL, or what went wrong. */
#ifndef TRIAL_H
#define TRIAL_H

#include "backend.h"

/* The caller sets the first five; no more than two inputs. */
typedef struct trial {
    backend *b;
    op_id op;
    tensor in[OP_MAX_IN], out[OP_MAX_OUT];
    op_attr attr;
    void *stream;
    op_call call;
    void *packed, *bound, *memory[3];
} trial;

/* Memory and preparation as the executor does it. Inputs are random, 0.25 to 1 with either sign: zeros run faster on some
 * devices. trial_close also after a failure. */
const char *trial_open(trial *t);
void trial_close(trial *t);

/* Runs the call, waits, and says how long it took: by the device's events where the backend has them, else by the clock. */
const char *call_timed(backend *b, op_id op, const op_call *c, double *ms);

#endif
