/* Rules about products side by side, and about what follows a product, a norm or a shuffle. */
#include "fuse_graph.h"

#include <string.h>

/* rope(linear): the product turns its result. */
int fuse_turns(builder *b, int i)
{
    graph *g = b->g;
    node *n = &g->nodes[i];
    node *p = n->op == OP_rope ? only_for_me(g, n->in[ROPE_X], OP_linear) : NULL;
    if (!p || p->in[LINEAR_TURNS] || p->attr.groups ||
        g->values[n->in[ROPE_X]].t.type != g->values[n->out[RESULT]].t.type ||
        g->values[n->in[ROPE_X]].t.n != g->values[n->out[RESULT]].t.n)
        return 0;
    int turns = n->in[ROPE_TABLE], n_rotated = n->in[ROPE_N_ROTATED], period = n->attr.period, start = n->attr.start;
    p->in[LINEAR_TURNS] = turns;
    p->in[LINEAR_N_ROTATED] = n_rotated;
    p->attr.period = period;
    p->attr.start = start;
    merge(g, n, p);
    return 1;
}

/* ---- products of one input ---------------------------------------------------------------------------------------- */

#define MAX_SIDE_BY_SIDE 4

/* Every reader is an attention that can read columns. */
static int only_attended(const graph *g, int id)
{
    for (int i = 0; i < g->n_nodes; i++)
        for (int k = 0; k < OP_MAX_IN; k++)
            if (g->nodes[i].in[k] == id && (g->nodes[i].op != OP_attention || k > ATTENTION_V))
                return 0;
    return is_hidden(g, id) && n_consumers(g, id) > 0;
}

static int can_stand_aside(const graph *g, const node *n)
{
    const value *more = &g->values[n->in[LINEAR_RESIDUAL]];
    return n->op == OP_linear && n->attr.act == ACT_NONE && !n->attr.groups && !n->attr.count &&
           g->values[n->in[LINEAR_W]].storage == IN_WEIGHT &&
           (!n->in[LINEAR_RESIDUAL] || (more->storage == IN_WEIGHT && more->t.rows > 1)) &&
           only_attended(g, n->out[RESULT]);
}

static int are_alike(const graph *g, const node *a, const node *b)
{
    const tensor *wa = &g->values[a->in[LINEAR_W]].t, *wb = &g->values[b->in[LINEAR_W]].t;
    int turn = !a->in[LINEAR_TURNS] || !b->in[LINEAR_TURNS] ||
               (a->in[LINEAR_TURNS] == b->in[LINEAR_TURNS] && a->in[LINEAR_N_ROTATED] == b->in[LINEAR_N_ROTATED] &&
                a->attr.period == b->attr.period && a->attr.start == b->attr.start);
    return a->in[LINEAR_X] == b->in[LINEAR_X] && wa->type == wb->type && wa->cols == wb->cols &&
           a->attr.type == b->attr.type && g->values[a->out[RESULT]].t.n == g->values[b->out[RESULT]].t.n && turn;
}

/* Sources' rows one after another; args: how many rows each has, negative: of zeros, without a source. */
static void stack_or_zero(float *out, const float *const *in, const tensor *shape, const double *args)
{
    for (int i = 0, source = 0; args[i] != 0; i++) {
        int zeros = args[i] < 0;
        size_t n = zeros ? (size_t)-args[i] : tensor_count(&shape[source]);
        if (zeros)
            memset(out, 0, n * sizeof *out);
        else
            memcpy(out, in[source++], n * sizeof *out);
        out += n;
    }
}

/* Sources' columns side by side; args: how many each has, negative: of zeros. */
static void columns_or_zero(float *out, const float *const *in, const tensor *shape, const double *args)
{
    int rows = shape[0].rows;
    for (int r = 0; r < rows; r++)
        for (int i = 0, source = 0; args[i] != 0; i++) {
            size_t n = (size_t)(args[i] < 0 ? -args[i] : args[i]);
            if (args[i] < 0)
                memset(out, 0, n * sizeof *out);
            else
                memcpy(out, in[source++] + (size_t)r * n, n * sizeof *out);
            out += n;
        }
}

