/* weights_search.h - finds a model's weights somewhere below a folder, by the names they are published under:
 *
 *   sam2.1_hiera_tiny.pt (also .pth)                     facebookresearch; edgetam.pt
 *   any .safetensors with the model's name in it         what samconvert writes
 *   .../facebook--sam2.1-hiera-tiny/.../model.safetensors  Hugging Face, EdgeTAM-hf too
 *   sam2.1_t.pt                                          Ultralytics
 *
 * In this order; of several the one in the fewest folders, then the first by byte order of paths. */
#ifndef WEIGHTS_SEARCH_H
#define WEIGHTS_SEARCH_H

#include "model_list.h"

/* `checkpoint` is a name of model_list.h ("sam2.1_hiera_tiny"); *path is for the caller to free. Nothing found is
 * SAM_E_IO and says what was looked for. Subfolders that cannot be read, and files that are no weights, are passed over. */
sam_status weights_find(const char *folder, const char *checkpoint, char **path, sam_error *err);

/* The weights of an entry of --models: its file, or what weights_find finds for it (folder NULL: "."). */
sam_status weights_find_entry(const char *folder, const model_entry *e, char **path, sam_error *err);

/* What measuring verbs take as --models: a weights file, or a name of model_list.h with or without the kind of prompt,
 * searched in `folder` (NULL: "."). *path is for the caller to free. */
sam_status weights_find_named(const char *folder, const char *name, char **path, sam_error *err);

/* Files can have wrong names: SAM_E_FORMAT unless `converted`, the converted form of the file `given`, holds `checkpoint`. The other
 * takes a name as weights_find_named does; a name that is a file may hold any model. */
sam_status weights_expect(const char *given, const char *converted, const char *checkpoint, sam_error *err);
sam_status weights_expect_named(const char *given, const char *converted, const char *name, sam_error *err);

#endif
