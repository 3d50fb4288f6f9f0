/* torch_writer.h - zip archives and torch.save files for tests, so that they need no Python. */
#ifndef TORCH_WRITER_H
#define TORCH_WRITER_H

#include "safetensors.h"

typedef struct byte_buffer {
    uint8_t *at;
    size_t n, capacity;
} byte_buffer;

void buffer_add(byte_buffer *b, const void *data, size_t n_bytes);
void buffer_free(byte_buffer *b);

typedef struct zip_item {
    const char *name;
    const void *data;
    size_t n_bytes;
    int deflate;
} zip_item;

enum { ZIP_PLAIN = 0, ZIP_64 = 1 }; /* ZIP_64: sizes and offsets in zip64 records even if small */
void zip_build(byte_buffer *out, const zip_item *items, size_t n_items, int flavour);

/* {key: {name: tensor}} or, with key NULL, the bare dict, as torch.save writes it with protocol 2. */
void torch_build(byte_buffer *out, const st_tensor *tensors, size_t n_tensors, const char *key);

#endif