/* Input k (LINEAR_W, LINEAR_BIAS or LINEAR_RESIDUAL) of the merged product; 0 if no member has it. */
static int side_by_side(builder *b, const node *const *members, int count, int k, int cols)
{
    const graph *g = b->g;
    derive how = {.fill = k == LINEAR_RESIDUAL ? columns_or_zero : stack_or_zero};
    dtype type = k == LINEAR_W ? g->values[members[0]->in[LINEAR_W]].t.type : k == LINEAR_BIAS ? DT_F32 : DT_NONE;
    int rows = k == LINEAR_W ? cols : 1;
    for (int i = 0; i < count; i++) {
        int id = members[i]->in[k], width = g->values[members[i]->in[LINEAR_W]].t.rows;
        how.args[i] = id ? width : -width;
        if (!id)
            continue;
        how.src[how.n_src++] = entry_f32(b, id);
        if (k == LINEAR_RESIDUAL) {
            rows = g->values[id].t.rows;
            type = type == DT_NONE || type == g->values[id].t.type ? g->values[id].t.type : DT_F32;
        }
    }
    static const char *const what[] = {
        [LINEAR_W] = "rows", [LINEAR_BIAS] = "columns", [LINEAR_RESIDUAL] = "side by side"};
    char name[40];
    size_t n = 0; /* where zeros are belongs to the name */
    for (const char *c = what[k]; *c; c++)
        name[n++] = *c;
    for (int i = 0; i < count; i++)
        name[n++] = how.args[i] < 0 ? '0' : 'x';
    name[n] = 0;
    return how.n_src
               ? folded(b, name, type, rows, k == LINEAR_W ? g->values[members[0]->in[LINEAR_W]].t.cols : cols, how)
               : 0;
}

/* Readers of `id` read `col` columns further on in `whole`. */
static void read_columns(graph *g, int id, int whole, int col)
{
    for (int i = 0; i < g->n_nodes; i++) {
        node *n = &g->nodes[i];
        if (n->op != OP_attention || (n->in[ATTENTION_Q] != id && n->in[ATTENTION_K] != id && n->in[ATTENTION_V] != id))
            continue;
        n->attr.qk_cols = n->attr.qk_cols ? n->attr.qk_cols : g->values[n->in[ATTENTION_Q]].t.cols;
        n->attr.v_cols = n->attr.v_cols ? n->attr.v_cols : g->values[n->in[ATTENTION_V]].t.cols;
        int *const first[] = {
            [ATTENTION_Q] = &n->attr.q_col, [ATTENTION_K] = &n->attr.k_col, [ATTENTION_V] = &n->attr.v_col};
        for (int k = ATTENTION_Q; k <= ATTENTION_V; k++)
            if (n->in[k] == id) {
                n->in[k] = whole;
                *first[k] += col;
            }
    }
}

