#include "samples.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

sam_status samples_reserve(samples *s, size_t n, sam_error *err)
{
    if (n <= s->capacity)
        return SAM_OK;
    double *x = realloc(s->x, n * sizeof *x);
    if (!x)
        return fail(err, SAM_E_MEMORY, "no memory for %zu measurements", n);
    s->x = x;
    s->capacity = n;
    return SAM_OK;
}

sam_status samples_add(samples *s, double x, sam_error *err)
{
    if (s->n == s->capacity)
        TRY(samples_reserve(s, s->capacity ? 2 * s->capacity : 64, err));
    s->x[s->n++] = x;
    return SAM_OK;
}

void samples_forget(samples *s, size_t n)
{
    if (n > s->n)
        return;
    s->n -= n;
    memmove(s->x, s->x + n, s->n * sizeof *s->x);
}

static int ascending(const void *a, const void *b)
{
    double x = *(const double *)a, y = *(const double *)b;
    return (x > y) - (x < y);
}

double samples_quantile(const samples *s, size_t first, double q)
{
    size_t n = s->n > first ? s->n - first : 0;
    double *sorted = n ? malloc(n * sizeof *sorted) : NULL;
    if (!sorted)
        return NAN;
    memcpy(sorted, s->x + first, n * sizeof *sorted);
    qsort(sorted, n, sizeof *sorted, ascending);
    double at = q * (double)(n - 1);
    size_t low = (size_t)at, high = low + 1 < n ? low + 1 : low;
    double value = sorted[low] + (at - (double)low) * (sorted[high] - sorted[low]);
    free(sorted);
    return value;
}

size_t percentile_needs(int percent)
{
    double p = percent / 100.0, none = 1, one = 0; /* the chance of none and of one beyond it, of n */
    size_t n = 0;
    if (percent <= 50)
        return 1;
    for (; none + one > 0.01; n++) {
        one = one * p + none * (1 - p);
        none *= p;
    }
    return n;
}

double samples_percentile(const samples *s, size_t first, int percent)
{
    size_t n = s->n > first ? s->n - first : 0;
    return n < percentile_needs(percent) ? NAN : samples_quantile(s, first, percent / 100.0);
}

double samples_sum(const samples *s, size_t first)
{
    double sum = 0;
    for (size_t i = first; i < s->n; i++)
        sum += s->x[i];
    return sum;
}

void samples_free(samples *s)
{
    free(s->x);
    *s = (samples){0};
}
