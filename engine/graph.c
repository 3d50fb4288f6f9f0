#include "graph.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

static int failed(const builder *b)
{
    return b->err.status != SAM_OK;
}

scope at(scope s, const char *name)
{
    scope r = s;
    size_t n = strlen(r.path);
    snprintf(r.path + n, sizeof r.path - n, "%s%s", n ? "." : "", name);
    return r;
}

scope at_index(scope s, int index)
{
    char text[16];
    snprintf(text, sizeof text, "%d", index);
    return at(s, text);
}

builder build_begin(graph *g, const char *name, weights *w, states *s, dtype act, dtype matrix)
{
    *g = (graph){.name = name};
    return (builder){.g = g, .w = w, .s = s, .act = act, .matrix = matrix};
}

sam_status build_end(builder *b, sam_error *err)
{
    if (failed(b)) {
        graph_free(b->g);
        return fail(err, b->err.status, "%s", b->err.text);
    }
    return SAM_OK;
}

void graph_free(graph *g)
{
    free(g->values);
    free(g->nodes);
    *g = (graph){0};
}

val no_val(void)
{
    return (val){0};
}

tensor shape_of(const builder *b, val v)
{
    return v.id ? b->g->values[v.id].t : (tensor){0};
}

static val new_value(builder *b, value v)
{
    graph *g = b->g;
    if (failed(b))
        return no_val();
    if (g->n_values + 1 >= g->value_capacity) {
        int capacity = g->value_capacity ? 2 * g->value_capacity : 128;
        value *values = realloc(g->values, (size_t)capacity * sizeof *values);
        if (!values) {
            fail(&b->err, SAM_E_MEMORY, "graph %s: no memory for %d values", g->name, capacity);
            return no_val();
        }
        g->values = values;
        g->value_capacity = capacity;
    }
    if (g->n_values == 0)
        g->values[g->n_values++] = (value){.name = ""};
    g->values[g->n_values] = v;
    return (val){g->n_values++};
}

/* ---- values without a node ---------------------------------------------------------------------------------------- */

static val weight_value(builder *b, scope s, const char *leaf, int file_rows, int first, int rows, int cols, dtype type)
{
    char name[160];
    snprintf(name, sizeof name, "%s%s%s", s.path, *s.path && *leaf ? "." : "", leaf);
    int index = -1;
    if (failed(b) || weights_request(b->w, name, file_rows, first, rows, cols, type, &index, &b->err) != SAM_OK)
        return no_val();
    return new_value(b, (value){.name = "", .storage = IN_WEIGHT, .t = b->w->entry[index].t, .index = index});
}

val weight_vector(builder *b, scope s, const char *leaf, int count)
{
    return weight_value(b, s, leaf, 1, 0, 1, count, DT_F32);
}

val weight_rows(builder *b, scope s, const char *leaf, int rows, int cols)
{
    return weight_value(b, s, leaf, rows, 0, rows, cols, DT_F32);
}

static val weight_matrix(builder *b, scope s, const char *leaf, int rows, int cols)
{
    return weight_value(b, s, leaf, rows, 0, rows, cols, b->matrix);
}

val table(builder *b, const char *name, dtype type, int rows, int cols, derive how)
{
    int index = -1;
    if (failed(b) || weights_derive(b->w, name, type, rows, cols, &how, &index, &b->err) != SAM_OK)
        return no_val();
    return new_value(b, (value){.name = "", .storage = IN_WEIGHT, .t = b->w->entry[index].t, .index = index});
}

/* What a state is: a control, or of as many slots. */
enum { CONTROL = -1, PLAIN = 0 };

