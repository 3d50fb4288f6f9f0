/* tensor_set.h - an ordered list of named tensors with the memory behind them: what a file holds, what a model must
 * have (then without data), what will be written. */
#ifndef TENSOR_SET_H
#define TENSOR_SET_H

#include "safetensors.h"

typedef struct tensor_set {
    st_tensor *tensors; /* in order of addition; names belong to the set */
    size_t n_tensors, capacity;
    const st_tensor **by_name; /* after tensor_set_index */
    void **blocks;             /* memory freed with the set */
    size_t n_blocks, blocks_capacity;
    char part[96];   /* of a checkpoint: where in its dicts the tensors were, "model"; else "" */
    char prefix[96]; /* what all names began with, and what was taken off (wrapped_names.h); else "" */
    int failed;      /* an allocation failed: additions are ignored, tensor_set_index reports it */
} tensor_set;

/* Zeroed memory that lives as long as the set; NULL if refused (and remembered). */
void *tensor_set_alloc(tensor_set *s, size_t n_bytes);

/* Adds a tensor; its name is copied, its data borrowed. n_bytes follows from dtype and shape. NULL if refused. */
st_tensor *tensor_set_add(tensor_set *s, const char *name, st_dtype dtype, int n_dims, const int64_t *shape,
                          const void *data);

/* To be called after the last addition. SAM_E_MEMORY if one of them failed, SAM_E_FORMAT if a name is there twice. */
sam_status tensor_set_index(tensor_set *s, const char *path, sam_error *err);
const st_tensor *tensor_set_find(const tensor_set *s, const char *name); /* NULL if absent */
void tensor_set_free(tensor_set *s);

/* "[96, 3, 7, 7]" */
#define SHAPE_TEXT 200
const char *shape_text(const st_tensor *t, char out[SHAPE_TEXT]);
int same_shape(const st_tensor *a, const st_tensor *b);

#endif
