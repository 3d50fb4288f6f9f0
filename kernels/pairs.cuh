/* pairs.cuh - two broadcast inputs and an output: add, mul, gate_present.
 *   x [n|1, R, C]    y [n|1, R|1, C]    ->    out [n, R, C], any float types
 *   grid  ceil(n*R*ceil(C/8) / 256);   block 256;   a thread takes a run of 8 columns;   traffic: each operand once */
#ifndef PAIRS_CUH
#define PAIRS_CUH

#include "elements.cuh"
#include "operands.h"

typedef struct pair {
    const void *x, *y;
    void *out;
    dtype x_type, y_type, out_type;
    size_t n_rows, rows; /* n * R, R */
    int n_cols;
    bool x_shared, y_shared, y_one_row;
    float scale;                /* add                                    */
    const float *score, *least; /* gate_present [n|1]                     */
    bool keeps_x;               /* gate_present: x + y where it is absent */
    bool score_shared, least_shared;
} pair;

static __device__ __forceinline__ void load_pair(const pair &p, place at, float *x, float *y)
{
    size_t r = at.row % p.rows, object = at.row / p.rows;
    size_t x_row = p.x_shared ? r : at.row;
    size_t y_row = (p.y_shared ? 0 : object) * (p.y_one_row ? 1 : p.rows) + (p.y_one_row ? 0 : r);
    load_run(x, p.x, p.x_type, x_row * (size_t)p.n_cols + (size_t)at.col, at.n);
    load_run(y, p.y, p.y_type, y_row * (size_t)p.n_cols + (size_t)at.col, at.n);
}
static __device__ __forceinline__ void store_pair(const pair &p, place at, const float *v)
{
    store_run(p.out, p.out_type, at.row * (size_t)p.n_cols + (size_t)at.col, v, at.n);
}

static inline pair pair_of(const op_call *c)
{
    const tensor *x = &c->in[SUM_X], *y = &c->in[SUM_Y], *out = &c->out[RESULT];
    pair p = {x->data,
              y->data,
              out->data,
              x->type,
              y->type,
              out->type,
              (size_t)out->n * (size_t)out->rows,
              (size_t)out->rows,
              out->cols,
              x->n == 1,
              y->n == 1,
              y->rows == 1,
              c->attr->scale,
              nullptr,
              nullptr,
              false,
              false,
              false};
    return p;
}

#endif
