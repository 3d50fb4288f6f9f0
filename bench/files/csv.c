/* csv.c - results tables; see csv.h. */
#include "csv.h"

#include "fnv1a.h"
#include "text_out.h"
#include "text_start.h"

#include <assert.h>
#include <errno.h>
#include <limits.h>
#include <math.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum { MAX_TABLE_BYTES = 256 << 20 };

/* A hash table of the rows by their first n_keys cells, made when it is first asked for and brought up to date by every
 * question. Rows are only ever added and taken off at the end. */
typedef struct csv_index {
    int n_keys, n_rows; /* what it was made for */
    int *slots;         /* [n_slots] row + 1; 0: free */
    size_t n_slots;     /* a power of two, over twice n_rows */
} csv_index;

static char *copy_text(const char *text, size_t n)
{
    char *copy = malloc(n + 1);
    if (copy) {
        memcpy(copy, text, n);
        copy[n] = 0;
    }
    return copy;
}

void csv_close(csv_table *t)
{
    for (int i = 0; t->columns && i < t->n_columns; i++)
        free(t->columns[i]);
    for (size_t i = 0; i < (size_t)t->n_rows * t->n_columns; i++)
        free(t->cells[i]);
    free(t->columns);
    free(t->cells);
    free(t->path);
    if (t->index)
        free(t->index->slots);
    free(t->index);
    *t = (csv_table){0};
}

const char *csv_cell(const csv_table *t, int row, int column)
{
    return t->cells[(size_t)row * t->n_columns + column];
}

int csv_column(const csv_table *t, const char *name)
{
    for (int i = 0; i < t->n_columns; i++)
        if (!strcmp(t->columns[i], name))
            return i;
    return -1;
}

/* ---- finding rows ---- */

static size_t hash_keys(const char *const *keys, int n_keys)
{
    uint64_t h = FNV1A_BEGIN;
    for (int k = 0; k < n_keys; k++)
        h = fnv1a(h, keys[k]);
    return (size_t)(h ^ h >> 32);
}

static int same_keys(const csv_table *t, int row, const char *const *keys, int n_keys)
{
    for (int c = 0; c < n_keys; c++)
        if (strcmp(csv_cell(t, row, c), keys[c]))
            return 0;
    return 1;
}

/* Rows go in in their order, so that of several alike the first is found first. */
static void index_row(csv_index *x, const csv_table *t, int row)
{
    size_t at = hash_keys((const char *const *)t->cells + (size_t)row * t->n_columns, x->n_keys) & (x->n_slots - 1);
    while (x->slots[at])
        at = (at + 1) & (x->n_slots - 1);
    x->slots[at] = row + 1;
}

/* 0: there is no memory for it. */
static int index_update(csv_index *x, const csv_table *t, int n_keys)
{
    if (x->n_keys != n_keys || t->n_rows < x->n_rows || 2 * (size_t)t->n_rows >= x->n_slots) {
        size_t n = x->n_slots ? x->n_slots : 64;
        while (n <= 4 * (size_t)t->n_rows)
            n *= 2;
        free(x->slots);
        *x = (csv_index){.n_keys = n_keys, .slots = calloc(n, sizeof *x->slots), .n_slots = n};
        if (!x->slots) {
            x->n_slots = 0;
            return 0;
        }
    }
    for (; x->n_rows < t->n_rows; x->n_rows++)
        index_row(x, t, x->n_rows);
    return 1;
}

int status_is_ok(const char *status)
{
    return !strcmp(status, "ok") || !strncmp(status, "ok:", 3);
}

int csv_find(const csv_table *t, const char *const *keys, int n_keys)
{
    csv_index *x = t->index;
    if (!x || !index_update(x, t, n_keys)) {
        for (int row = 0; row < t->n_rows; row++)
            if (same_keys(t, row, keys, n_keys))
                return row;
        return -1;
    }
    size_t at = hash_keys(keys, n_keys) & (x->n_slots - 1);
    for (; x->slots[at]; at = (at + 1) & (x->n_slots - 1))
        if (same_keys(t, x->slots[at] - 1, keys, n_keys))
            return x->slots[at] - 1;
    return -1;
}

/* ---- writing ---- */

static void drop_last_row(csv_table *t)
{
    t->n_rows--;
    if (t->index)
        t->index->n_keys = 0; /* it is made anew */
    for (int c = 0; c < t->n_columns; c++)
        free(t->cells[(size_t)t->n_rows * t->n_columns + c]);
}

