/* samples.h - measured times and what is reported of them. */
#ifndef SAMPLES_H
#define SAMPLES_H

#include "error.h"

/* Start with {0}. */
typedef struct samples {
    double *x; /* [n] in the order measured */
    size_t n, capacity;
} samples;

sam_status samples_reserve(samples *s, size_t n, sam_error *err);
/* Never allocates within what was reserved. */
sam_status samples_add(samples *s, double x, sam_error *err);
/* Drops the first n, where there are so many. */
void samples_forget(samples *s, size_t n);
/* The q-quantile (0..1) of x[first..n), linear between neighbours as numpy's default; NaN of none. */
double samples_quantile(const samples *s, size_t first, double q);
/* How many samples a percentile above the median needs: so many that with 99 % probability at least two lie beyond it (p90 64,
 * p95 130, p99 662). 1 for the median and below. */
size_t percentile_needs(int percent);
/* The quantile percent / 100, what every verb prints of a percentile; NaN of fewer samples than it needs. */
double samples_percentile(const samples *s, size_t first, int percent);
double samples_sum(const samples *s, size_t first);
void samples_free(samples *s);

#endif
