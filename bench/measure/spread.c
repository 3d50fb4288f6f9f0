#include "spread.h"

#include "json_build.h"

#include <math.h>

spread spread_of(const samples *s, size_t first)
{
    spread r = {.n = s->n > first ? s->n - first : 0};
    double squares = 0;
    r.p95 = r.p99 = NAN;
    if (!r.n)
        return r;
    r.mean = samples_sum(s, first) / (double)r.n;
    for (size_t i = first; i < s->n; i++)
        squares += (s->x[i] - r.mean) * (s->x[i] - r.mean);
    r.stddev = r.n > 1 ? sqrt(squares / (double)(r.n - 1)) : 0;
    r.min = samples_quantile(s, first, 0);
    r.median = samples_quantile(s, first, 0.5);
    r.p95 = samples_percentile(s, first, 95);
    r.p99 = samples_percentile(s, first, 99);
    r.max = samples_quantile(s, first, 1);
    return r;
}

json_t *spread_json(const spread *s)
{
    return json_pack("{s:I,s:f,s:f,s:o,s:o,s:f,s:f,s:f}", "n", (json_int_t)s->n, "mean", s->mean, "median", s->median,
                     "p95", json_figure(s->p95), "p99", json_figure(s->p99), "stddev", s->stddev, "min", s->min, "max",
                     s->max);
}
