/* csv_layout.c - see csv_layout.h. */
#include "csv_layout.h"

#include <assert.h>
#include <math.h>
#include <stdio.h>
#include <string.h>

enum { NUMBER_BYTES = 32 };

typedef struct cells {
    const char *values[CSV_MAX_COLUMNS];
    char text[CSV_MAX_COLUMNS][NUMBER_BYTES];
} cells;

void csv_clear_row(const csv_layout *l, void *row)
{
    static const int none = CSV_NONE;
    static const double nothing = NAN;
    memset(row, 0, l->row_bytes);
    for (int i = 0; i < l->n; i++) {
        char *at = (char *)row + l->fields[i].place;
        if (l->fields[i].kind == CSV_INT)
            memcpy(at, &none, sizeof none);
        if (l->fields[i].kind >= CSV_NUMBER)
            memcpy(at, &nothing, sizeof nothing);
    }
}

/* A cell; numbers are written into text [NUMBER_BYTES]. */
static const char *cell(const csv_field *f, const void *row, char *text)
{
    const char *at = (const char *)row + f->place;
    const char *pointer;
    double number;
    int count;
    switch (f->kind) {
    case CSV_TEXT:
        memcpy(&pointer, at, sizeof pointer);
        return pointer;
    case CSV_CHARS:
        return at;
    case CSV_INT:
        memcpy(&count, at, sizeof count);
        snprintf(text, NUMBER_BYTES, "%d", count);
        return count == CSV_NONE ? NULL : text;
    default:
        memcpy(&number, at, sizeof number);
        snprintf(text, NUMBER_BYTES, "%.*f", f->kind - CSV_NUMBER, number);
        return isnan(number) ? NULL : text;
    }
}

static void fill(cells *c, const csv_layout *l, const void *row)
{
    for (int i = 0; i < l->n; i++)
        c->values[i] = cell(&l->fields[i], row, c->text[i]);
}

static void names_of(const csv_layout *l, const char *names[CSV_MAX_COLUMNS])
{
    assert(l->n <= CSV_MAX_COLUMNS);
    for (int i = 0; i < l->n; i++)
        names[i] = l->fields[i].name;
}

sam_status csv_open_layout(csv_table *t, const char *path, const csv_layout *l, int resume, sam_error *err)
{
    const char *names[CSV_MAX_COLUMNS];
    names_of(l, names);
    return csv_open(t, path, names, l->n, resume, err);
}

sam_status csv_append_row(csv_table *t, const csv_layout *l, const void *row, sam_error *err)
{
    cells c;
    fill(&c, l, row);
    return csv_append(t, c.values, err);
}

sam_status csv_add_row(csv_table *t, const csv_layout *l, const void *row, sam_error *err)
{
    cells c;
    fill(&c, l, row);
    return csv_add(t, c.values, err);
}

/* Rows of `old` in the columns of `t`. */
static sam_status copy_rows(csv_table *t, const csv_table *old, sam_error *err)
{
    for (int c = 0; c < old->n_columns; c++)
        if (csv_column(t, old->columns[c]) < 0)
            return fail(err, SAM_E_FORMAT, "%s: has a column '%.40s' that this version does not write", old->path,
                        old->columns[c]);
    for (int row = 0; row < old->n_rows; row++) {
        const char *values[CSV_MAX_COLUMNS];
        for (int c = 0; c < t->n_columns; c++)
            values[c] = csv_text(old, row, t->columns[c]);
        TRY(csv_append(t, values, err));
    }
    return SAM_OK;
}

sam_status csv_read_layout(csv_table *t, const char *path, const csv_layout *l, sam_error *err)
{
    csv_table old = {0};
    TRY(csv_read(&old, path, err));
    sam_status status = csv_open_layout(t, path, l, 0, err);
    if (status == SAM_OK)
        status = copy_rows(t, &old, err);
    csv_close(&old);
    return status;
}
