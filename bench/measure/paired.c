/* paired.c - see paired.h. */
#include "paired.h"

#include <math.h>

/* Student's t of n - 1 degrees at 1 - 0.05 / (2 * PAIRED_LOOKS). */
static const struct {
    int n;
    double t;
} looks[PAIRED_LOOKS] = {{4, 5.3919}, {8, 3.3353}, {16, 2.8366}, {32, 2.6519}};

int paired_is_b_first(int i)
{
    return i % 2;
}

int paired_is_look(int n)
{
    for (int k = 0; k < PAIRED_LOOKS; k++)
        if (looks[k].n == n)
            return 1;
    return 0;
}

static double percent_of(double log_ratio)
{
    return 100 * (exp(log_ratio) - 1);
}

paired_result paired_judge(const samples *a, const samples *b, int n)
{
    double sum = 0, squares = 0, t = NAN;
    for (int i = 0; i < n; i++)
        sum += log(b->x[i] / a->x[i]);
    double mean = sum / n;
    for (int i = 0; i < n; i++) {
        double d = log(b->x[i] / a->x[i]) - mean;
        squares += d * d;
    }
    for (int k = 0; k < PAIRED_LOOKS; k++)
        t = looks[k].n == n ? looks[k].t : t;
    double half = t * sqrt(squares / (n - 1) / n);
    paired_result r = {
        .n = n, .percent = percent_of(mean), .low = percent_of(mean - half), .high = percent_of(mean + half)};
    r.differs = r.low > 0 || r.high < 0;
    return r;
}
