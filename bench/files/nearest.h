/* nearest.h - which of the names that there are a mistyped one was meant to be. */
#ifndef NEAREST_H
#define NEAREST_H

#include <stddef.h>

enum { NEAREST_BYTES = 64 }; /* of names; longer ones are passed over */

/* Start with {0}. */
typedef struct nearest {
    char name[NEAREST_BYTES]; /* the best so far; "": none */
    int distance;             /* in letters put in, left out or exchanged; dashes and underscores are one letter */
} nearest;

void nearest_try(nearest *best, const char *candidate, const char *given, size_t n_given);
/* The name, or NULL if more than half its letters would have to change: then a suggestion is noise. */
const char *nearest_name(const nearest *best, size_t n_given);

#endif
