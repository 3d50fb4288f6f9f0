/* report_extra.h - what `profile`, `speed` and `track --json` left in a folder, for `report`. */
#ifndef REPORT_EXTRA_H
#define REPORT_EXTRA_H

#include "csv.h"

#include <jansson.h>

enum { EXTRA_PROFILE, EXTRA_SPEED, N_EXTRA_TABLES };
extern const char *const extra_files[N_EXTRA_TABLES];

typedef struct report_extra {
    csv_table tables[N_EXTRA_TABLES]; /* no columns: there is none        */
    json_t *tracks;                   /* by file name: what --json wrote  */
    int n;                            /* how many tables and tracks       */
} report_extra;

/* Start with {0}; extra_free also after a failure. Finding nothing is no error, a table that is none is. */
sam_status extra_read(report_extra *e, const char *folder, sam_error *err);
void extra_free(report_extra *e);

#endif
