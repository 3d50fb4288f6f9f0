#include "exec.h"

#include "plan.h"

#include <stdlib.h>
#include <string.h>

/* ---- weights ------------------------------------------------------------------------------------------------------ */

static sam_status pack_node(compiled *c, int i, weights *w, size_t *bytes, sam_error *err)
{
    const node *n = &c->g.nodes[i];
    const op_cpu *cpu = c->ops[n->op];
    tensor in[OP_MAX_IN] = {{0}}, out[OP_MAX_OUT] = {{0}};
    void *temporary[OP_MAX_IN] = {0};
    sam_status status = SAM_OK;

    for (int k = 0; k < OP_MAX_IN && status == SAM_OK; k++) {
        if (!n->in[k])
            continue;
        const value *v = &c->g.values[n->in[k]];
        in[k] = v->t;
        if (v->storage != IN_WEIGHT)
            continue;
        if (!cpu->pack || !(cpu->in_packed >> k & 1)) {
            status = weights_make_resident(w, v->index, bytes, err);
            in[k].data = w->entry[v->index].t.data;
        } else {
            temporary[k] = malloc(tensor_bytes(&v->t));
            status = temporary[k] ? weights_read(w, v->index, temporary[k], err)
                                  : fail(err, SAM_E_MEMORY, "no memory to pack %s", w->entry[v->index].name);
            in[k].data = temporary[k];
        }
    }
    for (int k = 0; k < OP_MAX_OUT; k++)
        if (n->out[k])
            out[k] = c->g.values[n->out[k]].t;
    if (status == SAM_OK && cpu->pack) {
        op_call call = {.in = in, .out = out, .attr = &n->attr, .n_threads = 1};
        size_t took = 0;
        c->packed[i] = cpu->pack(&call, &took);
        *bytes += took;
        if (!c->packed[i])
            status = fail(err, SAM_E_MEMORY, "graph %s, node %d (%s): no memory to pack its weights", c->g.name, i,
                          op_table[n->op]->name);
    }
    for (int k = 0; k < OP_MAX_IN; k++)
        free(temporary[k]);
    return status;
}

sam_status compiled_pack(compiled *c, weights *w, const op_cpu *const *ops, size_t *bytes, sam_error *err)
{
    c->ops = ops;
    c->packed = calloc((size_t)c->g.n_nodes + 1, sizeof *c->packed);
    if (!c->packed)
        return fail(err, SAM_E_MEMORY, "graph %s: no memory", c->g.name);
    for (int i = 0; i < c->g.n_nodes; i++)
        TRY(pack_node(c, i, w, bytes, err));
    return SAM_OK;
}

void compiled_free(compiled *c)
{
    for (int i = 0; c->packed && i < c->g.n_nodes; i++)
        if (c->packed[i])
            c->ops[c->g.nodes[i].op]->unpack(c->packed[i]);
    free(c->packed);
    graph_free(&c->g);
    *c = (compiled){0};
}

/* ---- memory ------------------------------------------------------------------------------------------------------- */

#define PER_NODE (OP_MAX_IN + OP_MAX_OUT)

static void set_batch(tensor *t, int declared, int n_objects)
{
    t->n = declared == N_OBJECTS ? n_objects : declared;
}

/* Fills the tensors of node i for `n_objects`, without addresses. */
static void shape_call(program *p, int i, int n_objects, int n_threads)
{
    const node *n = &p->c->g.nodes[i];
    tensor *in = p->tensors + (size_t)i * PER_NODE, *out = in + OP_MAX_IN;
    for (int k = 0; k < OP_MAX_IN; k++)
        in[k] = n->in[k] ? p->c->g.values[n->in[k]].t : (tensor){0};
    for (int k = 0; k < OP_MAX_OUT; k++)
        out[k] = n->out[k] ? p->c->g.values[n->out[k]].t : (tensor){0};
    for (int k = 0; k < PER_NODE; k++)
        set_batch(&in[k], in[k].n, n_objects);
    p->calls[i] = (op_call){.in = in, .out = out, .attr = &n->attr, .packed = p->c->packed[i], .n_threads = n_threads};
}

/* Lifetimes of the scratch values and of the operators' own scratch. */
static void list_buffers(const program *p, plan_buffer *buffers, int max_objects)
{
    const graph *g = &p->c->g;
    for (int v = 0; v < g->n_values; v++)
        buffers[v] = (plan_buffer){.first = 0, .last = -1};
    for (int i = 0; i < g->n_nodes; i++) {
        const node *n = &g->nodes[i];
        for (int k = 0; k < OP_MAX_IN; k++)
            if (n->in[k] && g->values[n->in[k]].storage == IN_SCRATCH)
                buffers[n->in[k]].last = i;
        for (int k = 0; k < OP_MAX_OUT; k++) {
            const value *v = &g->values[n->out[k]];
            if (!n->out[k] || v->storage != IN_SCRATCH)
                continue;
            tensor t = v->t;
            set_batch(&t, t.n, max_objects);
            buffers[n->out[k]] = (plan_buffer){.first = i, .last = i, .bytes = tensor_bytes(&t)};
        }
        const op_cpu *cpu = p->c->ops[n->op];
        size_t own = cpu->scratch_bytes ? cpu->scratch_bytes(&p->calls[i]) : 0;
        buffers[g->n_values + i] = (plan_buffer){.first = i, .last = i, .bytes = own};
    }
}

