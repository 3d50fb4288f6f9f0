#include "fuse_graph.h"

#include <stdarg.h>
#include <stdio.h>
#include <string.h>

/* ---- looking around in a graph ------------------------------------------------------------------------------------ */

int n_consumers(const graph *g, int id)
{
    int n = 0;
    for (int i = 0; i < g->n_nodes; i++)
        for (int k = 0; k < OP_MAX_IN; k++)
            n += g->nodes[i].in[k] == id;
    return n;
}

node *producer(const graph *g, int id)
{
    for (int i = 0; id && i < g->n_nodes; i++)
        if (g->nodes[i].out[RESULT] == id)
            return &g->nodes[i];
    return NULL;
}

/* The node computing `id`, if it is an `op` and nobody else sees its result. */
node *only_for_me(const graph *g, int id, op_id op)
{
    node *p = producer(g, id);
    const value *v = &g->values[id];
    return p && p->op == op && v->storage == IN_SCRATCH && !*v->name && n_consumers(g, id) == 1 ? p : NULL;
}

void remove_node(graph *g, const node *n)
{
    int i = (int)(n - g->nodes);
    memmove(&g->nodes[i], &g->nodes[i + 1], (size_t)(g->n_nodes - i - 1) * sizeof *g->nodes);
    g->n_nodes--;
}

/* Node `into` becomes `from` computing into's result; `from` disappears. */
void merge(graph *g, node *into, node *from)
{
    int result = into->out[RESULT];
    *into = *from;
    into->out[RESULT] = result;
    remove_node(g, from);
}

int is_plain_linear(const node *n)
{
    return n && n->op == OP_linear && n->attr.act == ACT_NONE && !n->in[LINEAR_RESIDUAL] && !n->in[LINEAR_TURNS] &&
           !n->attr.groups;
}

int producer_index(const graph *g, int id)
{
    for (int i = 0; id && i < g->n_nodes; i++)
        for (int k = 0; k < OP_MAX_OUT; k++)
            if (g->nodes[i].out[k] == id)
                return i;
    return -1;
}

void replace_uses(graph *g, int id, int by)
{
    for (int i = 0; i < g->n_nodes; i++)
        for (int k = 0; k < OP_MAX_IN; k++)
            if (g->nodes[i].in[k] == id)
                g->nodes[i].in[k] = by;
}

void move_last_node(graph *g, int to)
{
    node last = g->nodes[g->n_nodes - 1];
    memmove(&g->nodes[to + 1], &g->nodes[to], (size_t)(g->n_nodes - 1 - to) * sizeof last);
    g->nodes[to] = last;
}

int is_hidden(const graph *g, int id)
{
    return g->values[id].storage == IN_SCRATCH && !*g->values[id].name;
}

/* ---- folded weights ----------------------------------------------------------------------------------------------- */

int entry_of(const builder *b, int id)
{
    return b->g->values[id].index;
}

/* The same weight in f32, so that folding rounds once. */
int entry_f32(builder *b, int id)
{
    weight *e = &b->w->entry[entry_of(b, id)];
    int index = -1;
    if (e->t.type == DT_F32)
        return entry_of(b, id);
    if (e->src) {
        int file_rows = (int)(st_count(e->src) / e->t.cols);
        char name[sizeof e->name];
        memcpy(name, e->name, sizeof name);
        weights_request(b->w, name, file_rows, e->first_row, e->t.rows, e->t.cols, DT_F32, &index, &b->err);
    } else {
        char name[sizeof e->name];
        derive how = e->how;
        memcpy(name, e->name, sizeof name);
        weights_derive(b->w, name, DT_F32, e->t.rows, e->t.cols, &how, &index, &b->err);
    }
    return index;
}

/* A new weight value computed from f32 entries. */
int folded(builder *b, const char *what, dtype type, int rows, int cols, derive how)
{
    char name[sizeof b->w->entry->name]; /* with the entries' numbers: two slices of a weight have one name */
    if (b->err.status != SAM_OK)
        return 0;
    int n = snprintf(name, sizeof name, "%.40s(%s", b->w->entry[how.src[0]].name, what);
    for (int i = 0; i < how.n_src && n < (int)sizeof name; i++)
        n += snprintf(name + n, sizeof name - (size_t)n, " %d", how.src[i]);
    if (n < (int)sizeof name)
        snprintf(name + n, sizeof name - (size_t)n, ")");
    return b->err.status == SAM_OK ? table(b, name, type, rows, cols, how).id : 0;
}