/* Products of one input that only attention reads (q, k, v): one product, those that turn first, read by columns. */
int fuse_columns(builder *b, int i)
{
    graph *g = b->g;
    const node *n = &g->nodes[i], *members[MAX_SIDE_BY_SIDE] = {0}, *turning = NULL;
    int count = 0, cols = 0, turned = 0;
    if (!can_stand_aside(g, n))
        return 0;
    for (int pass = 0; pass < 2; pass++)
        for (int j = i; j < g->n_nodes && count < MAX_SIDE_BY_SIDE; j++) {
            const node *m = &g->nodes[j];
            if (!can_stand_aside(g, m) || !are_alike(g, n, m) || (turning && !are_alike(g, turning, m)) ||
                (m->in[LINEAR_TURNS] == 0) != pass || producer_index(g, m->in[LINEAR_N_ROTATED]) >= i)
                continue;
            if (m->in[LINEAR_TURNS])
                turning = turning ? turning : m;
            members[count++] = m;
            cols += g->values[m->in[LINEAR_W]].t.rows;
            turned += m->in[LINEAR_TURNS] ? g->values[m->in[LINEAR_W]].t.rows : 0;
        }
    int first_is_in = 0;
    for (int k = 0; k < count; k++)
        first_is_in |= members[k] == n;
    if (count < 2 || !first_is_in)
        return 0;
    op_attr a = n->attr;
    val in[LINEAR_INPUTS] = {[LINEAR_X] = {n->in[LINEAR_X]}};
    for (int k = LINEAR_W; k <= LINEAR_RESIDUAL; k++)
        in[k].id = side_by_side(b, members, count, k, cols);
    if (turning) {
        in[LINEAR_TURNS].id = turning->in[LINEAR_TURNS];
        in[LINEAR_N_ROTATED].id = turning->in[LINEAR_N_ROTATED];
        a.period = turning->attr.period;
        a.start = turning->attr.start;
        a.count = turned == cols ? 0 : turned;
    }
    int outs[MAX_SIDE_BY_SIDE], widths[MAX_SIDE_BY_SIDE];
    for (int k = 0; k < count; k++) {
        outs[k] = members[k]->out[RESULT];
        widths[k] = g->values[members[k]->in[LINEAR_W]].t.rows;
    }
    val y = apply(b, OP_linear, in, LINEAR_INPUTS, a); /* may move the nodes */
    if (b->err.status != SAM_OK)
        return 0;
    move_last_node(g, i);
    for (int k = 0, col = 0; k < count; col += widths[k++]) {
        read_columns(g, outs[k], y.id, col);
        remove_node(g, producer(g, outs[k]));
    }
    return 1;
}

/* ---- what follows a norm or a shuffle ----------------------------------------------------------------------------- */

/* y + p where y is a norm's result: the norm's second output. p must be there before. */
int fuse_second_output(builder *b, int i)
{
    graph *g = b->g;
    const node *n = &g->nodes[i];
    for (int side = SUM_X; n->op == OP_add && n->attr.scale == 1.0f && side <= SUM_Y; side++) {
        node *p = producer(g, n->in[side]);
        const tensor *y = &g->values[n->in[side]].t, *more = &g->values[n->in[other_side(side)]].t,
                     *out = &g->values[n->out[RESULT]].t;
        if (!p || p->op != OP_layernorm || p->in[LAYERNORM_PLUS] || more->rows != y->rows || out->type != y->type ||
            out->n != y->n || (more->n != 1 && more->n != y->n) ||
            producer_index(g, n->in[other_side(side)]) >= p - g->nodes)
            continue;
        p->in[LAYERNORM_PLUS] = n->in[other_side(side)];
        p->out[LAYERNORM_SUM] = n->out[RESULT];
        remove_node(g, n);
        return 1;
    }
    return 0;
}

/* A sum, then a norm, after a shuffle: what a decoder's enlargement does. */
int fuse_shuffle(builder *b, int i)
{
    graph *g = b->g;
    node *n = &g->nodes[i];
    for (int side = SUM_X; n->op == OP_add && n->attr.scale == 1.0f && side <= SUM_Y; side++) {
        node *p = only_for_me(g, n->in[side], OP_pixel_shuffle);
        const tensor *more = &g->values[n->in[other_side(side)]].t, *out = &g->values[n->out[RESULT]].t;
        if (!p || p->in[SHUFFLE_PLUS] || p->in[SHUFFLE_GAIN] || p->attr.act != ACT_NONE || more->rows != out->rows ||
            g->values[n->in[side]].t.n != out->n || g->values[n->in[side]].t.type != out->type)
            continue;
        p->in[SHUFFLE_PLUS] = n->in[other_side(side)];
        merge(g, n, p);
        return 1;
    }
    node *p =
        n->op == OP_layernorm && !n->in[LAYERNORM_PLUS] ? only_for_me(g, n->in[LAYERNORM_X], OP_pixel_shuffle) : NULL;
    if (!p || p->in[SHUFFLE_GAIN] || p->attr.act != ACT_NONE || g->values[n->in[LAYERNORM_X]].t.cols > 256 ||
        g->values[n->in[LAYERNORM_X]].t.type != g->values[n->out[RESULT]].t.type)
        return 0;
    p->in[SHUFFLE_GAIN] = n->in[LAYERNORM_GAIN];
    p->in[SHUFFLE_BIAS] = n->in[LAYERNORM_BIAS];
    p->attr.eps = n->attr.eps;
    p->attr.act = n->attr.act;
    merge(g, n, p);
    return 1;
}

