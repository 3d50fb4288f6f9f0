/* pickle_names.h - the Python names that a checkpoint may mention, and what stands for each of them here. */
#ifndef PICKLE_NAMES_H
#define PICKLE_NAMES_H

#include "safetensors.h"

typedef enum pickle_name_kind {
    NAME_UNKNOWN,           /* refused */
    NAME_DICT,              /* a call makes a dict */
    NAME_COUNTER,           /* a call with a dict makes that dict */
    NAME_REBUILD_TENSOR,    /* (storage, offset, sizes, strides, ...) */
    NAME_REBUILD_PARAMETER, /* (tensor, ...) */
    NAME_REBUILD_FROM_TYPE, /* (function, type, arguments of the function, state) */
    NAME_STORAGE,           /* a storage type; of `dtype` */
    NAME_ARRAY,             /* a call makes numbers that are not read here: an error only among the weights */
    NAME_OBJECT             /* harmless, and nothing that weights need: a call makes an inert object */
} pickle_name_kind;

/* `module` and `name` need not be zero-terminated. *dtype is set for NAME_STORAGE. */
pickle_name_kind pickle_name_find(const char *module, size_t n_module, const char *name, size_t n_name,
                                  st_dtype *dtype);

#endif
