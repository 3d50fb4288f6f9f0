/* test_mode.h - what `--test_mode` runs on: a generated clip (synth_split.h) and, where no checkpoint is given, random
 * weights. Both lie below the folder of results. */
#ifndef TEST_MODE_H
#define TEST_MODE_H

#include "error.h"

/* Writes OUT_DIR/test_split and returns its path, for the caller to free: one clip of eight frames of 192 x 144, every
 * frame annotated, with two objects, a distractor that looks like the first, and a board that hides the first in the
 * middle. Always the same pixels; what is there is replaced. */
sam_status test_mode_split(const char *out_dir, const char *split_name, char **root, sam_error *err);

/* OUT_DIR/test_weights/CHECKPOINT_random.safetensors, made if it is not there; its path is for the caller to free. */
sam_status test_mode_weights(const char *out_dir, const char *checkpoint, char **path, sam_error *err);

#endif
