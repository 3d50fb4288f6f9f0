/* tiny_model.h - miniature but complete models: every block of the real ones, a few hundred KB of random weights, so that
 * a session opens in milliseconds. Sizes come from the configuration text alone. */
#ifndef TINY_MODEL_H
#define TINY_MODEL_H

#include <stddef.h>
#include <stdint.h>

#include "safetensors.h"
#include "temp_dir.h"

/* TINY_COUNT families track; the ones after it take images only. */
typedef enum tiny_family {
    TINY_SAM2,
    TINY_SAM21,
    TINY_EDGETAM,
    TINY_COUNT,
    TINY_SAM1 = TINY_COUNT,
    TINY_ALL
} tiny_family;

enum { TINY_PX = 64 }; /* default input side; multiples of 32 work */

extern const char *const tiny_config[TINY_ALL]; /* the "config" text of the file */
extern const char *const tiny_names[TINY_ALL];

/* A model file called `name` inside, with random weights that depend on the tensors' names only. Asserts. Tensors are the ones the engine's own
 * graphs ask for: which those ought to be is tested elsewhere, against the official code. */
void tiny_model_write(const char *path, tiny_family family, const char *name);

/* The same for a family of `rows` and any configuration. */
struct model_family;
void tiny_model_write_of(const struct model_family *rows, const char *path, const char *family, const char *config,
                         const char *name);

/* Builds every graph of the model in `path` over its tensors: SAM_OK, or what is missing or of another shape; with `leftovers`
 * also what no graph asks for. Reads no data. */
sam_status tiny_graphs_check(const struct model_family *rows, const char *path, int leftovers, sam_error *err);

/* A safetensors file, without st_write's wait for the disk. Data NULL: zeros, which take no room on it. */
void tiny_file_write(const char *path, const st_tensor *t, size_t n, const st_meta *meta, size_t n_meta);

/* The files in a temporary folder, made once per program. */
typedef struct tiny_models {
    temp_dir dir;
    char path[TINY_ALL][300];
} tiny_models;
void tiny_models_make(tiny_models *t);
void tiny_models_remove(tiny_models *t);

/* sam_model_open and sam_session_open that must succeed. One thread unless asked: miniatures do not pay for more; where
 * SAM_TEST_DEVICE says (test_backend.h). */
sam_model *tiny_open(const char *path, const sam_model_options *opt);
sam_session *tiny_session(sam_model *m, sam_session_options opt);

/* Frame t of a clip of textured moving discs: [height, width, 3]. */
void tiny_frame(int width, int height, int64_t t, uint8_t *rgb);
/* Pushes it as frame `t`; must succeed. The frame's size is at most TINY_FRAME_PX a side. */
enum { TINY_FRAME_PX = 128 };
void tiny_push(sam_session *s, int width, int height, int64_t t);

#endif