/* ---- whole blocks ------------------------------------------------------------------------------------------------- */

static int is_bare_linear(const node *n)
{
    return n && n->op == OP_linear && !n->in[LINEAR_RESIDUAL] && !n->in[LINEAR_TURNS] && !n->attr.groups;
}

/* sigmoid(linear(relu(linear(mean_rows(x))))): squeeze-excite. */
int fuse_excite(builder *b, int i)
{
    graph *g = b->g;
    node *n = &g->nodes[i], *inner = is_bare_linear(n) ? only_for_me(g, n->in[LINEAR_X], OP_linear) : NULL;
    node *mean = is_bare_linear(inner) ? only_for_me(g, inner->in[LINEAR_X], OP_mean_rows) : NULL;
    if (!mean || mean->in[MEAN_W1] || n->attr.act != ACT_SIGMOID || inner->attr.act != ACT_RELU ||
        !n->in[LINEAR_BIAS] || !inner->in[LINEAR_BIAS] || g->values[inner->in[LINEAR_W]].t.rows > 512 ||
        g->values[inner->in[LINEAR_W]].t.cols > 2048)
        return 0;
    mean->in[MEAN_W1] = inner->in[LINEAR_W];
    mean->in[MEAN_BIAS1] = inner->in[LINEAR_BIAS];
    mean->in[MEAN_W2] = n->in[LINEAR_W];
    mean->in[MEAN_BIAS2] = n->in[LINEAR_BIAS];
    mean->attr.type = g->values[n->out[RESULT]].t.type;
    int result = n->out[RESULT], middle = inner->out[RESULT];
    mean->out[RESULT] = result;
    remove_node(g, n);
    for (int k = 0; k < g->n_nodes; k++)
        if (g->nodes[k].out[RESULT] == middle) {
            remove_node(g, &g->nodes[k]);
            break;
        }
    return 1;
}

/* Rows for which the hidden values are better not written; narrow ones always (their launches cost more than they do). */
enum { MANY_ROWS = 4096, NARROW = 64, WIDEST = 224 };

static int fits_mlp(const graph *g, const node *outer, const node *inner)
{
    const tensor *x = &g->values[inner->in[LINEAR_X]].t, *w = &g->values[inner->in[LINEAR_W]].t,
                 *y = &g->values[outer->out[RESULT]].t;
    const tensor *more = &g->values[outer->in[LINEAR_RESIDUAL]].t;
    return (x->type == DT_BF16 || x->type == DT_F16) && w->type == x->type && y->type == x->type &&
           y->cols == x->cols && y->n == x->n && x->cols % 8 == 0 && w->rows % 8 == 0 && x->cols <= WIDEST &&
           g->values[outer->in[LINEAR_W]].t.type == x->type && g->values[outer->in[LINEAR_W]].storage == IN_WEIGHT &&
           (x->rows >= MANY_ROWS || x->cols <= NARROW) &&
           (!outer->in[LINEAR_RESIDUAL] || (more->type == x->type && more->n == x->n));
}

