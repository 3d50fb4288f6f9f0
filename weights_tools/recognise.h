/* recognise.h - from the tensors of a file to those of a model, under their official names. */
#ifndef RECOGNISE_H
#define RECOGNISE_H

#include "names.h"

typedef enum naming {
    NAMING_META, /* facebookresearch/sam2 and EdgeTAM; Ultralytics keeps these names */
    NAMING_HF    /* Hugging Face transformers */
} naming;

typedef struct recognised {
    const known_model *config;
    naming naming;
} recognised;

/* The model whose tensors fit best by name and shape. `model` (may be NULL) overrides the choice. */
sam_status recognise(const char *path, const tensor_set *file, const char *model, recognised *out, sam_error *err);

/* The model's tensors in official order under official names. Data is borrowed from `file` where it can be. A tensor
 * that is missing, unexpected, of another shape or not of floating point is an error that names it; BatchNorm's batch
 * counters, which inference does not use, may be missing. */
sam_status assemble(const char *path, const tensor_set *file, const recognised *r, tensor_set *out, sam_error *err);

#endif
