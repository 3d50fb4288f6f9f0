/* source.h - a weights file of any supported kind, opened: safetensors (official names, Hugging Face names, or already
 * converted) or torch.save. */
#ifndef SOURCE_H
#define SOURCE_H

#include "tensor_set.h"

typedef struct source {
    const char *path;     /* borrowed */
    const uint8_t *bytes; /* the whole file, mapped */
    size_t n_bytes;
    int is_safetensors;
    int is_converted; /* has this project's metadata */
    st_file file;     /* of a safetensors file */
    tensor_set tensors;
} source;

sam_status source_open(const char *path, source *out, sam_error *err);
void source_close(source *s);

#endif
