/* speed_files.h - the table of `sambench speed`, as CSV, JSON and on the terminal; docs/speed.md says what is in it. */
#ifndef SPEED_FILES_H
#define SPEED_FILES_H

#include "csv.h"
#include "speed_run.h"

#include <jansson.h>

/* Start with {0}. */
typedef struct speed_files {
    csv_table table;
    const char *json_path;
    json_t *json;
    int print, n_failed, n_printed;
    int begun; /* an earlier table has become the previous one */
} speed_files;

sam_status speed_files_open(speed_files *f, const char *csv, const char *json, int print, sam_error *err);
/* Adds a configuration and rewrites the files. */
sam_status speed_files_add(speed_files *f, const speed_run *r, const char *status, sam_error *err);
void speed_files_close(speed_files *f);

#endif
