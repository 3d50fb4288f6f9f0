#include "op_ways.h"

#include <stdlib.h>
#include <string.h>

enum { MAX_OBJECTS = 16 }; /* for more at once our kernel is used: a plan for each number takes time at open */

typedef struct plan {
    way chosen;
    void *prepared;
} plan;

typedef struct bound_ways {
    const op_ways *o;
    int n_max;
    plan plan[]; /* for 1, 2, .. n_max objects */
} bound_ways;

static int n_objects_of(const op_call *c)
{
    int n = c->out[0].n;
    return !c->libraries ? 0 : n < MAX_OBJECTS ? n : MAX_OBJECTS;
}

/* `c` with n objects where it has several. */
static op_call call_for(const op_ways *o, const op_call *c, int n, tensor *in, tensor *out)
{
    op_call call = *c;
    memcpy(in, c->in, (size_t)o->n_in * sizeof *in);
    *out = c->out[0];
    for (int i = 0; i < o->n_in; i++)
        in[i].n = in[i].n > 1 ? n : in[i].n;
    out->n = out->n > 1 ? n : out->n;
    call.in = in;
    call.out = out;
    return call;
}

size_t op_ways_scratch(const op_ways *o, const op_call *c)
{
    size_t most = 0;
    for (int n = n_objects_of(c); n >= 1; n--) {
        tensor in[OP_MAX_IN], out;
        op_call call = call_for(o, c, n, in, &out);
        way ways[MAX_WAYS];
        char key[WAY_KEY_BYTES];
        o->key(&call, key);
        size_t bytes = way_workspace(c->libraries, key, ways, o->list(&call, ways));
        most = bytes > most ? bytes : most;
    }
    return most;
}

typedef struct attempt {
    const op_ways *o;
    const op_call *call;
    op_own *own;
    const void *prepared;
} attempt;

static const char *enqueue(void *what, const way *w, void *stream)
{
    const attempt *a = what;
    (void)stream; /* the call's */
    return w->kind == WAY_OWN ? a->own(a->call, (int)w->algorithm[0]) : a->o->run(a->call, w, a->prepared);
}

static void make_plan(const op_ways *o, const op_call *c, int n, op_own *own, plan *p)
{
    tensor in[OP_MAX_IN], out;
    op_call call = call_for(o, c, n, in, &out);
    way ways[MAX_WAYS];
    char key[WAY_KEY_BYTES];
    int n_ways = o->list(&call, ways), of_library = 0;
    *p = (plan){.chosen = {.kind = WAY_OWN}};
    for (int i = 0; i < n_ways; i++)
        of_library |= ways[i].kind != WAY_OWN;
    if (of_library && !(p->prepared = o->prepare(&call)))
        return;
    o->key(&call, key);
    attempt a = {o, &call, own, p->prepared};
    p->chosen = *way_choose(c->libraries, key, ways, n_ways, enqueue, &a, c->stream);
    if (p->prepared && p->chosen.kind == WAY_OWN) {
        o->release(p->prepared);
        p->prepared = NULL;
    }
}

void *op_ways_bind(const op_ways *o, const op_call *c, op_own *own)
{
    int n_max = n_objects_of(c);
    bound_ways *b = calloc(1, sizeof *b + (size_t)n_max * sizeof *b->plan);
    if (!b)
        return NULL;
    b->o = o;
    b->n_max = n_max;
    for (int n = 1; n <= n_max; n++)
        make_plan(o, c, n, own, &b->plan[n - 1]);
    return b;
}

void op_ways_unbind(void *bound)
{
    bound_ways *b = bound;
    for (int i = 0; b && i < b->n_max; i++)
        if (b->plan[i].prepared)
            b->o->release(b->plan[i].prepared);
    free(b);
}

const char *op_ways_run(const op_call *c, op_own *own)
{
    const bound_ways *b = c->bound;
    int n = c->out[0].n;
    if (!b || n > b->n_max)
        return own(c, 0);
    const plan *p = &b->plan[n - 1];
    attempt a = {b->o, c, own, p->prepared};
    return enqueue(&a, &p->chosen, c->stream);
}
