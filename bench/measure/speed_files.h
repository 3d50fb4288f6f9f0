/* speed_files.h - the table of `sambench speed`, as CSV, JSON and on the terminal; docs/speed.md says what is in it. */
#ifndef SPEED_FILES_H
#define SPEED_FILES_H

#include "csv.h"
#include "figures.h"
#include "speed_run.h"

#include <jansson.h>

/* Start with {0}. */
typedef struct speed_files {
    csv_table table;
    const char *json_path;
    json_t *json;
    figures figures; /* a row per configuration, for the terminal */
    int n_failed;
    int begun; /* an earlier table has become the previous one */
} speed_files;

sam_status speed_files_open(speed_files *f, const char *csv, const char *json, sam_error *err);
/* Adds a configuration and rewrites the files. */
sam_status speed_files_add(speed_files *f, const speed_run *r, const char *status, sam_error *err);
/* The figures of all configurations, to stdout. */
sam_status speed_files_print(const speed_files *f, figures_format format, sam_error *err);
void speed_files_close(speed_files *f);

#endif