sam_status csv_append(csv_table *t, const char *const *values, sam_error *err)
{
    if (t->n_rows == t->row_capacity) {
        if (t->row_capacity > INT_MAX / 2)
            return fail(err, SAM_E_FULL, "%s: more than %d rows", t->path, t->n_rows);
        int capacity = t->row_capacity ? 2 * t->row_capacity : 16;
        char **cells = realloc(t->cells, (size_t)capacity * t->n_columns * sizeof *cells);
        if (!cells)
            return fail(err, SAM_E_MEMORY, "%s: out of memory for %d rows", t->path, capacity);
        t->cells = cells;
        t->row_capacity = capacity;
    }
    char **row = t->cells + (size_t)t->n_rows * t->n_columns;
    int complete = 1;
    for (int c = 0; c < t->n_columns; c++) {
        const char *value = values[c] ? values[c] : "";
        row[c] = copy_text(value, strlen(value));
        complete &= row[c] != NULL;
    }
    t->n_rows++;
    if (complete)
        return SAM_OK;
    drop_last_row(t);
    return fail(err, SAM_E_MEMORY, "%s: out of memory for a row", t->path);
}

static int needs_quotes(const char *text)
{
    return strpbrk(text, ",\"\r\n") || text[0] == ' ' || (text[0] && text[strlen(text) - 1] == ' ');
}

static void put_quoted(FILE *out, const char *text)
{
    putc('"', out);
    for (; *text; text++) {
        if (*text == '"')
            putc('"', out);
        putc(*text, out);
    }
    putc('"', out);
}

void csv_put_field(FILE *out, const char *text)
{
    if (needs_quotes(text))
        put_quoted(out, text);
    else
        fputs(text, out);
}

static void put_row(FILE *out, char *const *row, int n)
{
    for (int c = 0; c < n; c++) {
        if (c)
            putc(',', out);
        if (n == 1 && !row[c][0]) /* an empty line would be no row */
            put_quoted(out, row[c]);
        else
            csv_put_field(out, row[c]);
    }
    putc('\n', out);
}

sam_status csv_save(const csv_table *t, sam_error *err)
{
    text_out text;
    TRY(text_open(&text, t->path, err));
    put_row(text.to, t->columns, t->n_columns);
    for (int r = 0; r < t->n_rows; r++)
        put_row(text.to, t->cells + (size_t)r * t->n_columns, t->n_columns);
    return text_close(&text, err);
}

sam_status csv_add(csv_table *t, const char *const *values, sam_error *err)
{
    TRY(csv_append(t, values, err));
    sam_status status = csv_save(t, err);
    if (status != SAM_OK)
        drop_last_row(t);
    return status;
}

/* ---- reading ---- */

typedef struct reader {
    const char *at, *end;
    int line;
    int last_in_row; /* the field just read ended its row */
} reader;

/* Reads the next field into `field`, which has room for the rest of the file. Returns 0 on an unfinished quote. */
static int read_field(reader *r, char *field)
{
    int quoted = r->at < r->end && *r->at == '"';
    r->at += quoted;
    for (; r->at < r->end; r->at++) {
        char c = *r->at;
        if (quoted && c == '"') {
            if (r->at + 1 < r->end && r->at[1] == '"')
                r->at++;
            else {
                quoted = 0;
                continue;
            }
        } else if (!quoted && (c == ',' || c == '\n')) {
            break;
        } else if (!quoted && c == '\r' && (r->at + 1 == r->end || r->at[1] == '\n')) {
            continue;
        }
        r->line += c == '\n';
        *field++ = c;
    }
    *field = 0;
    r->last_in_row = r->at == r->end || *r->at == '\n';
    r->line += r->at < r->end && *r->at == '\n';
    r->at += r->at < r->end;
    return !quoted;
}

/* Reads a row of n_columns fields into `fields`, whose strings lie in `text`, which has room for the rest of the
 * file and a zero byte per field. */
static sam_status read_row(const char *path, reader *r, char *text, const char **fields, int n_columns, sam_error *err)
{
    int line = r->line, n = 0;
    do {
        if (!read_field(r, text))
            return fail(err, SAM_E_FORMAT, "%s:%d: a quoted field does not end", path, line);
        if (n < n_columns)
            fields[n] = text;
        n++;
        text += strlen(text) + 1;
    } while (!r->last_in_row && n <= n_columns);
    if (n != n_columns)
        return fail(err, SAM_E_FORMAT, "%s:%d: %s%d fields, expected %d; repair or remove the file to start anew", path,
                    line, r->last_in_row ? "" : "more than ", r->last_in_row ? n : n_columns, n_columns);
    return SAM_OK;
}

static sam_status check_header(const csv_table *t, const char *const *fields, sam_error *err)
{
    for (int c = 0; c < t->n_columns; c++)
        if (strcmp(fields[c], t->columns[c]))
            return fail(err, SAM_E_FORMAT,
                        "%s: column %d is '%.60s', expected '%s': it was written by another version or verb; "
                        "move it away or do not resume",
                        t->path, c + 1, fields[c], t->columns[c]);
    return SAM_OK;
}

