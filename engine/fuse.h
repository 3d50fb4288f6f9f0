/* fuse.h - rewrites that make a graph cheaper without changing what it computes beyond rounding.
 *
 * The model's text stays as the paper has it; these rules find the patterns:
 *   activation     act(linear | conv2d | layernorm)                    -> inside the producer
 *   linear pair    linear(linear(x)) without anything between          -> one product with the product of the weights
 *   value fold     linear(attention(q, k, linear(m))), one head        -> linear(attention(q, k, m)): softmax rows sum to 1
 *   layer scale    linear(h) * gamma                                   -> gamma into the weights
 *   residual       x + linear(h), x + conv2d(h)                        -> inside the producer
 *   output type    cast(linear)                                        -> the producer's output type
 * tests/test_fuse.c shows for each that fused and unfused graphs agree. */
#ifndef FUSE_H
#define FUSE_H

#include "graph.h"

/* Rewrites b->g in place. Errors (no memory for a folded weight) stick to b. */
void fuse(builder *b);

#endif
