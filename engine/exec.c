#include "exec.h"

#include "plan.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

/* ---- weights ------------------------------------------------------------------------------------------------------ */

static sam_status no_weight_room(const backend *b, const char *name, size_t n_bytes, sam_error *err)
{
    char what[160];
    snprintf(what, sizeof what, "weights, %.140s", name);
    return no_room(b, what, n_bytes, err);
}

/* The inputs of node i as its operator packs them: weights with data, `temporary` where only packing reads them. */
static sam_status read_inputs(compiled *c, const node *n, weights *w, tensor *in, void **temporary, weight_room *took,
                              sam_error *err)
{
    const backend_api *api = c->b->api;
    for (int k = 0; k < OP_MAX_IN; k++) {
        const value *v = &c->g.values[n->in[k]];
        if (!n->in[k])
            continue;
        in[k] = v->t;
        if (v->storage != IN_WEIGHT)
            continue;
        if (!(api->in_packed(c->b, n->op) >> k & 1)) {
            TRY(weights_make_resident(w, v->index, c->b, took, err));
            in[k].data = w->entry[v->index].t.data;
            continue;
        }
        temporary[k] = api->alloc(c->b, tensor_bytes(&v->t));
        if (!temporary[k])
            return no_weight_room(c->b, w->entry[v->index].name, tensor_bytes(&v->t), err);
        TRY(weights_write(w, v->index, c->b, temporary[k], err));
        in[k].data = temporary[k];
    }
    return SAM_OK;
}

static sam_status pack_node(compiled *c, int i, weights *w, weight_room *took, sam_error *err)
{
    const node *n = &c->g.nodes[i];
    tensor in[OP_MAX_IN] = {{0}}, out[OP_MAX_OUT] = {{0}};
    void *temporary[OP_MAX_IN] = {0};
    sam_status status = read_inputs(c, n, w, in, temporary, took, err);

    for (int k = 0; k < OP_MAX_OUT; k++)
        if (n->out[k])
            out[k] = c->g.values[n->out[k]].t;
    if (status == SAM_OK) {
        op_call call = {.in = in, .out = out, .attr = &n->attr, .libraries = device_libraries_use(c->b->libraries)};
        size_t packed = 0;
        const char *wrong = c->b->api->pack(c->b, n->op, &call, &c->packed[i], &packed);
        took->weights += packed;
        if (wrong == NO_MEMORY)
            status = no_weight_room(c->b, op_table[n->op]->name, packed, err);
        else if (wrong)
            status = fail(err, SAM_E_DEVICE, "graph %s, node %d (%s): %s", c->g.name, i, op_table[n->op]->name, wrong);
    }
    for (int k = 0; k < OP_MAX_IN; k++)
        if (temporary[k])
            c->b->api->release(c->b, temporary[k]);
    return status;
}

sam_status compiled_pack(compiled *c, weights *w, backend *b, weight_room *took, sam_error *err)
{
    c->b = b;
    c->packed = calloc((size_t)c->g.n_nodes + 1, sizeof *c->packed);
    if (!c->packed)
        return fail(err, SAM_E_MEMORY, "graph %s: no memory", c->g.name);
    for (int i = 0; i < c->g.n_nodes; i++)
        TRY(pack_node(c, i, w, took, err));
    return SAM_OK;
}

void compiled_free(compiled *c)
{
    for (int i = 0; c->packed && i < c->g.n_nodes; i++)
        if (c->packed[i])
            c->b->api->unpack(c->b, c->g.nodes[i].op, c->packed[i]);
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
static void shape_call(program *p, int i, int n_objects)
{
    const node *n = &p->c->g.nodes[i];
    tensor *in = p->tensors + (size_t)i * PER_NODE, *out = in + OP_MAX_IN;
    for (int k = 0; k < OP_MAX_IN; k++)
        in[k] = n->in[k] ? p->c->g.values[n->in[k]].t : (tensor){0};
    for (int k = 0; k < OP_MAX_OUT; k++)
        out[k] = n->out[k] ? p->c->g.values[n->out[k]].t : (tensor){0};
    for (int k = 0; k < PER_NODE; k++)
        set_batch(&in[k], in[k].n, n_objects);
    p->calls[i] = (op_call){.in = in,
                            .out = out,
                            .attr = &n->attr,
                            .packed = p->c->packed[i],
                            .libraries = device_libraries_use(p->c->b->libraries)};
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
        size_t own = p->c->b->api->scratch_bytes(p->c->b, n->op, &p->calls[i]);
        buffers[g->n_values + i] = (plan_buffer){.first = i, .last = i, .bytes = own};
    }
}

