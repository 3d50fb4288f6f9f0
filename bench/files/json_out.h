/* json_out.h - writes the JSON files of the verbs: four spaces, in the order of the keys, atomically. */
#ifndef JSON_OUT_H
#define JSON_OUT_H

#include "error.h"

#include <jansson.h>

/* Takes `root`; NULL means that memory ran out while it was built. "-" is standard output. */
sam_status json_out(const char *path, json_t *root, sam_error *err);

#endif
