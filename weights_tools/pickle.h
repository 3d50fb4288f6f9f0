/* pickle.h - reads the pickle inside a torch checkpoint and executes nothing.
 *
 * A pickle is a program for a stack machine whose GLOBAL and REDUCE opcodes can call any Python function. This reader
 * knows the opcodes that containers, numbers, strings and tensors need, and the names in pickle_names.c; it builds inert
 * values. What weights do not need (a set, a path, a numpy scalar) becomes an object that nothing looks into.
 * Any other opcode or name is an error that names it and the byte it stands at. */
#ifndef PICKLE_H
#define PICKLE_H

#include "safetensors.h"

typedef enum pickle_kind {
    PICKLE_NONE,
    PICKLE_BOOL,
    PICKLE_INT,
    PICKLE_FLOAT,
    PICKLE_STRING,
    PICKLE_TUPLE,
    PICKLE_LIST,
    PICKLE_DICT,
    PICKLE_STORAGE,
    PICKLE_TENSOR,
    PICKLE_OBJECT, /* of a class that weights do not need; its contents are not kept */
    PICKLE_GLOBAL  /* a name that was not called; never inside a tensor */
} pickle_kind;

typedef struct pickle_value pickle_value;
struct pickle_value {
    pickle_kind kind;
    int64_t integer; /* BOOL, INT; STORAGE: number of elements; TENSOR: first element in its storage; OBJECT: 1 if it
                         holds numbers that are not read here (a sparse tensor, a numpy array) */
    double real;     /* FLOAT */
    const char
        *text; /* STRING, STORAGE (its key), OBJECT (its class; of a long integer its bytes): not zero-terminated */
    size_t n_text;
    pickle_value **items; /* TUPLE, LIST; DICT: key, value, key, value, ... */
    size_t n_items, capacity;
    st_dtype dtype;              /* STORAGE */
    const pickle_value *storage; /* TENSOR  */
    int n_dims;                  /* TENSOR */
    struct pickle_layout {       /* TENSOR: sizes and strides in elements, as in the file: not checked here */
        int64_t shape[ST_MAX_DIMS], strides[ST_MAX_DIMS];
    } * layout;
    int global;         /* GLOBAL: its pickle_name_kind */
    pickle_value *next; /* all values, for pickle_close */
};

typedef struct pickle {
    const pickle_value *root;
    pickle_value *all;
    size_t n_used; /* bytes of the program; more may follow it */
} pickle;

/* Memory is bounded by a multiple of n_bytes, at most 256 MiB. `path` is only named in messages; `bytes` is borrowed until
 * pickle_close. */
sam_status pickle_open(const char *path, const uint8_t *bytes, size_t n_bytes, pickle *out, sam_error *err);
void pickle_close(pickle *p);

/* Value of a string key of a dict; NULL if absent or if `dict` is not one. */
const pickle_value *pickle_get(const pickle_value *dict, const char *key);

#endif
