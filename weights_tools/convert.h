/* convert.h - makes the weights file the engine opens from what the models' authors publish.
 *
 * Input: torch.save (.pt, .pth, of any version) or safetensors; official names or those of Hugging Face transformers, inside
 * the wrappers that wrapped_names.h knows; F32, F16, BF16, and F64, which becomes F32.
 * Output: safetensors with the official names and shapes, in official order, source dtype; EdgeTAM's trunk folded
 * (fold.c). Metadata, all strings:
 *   format_version  "1"
 *   family          "sam2", "edgetam" or "sam"
 *   name            "sam2.1_hiera_tiny"
 *   config          JSON object with the numbers the graph is built from (known_models.c)
 *   source_name     file name of the input; of random weights their recipe
 *   source_sha256   of the input file; of random weights their digest
 * Nothing here reads the environment. */
#ifndef CONVERT_H
#define CONVERT_H

#include "hash_weights.h"

#define CONVERT_FORMAT_VERSION "1"

/* Converts `in`; one that is converted already is copied. `model` (may be NULL) overrides recognition. */
sam_status convert_file(const char *in, const char *out, const char *model, sam_error *err);

/* Sets out_path to a converted form of `in`: itself if it is converted already, else a file in cache_dir (made if
 * needed) named after the input's SHA-256 and name, converted now unless it is there. */
sam_status convert_cached(const char *in, const char *cache_dir, const char *model, char *out_path, size_t out_bytes,
                          sam_error *err);

/* $XDG_CACHE_HOME/sambench, or $HOME/.cache/sambench; the caller passes the variables, NULL if unset. */
sam_status convert_cache_dir(const char *xdg_cache_home, const char *home, char *out, size_t out_bytes, sam_error *err);

typedef struct random_options {
    const char *model; /* required */
    uint64_t seed;
    hash_variant variant;
    int half;     /* F16 instead of F32 */
    int official; /* 1: official names, nothing folded, as the reference writes it; 0: converted */
} random_options;

/* Random weights of a model to `out`. Either `out` or `digest` (of the official tensors, DIGEST_TEXT bytes) may be
 * NULL. */
sam_status convert_random(const random_options *opt, const char *out, char *digest, sam_error *err);

#endif
