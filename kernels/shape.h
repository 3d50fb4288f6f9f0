/* shape.h - what shape rules and cost rules share. A rule returns NULL or a constant text that says what is wrong. */
#ifndef SHAPE_H
#define SHAPE_H

#include "op.h"

#include <stdbool.h>

static inline bool is_float(dtype t)
{
    return t == DT_F32 || t == DT_BF16 || t == DT_F16;
}
static inline bool same_grid(const tensor *a, const tensor *b)
{
    return a->rows == b->rows && a->cols == b->cols;
}
/* Every batch is 1 or the same number (or N_OBJECTS, while it is open). */
static inline bool batches_agree(const tensor *in, int n_in)
{
    int n = batch_of(in, n_in);
    for (int i = 0; i < n_in; i++)
        if (in[i].type != DT_NONE && in[i].n != 1 && in[i].n != n)
            return false;
    return true;
}
static inline bool all_float(const tensor *in, int n_in)
{
    for (int i = 0; i < n_in; i++)
        if (in[i].type != DT_NONE && !is_float(in[i].type))
            return false;
    return true;
}
/* What most operators ask of their inputs. */
static inline const char *check_float_batch(const tensor *in, int n_in)
{
    if (!all_float(in, n_in))
        return "inputs must be f32, bf16 or f16";
    return batches_agree(in, n_in) ? NULL : "inputs have different batch sizes";
}
/* A parameter [1, 1, cols] f32. */
static inline bool is_row_f32(const tensor *t, int cols)
{
    return t->type == DT_F32 && t->n == 1 && t->rows == 1 && t->cols == cols;
}
/* A number per object, [n, rows, 1]. */
static inline bool is_count(const tensor *t, dtype type, int rows)
{
    return t->type == type && t->rows == rows && t->cols == 1;
}
/* y broadcasts over x: the same columns, the same rows or one. */
static inline bool broadcasts(const tensor *y, const tensor *x)
{
    return y->cols == x->cols && (y->rows == x->rows || y->rows == 1);
}
static inline tensor shaped(dtype type, int n, int rows, int cols)
{
    return (tensor){.type = type, .n = n, .rows = rows, .cols = cols};
}
/* attr.type if it is set, else `otherwise`. */
static inline dtype type_or(const op_attr *a, dtype otherwise)
{
    return a->type != DT_NONE ? a->type : otherwise;
}

/* Every operand moved once, and `flops_per_output` for each element of the first output. */
static inline op_cost cost_of(const tensor *in, int n_in, const tensor *out, int n_out, double flops_per_output)
{
    op_cost c = {.flops = flops_per_output * (double)tensor_count(&out[0])};
    for (int i = 0; i < n_in; i++)
        c.bytes_read += (double)tensor_bytes(&in[i]);
    for (int i = 0; i < n_out; i++)
        c.bytes_written += (double)tensor_bytes(&out[i]);
    return c;
}

#endif
