/* weights.h - what a model needs of its file: tensors by name and shape, and tables computed from them at open.
 *
 * While graphs are built, entries are only requested; weights_check then names what is missing, of the wrong shape or
 * left over. Bytes are touched when an entry is read, so nothing is copied that the backend repacks anyway. */
#ifndef WEIGHTS_H
#define WEIGHTS_H

#include "backend.h"
#include "op.h"
#include "safetensors.h"

struct weights;

#define MAX_SOURCES 8

/* How an entry is computed: fill(out, sources, shapes of the sources, args). f32 in, f32 out. */
typedef struct derive {
    void (*fill)(float *out, const float *const *in, const tensor *in_shape, const double *args);
    int n_src, src[MAX_SOURCES]; /* entries */
    double args[8];
} derive;

typedef struct weight {
    char name[120];
    tensor t;             /* [1, rows, cols] in the type the graph wants; data is set once resident */
    const st_tensor *src; /* NULL: derived  */
    derive how;
    int first_row;  /* of the source, when the entry is a slice of its rows */
    void *owned;    /* storage of t.data, unless it points into the file     */
    backend *owner; /* whose memory `owned` is                               */
} weight;

typedef struct weights {
    const st_file *file;
    const char *path;
    int count, capacity;
    weight *entry;
    unsigned char *used; /* per tensor of the file */
} weights;

sam_status weights_open(weights *w, const st_file *file, const char *path, sam_error *err);
void weights_close(weights *w);

/* Index of the entry `name` (rows first_row.. of it) as [rows, cols] in `type`; the file's tensor must have
 * file_rows * cols elements. The same request gives the same entry. Errors name the tensor, found and expected. */
sam_status weights_request(weights *w, const char *name, int file_rows, int first_row, int rows, int cols, dtype type,
                           int *index, sam_error *err);
sam_status weights_derive(weights *w, const char *name, dtype type, int rows, int cols, const derive *how, int *index,
                          sam_error *err);
/* Marks a tensor the model does not use on purpose, so that it is not left over. */
void weights_ignore(weights *w, const char *name);
/* SAM_E_FORMAT naming the tensors nobody asked for. */
sam_status weights_check(const weights *w, sam_error *err);

/* Entry as f32. SAM_E_MEMORY. */
sam_status weights_read_f32(const weights *w, int index, float *to, sam_error *err);
/* Entry's bytes, in its type, to `to` in the backend's memory. */
sam_status weights_write(const weights *w, int index, backend *b, void *to, sam_error *err);
/* Memory of the backend: of weights that are packed or converted, and of tables. */
typedef struct weight_room {
    size_t weights, tables;
} weight_room;

/* Makes t.data valid in the backend's memory: in the mapping when backend, type and alignment allow, else in storage of
 * its own. *took adds what that is. */
sam_status weights_make_resident(weights *w, int index, backend *b, weight_room *took, sam_error *err);

#endif
