/* hash_model.h - the weights of the reference outputs (tests/parity), apart from the engine's own headers. */
#ifndef HASH_MODEL_H
#define HASH_MODEL_H

#include "error.h"

/* 1: the weights of `model`, converted, are at `path`. */
int hash_model_make(const char *path, const char *model, unsigned seed, int unstable, sam_error *err);

#endif