static int state_index(builder *b, const char *name, tensor t, int kind)
{
    states *s = b->s;
    for (int i = 0; i < s->count; i++) {
        if (strcmp(s->def[i].name, name))
            continue;
        tensor have = s->def[i].t;
        if (have.n != t.n || have.rows != t.rows || have.cols != t.cols || have.type != t.type ||
            s->def[i].pool != (kind > 0 ? kind : 0)) {
            int same = have.n == t.n && have.rows == t.rows && have.cols == t.cols;
            fail(&b->err, SAM_E_ARG, "graph %s: state %s is [%d, %d, %d] here and [%d, %d, %d]%s elsewhere", b->g->name,
                 name, t.n, t.rows, t.cols, have.n, have.rows, have.cols, same ? " of another type or pooling" : "");
            return -1;
        }
        return i;
    }
    if (s->count == MAX_STATES) {
        fail(&b->err, SAM_E_ARG, "graph %s: more than %d states", b->g->name, MAX_STATES);
        return -1;
    }
    state_def *d = &s->def[s->count];
    *d = (state_def){.t = t, .pool = kind > 0 ? kind : 0, .control = kind == CONTROL};
    snprintf(d->name, sizeof d->name, "%s", name);
    return s->count++;
}

static val state_value(builder *b, const char *name, tensor t, int kind)
{
    if (failed(b))
        return no_val();
    int index = state_index(b, name, t, kind);
    if (index < 0)
        return no_val();
    return new_value(b, (value){.name = b->s->def[index].name, .storage = IN_STATE, .t = t, .index = index});
}

val state(builder *b, const char *name, int n, int rows, int cols, dtype type)
{
    return state_value(b, name, (tensor){.type = type, .n = n, .rows = rows, .cols = cols}, PLAIN);
}

val state_pool(builder *b, const char *name, int n_slots, int rows_per_slot, int cols, dtype type)
{
    return state_value(b, name, (tensor){.type = type, .n = 1, .rows = n_slots * rows_per_slot, .cols = cols}, n_slots);
}

val control(builder *b, const char *name, int rows, int cols, dtype type)
{
    return state_value(b, name, (tensor){.type = type, .n = N_OBJECTS, .rows = rows, .cols = cols}, CONTROL);
}

val named(builder *b, val v, const char *name)
{
    if (!failed(b) && v.id)
        b->g->values[v.id].name = name;
    return v;
}

static val become_state(builder *b, val v, const char *name, int n, int kind)
{
    if (failed(b) || !v.id)
        return v;
    value *x = &b->g->values[v.id];
    tensor t = x->t;
    if (x->storage != IN_SCRATCH || (t.n != n && t.n != 1)) {
        fail(&b->err, SAM_E_ARG, "graph %s: %s cannot be an output", b->g->name, name);
        return v;
    }
    t.n = n;
    int index = state_index(b, name, t, kind);
    if (index < 0)
        return v;
    x->storage = IN_STATE;
    x->index = index;
    x->name = b->s->def[index].name;
    return v;
}

val output(builder *b, val v, const char *name, int n)
{
    return become_state(b, v, name, n, PLAIN);
}

void output_to_pool(builder *b, val x, val slot, const char *pool, int n_slots, dtype type)
{
    val y = apply(b, OP_scatter_rows, (val[]){[SCATTER_X] = x, [SCATTER_SLOT] = slot}, SCATTER_INPUTS,
                  (op_attr){.count = n_slots, .type = type});
    become_state(b, y, pool, 1, n_slots);
}

/* ---- nodes -------------------------------------------------------------------------------------------------------- */

static node *new_node(builder *b)
{
    graph *g = b->g;
    if (g->n_nodes == g->node_capacity) {
        int capacity = g->node_capacity ? 2 * g->node_capacity : 128;
        node *nodes = realloc(g->nodes, (size_t)capacity * sizeof *nodes);
        if (!nodes) {
            fail(&b->err, SAM_E_MEMORY, "graph %s: no memory for %d nodes", g->name, capacity);
            return NULL;
        }
        g->nodes = nodes;
        g->node_capacity = capacity;
    }
    return &g->nodes[g->n_nodes++];
}

