/* small_model.h - random weights and a generated clip, for tests that run a model. */
#ifndef SMALL_MODEL_H
#define SMALL_MODEL_H

#include "temp_tree.h"

/* root/tiny.safetensors: SAM 2.1 tiny, half precision, 78 MiB. Run it at --imgsz 128. */
void small_model_make(temp_tree *t);
/* root/<folder>/00000.png ... of SYNTHETIC_WIDTH x SYNTHETIC_HEIGHT. */
void small_clip_make(temp_tree *t, const char *folder, int n_frames);

#endif
