/* require.h - what a final table must show for a run to count as good: `--require 'JandF>=0.75,fps>=10'`. */
#ifndef REQUIRE_H
#define REQUIRE_H

#include "figures.h"
#include "flags.h"

enum { REQUIRE_MAX = 16 };

typedef struct requirements {
    int n;
    struct {
        const char *key; /* of a column */
        int sign;        /* 1: at least or more, -1: at most or less */
        int strict;      /* the limit itself does not do             */
        double limit;
        char text[64]; /* as it was written */
    } at[REQUIRE_MAX];
} requirements;

/* `text` NULL: nothing is required. A field is a column's key or head; SAM_E_ARG names the nearest of one that is none. */
sam_status require_parse(requirements *r, const char *text, const figures_column *columns, int n_columns,
                         sam_error *err);

/* A line to `to` for each row that fails, and for each of `names` [n] that has no row; rows of no_best (baselines) are passed
 * over. An empty cell fails. Returns how many lines. */
int require_check(const requirements *r, const figures *f, const char *const *names, int n, FILE *to);

flag require_flag(const char **text);

#endif
