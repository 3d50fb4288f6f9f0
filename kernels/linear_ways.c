#include "linear_ways.h"

#include "cublaslt.h"

#include <stdio.h>

enum { X, W, B, RESIDUAL, TURNS, N_ROTATED, N_IN };
enum { MOST_ASKED = 8 }; /* algorithms of the library, where they are to be timed */

static int for_cublaslt(const op_call *c)
{
    const tensor *x = &c->in[X], *w = &c->in[W], *residual = &c->in[RESIDUAL], *y = c->out;
    int has_residual = residual->type != DT_NONE, half = x->type != DT_F32;
    act kind = c->attr->act;
    if (!c->libraries || !c->libraries->cublaslt || x->type != w->type || (y->type != x->type && y->type != DT_F32))
        return 0;
    if (c->attr->groups > 0 || c->in[TURNS].type != DT_NONE || (kind != ACT_NONE && (kind != ACT_RELU || has_residual)))
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

/* Our kernel's tiles that may be worth timing: those that split the depth are for few rows. */
static int first_tile(const op_call *c)
{
    const tensor *x = &c->in[X], *y = c->out;
    if (x->type == DT_F32 || x->type != c->in[W].type || x->cols % 8)
        return LINEAR_TILES + 1;
    return (int64_t)y->n * y->rows <= 2048 ? 1 : 3;
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
        n = cublaslt_ways(l->cublaslt, &p, l, to, timed ? MOST_ASKED : 1);
    to[n++] = (way){.kind = WAY_OWN};
    for (int tile = first_tile(c); timed && tile <= LINEAR_TILES; tile++)
        to[n++] = (way){.kind = WAY_OWN, .algorithm = {(uint64_t)tile}};
    if (for_cublaslt(c) && !large && timed)
        n += cublaslt_ways(l->cublaslt, &p, l, to + n, MOST_ASKED);
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
             "linear x %d %d %d %s, w %d %s, groups %d, y %d %s, bias %d, residual %d %s, turns %d, act %s", x->n,
             x->rows, x->cols, type_name(x->type), w->rows, type_name(w->type), c->attr->groups, y->n,
             type_name(y->type), c->in[B].type != DT_NONE, residual->type == DT_NONE ? 0 : residual->n,
             type_name(residual->type), c->in[TURNS].type != DT_NONE, acts[c->attr->act]);
}

/* ---- running ------------------------------------------------------------------------------------------------------ */

static void *prepare(const op_call *c)
{
    lt_product p = product_of(c);
    return cublaslt_bind(c->libraries->cublaslt, &p, linear_ways_rounds_bias(c) ? c->packed : c->in[B].data);
}

static void release(void *prepared)
{
    cublaslt_unbind(prepared);
}

static const char *run(const op_call *c, const way *w, const void *prepared)
{
    const tensor *in = c->in;
    const lt_operands o = {.x = in[X].data,
                           .w = in[W].data,
                           .residual = in[RESIDUAL].type == DT_NONE ? NULL : in[RESIDUAL].data,
                           .y = c->out[0].data,
                           .workspace = w->workspace_bytes ? c->scratch : NULL,
                           .stream = c->stream};
    return cublaslt_run(prepared, w, &o);
}

const op_ways linear_ways = {N_IN, list_ways, key_of, prepare, release, run};
