/* csv_row.h - the cells of one row of a csv_table, put together from left to right. */
#ifndef CSV_ROW_H
#define CSV_ROW_H

#include "csv.h"

enum { CSV_ROW_CELLS = 48 };

/* Start with n = 0. */
typedef struct csv_row {
    const char *values[CSV_ROW_CELLS];
    char text[CSV_ROW_CELLS][32];
    int n;
} csv_row;

void row_text(csv_row *r, const char *text); /* borrowed; NULL: an empty cell */
void row_int(csv_row *r, long long value);
void row_number(csv_row *r, int decimals, double value); /* NaN: an empty cell */

#endif
