#include "ways.h"

#include <math.h>
#include <string.h>

const char *way_kind_name(way_kind k)
{
    static const char *const names[WAY_KINDS] = {"own", "cublaslt", "cudnn"};
    return names[k];
}

int way_fastest(const way *candidates, int n, size_t cap_bytes, double (*time_ms)(void *user, const way *w), void *user,
                double *best_ms)
{
    int best = -1;
    *best_ms = INFINITY;
    for (int i = 0; i < n; i++) {
        double ms = candidates[i].workspace_bytes <= cap_bytes ? time_ms(user, &candidates[i]) : -1;
        if (ms >= 0 && ms < *best_ms) {
            best = i;
            *best_ms = ms;
        }
    }
    return best;
}

static int same_way(const way *a, const way *b)
{
    return a->kind == b->kind && a->workspace_bytes == b->workspace_bytes &&
           !memcmp(a->algorithm, b->algorithm, sizeof a->algorithm);
}

/* The remembered choice. One that is not among the candidates is never taken: it may be of another library, or not come
 * from one at all. */
static const way *recalled(const op_libraries *l, const char *key, const way *candidates, int n)
{
    way w;
    if (l->deterministic || !l->recall || !l->recall(l->user, key, &w))
        return NULL;
    for (int i = 0; i < n; i++)
        if (same_way(&candidates[i], &w) && w.workspace_bytes <= l->workspace_bytes)
            return &candidates[i];
    return NULL;
}

static const way *first_within(const op_libraries *l, const way *candidates, int n)
{
    for (int i = 0; i < n; i++)
        if (candidates[i].workspace_bytes <= l->workspace_bytes)
            return &candidates[i];
    return &candidates[0];
}

static int tunes(const op_libraries *l, int n)
{
    return l->tune && !l->deterministic && l->time_ms && n > 1;
}

typedef struct trial {
    const op_libraries *l;
    way_enqueue *enqueue;
    void *what, *stream;
} trial;

static double time_trial(void *user, const way *w)
{
    const trial *t = user;
    return t->l->time_ms(t->l->user, t->stream, t->enqueue, t->what, w);
}

const way *way_choose(const op_libraries *l, const char *key, const way *candidates, int n, way_enqueue *enqueue,
                      void *what, void *stream)
{
    const way *known = recalled(l, key, candidates, n);
    if (known || !tunes(l, n))
        return known ? known : first_within(l, candidates, n);
    trial t = {l, enqueue, what, stream};
    double ms;
    int best = way_fastest(candidates, n, l->workspace_bytes, time_trial, &t, &ms);
    if (best < 0)
        return first_within(l, candidates, n);
    if (l->remember)
        l->remember(l->user, key, &candidates[best], ms);
    return &candidates[best];
}

size_t way_workspace(const op_libraries *l, const char *key, const way *candidates, int n)
{
    const way *known = recalled(l, key, candidates, n);
    size_t most = 0;
    if (known || !tunes(l, n))
        return (known ? known : first_within(l, candidates, n))->workspace_bytes;
    for (int i = 0; i < n; i++)
        if (candidates[i].workspace_bytes <= l->workspace_bytes && candidates[i].workspace_bytes > most)
            most = candidates[i].workspace_bytes;
    return most;
}
