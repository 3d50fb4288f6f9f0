#include "tensor_set.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

void *tensor_set_alloc(tensor_set *s, size_t n_bytes)
{
    if (s->n_blocks == s->blocks_capacity) {
        size_t n = s->blocks_capacity ? 2 * s->blocks_capacity : 64;
        void **bigger = realloc(s->blocks, n * sizeof *bigger);
        if (!bigger) {
            s->failed = 1;
            return NULL;
        }
        s->blocks = bigger;
        s->blocks_capacity = n;
    }
    void *block = calloc(1, n_bytes ? n_bytes : 1);
    if (block)
        s->blocks[s->n_blocks++] = block;
    else
        s->failed = 1;
    return block;
}

static int make_room(tensor_set *s)
{
    if (s->n_tensors < s->capacity)
        return 1;
    size_t n = s->capacity ? 2 * s->capacity : 256;
    st_tensor *bigger = realloc(s->tensors, n * sizeof *bigger);
    if (!bigger)
        return 0;
    s->tensors = bigger;
    s->capacity = n;
    return 1;
}

st_tensor *tensor_set_add(tensor_set *s, const char *name, st_dtype dtype, int n_dims, const int64_t *shape,
                          const void *data)
{
    size_t n_name = strlen(name) + 1;
    char *copy = s->failed ? NULL : tensor_set_alloc(s, n_name);
    if (!copy || !make_room(s)) {
        s->failed = 1;
        return NULL;
    }
    memcpy(copy, name, n_name);
    st_tensor *t = &s->tensors[s->n_tensors++];
    *t = (st_tensor){.name = copy, .dtype = dtype, .n_dims = n_dims, .data = data};
    memcpy(t->shape, shape, (size_t)n_dims * sizeof *shape);
    t->n_bytes = (size_t)st_count(t) * st_dtype_bytes(dtype);
    return t;
}

static int compare_name(const void *a, const void *b)
{
    return strcmp((*(const st_tensor *const *)a)->name, (*(const st_tensor *const *)b)->name);
}

sam_status tensor_set_index(tensor_set *s, const char *path, sam_error *err)
{
    if (!s->failed)
        s->by_name = tensor_set_alloc(s, (s->n_tensors + 1) * sizeof *s->by_name);
    if (s->failed)
        return fail(err, SAM_E_MEMORY, "%s: no memory for its tensors", path);
    for (size_t i = 0; i < s->n_tensors; i++)
        s->by_name[i] = &s->tensors[i];
    qsort(s->by_name, s->n_tensors, sizeof *s->by_name, compare_name);
    for (size_t i = 1; i < s->n_tensors; i++)
        if (compare_name(&s->by_name[i - 1], &s->by_name[i]) == 0)
            return fail(err, SAM_E_FORMAT, "%s: tensor %.100s is there twice", path, s->by_name[i]->name);
    return SAM_OK;
}

const st_tensor *tensor_set_find(const tensor_set *s, const char *name)
{
    const st_tensor key = {.name = name}, *key_at = &key;
    if (!s->by_name)
        return NULL;
    const st_tensor **found = bsearch(&key_at, s->by_name, s->n_tensors, sizeof *s->by_name, compare_name);
    return found ? *found : NULL;
}

void tensor_set_free(tensor_set *s)
{
    for (size_t i = 0; i < s->n_blocks; i++)
        free(s->blocks[i]);
    free(s->blocks);
    free(s->tensors);
    *s = (tensor_set){0};
}

const char *shape_text(const st_tensor *t, char out[SHAPE_TEXT])
{
    size_t at = 0;
    out[at++] = '[';
    for (int d = 0; d < t->n_dims; d++)
        at += (size_t)snprintf(out + at, SHAPE_TEXT - at, "%s%lld", d ? ", " : "", (long long)t->shape[d]);
    out[at++] = ']';
    out[at] = 0;
    return out;
}

int same_shape(const st_tensor *a, const st_tensor *b)
{
    return a->n_dims == b->n_dims && memcmp(a->shape, b->shape, (size_t)a->n_dims * sizeof *a->shape) == 0;
}
