#include "frame_runs.h"

#include <stddef.h>

const frame_run *runs_find(const frame_runs *r, int64_t frame)
{
    for (int i = 0; i < r->n; i++)
        if (frame >= r->run[i].from && frame <= r->run[i].to)
            return &r->run[i];
    return NULL;
}

/* Runs i and i + 1 become one. */
static void join(frame_runs *r, int i)
{
    r->run[i].to = r->run[i + 1].to;
    for (int k = i + 1; k + 1 < r->n; k++)
        r->run[k] = r->run[k + 1];
    r->n--;
}

static void join_nearest(frame_runs *r)
{
    int best = 0;
    for (int i = 1; i + 1 < r->n; i++)
        if (r->run[i + 1].from - r->run[i].to < r->run[best + 1].from - r->run[best].to)
            best = i;
    join(r, best);
}

void runs_add(frame_runs *r, int64_t frame, int tag)
{
    int at = 0;
    if (runs_find(r, frame))
        return;
    if (r->n == MAX_FRAME_RUNS) {
        join_nearest(r);
        if (runs_find(r, frame))
            return;
    }
    while (at < r->n && r->run[at].to < frame)
        at++;
    for (int k = r->n++; k > at; k--)
        r->run[k] = r->run[k - 1];
    r->run[at] = (frame_run){frame, frame, tag};
    if (at + 1 < r->n && r->run[at + 1].from - 1 == frame && r->run[at + 1].tag == tag)
        join(r, at);
    if (at > 0 && frame - 1 == r->run[at - 1].to && r->run[at - 1].tag == tag)
        join(r, at - 1);
}
