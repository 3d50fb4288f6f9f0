/* npz.h - arrays of a numpy .npz archive (zip of .npy, stored or deflated), little endian, C order. */
#ifndef NPZ_H
#define NPZ_H

#include "error.h"

#include <stddef.h>
#include <stdint.h>

typedef struct npy {
    char kind;      /* 'f', 'i' or 'u'                     */
    int item_bytes; /* 1, 2, 4, 8                          */
    int n_dims;
    size_t shape[6], count;
    const uint8_t *data;
} npy;

typedef struct npz npz;

sam_status npz_open(const char *path, npz **out, sam_error *err);
void npz_close(npz *z);
/* The array called `name`; its data lives until npz_close. 0: absent, or not such an array. */
int npz_find(npz *z, const char *name, npy *out);

#endif