sam_status program_plan(program *p, const compiled *c, int max_objects, int n_threads, sam_error *err)
{
    const graph *g = &c->g;
    int n_buffers = g->n_values + g->n_nodes;
    plan_buffer *buffers = malloc((size_t)n_buffers * sizeof *buffers + 1);
    int *order = malloc((size_t)n_buffers * sizeof *order + 1);
    *p = (program){.c = c};
    p->calls = calloc((size_t)g->n_nodes + 1, sizeof *p->calls);
    p->tensors = calloc((size_t)g->n_nodes * PER_NODE + 1, sizeof *p->tensors);
    p->bound = calloc((size_t)g->n_nodes + 1, sizeof *p->bound);
    p->offset = calloc((size_t)n_buffers + 1, sizeof *p->offset);
    sam_status status = SAM_OK;
    if (!buffers || !order || !p->calls || !p->tensors || !p->bound || !p->offset) {
        status = fail(err, SAM_E_MEMORY, "graph %s: no memory to plan %d buffers", g->name, n_buffers);
    } else {
        for (int i = 0; i < g->n_nodes; i++)
            shape_call(p, i, max_objects, n_threads);
        list_buffers(p, buffers, max_objects);
        p->scratch_bytes = plan_arena(buffers, n_buffers, order);
        for (int i = 0; i < n_buffers; i++)
            p->offset[i] = buffers[i].offset;
    }
    free(buffers);
    free(order);
    if (status != SAM_OK)
        program_free(p);
    return status;
}

static void *address(const program *p, const weights *w, int id, char *scratch, void *const *state)
{
    const value *v = &p->c->g.values[id];
    switch (v->storage) {
    case IN_WEIGHT:
        return w->entry[v->index].t.data;
    case IN_STATE:
        return state[v->index];
    case IN_SCRATCH:
        return scratch + p->offset[id];
    default:
        return NULL;
    }
}

sam_status program_bind(program *p, const weights *w, const states *s, char *scratch, void *const *state,
                        int max_objects, sam_error *err)
{
    const graph *g = &p->c->g;
    for (int i = 0; i < g->n_nodes; i++) {
        const node *n = &g->nodes[i];
        tensor *in = p->tensors + (size_t)i * PER_NODE, *out = in + OP_MAX_IN;
        for (int k = 0; k < OP_MAX_IN; k++) {
            const value *v = &g->values[n->in[k]];
            in[k].data = n->in[k] ? address(p, w, n->in[k], scratch, state) : NULL;
            /* A pool's rows are those of all objects. */
            if (v->storage == IN_STATE && s->def[v->index].pool)
                in[k].rows = v->t.rows * max_objects;
        }
        for (int k = 0; k < OP_MAX_OUT; k++)
            out[k].data = n->out[k] ? address(p, w, n->out[k], scratch, state) : NULL;
        p->calls[i].scratch = scratch + p->offset[g->n_values + i];
        const op_cpu *cpu = p->c->ops[n->op];
        if (cpu->bind) {
            p->bound[i] = cpu->bind(&p->calls[i]);
            if (!p->bound[i])
                return fail(err, SAM_E_MEMORY, "graph %s, node %d (%s): the operator could not be prepared", g->name, i,
                            op_table[n->op]->name);
            p->calls[i].bound = p->bound[i];
        }
    }
    return SAM_OK;
}

void program_free(program *p)
{
    for (int i = 0; p->bound && p->c && i < p->c->g.n_nodes; i++)
        if (p->bound[i])
            p->c->ops[p->c->g.nodes[i].op]->unbind(p->bound[i]);
    free(p->calls);
    free(p->tensors);
    free(p->bound);
    free(p->offset);
    *p = (program){0};
}

void program_run(const program *p, int n_objects, const tap *t)
{
    const graph *g = &p->c->g;
    for (int i = 0; i < g->n_nodes; i++) {
        const node *n = &g->nodes[i];
        tensor *tensors = p->tensors + (size_t)i * PER_NODE;
        for (int k = 0; k < OP_MAX_IN; k++)
            set_batch(&tensors[k], n->in[k] ? g->values[n->in[k]].t.n : 0, n_objects);
        for (int k = 0; k < OP_MAX_OUT; k++)
            set_batch(&tensors[OP_MAX_IN + k], n->out[k] ? g->values[n->out[k]].t.n : 0, n_objects);
        p->c->ops[n->op]->run(&p->calls[i]);
        for (int k = 0; t && t->see && k < OP_MAX_OUT; k++)
            if (n->out[k])
                t->see(t->user, g->name, g->values[n->out[k]].name, n_objects, &tensors[OP_MAX_IN + k]);
    }
}
