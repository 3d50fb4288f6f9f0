/* Rules about what is constant, what is computed twice, and rows: slices of slices, rows with weights of their own. */
#include "fuse_graph.h"

#include <string.h>

/* ---- the same work twice ------------------------------------------------------------------------------------------ */

/* A state that a node of this graph writes may change between two readers. */
static int reads_changing_state(const graph *g, const node *n)
{
    for (int k = 0; k < OP_MAX_IN; k++) {
        const value *v = &g->values[n->in[k]];
        for (int i = 0; n->in[k] && v->storage == IN_STATE && i < g->n_nodes; i++)
            for (int o = 0; o < OP_MAX_OUT; o++) {
                const value *w = &g->values[g->nodes[i].out[o]];
                if (g->nodes[i].out[o] && w->storage == IN_STATE && w->index == v->index)
                    return 1;
            }
    }
    return 0;
}

static int all_hidden(const graph *g, const node *n)
{
    for (int k = 0; k < OP_MAX_OUT; k++)
        if (n->out[k] && !is_hidden(g, n->out[k]))
            return 0;
    return 1;
}

/* Node i computes what an earlier one did. */
int fuse_same(builder *b, int i)
{
    graph *g = b->g;
    const node *n = &g->nodes[i];
    if (!all_hidden(g, n) || reads_changing_state(g, n))
        return 0;
    for (int j = 0; j < i; j++) {
        const node *before = &g->nodes[j];
        if (before->op != n->op || memcmp(before->in, n->in, sizeof n->in) ||
            memcmp(&before->attr, &n->attr, sizeof n->attr) || !all_hidden(g, before))
            continue;
        for (int k = 0; k < OP_MAX_OUT; k++)
            if (n->out[k])
                replace_uses(g, n->out[k], before->out[k]);
        remove_node(g, n);
        return 1;
    }
    return 0;
}

int fuse_unused(builder *b, int i)
{
    const node *n = &b->g->nodes[i];
    for (int k = 0; k < OP_MAX_OUT; k++)
        if (n->out[k] && (!is_hidden(b->g, n->out[k]) || n_consumers(b->g, n->out[k])))
            return 0;
    remove_node(b->g, n);
    return 1;
}

/* ---- constants ---------------------------------------------------------------------------------------------------- */

/* The rows of all sources, one source after another. */
static void stack_rows(float *out, const float *const *in, const tensor *shape, const double *args)
{
    int n = (int)args[0];
    for (int i = 0; i < n; i++) {
        memcpy(out, in[i], tensor_count(&shape[i]) * sizeof *out);
        out += tensor_count(&shape[i]);
    }
}

static int is_weight(const graph *g, int id)
{
    return id && g->values[id].storage == IN_WEIGHT;
}

/* concat_rows and cast of weights are weights. */
int fuse_constant(builder *b, int i)
{
    graph *g = b->g;
    const node *n = &g->nodes[i];
    int n_in = n->op == OP_concat_rows ? CONCAT_INPUTS : n->op == OP_cast ? ONLY_INPUTS : 0;
    if (!n_in || !is_hidden(g, n->out[RESULT]))
        return 0;
    derive how = {.fill = stack_rows, .n_src = n_in, .args = {n_in}};
    for (int k = 0; k < n_in; k++) {
        if (!is_weight(g, n->in[k]))
            return 0;
        how.src[k] = entry_f32(b, n->in[k]);
    }
    tensor t = g->values[n->out[RESULT]].t;
    int id = folded(b, "rows", t.type, t.rows, t.cols, how);
    if (!id)
        return 0;
    replace_uses(g, g->nodes[i].out[RESULT], id);
    remove_node(g, &g->nodes[i]);
    return 1;
}

