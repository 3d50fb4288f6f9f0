/* linear: y = turned(act(x w^T + b) + residual), accumulated in f32.
 *   x [n, R, I] f32|bf16    w [1, O, I] f32|bf16|f16    b? [1, 1, O] f32    residual? [n|1, R, O] any float
 *   turns? [1, P, C] f32    n_rotated? [n|1, 1, 1] i32
 *   ->  [n, R, O] of attr.type, or like x
 * attr: act, type.
 * turns: rotary encoding as rope.c has it (attr.period, attr.start), of the first attr.count columns (0: all of them),
 * a multiple of C: column c uses the table's column c mod C.
 * attr.groups G > 0: each row has weights of its own. x [n, X, I], w [1, G*O, I], b? [1, 1, G*O]  ->  [n, G, O], row g
 * from row attr.first + g of x and rows g*O .. of w; neither residual nor turns. */
#include "operands.h"
#include "shape.h"

static const char *infer_groups(const tensor *in, const op_attr *a, tensor *out)
{
    if (in[LINEAR_W].rows % a->groups)
        return "w must have as many rows for each group";
    if (a->first < 0 || a->first + a->groups > in[LINEAR_X].rows)
        return "x lacks rows of the groups";
    if (in[LINEAR_RESIDUAL].type != DT_NONE || in[LINEAR_TURNS].type != DT_NONE)
        return "groups have neither residual nor turns";
    *out = shaped(type_or(a, in[LINEAR_X].type), in[LINEAR_X].n, a->groups, in[LINEAR_W].rows / a->groups);
    return NULL;
}

static const char *check_turns(const tensor *in, const op_attr *a)
{
    const tensor *turns = &in[LINEAR_TURNS];
    int period = a->period ? a->period : in[LINEAR_X].rows, count = a->count ? a->count : in[LINEAR_W].rows;
    if (turns->type == DT_NONE)
        return in[LINEAR_N_ROTATED].type == DT_NONE ? NULL : "n_rotated without turns";
    if (a->start < 0 || period <= a->start)
        return "start must lie within the period";
    if (turns->type != DT_F32 || turns->n != 1 || turns->rows != period - a->start || turns->cols % 2)
        return "turns must be [1, period - start, C] f32 with an even C";
    if (count < 1 || count > in[LINEAR_W].rows || count % turns->cols)
        return "the columns that turn must be a multiple of the table's";
    if (in[LINEAR_N_ROTATED].type != DT_NONE && !is_count(&in[LINEAR_N_ROTATED], DT_I32, 1))
        return "n_rotated must be [n, 1, 1] i32";
    return NULL;
}

static const char *infer(const tensor *in, const op_attr *a, tensor *out)
{
    const tensor *x = &in[LINEAR_X], *w = &in[LINEAR_W], *b = &in[LINEAR_BIAS], *residual = &in[LINEAR_RESIDUAL];
    if (w->n != 1 || w->cols != x->cols)
        return "w must be [1, O, I] with I the columns of x";
    if (b->type != DT_NONE && !is_row_f32(b, w->rows))
        return "b must be [1, 1, O] f32";
    if (x->type == DT_I32 || w->type == DT_I32 || residual->type == DT_I32)
        return "integers are not supported";
    if (a->groups > 0)
        return infer_groups(in, a, out);
    if (residual->type != DT_NONE && (residual->rows != x->rows || residual->cols != w->rows))
        return "residual must be [n or 1, R, O]";
    *out = shaped(type_or(a, x->type), batch_of(in, LINEAR_INPUTS), x->rows, w->rows);
    return check_turns(in, a);
}

static op_cost cost(const tensor *in, const tensor *out, const op_attr *a)
{
    op_cost k = cost_of(in, LINEAR_INPUTS, out, 1, 2.0 * in[LINEAR_X].cols);
    if (a->groups > 0) /* of x, only the groups' rows */
        k.bytes_read -= (double)tensor_bytes(&in[LINEAR_X]) * (1 - (double)a->groups / in[LINEAR_X].rows);
    return k;
}

const op_def op_linear = {.name = "linear",
                          .n_in = LINEAR_INPUTS,
                          .n_out = 1,
                          .optional =
                              1u << LINEAR_BIAS | 1u << LINEAR_RESIDUAL | 1u << LINEAR_TURNS | 1u << LINEAR_N_ROTATED,
                          .infer = infer,
                          .cost = cost};
