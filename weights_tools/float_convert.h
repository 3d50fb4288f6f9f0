/* float_convert.h - float16 and bfloat16 to and from double, rounding once, to nearest even. */
#ifndef FLOAT_CONVERT_H
#define FLOAT_CONVERT_H

#include "safetensors.h"

/* Element i of an F32, F16 or BF16 tensor; the data need not be aligned. */
double float_load(const void *data, st_dtype dtype, size_t i);
void float_store(void *data, st_dtype dtype, size_t i, double value);
int float_is(st_dtype dtype); /* 1 for the three */

#endif
