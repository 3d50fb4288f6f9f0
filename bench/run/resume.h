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
    const char *folder, *file, *settings_file; /* names in the folder */
    const csv_layout *layout;                  /* one of its columns is "status" */
    const setting *settings;
    int n_settings;
    const setting *weights; /* [n_weights] model and mark (weights_mark.h): what rows of that model have in common */
    int n_weights;
} resume_table;

/* Starts the table. With `resume` the rows of an existing one whose status is good are taken over, if it was made with these
 * settings and weights (else SAM_E_ARG naming the first that differs); without, an existing table becomes the previous one
 * (history.h), which *kept tells. Start with *out = {0}; csv_close also after a failure. */
sam_status resume_open(const resume_table *r, int resume, csv_table *out, int *kept, sam_error *err);

/* For a run that *kept an earlier table and got no row: that table is put back. */
void resume_abandon(const char *folder, const char *file, const char *settings_file);

#endif