sam_status program_plan(program *p, const compiled *c, int max_objects, sam_error *err)
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
            shape_call(p, i, max_objects);
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

/* The tensor of value `id` with its address; a pool's rows are those of the session. */
static void place(const program *p, const weights *w, const states *s, tensor *t, int id, char *scratch,
                  void *const *state, int max_objects, int more_slots)
{
    const value *v = &p->c->g.values[id];
    if (!id)
        return;
    t->data = address(p, w, id, scratch, state);
    if (v->storage == IN_STATE && s->def[v->index].pool)
        t->rows = (int)pool_rows(&s->def[v->index], max_objects, more_slots);
}

sam_status program_bind(program *p, const weights *w, const states *s, char *scratch, void *const *state,
                        int max_objects, int more_slots, void *stream, sam_error *err)
{
    const graph *g = &p->c->g;
    for (int i = 0; i < g->n_nodes; i++) {
        const node *n = &g->nodes[i];
        tensor *in = p->tensors + (size_t)i * PER_NODE, *out = in + OP_MAX_IN;
        for (int k = 0; k < OP_MAX_IN; k++)
            place(p, w, s, &in[k], n->in[k], scratch, state, max_objects, more_slots);
        for (int k = 0; k < OP_MAX_OUT; k++)
            place(p, w, s, &out[k], n->out[k], scratch, state, max_objects, more_slots);
        p->calls[i].scratch = scratch + p->offset[g->n_values + i];
        p->calls[i].stream = stream;
        const char *wrong = p->c->b->api->bind(p->c->b, n->op, &p->calls[i], &p->bound[i]);
        if (wrong)
            return fail(err, SAM_E_MEMORY, "graph %s, node %d (%s): %s", g->name, i, op_table[n->op]->name, wrong);
        p->calls[i].bound = p->bound[i];
    }
    return SAM_OK;
}

void program_free(program *p)
{
    for (int i = 0; p->bound && p->c && i < p->c->g.n_nodes; i++)
        p->c->b->api->unbind(p->c->b, p->c->g.nodes[i].op, p->bound[i]);
    free(p->calls);
    free(p->tensors);
    free(p->bound);
    free(p->offset);
    *p = (program){0};
}

/* The outputs of node i, which has been waited for; of a device's, copies. */
static const char *show(const program *p, int i, int n_objects, const tap *t)
{
    const node *n = &p->c->g.nodes[i];
    backend *b = p->c->b;
    const char *wrong = NULL;
    for (int k = 0; k < OP_MAX_OUT && !wrong; k++) {
        tensor seen = p->calls[i].out[k];
        void *copy = NULL;
        if (!n->out[k])
            continue;
        if (!b->api->host_memory) {
            void *stream = p->calls[i].stream;
            copy = malloc(tensor_bytes(&seen));
            wrong = copy ? b->api->read(b, stream, copy, seen.data, tensor_bytes(&seen)) : NO_MEMORY;
            wrong = wrong ? wrong : b->api->wait(b, stream);
            seen.data = copy;
        }
        if (!wrong)
            t->see(t->user, p->c->g.name, p->c->g.values[n->out[k]].name, n_objects, &seen);
        free(copy);
    }
    return wrong;
}

