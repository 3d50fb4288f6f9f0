/* inspect.h - what is in a weights file. */
#ifndef INSPECT_H
#define INSPECT_H

#include <stdio.h>

#include "error.h"

/* Writes kind, model, configuration and tensors of any supported file to `to`. A file whose tensors are not a known
 * model's is listed all the same. */
sam_status inspect_file(const char *path, FILE *to, sam_error *err);

#endif