val apply(builder *b, op_id op, const val *in, int n_in, op_attr a)
{
    const op_def *def = op_table[op];
    tensor ins[OP_MAX_IN] = {{0}}, outs[OP_MAX_OUT] = {{0}};
    if (failed(b))
        return no_val();
    for (int i = 0; i < def->n_in; i++) {
        ins[i] = i < n_in ? shape_of(b, in[i]) : (tensor){0};
        if (ins[i].type == DT_NONE && !(def->optional >> i & 1)) {
            fail(&b->err, SAM_E_ARG, "graph %s: input %d of %s is missing", b->g->name, i, def->name);
            return no_val();
        }
    }
    const char *wrong = def->infer(ins, &a, outs);
    if (wrong) {
        fail(&b->err, SAM_E_ARG, "graph %s, node %d: %s: %s (x [%d, %d], y [%d, %d])", b->g->name, b->g->n_nodes,
             def->name, wrong, ins[0].rows, ins[0].cols, ins[1].rows, ins[1].cols);
        return no_val();
    }
    node *n = new_node(b);
    if (!n)
        return no_val();
    *n = (node){.op = op, .attr = a};
    for (int i = 0; i < n_in; i++)
        n->in[i] = in[i].id;
    val first = no_val();
    for (int i = 0; i < def->n_out; i++) {
        if (outs[i].type == DT_NONE)
            continue; /* an optional output */
        val v = new_value(b, (value){.name = "", .storage = IN_SCRATCH, .t = outs[i]});
        b->g->nodes[b->g->n_nodes - 1].out[i] = v.id;
        if (i == 0)
            first = v;
    }
    return first;
}

val output_of(const builder *b, val v, int which)
{
    for (int i = 0; v.id && i < b->g->n_nodes; i++)
        if (b->g->nodes[i].out[0] == v.id)
            return (val){b->g->nodes[i].out[which]};
    return no_val();
}

/* ---- operators as a model's text writes them ---------------------------------------------------------------------- */

val linear(builder *b, val x, int out, scope s)
{
    val w = weight_matrix(b, s, "weight", out, shape_of(b, x).cols);
    val in[LINEAR_INPUTS] = {[LINEAR_X] = x, [LINEAR_W] = w, [LINEAR_BIAS] = weight_vector(b, s, "bias", out)};
    return apply(b, OP_linear, in, LINEAR_INPUTS, (op_attr){0});
}

val linear_no_bias(builder *b, val x, int out, scope s)
{
    val w = weight_matrix(b, s, "weight", out, shape_of(b, x).cols);
    return apply(b, OP_linear, (val[LINEAR_INPUTS]){[LINEAR_X] = x, [LINEAR_W] = w}, LINEAR_INPUTS, (op_attr){0});
}

val linear_rows(builder *b, val x, int first, int out, int all, scope s)
{
    val w = weight_value(b, s, "weight", all, first, out, shape_of(b, x).cols, b->matrix);
    return apply(b, OP_linear, (val[LINEAR_INPUTS]){[LINEAR_X] = x, [LINEAR_W] = w}, LINEAR_INPUTS, (op_attr){0});
}

static val convolution(builder *b, val x, val bias, op_attr a, int out, scope s)
{
    int cols = a.groups > 0 ? shape_of(b, x).cols / a.groups * a.kernel * a.kernel : 0; /* 0: x failed, its width too */
    val weight = weight_matrix(b, s, "weight", out, cols);
    val in[CONV2D_INPUTS] = {[CONV2D_X] = x, [CONV2D_W] = weight, [CONV2D_BIAS] = bias};
    return apply(b, OP_conv2d, in, CONV2D_INPUTS, a);
}

val conv2d(builder *b, val x, int h, int w, int out, int kernel, int stride, int pad, int groups, scope s)
{
    op_attr a = {.h = h, .w = w, .kernel = kernel, .stride = stride, .pad = pad, .groups = groups};
    return convolution(b, x, weight_vector(b, s, "bias", out), a, out, s);
}

val conv2d_no_bias(builder *b, val x, int h, int w, int out, int kernel, int stride, int pad, int groups, scope s)
{
    op_attr a = {.h = h, .w = w, .kernel = kernel, .stride = stride, .pad = pad, .groups = groups};
    return convolution(b, x, no_val(), a, out, s);
}

/* [in, out, 2, 2] to [(dy, dx, out), in]: the transposed convolution as a product. */
static void taps_first(float *to, const float *const *in, const tensor *shape, const double *args)
{
    int n_in = shape[0].rows, out = (int)args[0];
    for (int tap = 0; tap < 4; tap++)
        for (int o = 0; o < out; o++)
            for (int i = 0; i < n_in; i++)
                to[((size_t)tap * (size_t)out + (size_t)o) * (size_t)n_in + (size_t)i] =
                    in[0][((size_t)i * (size_t)out + (size_t)o) * 4 + (size_t)tap];
}

