/* conditions.h - what makes measured times doubtful: other programs at work, a clock below what the processor has, thermal
 * throttling, times that spread too far. Said below a table, and kept in machine.json as `conditions`. */
#ifndef CONDITIONS_H
#define CONDITIONS_H

#include "error.h"

#include <jansson.h>
#include <stdio.h>

enum { CONDITIONS_MAX = 6, CONDITION_BYTES = 200 };

/* Start with {0}, or with a root for /proc and /sys that a test has made. */
typedef struct conditions {
    const char *root; /* NULL: "" */
    int begun;
    double begin_s, busy_s, own_s;   /* by then: of all processors, of this process and its children */
    double n_throttled, gpu_reasons; /* events of the processors so far; NaN: not told               */
    double load;                     /* of the last minute, before the run                          */
    double other_processors;         /* that other programs took while this ran; NaN: not told      */
    int n;
    char warnings[CONDITIONS_MAX][CONDITION_BYTES];
} conditions;

void conditions_begin(conditions *c);
/* Measures the time since then and finds what is to be said. */
void conditions_end(conditions *c);
/* Of n rows so many have frame times whose standard deviation is above CONDITIONS_SPREAD of their mean. */
#define CONDITIONS_SPREAD 0.2
void conditions_add_spread(conditions *c, int n_wide, int n);
/* A line each. */
void conditions_say(const conditions *c, FILE *to);
/* {"load_1min": .., "other_processors": .., "throttle_events": .., "warnings": [..]}; NULL: out of memory. */
json_t *conditions_json(const conditions *c);

#endif
