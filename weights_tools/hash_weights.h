/* hash_weights.h - deterministic random weights: every element is a function of (seed, tensor name, flat index), so a
 * checkpoint can be made again anywhere, bit for bit, from a model's name and a seed. */
#ifndef HASH_WEIGHTS_H
#define HASH_WEIGHTS_H

#include "known_models.h"
#include "tensor_set.h"

typedef enum hash_variant {
    HASH_STABLE,  /* single masks clearly above the stability threshold of dynamic multimask selection */
    HASH_UNSTABLE /* ... clearly below it */
} hash_variant;

/* All tensors of the official state dict with data: F32 (or F16 if half), I64 counters 0. */
sam_status hash_weights(const known_model *c, uint64_t seed, hash_variant variant, int half, tensor_set *out,
                        sam_error *err);

#endif
