/* graph.h - a model as data: values and the operators between them.
 *
 * A model file (engine/model/) builds one graph per kind of work (encode a frame, attend to memory, ...) with the
 * builder below. Building never fails halfway: the first error sticks to the builder and later calls do nothing, so a
 * model's text has no checks. Graphs are then rewritten (fuse.c), their memory is planned (plan.c), and they run (exec.c). */
#ifndef GRAPH_H
#define GRAPH_H

#include "error.h"
#include "op.h"
#include "operands.h"
#include "weights.h"

/* A value of a graph; {0} is "none", for optional inputs. */
typedef struct val {
    int id;
} val;

/* Where a value lives. Only scratch is ever aliased. */
typedef enum storage {
    IN_NONE,
    IN_WEIGHT, /* from the weights file, or computed from it once at open (a table) */
    IN_STATE,  /* survives between graphs: features of the frame, bank, counts      */
    IN_SCRATCH /* lives from its producer to its last consumer                      */
} storage;

typedef struct value {
    const char *name; /* "" or what taps and errors call it: "trunk.blocks.3" */
    storage storage;
    tensor t;  /* shape and type; n is 1 or N_OBJECTS; data NULL       */
    int index; /* IN_WEIGHT: in weights; IN_STATE: in states           */
} value;

typedef struct node {
    op_id op;
    int in[OP_MAX_IN], out[OP_MAX_OUT]; /* value ids; 0: absent */
    op_attr attr;
} node;

typedef struct graph {
    const char *name;
    int n_values, n_nodes;
    value *values; /* values[0] is "none" */
    node *nodes;   /* in order of execution */
    int value_capacity, node_capacity;
} graph;

/* Named storage shared by the graphs of a model. */
typedef struct state_def {
    char name[40];
    tensor t;    /* n: 1 or N_OBJECTS */
    int pool;    /* slots per object, 0: no pool. t.rows are those of one object with so many slots; a session has
                    more objects and may have more slots (pool_rows), still n = 1 */
    int control; /* 1: written by the host before graphs run: prompts, indices, counts         */
} state_def;

/* Rows of a pool for n_objects with more_slots slots beyond those it was declared with. */
static inline int64_t pool_rows(const state_def *d, int n_objects, int more_slots)
{
    return (int64_t)(d->t.rows / d->pool) * (d->pool + more_slots) * n_objects;
}

#define MAX_STATES 64
typedef struct states {
    int count;
    state_def def[MAX_STATES];
} states;

typedef struct builder {
    graph *g;
    weights *w;
    states *s;
    dtype act;     /* type of activations                          */
    dtype matrix;  /* type of the weights of products              */
    int device;    /* 1: for kernels of a device; see fuse.h       */
    sam_error err; /* the first error; SAM_OK while all is well   */
} builder;

/* Weights by scope: at(at(root, "blocks"), "0") is "blocks.0". */
typedef struct scope {
    char path[120];
} scope;
scope at(scope s, const char *name);
scope at_index(scope s, int index);

builder build_begin(graph *g, const char *name, weights *w, states *s, dtype act, dtype matrix);
sam_status build_end(builder *b, sam_error *err); /* the sticky error, or SAM_OK */
void graph_free(graph *g);

/* Values that are not computed by nodes. Shapes are [rows, cols]. */
val weight_vector(builder *b, scope s, const char *leaf, int count);        /* [1, count] f32                  */
val weight_rows(builder *b, scope s, const char *leaf, int rows, int cols); /* [rows, cols] f32: embeddings    */
val table(builder *b, const char *name, dtype type, int rows, int cols, derive how); /* computed at open            */
val state(builder *b, const char *name, int n, int rows, int cols, dtype type);
val state_pool(builder *b, const char *name, int n_slots, int rows_per_slot, int cols, dtype type);
val control(builder *b, const char *name, int rows, int cols, dtype type); /* per object */
val no_val(void);
tensor shape_of(const builder *b, val v);
val named(builder *b, val v, const char *name); /* for taps and dumps; returns v */
/* v, computed by this graph, becomes the state `name`. A value shared by all objects may become a per-object state
 * (n = N_OBJECTS) in a graph that only runs for one object. */
val output(builder *b, val v, const char *name, int n);
/* x, of this graph, goes to the slots `slot` [1,1] of a pool of n_slots per object. */
void output_to_pool(builder *b, val x, val slot, const char *pool, int n_slots, dtype type);

/* Any operator; inputs by their names in operands.h, missing ones are no_val(). Returns the first output. */
val apply(builder *b, op_id op, const val *in, int n_in, op_attr a);
/* Another output of the operator whose first output is v, by its name: output_of(b, mem, GATHER_KEY). */
val output_of(const builder *b, val v, int which);

/* The operators as a model's text writes them. Weights are fetched by scope: "<s>.weight", "<s>.bias". */
val linear(builder *b, val x, int out, scope s);
val linear_no_bias(builder *b, val x, int out, scope s);
val linear_rows(builder *b, val x, int first, int out, int all,
                scope s); /* rows first..first+out of a [all, in] weight, no bias */
/* x [h*w, C], zero padding; the output's sides are (h + 2 pad - kernel) / stride + 1 and so on. Weight [out, C / groups, k, k]. */
val conv2d(builder *b, val x, int h, int w, int out, int kernel, int stride, int pad, int groups, scope s);
val conv2d_no_bias(builder *b, val x, int h, int w, int out, int kernel, int stride, int pad, int groups, scope s);
val conv_transpose_2x2(builder *b, val x, int h, int w, int out, scope s); /* [h*w, C] -> [2h*2w, out] */
val layernorm(builder *b, val x, float eps, scope s);
val add(builder *b, val x, val y);
val add_scaled(builder *b, val x, val y, float scale); /* x + scale y */
val mul(builder *b, val x, val y);
val activation(builder *b, val x, act kind);
/* softmax(q k^T / sqrt(width of a head)) v; n_keys [1,1] i32 counts the valid rows of k and v, none: all. */
val attention(builder *b, val q, val k, val v, val n_keys, int heads);
/* The same within each of `groups` equal stretches of the rows of q, k and v. */
val attention_groups(builder *b, val q, val k, val v, int heads, int groups);
val concat_rows(builder *b, val x, val y);
val slice_rows(builder *b, val x, int first, int count);
val cast(builder *b, val x, dtype type);

#endif
