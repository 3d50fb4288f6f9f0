/* resume.h - tables that --resume continues: rows of finished work are kept, and the settings under which they were made lie
 * beside the table, so that no two ways of measuring come into one. */
#ifndef RESUME_H
#define RESUME_H

#include "csv_layout.h"

/* What every row of a table must have in common, beside its columns. */
typedef struct setting {
    const char *name, *value;
} setting;

typedef struct resume_table {
    const char *folder, *file, *settings_file, *previous; /* names in the folder */
    const csv_layout *layout;                             /* one of its columns is "status" */
    const setting *settings;
    int n_settings;
} resume_table;

/* Starts the table. With `resume` the rows of an existing one whose status is good are taken over, if it was made with these
 * settings (else SAM_E_ARG naming the first that differs); a column that it had not is empty in them; without, an existing table is renamed to `previous`, which
 * *renamed tells. Start with *out = {0}; csv_close also after a failure. */
sam_status resume_open(const resume_table *r, int resume, csv_table *out, int *renamed, sam_error *err);

/* "ok", or "ok: ..." with a remark. */
int status_is_ok(const char *status);

#endif
