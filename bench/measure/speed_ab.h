/* speed_ab.h - `speed --ab`: one configuration against another binary, or against other settings, in processes of their own. */
#ifndef SPEED_AB_H
#define SPEED_AB_H

#include "error.h"

typedef struct speed_ab {
    int argc; /* the command line of `speed`, with --ab; argv[0] is the verb */
    char **argv;
    const char *other; /* begins with a dash: flags that B has instead of A's; else a program   */
    int max_pairs;     /* PAIRED_FIRST to PAIRED_MOST */
    const char *csv;   /* a row per pair: docs/speed.md */
    const char *json;  /* the result; NULL: none        */
    int quiet;
    int (*stop)(void);
} speed_ab;

/* Pairs are run until their difference is sure, or max_pairs of them are done; then one line says it. */
sam_status speed_ab_run(const speed_ab *ab, sam_error *err);

#endif
