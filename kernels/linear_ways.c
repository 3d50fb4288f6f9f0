#include "linear_ways.h"

#include "cublaslt.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum { X, W, B, RESIDUAL, TURNS, COUNTS, N_IN };
enum { MAX_OBJECTS = 16 }; /* for more at once our kernel is used: a plan for each number takes time at open */

/* One product of a session: how it goes for 1, 2, .. n_max objects. */
typedef struct linear_plan {
    way chosen;
    lt_bound *lt;
} linear_plan;

typedef struct linear_bound {
    int n_max;
    linear_plan plan[];
} linear_bound;

/* ---- what there is to choose from --------------------------------------------------------------------------------- */

static int n_objects_of(const op_call *c)
{
    int n = c->out[0].n;
    return n < MAX_OBJECTS ? n : MAX_OBJECTS;
}

/* `c` with n objects where it has several. */
static op_call call_for(const op_call *c, int n, tensor *in, tensor *out)
{
    op_call call = *c;
    memcpy(in, c->in, N_IN * sizeof *in);
    *out = c->out[0];
    for (int i = 0; i < N_IN; i++)
        in[i].n = in[i].n > 1 ? n : in[i].n;
    out->n = out->n > 1 ? n : out->n;
    call.in = in;
    call.out = out;
    return call;
}

/* Neither a rotary encoding behind it nor rows with weights of their own: what a library's product can be. */
static int is_plain(const op_call *c)
{
    return c->in[TURNS].type == DT_NONE && !c->attr->groups;
}

static int for_cublaslt(const op_call *c)
{
    const tensor *x = &c->in[X], *w = &c->in[W], *residual = &c->in[RESIDUAL], *y = c->out;
    int has_residual = residual->type != DT_NONE, half = x->type != DT_F32;
    act kind = c->attr->act;
    if (!c->libraries || !c->libraries->cublaslt || !is_plain(c) || x->type != w->type ||
        (y->type != x->type && y->type != DT_F32))
        return 0;
    if (kind != ACT_NONE && (kind != ACT_RELU || has_residual))
        return 0;
    return (!has_residual || residual->type == y->type) && (!half || (x->cols % 8 == 0 && w->rows % 8 == 0));
}

int linear_ways_rounds_bias(const op_call *c)
{
    return for_cublaslt(c) && c->in[B].type != DT_NONE && c->out[0].type != DT_F32;
}

/* As one product where rows of all objects follow each other in all operands. */
static lt_product product_of(const op_call *c)
{
    const tensor *x = &c->in[X], *residual = &c->in[RESIDUAL], *y = c->out;
    int has_residual = residual->type != DT_NONE;
    int flat = x->n == y->n && (!has_residual || residual->n == y->n);
    return (lt_product){.type = x->type,
                        .y_type = y->type,
                        .rows = flat ? (int64_t)y->n * y->rows : y->rows,
                        .n_in = x->cols,
                        .n_out = y->cols,
                        .batches = flat ? 1 : y->n,
                        .x_shared = x->n != y->n,
                        .residual_shared = has_residual && residual->n != y->n,
                        .bias = c->in[B].type != DT_NONE,
                        .residual = has_residual,
                        .relu = c->attr->act == ACT_RELU};
}

static int has_tiles(const op_call *c)
{
    return is_plain(c) && c->in[X].type != DT_F32 && c->in[X].type == c->in[W].type && c->in[X].cols % 8 == 0;
}

/* Worth a library's launch without having been timed: from 4096 tokens times 64 columns in and 128 out. */
static int is_large(const op_call *c)
{
    const tensor *y = c->out;
    double rows = (double)y->n * y->rows;
    return rows >= 256 && 2 * rows * y->cols * c->in[X].cols >= 64e6;
}

static int list_ways(const op_call *c, way *to)
{
    const op_libraries *l = c->libraries;
    int n = 0, large = is_large(c), timed = l && !l->deterministic && (l->tune || l->recall);
    lt_product p = product_of(c);
    if (for_cublaslt(c) && large)
        n = cublaslt_ways(l->cublaslt, &p, l, to, timed ? MAX_WAYS / 2 : 1);
    to[n++] = (way){.kind = WAY_OWN};
    for (int tile = 1; timed && has_tiles(c) && tile <= LINEAR_TILES; tile++)
        to[n++] = (way){.kind = WAY_OWN, .algorithm = {(uint64_t)tile}};
    if (for_cublaslt(c) && !large && timed)
        n += cublaslt_ways(l->cublaslt, &p, l, to + n, MAX_WAYS / 2);
    return n;
}

