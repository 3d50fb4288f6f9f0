/* fuse.h - rewrites that make a graph cheaper without changing what it computes beyond rounding.
 *
 * The model's text stays as the paper has it; these rules find the patterns:
 *   constants      concat_rows, cast of weights                      -> weights
 *   common work    the same operator of the same values               -> done once
 *   constant sum   linear(x + table)                                  -> linear(x) + table w^T, the latter a table
 *   activation     act(linear | conv2d | layernorm | pixel_shuffle)   -> inside the producer
 *   linear pair    linear(linear(x)) without anything between         -> one product with the product of the weights
 *   value fold     linear(attention(q, k, linear(m))), one head       -> linear(attention(q, k, m)): softmax rows sum to 1
 *   layer scale    linear(h) * gamma                                  -> gamma into the weights
 *   residual       x + linear(h), x + conv2d(h)                       -> inside the producer
 *   output type    cast(linear)                                       -> the producer's output type
 *   enlargement    layernorm(pixel_shuffle(x) + y)                    -> inside pixel_shuffle
 *   excitation     sigmoid(linear(relu(linear(mean_rows(x)))))        -> inside mean_rows
 *   slices         of slices, of everything, of neighbours            -> one, or none
 *   row groups     linear(row i of x), linear(row i + 1 of x), ...    -> one product, each row with its own weights
 *   turns          rope(linear(x))                                    -> inside the producer
 *   columns        linears of one x that only attention reads         -> one product; attention reads its columns
 *   second output  layernorm(x), and layernorm(x) + y                 -> both from the norm
 * and for a device (builder.device), where writing and reading costs more than arithmetic:
 *   MLP            y + linear(act(linear(layernorm(x)))), 16 bit      -> mlp; many rows, or narrow ones
 *   taps           mlp(u) + u, u = depthwise 3x3 of x, gated or not   -> inside mlp; mean_rows takes x
 *   norm           linear(layernorm(x) [+ y]) of a handful of rows    -> norm_linear
 *   input type     conv2d(cast(x)), x f32                             -> conv2d(x)
 * tests/test_fuse.c shows for each that fused and unfused graphs agree. */
#ifndef FUSE_H
#define FUSE_H

#include "graph.h"

/* Rewrites b->g in place. Errors (no memory for a folded weight) stick to b. */
void fuse(builder *b);

#endif
