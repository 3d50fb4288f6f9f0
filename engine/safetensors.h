/* safetensors.h - the weights file: 8-byte header length, JSON header, tensor bytes (huggingface/safetensors README).
 *
 * The reader maps the file and trusts nothing in it: header size, JSON, duplicate names, dtypes, shapes, offsets
 * (range, size = product of shape, no overlap, no gap) are checked before a tensor is handed out. */
#ifndef SAFETENSORS_H
#define SAFETENSORS_H

#include "error.h"

#define ST_MAX_DIMS 8

typedef enum st_dtype { ST_F32, ST_F16, ST_BF16, ST_F64, ST_I64, ST_I32, ST_I16, ST_I8, ST_U8, ST_BOOL } st_dtype;

typedef struct st_tensor {
    const char *name; /* owned by the file (reader) or the caller (writer)                    */
    st_dtype dtype;
    int n_dims;
    int64_t shape[ST_MAX_DIMS];
    const void *data; /* row-major; in the mapping; not necessarily aligned to the element size */
    size_t n_bytes;
} st_tensor;

typedef struct st_meta {
    const char *key, *value;
} st_meta;

typedef struct st_file {
    void *map;
    size_t map_bytes;
    size_t n_tensors;
    st_tensor *tensors; /* in file order; found by name with st_find */
    size_t n_meta;
    st_meta *meta;
    void *private_names; /* storage behind the strings */
} st_file;

/* Maps and checks `path`. Errors: SAM_E_IO, SAM_E_FORMAT, SAM_E_MEMORY; nothing is left open on failure. */
sam_status st_open(const char *path, st_file *out, sam_error *err);
void st_close(st_file *f);
/* Lets the system drop the file's pages from memory; they are read again when touched. */
void st_release_pages(const st_file *f);
const st_tensor *st_find(const st_file *f, const char *name); /* NULL if absent */
const char *st_meta_get(const st_file *f, const char *key);   /* NULL if absent */
size_t st_dtype_bytes(st_dtype t);
const char *st_dtype_name(st_dtype t); /* "F32" */
int64_t st_count(const st_tensor *t);  /* number of elements */

/* Writes a file atomically (temporary name in the same folder, fsync, rename); data is 64-byte aligned in the file.
 * A failure (disk full, ...) leaves no partial file under `path`. */
sam_status st_write(const char *path, const st_tensor *tensors, size_t n_tensors, const st_meta *meta, size_t n_meta,
                    sam_error *err);

#endif