static sam_status parse_table(csv_table *t, const char *bytes, size_t n, sam_error *err)
{
    reader r = {bytes + text_start(bytes, n), bytes + n, 1, 0};
    const char **fields = calloc((size_t)t->n_columns, sizeof *fields);
    char *text = malloc(n + (size_t)t->n_columns + 2);
    sam_status status = SAM_OK;
    if (!fields || !text)
        status = fail(err, SAM_E_MEMORY, "%s: out of memory", t->path);
    for (int first = 1; status == SAM_OK && r.at < r.end; first = 0) {
        status = read_row(t->path, &r, text, fields, t->n_columns, err);
        if (status == SAM_OK)
            status = first ? check_header(t, fields, err) : csv_append(t, fields, err);
    }
    free(fields);
    free(text);
    return status;
}

static sam_status read_back(csv_table *t, sam_error *err)
{
    FILE *file = fopen(t->path, "rb");
    if (!file && errno == ENOENT)
        return SAM_OK;
    if (!file)
        return fail(err, SAM_E_IO, "%s: %s", t->path, strerror(errno));
    char *bytes = NULL;
    size_t n = 0, capacity = 0;
    sam_status status = SAM_OK;
    while (status == SAM_OK && !feof(file)) {
        if (n == capacity) {
            capacity = capacity ? 2 * capacity : 1 << 16;
            char *more = capacity <= MAX_TABLE_BYTES ? realloc(bytes, capacity) : NULL;
            if (!more) {
                status = fail(err, SAM_E_FORMAT, "%s: too large for a table of results", t->path);
                break;
            }
            bytes = more;
        }
        n += fread(bytes + n, 1, capacity - n, file);
        if (ferror(file))
            status = fail(err, SAM_E_IO, "%s: %s", t->path, strerror(errno));
    }
    fclose(file);
    if (status == SAM_OK && memchr(bytes, 0, n))
        status = fail(err, SAM_E_FORMAT, "%s: holds a zero byte, so it is not a table", t->path);
    if (status == SAM_OK)
        status = parse_table(t, bytes, n, err);
    free(bytes);
    return status;
}

sam_status csv_open(csv_table *t, const char *path, const char *const *columns, int n_columns, int resume,
                    sam_error *err)
{
    assert(n_columns > 0);
    *t = (csv_table){.n_columns = n_columns};
    t->path = copy_text(path, strlen(path));
    t->columns = calloc((size_t)n_columns, sizeof *t->columns);
    t->index = calloc(1, sizeof *t->index);
    int complete = t->path && t->columns && t->index;
    for (int c = 0; complete && c < n_columns; c++) {
        t->columns[c] = copy_text(columns[c], strlen(columns[c]));
        complete = t->columns[c] != NULL;
    }
    sam_status status = complete ? SAM_OK : fail(err, SAM_E_MEMORY, "%s: out of memory", path);
    if (status == SAM_OK && resume)
        status = read_back(t, err);
    if (status != SAM_OK)
        csv_close(t);
    return status;
}

const char *csv_text(const csv_table *t, int row, const char *column)
{
    int c = csv_column(t, column);
    return c < 0 ? "" : csv_cell(t, row, c);
}

double csv_number(const csv_table *t, int row, const char *column)
{
    char *rest;
    const char *text = csv_text(t, row, column);
    double x = strtod(text, &rest);
    return rest == text ? NAN : x;
}

sam_status csv_read(csv_table *t, const char *path, sam_error *err)
{
    enum { MAX_HEADER = 1 << 15, MAX_COLUMNS = 512 };
    char *bytes = malloc(2 * MAX_HEADER + MAX_COLUMNS);
    const char *columns[MAX_COLUMNS];
    FILE *file = bytes ? fopen(path, "rb") : NULL;
    *t = (csv_table){0};
    if (!file) {
        sam_status missing = bytes ? fail(err, SAM_E_IO, "%s: %s", path, strerror(errno))
                                   : fail(err, SAM_E_MEMORY, "%s: out of memory", path);
        free(bytes);
        return missing;
    }
    size_t n = fread(bytes, 1, MAX_HEADER, file);
    fclose(file);
    reader r = {bytes + text_start(bytes, n), bytes + n, 1, 0};
    char *text = bytes + MAX_HEADER;
    int n_columns = 0, complete = n > 0;
    while (complete && n_columns < MAX_COLUMNS && !r.last_in_row) {
        complete = read_field(&r, text);
        columns[n_columns++] = text;
        text += strlen(text) + 1;
    }
    sam_status status =
        complete && r.last_in_row && !memchr(bytes, 0, n) && memchr(bytes, '\n', n)
            ? csv_open(t, path, columns, n_columns, 1, err)
            : fail(err, SAM_E_FORMAT, "%s: does not begin with a whole row of column names; is it cut short?", path);
    free(bytes);
    return status;
}
