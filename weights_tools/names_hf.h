/* names_hf.h - where a tensor of the official state dict is found in a Hugging Face checkpoint (transformers'
 * Sam2VideoModel, EdgeTamVideoModel and SamModel, model.safetensors). */
#ifndef NAMES_HF_H
#define NAMES_HF_H

#include "names.h"

typedef struct hf_source {
    char name[NAME_MAX_BYTES];
    char second[NAME_MAX_BYTES]; /* not empty: the official tensor is both, one above the other */
    int row;                     /* >= 0: it is this row of a table of HF_POINT_ROWS */
} hf_source;

enum { HF_POINT_ROWS = 4 };

void hf_source_of(const char *official, model_trunk trunk, hf_source *out);

/* The same table is stored under two names; either will do. */
#define HF_POSITION_TABLE  "prompt_encoder.shared_embedding.positional_embedding"
#define HF_POSITION_SHARED "shared_image_embedding.positional_embedding"

#endif
