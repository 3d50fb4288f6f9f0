/* csv_layout.h - the columns of a table as data. A column is one line: its name, its kind, and where its value lies in the
 * struct that stands for a row.
 *
 *   static const csv_field fields[] = {{"model", CSV_TEXT, offsetof(row, model)}, {"fps", CSV_NUMBER + 3, offsetof(row, fps)}};
 *   const csv_layout rows = {fields, sizeof fields / sizeof *fields, sizeof(row)};
 *   csv_clear_row(&rows, &r); r.model = ...; csv_add_row(&t, &rows, &r, err); */
#ifndef CSV_LAYOUT_H
#define CSV_LAYOUT_H

#include "csv.h"

#include <limits.h>

enum {
    CSV_TEXT,  /* const char *; NULL: an empty cell                                   */
    CSV_CHARS, /* char []                                                             */
    CSV_INT,   /* int; CSV_NONE: an empty cell                                        */
    CSV_NUMBER /* double; NaN: an empty cell. CSV_NUMBER + 3: with three decimals     */
};

enum { CSV_NONE = INT_MIN, CSV_MAX_COLUMNS = 64 };

typedef struct csv_field {
    const char *name;
    int kind;
    size_t place; /* in the row */
} csv_field;

typedef struct csv_layout {
    const csv_field *fields; /* [n], in the order of the file; n <= CSV_MAX_COLUMNS */
    int n;
    size_t row_bytes;
} csv_layout;

/* A row whose cells are all empty. */
void csv_clear_row(const csv_layout *l, void *row);

/* csv_open with the columns of the layout, csv_append and csv_add of a row. */
sam_status csv_open_layout(csv_table *t, const char *path, const csv_layout *l, int resume, sam_error *err);
sam_status csv_append_row(csv_table *t, const csv_layout *l, const void *row, sam_error *err);
sam_status csv_add_row(csv_table *t, const csv_layout *l, const void *row, sam_error *err);

/* Reads a table of an earlier version of the layout: columns are found by their names, those it had not are empty. A column
 * that the layout does not know would be lost, so that is SAM_E_FORMAT. */
sam_status csv_read_layout(csv_table *t, const char *path, const csv_layout *l, sam_error *err);

#endif