/* On a device: residual + linear(act(linear(layernorm(x)))), with or without norm and residual. */
int fuse_mlp(builder *b, int i)
{
    graph *g = b->g;
    node *n = &g->nodes[i];
    if (!b->device || n->op != OP_linear || n->attr.act != ACT_NONE || n->in[LINEAR_TURNS] || n->attr.groups)
        return 0;
    node *inner = only_for_me(g, n->in[LINEAR_X], OP_linear);
    if (!is_bare_linear(inner) || inner->attr.act == ACT_NONE || !fits_mlp(g, n, inner))
        return 0;
    node *norm = only_for_me(g, inner->in[LINEAR_X], OP_layernorm);
    if (norm && (norm->attr.act != ACT_NONE || norm->in[LAYERNORM_PLUS] ||
                 g->values[norm->in[LAYERNORM_X]].t.type != g->values[norm->out[LAYERNORM_Y]].t.type))
        norm = NULL;
    node whole = {.op = OP_mlp, .attr = {.act = inner->attr.act, .eps = norm ? norm->attr.eps : 0}};
    const int in[OP_MAX_IN] = {[MLP_X] = norm ? norm->in[LAYERNORM_X] : inner->in[LINEAR_X],
                               [MLP_W1] = inner->in[LINEAR_W],
                               [MLP_BIAS1] = inner->in[LINEAR_BIAS],
                               [MLP_W2] = n->in[LINEAR_W],
                               [MLP_BIAS2] = n->in[LINEAR_BIAS],
                               [MLP_GAIN] = norm ? norm->in[LAYERNORM_GAIN] : 0,
                               [MLP_NORM_BIAS] = norm ? norm->in[LAYERNORM_BIAS] : 0,
                               [MLP_RESIDUAL] = n->in[LINEAR_RESIDUAL]};
    memcpy(whole.in, in, sizeof in);
    whole.out[RESULT] = n->out[RESULT];
    *n = whole;
    fuse_unused(b, (int)(inner - g->nodes));
    if (norm) /* it comes before: its place has not changed */
        fuse_unused(b, (int)(norm - g->nodes));
    return 1;
}

/* A depthwise 3x3 convolution that keeps the grid and the type, and no more, of which n_readers hear. */
static node *plain_depthwise(const graph *g, int id, int n_readers)
{
    node *p = producer(g, id);
    if (!p || p->op != OP_conv2d || !is_hidden(g, id) || n_consumers(g, id) != n_readers || p->in[CONV2D_RESIDUAL] ||
        p->attr.act != ACT_NONE)
        return NULL;
    const tensor *x = &g->values[p->in[CONV2D_X]].t, *w = &g->values[p->in[CONV2D_W]].t, *y = &g->values[id].t;
    int keeps = p->attr.kernel == 3 && p->attr.stride == 1 && p->attr.pad == 1 && p->attr.groups == x->cols;
    return keeps && w->rows == x->cols && x->type == y->type && w->type == y->type && x->n == y->n &&
                   g->values[p->in[CONV2D_W]].storage == IN_WEIGHT
               ? p
               : NULL;
}

/* On a device: mlp(u) + u where u is a depthwise convolution, or that times its own excitation: RepViT's block. The mlp
 * convolves what it reads, and the mean is computed from the convolution's input. */
int fuse_taps(builder *b, int i)
{
    graph *g = b->g;
    node *n = &g->nodes[i];
    int u = n->in[MLP_X];
    if (!b->device || n->op != OP_mlp || n->in[MLP_GAIN] || n->in[MLP_RESIDUAL] != u || !is_hidden(g, u) ||
        n_consumers(g, u) != 2)
        return 0;
    node *times = producer(g, u), *mean = NULL;
    if (times && times->op == OP_mul) {
        mean = only_for_me(g, times->in[SUM_Y], OP_mean_rows);
        if (!mean || !mean->in[MEAN_W1] || mean->in[MEAN_X] != times->in[SUM_X] ||
            g->values[times->in[SUM_Y]].t.type != g->values[u].t.type)
            return 0;
    }
    node *conv = plain_depthwise(g, mean ? times->in[SUM_X] : u, 2);
    if (!conv || g->values[conv->in[CONV2D_X]].t.type != g->values[u].t.type)
        return 0;
    if (mean) {
        mean->in[MEAN_TAPS] = conv->in[CONV2D_W];
        mean->in[MEAN_TAP_BIAS] = conv->in[CONV2D_BIAS];
        mean->in[MEAN_X] = conv->in[CONV2D_X];
        mean->attr.h = conv->attr.h;
        mean->attr.w = conv->attr.w;
        n->in[MLP_GATE] = times->in[SUM_Y];
    }
    n->in[MLP_X] = conv->in[CONV2D_X];
    n->in[MLP_RESIDUAL] = 0;
    n->in[MLP_TAPS] = conv->in[CONV2D_W];
    n->in[MLP_TAP_BIAS] = conv->in[CONV2D_BIAS];
    n->attr.h = conv->attr.h;
    n->attr.w = conv->attr.w;
    if (mean) /* it comes after: the convolution's place stays */
        fuse_unused(b, (int)(times - g->nodes));
    fuse_unused(b, (int)(conv - g->nodes));
    return 1;
}