/* out = args[0] * in[0] in[1]^T: [R, C] [O, C] -> [R, O] */
static void through_product(float *out, const float *const *in, const tensor *shape, const double *args)
{
    int rows = shape[0].rows, n = shape[0].cols, o = shape[1].rows;
#pragma omp parallel for
    for (int r = 0; r < rows; r++)
        for (int c = 0; c < o; c += 8) {
            double sum[8] = {0};
            int m = o - c < 8 ? o - c : 8;
            const float *x = in[0] + (size_t)r * (size_t)n, *w = in[1] + (size_t)c * (size_t)n;
            for (int k = 0; k < n; k++)
                for (int j = 0; j < m; j++)
                    sum[j] += (double)x[k] * w[(size_t)j * (size_t)n + (size_t)k];
            for (int j = 0; j < m; j++)
                out[(size_t)r * (size_t)o + (size_t)(c + j)] = (float)(args[0] * sum[j]);
        }
}

/* The constant operand [R, C] of sum n: SUM_X or SUM_Y; -1: there is none. Only y is scaled. */
static int constant_side(const graph *g, const node *n)
{
    for (int side = SUM_Y; side >= SUM_X; side--) {
        const tensor *t = &g->values[n->in[side]].t, *other = &g->values[n->in[other_side(side)]].t;
        if (is_weight(g, n->in[side]) && !is_weight(g, n->in[other_side(side)]) && t->rows > 1 &&
            t->rows == other->rows && (side == SUM_Y || n->attr.scale == 1.0f))
            return side;
    }
    return -1;
}

/* linear(x + constant) = linear(x) + constant w^T, the last a table; where nobody else needs the sum. */
int fuse_constant_sum(builder *b, int i)
{
    graph *g = b->g;
    node *n = &g->nodes[i], *sum = is_plain_linear(n) ? producer(g, n->in[LINEAR_X]) : NULL;
    if (!sum || sum->op != OP_add || !is_hidden(g, sum->out[RESULT]))
        return 0;
    int side = constant_side(g, sum);
    const tensor *x = side < 0 ? NULL : &g->values[sum->in[other_side(side)]].t;
    if (!x || x->type != g->values[sum->out[RESULT]].t.type || x->n != g->values[sum->out[RESULT]].t.n)
        return 0;
    for (int j = 0; j < g->n_nodes; j++)
        for (int k = 0; k < OP_MAX_IN; k++)
            if (g->nodes[j].in[k] == sum->out[RESULT] && (k != LINEAR_X || !is_plain_linear(&g->nodes[j])))
                return 0;
    derive how = {.fill = through_product, .n_src = 2, .args = {side == SUM_Y ? sum->attr.scale : 1}};
    how.src[0] = entry_f32(b, sum->in[side]);
    how.src[1] = entry_f32(b, n->in[LINEAR_W]);
    int rows = x->rows, from = sum->in[other_side(side)];
    int id = folded(b, "through", b->act, rows, g->values[n->in[LINEAR_W]].t.rows, how);
    if (!id)
        return 0;
    n->in[LINEAR_X] = from;
    n->in[LINEAR_RESIDUAL] = id;
    return 1;
}

/* ---- slices ------------------------------------------------------------------------------------------------------- */

static const node *slice_of(const graph *g, int id)
{
    const node *p = producer(g, id);
    return p && p->op == OP_slice_rows && g->values[p->in[ONLY_X]].t.type == g->values[id].t.type ? p : NULL;
}

/* A slice of a slice, of everything, or two that lie side by side and are put together. */
int fuse_slices(builder *b, int i)
{
    graph *g = b->g;
    node *n = &g->nodes[i];
    if (n->op == OP_slice_rows) {
        const node *inner = slice_of(g, n->in[ONLY_X]);
        if (inner) {
            n->attr.first += inner->attr.first;
            n->in[ONLY_X] = inner->in[ONLY_X];
            return 1;
        }
        const tensor *x = &g->values[n->in[ONLY_X]].t, *y = &g->values[n->out[RESULT]].t;
        if (x->rows != y->rows || x->type != y->type || !is_hidden(g, n->out[RESULT]))
            return 0;
        replace_uses(g, n->out[RESULT], n->in[ONLY_X]);
        remove_node(g, n);
        return 1;
    }
    if (n->op != OP_concat_rows)
        return 0;
    const node *first = slice_of(g, n->in[CONCAT_A]), *second = slice_of(g, n->in[CONCAT_B]);
    if (!first || !second || first->in[ONLY_X] != second->in[ONLY_X] ||
        first->attr.first + first->attr.count != second->attr.first ||
        g->values[n->out[RESULT]].t.type != g->values[n->in[CONCAT_A]].t.type)
        return 0;
    op_attr a = {.first = first->attr.first, .count = first->attr.count + second->attr.count};
    int from = first->in[ONLY_X];
    *n = (node){.op = OP_slice_rows, .in = {from}, .out = {n->out[RESULT]}, .attr = a};
    return 1;
}

