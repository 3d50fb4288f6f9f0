/* pace.c - see pace.h. */
#include "pace.h"

#include "clock.h"

#include <math.h>
#include <time.h>

static double now(const pace *p)
{
    return p->clock_ms ? p->clock_ms() : clock_ms();
}

static void rest(const pace *p, double ms)
{
    const struct timespec t = {(time_t)(ms / 1e3), (long)(fmod(ms, 1e3) * 1e6)};
    if (p->sleep_ms)
        p->sleep_ms(ms);
    else
        nanosleep(&t, NULL); /* a signal ends it early: the loop around looks again */
}

static double due(const pace *p, int number)
{
    return p->begin_ms + number * 1e3 / p->fps;
}

void pace_begin(pace *p)
{
    p->begin_ms = now(p);
}

int pace_wait(pace *p, int number, int is_last)
{
    double left;
    if (!is_last && now(p) >= due(p, number + 1)) {
        p->n_dropped++;
        return 0;
    }
    while ((left = due(p, number) - now(p)) > 0)
        rest(p, left);
    return 1;
}

void pace_done(pace *p, int number)
{
    if (now(p) <= due(p, number + 1))
        p->n_on_time++;
    else
        p->n_late++;
}

double pace_share(const pace *p)
{
    int n = p->n_on_time + p->n_late + p->n_dropped;
    return n ? (double)p->n_on_time / n : NAN;
}
