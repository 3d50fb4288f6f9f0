/* names.h - which tensors a model has: names, shapes and order of the official state dict
 * (SAM2Base(...).state_dict() in facebookresearch/sam2 and facebookresearch/EdgeTAM). */
#ifndef NAMES_H
#define NAMES_H

#include "known_models.h"
#include "tensor_set.h"

/* All tensors of a model, without data: F32, and I64 for BatchNorm's num_batches_tracked. */
sam_status names_of_model(const known_model *c, tensor_set *out, sam_error *err);

/* Building blocks. The name is made like by printf. Refused memory sticks to the set. */
void want(tensor_set *s, int n_dims, const int64_t *shape, const char *format, ...)
    __attribute__((format(printf, 4, 5)));
void want_conv(tensor_set *s, int n_out, int n_in, int kernel,
               const char *where);                       /* weight [out, in, k, k], bias [out] */
void want_norm(tensor_set *s, int n, const char *where); /* weight [n], bias [n] */

/* A name made like by printf; its text lives until the end of the caller's full expression. */
#define NAME_MAX_BYTES 160
typedef struct tensor_name {
    char text[NAME_MAX_BYTES];
} tensor_name;
tensor_name names_at(const char *format, ...) __attribute__((format(printf, 1, 2)));

void want_linear(tensor_set *s, int n_out, int n_in, const char *where);
void want_one(tensor_set *s, int n, const char *name); /* an embedding [1, n]             */

/* Parts that SAM v1 and SAM 2 share, under their prefix: "prompt_encoder" and "mask_decoder", or "sam_..." in SAM 2. */
void names_prompt_encoder(tensor_set *s, int d, const char *where);
void names_mask_decoder(tensor_set *s, const known_model *c, const char *where);
/* SAM v1, all of it. */
void names_vit(tensor_set *s, const known_model *c);

/* What EdgeTAM has in place of Hiera, and besides SAM 2. */
void names_repvit(tensor_set *s, const known_model *c);
void names_perceiver(tensor_set *s, const known_model *c);

#define SHAPE(...)                                                                                                     \
    (const int64_t[])                                                                                                  \
    {                                                                                                                  \
        __VA_ARGS__                                                                                                    \
    }
#endif
