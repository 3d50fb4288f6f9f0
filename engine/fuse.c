#include "fuse.h"

#include "fuse_graph.h"

/* ---- folded weights ----------------------------------------------------------------------------------------------- */

/* out = in[0] in[1]: [O, H] [H, I] */
static void product(float *out, const float *const *in, const tensor *shape, const double *args)
{
    int o = shape[0].rows, h = shape[0].cols, n = shape[1].cols;
    (void)args;
    for (int r = 0; r < o; r++)
        for (int c = 0; c < n; c++) {
            double sum = 0;
            for (int k = 0; k < h; k++)
                sum += (double)in[0][(size_t)r * (size_t)h + (size_t)k] * in[1][(size_t)k * (size_t)n + (size_t)c];
            out[(size_t)r * (size_t)n + (size_t)c] = (float)sum;
        }
}

/* out = in[0] in[1] + in[2]: [O, H] [1, H] + [1, O]; in[2] may be absent. */
static void product_bias(float *out, const float *const *in, const tensor *shape, const double *args)
{
    int o = shape[0].rows, h = shape[0].cols;
    (void)args;
    for (int r = 0; r < o; r++) {
        double sum = in[2] ? in[2][r] : 0;
        for (int k = 0; k < h; k++)
            sum += (double)in[0][(size_t)r * (size_t)h + (size_t)k] * in[1][k];
        out[r] = (float)sum;
    }
}

/* Row r of in[0] times in[1][r]; a bias [1, O] counts as O rows. */
static void scale_rows(float *out, const float *const *in, const tensor *shape, const double *args)
{
    int o = shape[1].cols, n = (int)((size_t)shape[0].rows * (size_t)shape[0].cols / (size_t)o);
    (void)args;
    for (int r = 0; r < o; r++)
        for (int c = 0; c < n; c++)
            out[r * n + c] = in[0][r * n + c] * in[1][r];
}

/* outer(inner(x)) with weights [O,H] and [H,I] as one linear node: fills its weight and bias. */
static void fold_products(builder *b, node *n, const node *outer, const node *inner)
{
    const tensor wo = b->g->values[outer->in[LINEAR_W]].t, wi = b->g->values[inner->in[LINEAR_W]].t;
    int outer_w = entry_f32(b, outer->in[LINEAR_W]), inner_w = entry_f32(b, inner->in[LINEAR_W]);
    int outer_bias = outer->in[LINEAR_BIAS] ? entry_of(b, outer->in[LINEAR_BIAS]) : 0,
        has_outer = outer->in[LINEAR_BIAS] != 0;
    if (b->err.status != SAM_OK)
        return;
    int w =
        folded(b, "times", wo.type, wo.rows, wi.cols, (derive){.fill = product, .n_src = 2, .src = {outer_w, inner_w}});
    int bias = outer->in[LINEAR_BIAS];
    if (inner->in[LINEAR_BIAS])
        bias = folded(b, "bias through", DT_F32, 1, wo.rows,
                      (derive){.fill = product_bias,
                               .n_src = has_outer ? 3 : 2,
                               .src = {outer_w, entry_of(b, inner->in[LINEAR_BIAS]), outer_bias}});
    n->in[LINEAR_W] = w;
    n->in[LINEAR_BIAS] = bias;
}

/* Where a product or a convolution has its residual. */
static int *residual_of(node *p)
{
    return &p->in[p->op == OP_linear ? LINEAR_RESIDUAL : CONV2D_RESIDUAL];
}

/* ---- rules: each returns 1 if it changed the graph at node i ------------------------------------------------------ */

static int fuse_activation(builder *b, int i)
{
    graph *g = b->g;
    node *n = &g->nodes[i];
    static const op_id producers[] = {OP_linear, OP_conv2d, OP_layernorm, OP_pixel_shuffle};
    for (int k = 0; n->op == OP_activation && k < 4; k++) {
        node *p = only_for_me(g, n->in[ONLY_X], producers[k]);
        if (!p || p->attr.act != ACT_NONE || ((p->op == OP_linear || p->op == OP_conv2d) && *residual_of(p)))
            continue; /* act(x + residual) is not act(x) + residual */
        p->attr.act = n->attr.act;
        merge(g, n, p);
        return 1;
    }
    return 0;
}

static int fuse_linear_pair(builder *b, int i)
{
    graph *g = b->g;
    node *outer = &g->nodes[i];
    if (outer->op != OP_linear)
        return 0;
    node *inner = only_for_me(g, outer->in[LINEAR_X], OP_linear);
    if (!is_plain_linear(inner))
        return 0;
    double o = g->values[outer->in[LINEAR_W]].t.rows, h = g->values[outer->in[LINEAR_W]].t.cols,
           n = g->values[inner->in[LINEAR_W]].t.cols;
    if (o * n >= o * h + h * n)
        return 0; /* the product would cost more than the two */
    fold_products(b, outer, outer, inner);
    outer->in[LINEAR_X] = inner->in[LINEAR_X];
    remove_node(g, inner);
    return 1;
}

