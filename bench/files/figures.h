/* figures.h - a table of figures for people and for programs: aligned text, Markdown, JSON or CSV of the same columns. */
#ifndef FIGURES_H
#define FIGURES_H

#include "error.h"

#include <jansson.h>
#include <stdio.h>

typedef enum figures_format { FIGURES_TABLE, FIGURES_MD, FIGURES_JSON, FIGURES_CSV } figures_format;
#define FIGURES_FORMATS "table|md|json|csv"
figures_format figures_format_of(const char *name); /* one of those, as a flag has checked; NULL: table */

enum { FIGURES_TEXT = -1, FIGURES_MAX_COLUMNS = 24, FIGURES_WIDTH = 80 };

typedef struct figures_column {
    const char *key;  /* in JSON and CSV */
    const char *head; /* in text and Markdown */
    int decimals;     /* FIGURES_TEXT: words */
    int best;         /* 1: the most is marked, -1: the least, 0: none */
    int spare; /* above 0: left out of text where the table would be wider than FIGURES_WIDTH, the greatest first */
} figures_column;

/* Start with {.columns, .n_columns}. */
typedef struct figures {
    const figures_column *columns; /* [n_columns] */
    int n_columns;
    char **words;    /* [n_rows * n_columns], of columns of words */
    double *numbers; /* [n_rows * n_columns], NaN: empty          */
    int *no_best;    /* [n_rows] nothing of it is marked          */
    int n_rows;
    int failed; /* out of memory: told when it is written */
} figures;

/* Begins a row, all of it empty. Then its cells, by key. */
void figures_row(figures *f, int no_best);
void figures_word(figures *f, const char *key, const char *text);
void figures_number(figures *f, const char *key, double x);

/* A cell; NaN, "" where it is empty or there is no such column. */
double figures_number_of(const figures *f, int row, const char *key);
const char *figures_word_of(const figures *f, int row, const char *key);

/* Text and Markdown leave out columns that are empty in all rows; marks are bold on a terminal and in Markdown, * elsewhere. */
sam_status figures_write(const figures *f, figures_format format, FILE *to, sam_error *err);
/* As CSV to a file, whole or not at all. */
sam_status figures_save(const figures *f, const char *path, sam_error *err);
void figures_free(figures *f);

#endif
