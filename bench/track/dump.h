/* dump.h - named tensors, collected while a verb runs and written as one safetensors file at its end. Everything is
 * copied and kept in memory until then, so it is meant for clips of tens of frames. */
#ifndef DUMP_H
#define DUMP_H

#include "op.h"
#include "safetensors.h"

/* Start with {0}. */
typedef struct dump {
    st_tensor *tensors; /* [n], names and data owned */
    size_t n, capacity;
} dump;

/* Copies; the dump's names are unique. `shape` has n_dims numbers. */
sam_status dump_f32(dump *d, const char *name, const float *data, int n_dims, const int64_t *shape, sam_error *err);
sam_status dump_u8(dump *d, const char *name, const uint8_t *data, size_t row_bytes, int height, int width,
                   sam_error *err);
/* The first batch of a value of the engine, [rows, cols], as f32. */
sam_status dump_tensor(dump *d, const char *name, const tensor *t, sam_error *err);
sam_status dump_write(const dump *d, const char *path, sam_error *err);
void dump_free(dump *d);

#endif
