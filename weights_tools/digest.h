/* digest.h - SHA-256, in lower-case hexadecimal. */
#ifndef DIGEST_H
#define DIGEST_H

#include "tensor_set.h"

#define DIGEST_TEXT 65

sam_status digest_bytes(const void *data, size_t n_bytes, char out[DIGEST_TEXT], sam_error *err);

/* Over all tensors in order: "name|dtype|d0,d1,...\n", then the bytes. dtype as numpy calls it (float32). This is what
 * hash_weights.digest of the reference computes. */
sam_status digest_tensors(const tensor_set *s, char out[DIGEST_TEXT], sam_error *err);

#endif
