/* spread.h - what is said of a set of measured times. */
#ifndef SPREAD_H
#define SPREAD_H

#include "samples.h"

#include <jansson.h>

typedef struct spread {
    size_t n;
    double mean, stddev, min, median, max; /* stddev of the sample (n - 1); all 0 for n = 0 */
    double p95, p99;                       /* NaN: too few for them (percentile_needs)        */
} spread;

spread spread_of(const samples *s, size_t first); /* of x[first..n) */
json_t *spread_json(const spread *s);             /* {"n": .., "p99": null}; NULL: out of memory */

#endif
