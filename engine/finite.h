/* finite.h - finds values that are NaN or infinite: in weights, where they come in, and in what a frame gave. */
#ifndef FINITE_H
#define FINITE_H

#include "safetensors.h"

/* The first of n values that is not finite, -1 if all are; of other types than F32, F16 and BF16 always -1. */
int64_t first_not_finite(const void *values, st_dtype type, int64_t n);

/* SAM_E_FORMAT naming the first tensor with such a value, and where in it. */
sam_status tensors_check_finite(const char *path, const st_tensor *tensors, size_t n, sam_error *err);

#endif
