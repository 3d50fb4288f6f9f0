/* op_device.h - an operator's case on the CUDA device, through the engine's backend and in the executor's order. */
#ifndef OP_DEVICE_H
#define OP_DEVICE_H

#include "test_backend.h"

#include "op_test.h"

/* Computes t->out from t->in, whose data are the host's; outputs hold what the device wrote, bytes it did not write are
 * those that were there. `libraries`: what the operator may use beside our kernels, or NULL. Fails the test if an input was written, or anything beside outputs, scratch and packed weights. */
void op_device_run(backend *b, op_case *t, const struct op_libraries *libraries);

#endif
