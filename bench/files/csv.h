/* csv.h - a table of results that survives interruption: it is in memory, and every added row rewrites the file
 * atomically (atomic_file.h), so the file is always a whole table. Fields are quoted as RFC 4180 asks. */
#ifndef CSV_H
#define CSV_H

#include "error.h"

#include <stdio.h>

typedef struct csv_table {
    char *path;
    int n_columns;
    int n_rows, row_capacity;
    char **columns;          /* [n_columns]         */
    char **cells;            /* [n_rows, n_columns] */
    struct csv_index *index; /* of csv_find */
} csv_table;

/* Starts a table. With `resume` an existing file is read back and must have these columns; without, it stays until
 * csv_save or the first csv_add replaces it. Start with {0}. A file that is no table, or has other columns, is
 * SAM_E_FORMAT. */
sam_status csv_open(csv_table *t, const char *path, const char *const *columns, int n_columns, int resume,
                    sam_error *err);

/* Reads any such file, with the columns that its first row names. A missing file is SAM_E_IO. */
sam_status csv_read(csv_table *t, const char *path, sam_error *err);

/* Appends a row [n_columns] (NULL is an empty field) and rewrites the file. On failure the table and the file are as
 * they were. */
sam_status csv_add(csv_table *t, const char *const *values, sam_error *err);

/* Appends in memory only; for many rows followed by one csv_save. */
sam_status csv_append(csv_table *t, const char *const *values, sam_error *err);
sam_status csv_save(const csv_table *t, sam_error *err);

/* Writes one field of a row that is not in a table, quoted where that is needed. */
void csv_put_field(FILE *out, const char *text);

const char *csv_cell(const csv_table *t, int row, int column);
int csv_column(const csv_table *t, const char *name); /* -1: no such column */
/* A cell by its column's name: "", or NaN, where there is no such column, or no number. */
const char *csv_text(const csv_table *t, int row, const char *column);
double csv_number(const csv_table *t, int row, const char *column);

/* Whether the cell of a column "status" is "ok", or "ok: ..." with a remark. */
int status_is_ok(const char *status);

/* The first row whose leading `n_keys` columns equal `keys`, or -1: what --resume asks before it repeats work. */
int csv_find(const csv_table *t, const char *const *keys, int n_keys);
void csv_close(csv_table *t);

#endif
