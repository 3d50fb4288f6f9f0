/* linear: y = turned(act(x w^T + b) + residual), accumulated in f32.
 *   x [n, R, I] f32|bf16    w [1, O, I] f32|bf16|f16    b? [1, 1, O] f32    residual? [n|1, R, O] any float
 *   turns? [1, P, C] f32    n_rotated? [n|1, 1, 1] i32
 *   ->  [n, R, O] of attr.type, or like x
 * attr: act, type.
 * turns: rotary encoding as rope.c has it (attr.period, attr.start), of the first attr.count columns (0: all of them),
 * a multiple of C: column c uses the table's column c mod C.
 * attr.groups G > 0: each row has weights of its own. x [n, X, I], w [1, G*O, I], b? [1, 1, G*O]  ->  [n, G, O], row g
 * from row attr.first + g of x and rows g*O .. of w; neither residual nor turns. */
#include "shape.h"

static const char *infer_groups(const tensor *in, const op_attr *a, tensor *out)
{
    if (in[1].rows % a->groups)
        return "linear: w must have as many rows for each group";
    if (a->first < 0 || a->first + a->groups > in[0].rows)
        return "linear: x lacks rows of the groups";
    if (in[3].type != DT_NONE || in[4].type != DT_NONE)
        return "linear: groups have neither residual nor turns";
    *out = shaped(type_or(a, in[0].type), in[0].n, a->groups, in[1].rows / a->groups);
    return NULL;
}

static const char *check_turns(const tensor *in, const op_attr *a)
{
    const tensor *turns = &in[4];
    int period = a->period ? a->period : in[0].rows, count = a->count ? a->count : in[1].rows;
    if (turns->type == DT_NONE)
        return in[5].type == DT_NONE ? NULL : "linear: n_rotated without turns";
    if (a->start < 0 || period <= a->start)
        return "linear: start must lie within the period";
    if (turns->type != DT_F32 || turns->n != 1 || turns->rows != period - a->start || turns->cols % 2)
        return "linear: turns must be [1, period - start, C] f32 with an even C";
    if (count < 1 || count > in[1].rows || count % turns->cols)
        return "linear: the columns that turn must be a multiple of the table's";
    if (in[5].type != DT_NONE && !is_count(&in[5], DT_I32, 1))
        return "linear: n_rotated must be [n, 1, 1] i32";
    return NULL;
}

static const char *infer(const tensor *in, const op_attr *a, tensor *out)
{
    const tensor *x = &in[0], *w = &in[1], *b = &in[2], *residual = &in[3];
    if (w->n != 1 || w->cols != x->cols)
        return "linear: w must be [1, O, I] with I the columns of x";
    if (b->type != DT_NONE && (b->type != DT_F32 || b->n != 1 || b->rows != 1 || b->cols != w->rows))
        return "linear: b must be [1, 1, O] f32";
    if (x->type == DT_I32 || w->type == DT_I32 || residual->type == DT_I32)
        return "linear: integers are not supported";
    if (a->groups > 0)
        return infer_groups(in, a, out);
    if (residual->type != DT_NONE && (residual->rows != x->rows || residual->cols != w->rows))
        return "linear: residual must be [n or 1, R, O]";
    *out = shaped(type_or(a, x->type), batch_of(in, 6), x->rows, w->rows);
    return check_turns(in, a);
}

static op_cost cost(const tensor *in, const tensor *out, const op_attr *a)
{
    op_cost k = cost_of(in, 6, out, 1, 2.0 * in[0].cols);
    if (a->groups > 0) /* of x, only the groups' rows */
        k.bytes_read -= (double)tensor_bytes(&in[0]) * (1 - (double)a->groups / in[0].rows);
    return k;
}

const op_def op_linear = {.name = "linear",
                          .n_in = 6,
                          .n_out = 1,
                          .optional = 1u << 2 | 1u << 3 | 1u << 4 | 1u << 5,
                          .infer = infer,
                          .cost = cost};