static const char *type_name(dtype t)
{
    return t == DT_F32 ? "f32" : t == DT_BF16 ? "bf16" : t == DT_F16 ? "f16" : "none";
}

static void key_of(const op_call *c, char *key)
{
    static const char *const acts[] = {"none", "relu", "gelu", "sigmoid"};
    const tensor *x = &c->in[X], *w = &c->in[W], *residual = &c->in[RESIDUAL], *y = c->out;
    snprintf(key, WAY_KEY_BYTES,
             "linear x %d %d %d %s, w %d %s, y %d %s, bias %d, residual %d %s, act %s, turned %d, groups %d", x->n,
             x->rows, x->cols, type_name(x->type), w->rows, type_name(w->type), y->n, type_name(y->type),
             c->in[B].type != DT_NONE, residual->type == DT_NONE ? 0 : residual->n, type_name(residual->type),
             acts[c->attr->act], c->in[TURNS].type != DT_NONE, c->attr->groups);
}

size_t linear_ways_scratch(const op_call *c)
{
    size_t most = 0;
    for (int n = c->libraries ? n_objects_of(c) : 0; n >= 1; n--) {
        tensor in[N_IN], out;
        op_call call = call_for(c, n, in, &out);
        way ways[2 * MAX_WAYS];
        char key[WAY_KEY_BYTES];
        key_of(&call, key);
        size_t bytes = way_workspace(c->libraries, key, ways, list_ways(&call, ways));
        most = bytes > most ? bytes : most;
    }
    return most;
}

/* ---- running ------------------------------------------------------------------------------------------------------ */

typedef struct attempt {
    const op_call *call;
    linear_own *own;
    const lt_bound *lt;
} attempt;

static const char *enqueue(void *what, const way *w, void *stream)
{
    const attempt *a = what;
    const tensor *in = a->call->in;
    if (w->kind == WAY_OWN)
        return a->own(a->call, (int)w->algorithm[0]);
    const lt_operands o = {.x = in[X].data,
                           .w = in[W].data,
                           .residual = in[RESIDUAL].type == DT_NONE ? NULL : in[RESIDUAL].data,
                           .y = a->call->out[0].data,
                           .workspace = w->workspace_bytes ? a->call->scratch : NULL,
                           .stream = stream};
    return cublaslt_run(a->lt, w, &o);
}

static int uses_cublaslt(const way *ways, int n)
{
    for (int i = 0; i < n; i++)
        if (ways[i].kind == WAY_CUBLASLT)
            return 1;
    return 0;
}

static void plan_for(const op_call *c, int n, linear_own *own, const void *bias, linear_plan *p)
{
    tensor in[N_IN], out;
    op_call call = call_for(c, n, in, &out);
    way ways[2 * MAX_WAYS];
    char key[WAY_KEY_BYTES];
    int n_ways = list_ways(&call, ways);
    lt_product product = product_of(&call);
    *p = (linear_plan){.chosen = {.kind = WAY_OWN}};
    if (uses_cublaslt(ways, n_ways) && !(p->lt = cublaslt_bind(c->libraries->cublaslt, &product, bias)))
        return;
    key_of(&call, key);
    attempt a = {&call, own, p->lt};
    p->chosen = *way_choose(c->libraries, key, ways, n_ways, enqueue, &a, c->stream);
    if (p->chosen.kind != WAY_CUBLASLT) {
        cublaslt_unbind(p->lt);
        p->lt = NULL;
    }
}

void *linear_ways_bind(const op_call *c, linear_own *own, const void *bias)
{
    int n_max = c->libraries ? n_objects_of(c) : 0;
    linear_bound *b = calloc(1, sizeof *b + (size_t)n_max * sizeof *b->plan);
    if (!b)
        return NULL;
    b->n_max = n_max;
    for (int n = 1; n <= n_max; n++)
        plan_for(c, n, own, bias, &b->plan[n - 1]);
    return b;
}

void linear_ways_unbind(void *bound)
{
    linear_bound *b = bound;
    for (int i = 0; b && i < b->n_max; i++)
        cublaslt_unbind(b->plan[i].lt);
    free(b);
}

const char *linear_ways_run(const op_call *c, linear_own *own)
{
    const linear_bound *b = c->bound;
    int n = c->out[0].n;
    if (!b || n > b->n_max)
        return own(c, 0);
    const linear_plan *p = &b->plan[n - 1];
    attempt a = {c, own, p->lt};
    return enqueue(&a, &p->chosen, c->stream);
}
