/* documented.h - what docs/ says of an output file, held against the file. Whatever differs ends the test. */
#ifndef DOCUMENTED_H
#define DOCUMENTED_H

#include "csv.h"
#include "temp_tree.h"

#include <jansson.h>

enum { DOCUMENTED_COLUMNS = 64 };

/* The names in the first cells of the first table below the line of docs/DOC that contains `marker` ("a, b" are two).
 * Returns how many; they stay until the next call. */
int documented_names(const char *doc, const char *marker, const char *names[DOCUMENTED_COLUMNS]);

/* root/<path>, which must have exactly the columns of that table, in its order. */
csv_table documented_table(temp_tree *t, const char *path, const char *doc, const char *marker);

/* The keys of the object `json`, on its first level, are exactly the names of that table. */
void documented_keys(const json_t *json, const char *doc, const char *marker);

/* Every key of `json`, on all levels, must be a word of docs/DOC. `free_keys` (NULL at the end) are keys whose value's keys
 * are names of models, stages or columns, and are not looked for. */
void documented_fields(const json_t *json, const char *doc, const char *const *free_keys);

#endif