static void repeat_4(float *to, const float *const *in, const tensor *shape, const double *args)
{
    (void)args;
    for (int tap = 0; tap < 4; tap++)
        memcpy(to + (size_t)tap * (size_t)shape[0].cols, in[0], (size_t)shape[0].cols * sizeof *to);
}

val conv_transpose_2x2(builder *b, val x, int h, int w, int out, scope s)
{
    int n_in = shape_of(b, x).cols;
    val weight = weight_rows(b, s, "weight", n_in, out * 4), bias = weight_vector(b, s, "bias", out);
    if (failed(b))
        return no_val();
    int src_weight = b->g->values[weight.id].index, src_bias = b->g->values[bias.id].index;
    val taps = table(b, at(s, "weight(taps)").path, b->matrix, 4 * out, n_in,
                     (derive){.fill = taps_first, .n_src = 1, .src = {src_weight}, .args = {out}});
    val bias4 = table(b, at(s, "bias(taps)").path, DT_F32, 1, 4 * out,
                      (derive){.fill = repeat_4, .n_src = 1, .src = {src_bias}});
    val in[LINEAR_INPUTS] = {[LINEAR_X] = x, [LINEAR_W] = taps, [LINEAR_BIAS] = bias4};
    val y = apply(b, OP_linear, in, LINEAR_INPUTS, (op_attr){0});
    return apply(b, OP_pixel_shuffle, &y, 1, (op_attr){.h = h, .w = w});
}

val layernorm(builder *b, val x, float eps, scope s)
{
    int c = shape_of(b, x).cols;
    val in[LAYERNORM_INPUTS] = {[LAYERNORM_X] = x,
                                [LAYERNORM_GAIN] = weight_vector(b, s, "weight", c),
                                [LAYERNORM_BIAS] = weight_vector(b, s, "bias", c)};
    return apply(b, OP_layernorm, in, LAYERNORM_INPUTS, (op_attr){.eps = eps});
}

val add(builder *b, val x, val y)
{
    return add_scaled(b, x, y, 1.0f);
}

val add_scaled(builder *b, val x, val y, float scale)
{
    return apply(b, OP_add, (val[]){x, y}, 2, (op_attr){.scale = scale});
}

val mul(builder *b, val x, val y)
{
    return apply(b, OP_mul, (val[]){x, y}, 2, (op_attr){0});
}

val activation(builder *b, val x, act kind)
{
    return apply(b, OP_activation, &x, 1, (op_attr){.act = kind});
}

static float head_scale(const builder *b, val q, int heads)
{
    double width = (double)shape_of(b, q).cols / heads;
    return width > 0 ? (float)(1.0 / __builtin_sqrt(width)) : 1.0f;
}

val attention(builder *b, val q, val k, val v, val n_keys, int heads)
{
    return apply(b, OP_attention,
                 (val[]){[ATTENTION_Q] = q, [ATTENTION_K] = k, [ATTENTION_V] = v, [ATTENTION_N_KEYS] = n_keys},
                 ATTENTION_INPUTS, (op_attr){.heads = heads, .scale = head_scale(b, q, heads)});
}

val attention_groups(builder *b, val q, val k, val v, int heads, int groups)
{
    return apply(b, OP_attention, (val[ATTENTION_INPUTS]){[ATTENTION_Q] = q, [ATTENTION_K] = k, [ATTENTION_V] = v},
                 ATTENTION_INPUTS, (op_attr){.heads = heads, .groups = groups, .scale = head_scale(b, q, heads)});
}

val concat_rows(builder *b, val x, val y)
{
    return apply(b, OP_concat_rows, (val[]){x, y}, 2, (op_attr){0});
}

val slice_rows(builder *b, val x, int first, int count)
{
    return apply(b, OP_slice_rows, &x, 1, (op_attr){.first = first, .count = count});
}

val cast(builder *b, val x, dtype type)
{
    return shape_of(b, x).type == type ? x : apply(b, OP_cast, &x, 1, (op_attr){.type = type});
}
