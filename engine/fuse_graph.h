/* fuse_graph.h - what the rewrite rules share: looking around in a graph, changing it, weights folded from others.
 * Internal to fuse*.c. */
#ifndef FUSE_GRAPH_H
#define FUSE_GRAPH_H

#include "graph.h"

int n_consumers(const graph *g, int id);
node *producer(const graph *g, int id);              /* of a node's first output; NULL */
int producer_index(const graph *g, int id);          /* of any output; -1 for weights and states */
node *only_for_me(const graph *g, int id, op_id op); /* the `op` computing `id`, if nobody else sees its result */
int is_hidden(const graph *g, int id);               /* scratch that no tap asks for */
int is_plain_linear(const node *n);                  /* x w^T + b and no more */

/* Of a sum or product, the other of SUM_X and SUM_Y. */
static inline int other_side(int side)
{
    return SUM_X + SUM_Y - side;
}

void remove_node(graph *g, const node *n);
void merge(graph *g, node *into, node *from); /* `into` becomes `from` computing into's result; `from` disappears */
void replace_uses(graph *g, int id, int by);
void move_last_node(graph *g, int to); /* what apply() has just added goes to index `to` */

int entry_of(const builder *b, int id); /* of the weights, of a value IN_WEIGHT  */
int entry_f32(builder *b, int id);      /* the same in f32, so that folding rounds once */
/* A new weight value computed from entries; `what` and the entries say which. 0 after an error. */
int folded(builder *b, const char *what, dtype type, int rows, int cols, derive how);

/* Rules; each returns 1 if it changed the graph at node i. fuse_rows.c: constants, rows and common work. */
int fuse_same(builder *b, int i);
int fuse_constant(builder *b, int i);
int fuse_constant_sum(builder *b, int i);
int fuse_slices(builder *b, int i);
int fuse_row_groups(builder *b, int i);
int fuse_unused(builder *b, int i);
/* fuse_columns.c: products side by side and what follows them. */
int fuse_turns(builder *b, int i);
int fuse_columns(builder *b, int i);
int fuse_second_output(builder *b, int i);
int fuse_shuffle(builder *b, int i);
int fuse_excite(builder *b, int i);
int fuse_mlp(builder *b, int i);
int fuse_taps(builder *b, int i);
int fuse_norm(builder *b, int i);
int fuse_cast_input(builder *b, int i);

#endif