/* Rows of an object for which every block can norm all of them. */
enum { HANDFUL = 64, WIDEST_TOKEN = 512 };

/* On a device: linear(layernorm(x)) or linear(layernorm(x) + y) of a handful of tokens. Others may read the norm. */
int fuse_norm(builder *b, int i)
{
    graph *g = b->g;
    const node *n = &g->nodes[i];
    int at = b->device && n->op == OP_linear && !n->in[LINEAR_RESIDUAL] && !n->in[LINEAR_TURNS] && !n->attr.groups
                 ? producer_index(g, n->in[LINEAR_X])
                 : -1;
    const node *norm = at < 0 ? NULL : &g->nodes[at];
    if (!norm || norm->op != OP_layernorm || norm->attr.act != ACT_NONE)
        return 0;
    int sum = norm->out[LAYERNORM_SUM];
    if (sum && (n->in[LINEAR_X] != sum || n_consumers(g, sum) != 1 || !is_hidden(g, sum)))
        return 0;
    const tensor *x = &g->values[norm->in[LAYERNORM_X]].t, *w = &g->values[n->in[LINEAR_W]].t,
                 *y = &g->values[n->out[RESULT]].t;
    const tensor *normed = &g->values[norm->out[LAYERNORM_Y]].t;
    if ((x->type != DT_BF16 && x->type != DT_F16) || w->type != x->type || y->type != x->type ||
        normed->type != x->type || (sum && g->values[norm->in[LAYERNORM_PLUS]].t.type != x->type) ||
        x->rows > HANDFUL || x->cols > WIDEST_TOKEN || x->cols % 8 || g->values[n->in[LINEAR_W]].storage != IN_WEIGHT)
        return 0;
    node whole = {.op = OP_norm_linear, .attr = {.act = n->attr.act, .eps = norm->attr.eps}};
    const int in[OP_MAX_IN] = {[NORM_LINEAR_X] = norm->in[LAYERNORM_X],
                               [NORM_LINEAR_W] = n->in[LINEAR_W],
                               [NORM_LINEAR_BIAS] = n->in[LINEAR_BIAS],
                               [NORM_LINEAR_GAIN] = norm->in[LAYERNORM_GAIN],
                               [NORM_LINEAR_NORM_BIAS] = norm->in[LAYERNORM_BIAS],
                               [NORM_LINEAR_PLUS] = norm->in[LAYERNORM_PLUS]};
    memcpy(whole.in, in, sizeof in);
    whole.out[RESULT] = n->out[RESULT];
    whole.out[NORM_LINEAR_NORMED] = norm->out[LAYERNORM_Y];
    g->nodes[at] = whole; /* where the norm was: its readers come after */
    remove_node(g, &g->nodes[i]);
    return 1;
}

/* On a device: conv2d(cast(x)) of f32; the kernel rounds what it reads. */
int fuse_cast_input(builder *b, int i)
{
    graph *g = b->g;
    node *n = &g->nodes[i];
    node *p = b->device && n->op == OP_conv2d && n->attr.groups <= 1 ? only_for_me(g, n->in[CONV2D_X], OP_cast) : NULL;
    dtype w = g->values[n->in[CONV2D_W]].t.type;
    if (!p || g->values[p->in[ONLY_X]].t.type != DT_F32 || g->values[n->in[CONV2D_X]].t.type != w ||
        g->values[n->out[RESULT]].t.type != w)
        return 0;
    n->in[CONV2D_X] = p->in[ONLY_X];
    n->attr.type = w;
    remove_node(g, p);
    return 1;
}