static int fuse_value_projection(builder *b, int i)
{
    graph *g = b->g;
    node *out = &g->nodes[i];
    if (out->op != OP_linear)
        return 0;
    node *attend = only_for_me(g, out->in[LINEAR_X], OP_attention);
    if (!attend || attend->attr.heads != 1)
        return 0;
    node *values = only_for_me(g, attend->in[ATTENTION_V], OP_linear);
    if (!is_plain_linear(values) || g->values[values->in[LINEAR_X]].t.cols >= g->values[values->out[RESULT]].t.cols)
        return 0;
    fold_products(b, out, out, values);
    if (b->err.status != SAM_OK)
        return 0;
    attend->in[ATTENTION_V] = values->in[LINEAR_X];
    tensor *t = &g->values[attend->out[RESULT]].t;
    t->cols = g->values[values->in[LINEAR_X]].t.cols;
    remove_node(g, values);
    return 1;
}

static int fuse_layer_scale(builder *b, int i)
{
    graph *g = b->g;
    node *n = &g->nodes[i];
    if (n->op != OP_mul || g->values[n->in[SUM_Y]].storage != IN_WEIGHT || g->values[n->in[SUM_Y]].t.rows != 1)
        return 0;
    node *p = only_for_me(g, n->in[SUM_X], OP_linear);
    if (!is_plain_linear(p))
        return 0;
    int gamma = entry_of(b, n->in[SUM_Y]);
    const tensor wt = g->values[p->in[LINEAR_W]].t;
    int w = folded(b, "scaled by", wt.type, wt.rows, wt.cols,
                   (derive){.fill = scale_rows, .n_src = 2, .src = {entry_f32(b, p->in[LINEAR_W]), gamma}});
    int bias = p->in[LINEAR_BIAS]
                   ? folded(b, "scaled by", DT_F32, 1, wt.rows,
                            (derive){.fill = scale_rows, .n_src = 2, .src = {entry_of(b, p->in[LINEAR_BIAS]), gamma}})
                   : 0;
    p->in[LINEAR_W] = w;
    p->in[LINEAR_BIAS] = bias;
    merge(g, n, p);
    return 1;
}

static int same_shape(tensor a, tensor b)
{
    return a.rows == b.rows && a.cols == b.cols;
}

static int fuse_residual(builder *b, int i)
{
    graph *g = b->g;
    node *n = &g->nodes[i];
    static const op_id producers[] = {OP_linear, OP_conv2d};
    if (n->op != OP_add || n->attr.scale != 1.0f)
        return 0;
    for (int side = SUM_Y; side >= SUM_X; side--)
        for (int k = 0; k < 2; k++) {
            int other = n->in[other_side(side)];
            node *p = only_for_me(g, n->in[side], producers[k]);
            if (!p || *residual_of(p) || !same_shape(g->values[other].t, g->values[n->in[side]].t) ||
                g->values[n->out[RESULT]].t.n != g->values[n->in[side]].t.n)
                continue;
            *residual_of(p) = other;
            p->attr.type = g->values[n->out[RESULT]].t.type;
            merge(g, n, p);
            return 1;
        }
    return 0;
}

static int fuse_cast(builder *b, int i)
{
    graph *g = b->g;
    node *n = &g->nodes[i];
    if (n->op != OP_cast)
        return 0;
    node *p = only_for_me(g, n->in[ONLY_X], OP_linear);
    if (!p || (p->attr.type != DT_NONE && p->attr.type != g->values[p->in[LINEAR_X]].t.type))
        return 0; /* a product that was cast already: the rounding in between is wanted */
    p->attr.type = n->attr.type;
    merge(g, n, p);
    return 1;
}

void fuse(builder *b)
{
    /* Sums that a table replaced must be gone before norms take sums over. */
    static int (*const rules[])(builder *, int) = {
        fuse_constant,    fuse_same,     fuse_constant_sum, fuse_activation,    fuse_linear_pair, fuse_value_projection,
        fuse_layer_scale, fuse_residual, fuse_cast,         fuse_shuffle,       fuse_activation,  fuse_excite,
        fuse_mlp,         fuse_taps,     fuse_cast_input,   fuse_slices,        fuse_row_groups,  fuse_slices,
        fuse_turns,       fuse_columns,  fuse_unused,       fuse_second_output, fuse_norm};
    for (size_t r = 0; r < sizeof rules / sizeof *rules; r++)
        for (int i = 0; i < b->g->n_nodes && b->err.status == SAM_OK; i++)
            while (b->err.status == SAM_OK && i < b->g->n_nodes && rules[r](b, i))
                i = i > 0 ? i - 1 : 0;
}
