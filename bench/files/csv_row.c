#include "csv_row.h"

#include <assert.h>
#include <math.h>
#include <stdio.h>

void row_text(csv_row *r, const char *text)
{
    assert(r->n < CSV_ROW_CELLS);
    r->values[r->n++] = text;
}

void row_int(csv_row *r, long long value)
{
    assert(r->n < CSV_ROW_CELLS);
    snprintf(r->text[r->n], sizeof r->text[0], "%lld", value);
    row_text(r, r->text[r->n]);
}

void row_number(csv_row *r, int decimals, double value)
{
    assert(r->n < CSV_ROW_CELLS);
    snprintf(r->text[r->n], sizeof r->text[0], "%.*f", decimals, value);
    row_text(r, isnan(value) ? NULL : r->text[r->n]);
}
