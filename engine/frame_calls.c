#include "frame_calls.h"

#include "model.h"
#include "steps.h"

#include <stdlib.h>
#include <string.h>

/* Counts that operators read from memory when they run: value ids of one graph, and what they hold. */
enum { N_KEYS, N_ROTATED, N_TOKENS, N_COUNTS };
typedef struct counts {
    int id[N_COUNTS];
    int32_t *data[N_COUNTS]; /* [n_objects] */
} counts;

static sam_status fill_counts(counts *c, const sam_model *m, int n_objects, sam_error *err)
{
    const model_size *z = &m->size;
    const int value[N_COUNTS] = {z->steady_keys, z->steady_memory_keys, z->output_tokens + NO_CLICKS};
    c->data[0] = malloc(N_COUNTS * (size_t)n_objects * sizeof *c->data[0]);
    if (!c->data[0])
        return fail(err, SAM_E_MEMORY, "no memory for the counts of %d objects", n_objects);
    for (int k = 0; k < N_COUNTS; k++) {
        c->data[k] = c->data[0] + k * n_objects;
        for (int i = 0; i < n_objects; i++)
            c->data[k][i] = value[k];
    }
    return SAM_OK;
}

static void find_counts(counts *c, const graph *g, const states *s)
{
    for (int k = 0; k < N_COUNTS; k++)
        c->id[k] = -1;
    for (int i = 0; i < g->n_nodes; i++)
        if (g->nodes[i].op == OP_memory_gather) {
            c->id[N_KEYS] = g->nodes[i].out[GATHER_N_KEYS];
            c->id[N_ROTATED] = g->nodes[i].out[GATHER_N_ROTATED];
        }
    for (int v = 1; v < g->n_values; v++)
        if (g->values[v].storage == IN_STATE && !strcmp(s->def[g->values[v].index].name, "n_tokens"))
            c->id[N_TOKENS] = v;
}

static void add_operand(frame_call *call, const graph *g, int id, const tensor *t)
{
    double bytes = id ? (double)tensor_bytes(t) : 0;
    if (id && g->values[id].storage == IN_WEIGHT)
        call->weight_bytes += bytes;
    else if (bytes > call->largest_intermediate)
        call->largest_intermediate = bytes;
}

/* p->calls[i] as it stands after planning, with the counts in place. */
static void visit_node(const program *p, int i, const counts *counted, int n_objects,
                       void (*visit)(void *user, const frame_call *c), void *user)
{
    const graph *g = &p->c->g;
    const node *n = &g->nodes[i];
    const op_def *def = op_table[n->op];
    tensor in[OP_MAX_IN];
    op_call call = p->calls[i];
    memcpy(in, call.in, sizeof in);
    call.in = in;
    frame_call seen = {.graph = g->name,
                       .op = def->name,
                       .name = g->values[n->out[RESULT]].name,
                       .id = n->op,
                       .n_objects = n_objects,
                       .call = &call};
    for (int k = 0; k < OP_MAX_IN; k++) {
        for (int count = 0; count < N_COUNTS; count++)
            if (n->in[k] == counted->id[count])
                in[k].data = counted->data[count];
        add_operand(&seen, g, n->in[k], &in[k]);
    }
    for (int k = 0; k < OP_MAX_OUT; k++)
        add_operand(&seen, g, n->out[k], &call.out[k]);
    if (def->cost)
        seen.cost = def->cost(in, call.out, call.attr);
    visit(user, &seen);
}

static sam_status visit_graph(const sam_model *m, int id, int n_objects, counts *counted,
                              void (*visit)(void *user, const frame_call *c), void *user, sam_error *err)
{
    const compiled *c = &m->graphs[id];
    program p;
    TRY(program_plan(&p, c, n_objects, err));
    find_counts(counted, &c->g, &m->s);
    for (int i = 0; i < c->g.n_nodes; i++)
        visit_node(&p, i, counted, n_objects, visit, user);
    program_free(&p);
    return SAM_OK;
}

sam_status frame_calls(const sam_model *m, int n_objects, void (*visit)(void *user, const frame_call *c), void *user,
                       sam_error *err)
{
    static const step_id tracked[] = {STEP_ENCODE, STEP_ATTEND, STEP_DECODE, STEP_CHOOSE, STEP_KEEP, STEP_REMEMBER};
    static const step_id image[] = {STEP_ENCODE, STEP_IMAGE};
    int video = m->p->modes >> SAM_VIDEO & 1;
    const step_id *order = video ? tracked : image;
    size_t n_steps = video ? sizeof tracked / sizeof *tracked : sizeof image / sizeof *image;
    counts counted = {.id = {0}};
    TRY(fill_counts(&counted, m, n_objects, err));
    sam_status status = SAM_OK;
    for (size_t i = 0; i < n_steps; i++)
        for (int k = 0; k < m->p->steps[order[i]].n && status == SAM_OK; k++)
            status = visit_graph(m, m->p->steps[order[i]].graph[k], order[i] == STEP_ENCODE ? 1 : n_objects, &counted,
                                 visit, user, err);
    free(counted.data[0]);
    return status;
}