/* Runs node i, waits for it and tells the tap how long it took. */
static const char *run_timed(const program *p, int i, int n_objects, const tap *t)
{
    const node *n = &p->c->g.nodes[i];
    const op_call *call = &p->calls[i];
    const op_def *def = op_table[n->op];
    const backend_api *api = p->c->b->api;
    tap_node seen = {.graph = p->c->g.name,
                     .op = def->name,
                     .name = p->c->g.values[n->out[0]].name,
                     .index = i,
                     .n_objects = n_objects,
                     .start_ms = now_ms()};
    const char *wrong =
        api->run_timed ? api->run_timed(p->c->b, n->op, call, &seen.ms) : api->run(p->c->b, n->op, call);
    if (!wrong && !api->run_timed) {
        wrong = api->wait(p->c->b, call->stream);
        seen.ms = now_ms() - seen.start_ms;
    }
    if (wrong)
        return wrong;
    tensor in[OP_MAX_IN];
    memcpy(in, call->in, sizeof in);
    for (int k = 0; k < OP_MAX_IN && !api->host_memory; k++)
        in[k].data = NULL;
    if (def->cost)
        seen.cost = def->cost(in, call->out, call->attr);
    t->timed(t->user, &seen);
    return NULL;
}

static const char *run_node(const program *p, int i, int n_objects, const tap *t)
{
    const backend_api *api = p->c->b->api;
    const node *n = &p->c->g.nodes[i];
    if (t && t->run)
        return t->run(t->user, &(tap_call){p->c->g.name, p->c->g.values[n->out[0]].name, n->op, p->c->b, &p->calls[i]});
    if (t && t->timed)
        return run_timed(p, i, n_objects, t);
    const char *wrong = api->run(p->c->b, n->op, &p->calls[i]);
    return wrong || !((t && t->see) || p->check) ? wrong : api->wait(p->c->b, p->calls[i].stream);
}

/* From now on node i runs for `n_objects`. */
static void set_objects(const program *p, int i, int n_objects)
{
    const graph *g = &p->c->g;
    const node *n = &g->nodes[i];
    tensor *tensors = p->tensors + (size_t)i * PER_NODE;
    for (int k = 0; k < OP_MAX_IN; k++)
        set_batch(&tensors[k], n->in[k] ? g->values[n->in[k]].t.n : 0, n_objects);
    for (int k = 0; k < OP_MAX_OUT; k++)
        set_batch(&tensors[OP_MAX_IN + k], n->out[k] ? g->values[n->out[k]].t.n : 0, n_objects);
}

static int same_shape(const tensor *a, const tensor *b)
{
    return a->type == b->type && a->n == b->n && a->rows == b->rows && a->cols == b->cols;
}

/* Whether nodes i and k are one operator with the same numbers on the same shapes. */
static int same_work(const program *p, int i, int k)
{
    const tensor *a = p->calls[i].in, *b = p->calls[k].in;
    if (p->c->g.nodes[i].op != p->c->g.nodes[k].op ||
        memcmp(p->calls[i].attr, p->calls[k].attr, sizeof *p->calls[i].attr))
        return 0;
    for (int t = 0; t < PER_NODE; t++)
        if (!same_shape(&a[t], &b[t]))
            return 0;
    return 1;
}

sam_status program_warm(const program *p, sam_error *err)
{
    const graph *g = &p->c->g;
    const backend_api *api = p->c->b->api;
    for (int i = 0; api->warm && i < g->n_nodes; i++) {
        int known = 0;
        set_objects(p, i, 1);
        for (int k = 0; k < i && !known; k++)
            known = same_work(p, k, i);
        const char *wrong = known ? NULL : api->warm(p->c->b, g->nodes[i].op, &p->calls[i]);
        if (wrong)
            return fail(err, SAM_E_DEVICE, "graph %s, node %d (%s): %s", g->name, i, op_table[g->nodes[i].op]->name,
                        wrong);
    }
    return SAM_OK;
}

sam_status program_run(const program *p, int n_objects, const tap *t, sam_error *err)
{
    const graph *g = &p->c->g;
    if (t && t->span)
        t->span(t->user, g->name, 1);
    for (int i = 0; i < g->n_nodes; i++) {
        const node *n = &g->nodes[i];
        set_objects(p, i, n_objects);
        const char *wrong = run_node(p, i, n_objects, t);
        if (!wrong && t && t->see)
            wrong = show(p, i, n_objects, t);
        if (wrong)
            return fail(err, SAM_E_DEVICE, "graph %s, node %d (%s): %s", g->name, i, op_table[n->op]->name, wrong);
    }
    if (t && t->span)
        t->span(t->user, g->name, 0);
    return SAM_OK;
}
