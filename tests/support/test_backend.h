/* test_backend.h - where tests run: SAM_TEST_DEVICE in the environment.
 *   unset  models on the CPU; operators on the CPU, emulated, and on the CUDA device where build and machine have one
 *   cuda   models and operators on the CUDA device alone, which must be there
 *   cpu    as unset, but no device is looked for */
#ifndef TEST_BACKEND_H
#define TEST_BACKEND_H

#include "backend.h"

sam_backend test_backend(void); /* for models */

/* The CUDA device, open until the program ends; NULL without one, and the first call has printed why. With
 * SAM_TEST_DEVICE=cuda that is a failure. */
backend *test_cuda(void);

#endif