/* ---- rows with weights of their own ------------------------------------------------------------------------------- */

#define MAX_GROUPS 8

/* The slice of one row that linear n multiplies. */
static const node *row_of_product(const graph *g, const node *n)
{
    int takes = n->op == OP_linear && !n->in[LINEAR_RESIDUAL] && !n->in[LINEAR_TURNS] && !n->attr.groups &&
                is_weight(g, n->in[LINEAR_W]);
    const node *s = takes ? slice_of(g, n->in[LINEAR_X]) : NULL;
    return s && s->attr.count == 1 ? s : NULL;
}

static int same_kind(const graph *g, const node *a, const node *b)
{
    const tensor *wa = &g->values[a->in[LINEAR_W]].t, *wb = &g->values[b->in[LINEAR_W]].t;
    return wa->rows == wb->rows && wa->cols == wb->cols && wa->type == wb->type &&
           !a->in[LINEAR_BIAS] == !b->in[LINEAR_BIAS] && !memcmp(&a->attr, &b->attr, sizeof a->attr);
}

/* The product of row `row` of `base` that is like n; -1. */
static int product_of_row(const graph *g, const node *n, int base, int row)
{
    for (int j = 0; j < g->n_nodes; j++) {
        const node *s = row_of_product(g, &g->nodes[j]);
        if (s && s->in[ONLY_X] == base && s->attr.first == row && same_kind(g, n, &g->nodes[j]))
            return j;
    }
    return -1;
}

/* Products of consecutive rows of one value, alike but for their weights: one product in groups, its rows sliced. Also a
 * single one: its slice is not copied then. */
int fuse_row_groups(builder *b, int i)
{
    graph *g = b->g;
    node *n = &g->nodes[i];
    const node *s = row_of_product(g, n);
    int members[MAX_GROUPS], count = 0, at = i;
    if (!s)
        return 0;
    int base = s->in[ONLY_X], row = s->attr.first, has_bias = n->in[LINEAR_BIAS] != 0;
    while (row > 0 && s->attr.first - row < MAX_GROUPS - 1 && product_of_row(g, n, base, row - 1) >= 0)
        row--;
    while (count < MAX_GROUPS && (members[count] = product_of_row(g, n, base, row + count)) >= 0)
        count++;
    if (count == 1) {
        n->in[LINEAR_X] = base;
        n->attr.groups = 1;
        n->attr.first = row;
        return 1;
    }
    derive w = {.fill = stack_rows, .n_src = count, .args = {count}}, bias = w;
    for (int k = 0; k < count; k++) {
        const node *m = &g->nodes[members[k]];
        at = members[k] < at ? members[k] : at;
        w.src[k] = entry_f32(b, m->in[LINEAR_W]);
        bias.src[k] = has_bias ? entry_of(b, m->in[LINEAR_BIAS]) : 0;
    }
    tensor wt = g->values[n->in[LINEAR_W]].t;
    op_attr a = n->attr;
    a.groups = count;
    a.first = row;
    val in[LINEAR_INPUTS] = {[LINEAR_X] = {base}};
    in[LINEAR_W].id = folded(b, "rows", wt.type, count * wt.rows, wt.cols, w);
    in[LINEAR_BIAS].id = has_bias ? folded(b, "columns", DT_F32, 1, count * wt.rows, bias) : 0;
    val y = apply(b, OP_linear, in, LINEAR_INPUTS, a); /* may move the nodes */
    if (b->err.status != SAM_OK)
        return 0;
    for (int k = 0; k < count; k++)
        g->nodes[members[k]] = (node){.op = OP_slice_rows,
                                      .in = {y.id},
                                      .out = {g->nodes[members[k]].out[RESULT]},
                                      .attr = {.first = k, .count = 1}};
    move_last_node(g, at);
    return 1;
}
