#include "nearest.h"

#include <stdio.h>
#include <string.h>

/* Dashes and underscores in names are the same. */
static char canonical(char c)
{
    return c == '-' ? '_' : c;
}

/* Levenshtein distance of two names shorter than NEAREST_BYTES. */
static int edit_distance(const char *a, const char *b, size_t n_b)
{
    int row[NEAREST_BYTES];
    for (size_t j = 0; j <= n_b; j++)
        row[j] = (int)j;
    for (size_t i = 0; a[i]; i++) {
        int diagonal = row[0];
        row[0] = (int)i + 1;
        for (size_t j = 1; j <= n_b; j++) {
            int best = diagonal + (canonical(a[i]) != canonical(b[j - 1]));
            if (row[j] + 1 < best)
                best = row[j] + 1;
            if (row[j - 1] + 1 < best)
                best = row[j - 1] + 1;
            diagonal = row[j];
            row[j] = best;
        }
    }
    return row[n_b];
}

void nearest_try(nearest *best, const char *candidate, const char *given, size_t n_given)
{
    if (n_given >= NEAREST_BYTES || strlen(candidate) >= NEAREST_BYTES)
        return;
    int distance = edit_distance(candidate, given, n_given);
    if (best->name[0] && distance >= best->distance)
        return;
    best->distance = distance;
    snprintf(best->name, sizeof best->name, "%s", candidate);
}

const char *nearest_name(const nearest *best, size_t n_given)
{
    return best->name[0] && best->distance <= (int)(n_given + 1) / 2 ? best->name : NULL;
}
