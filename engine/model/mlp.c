#include "blocks.h"

val mlp(builder *b, val x, int hidden, int out, int n_layers, act kind, scope w)
{
    for (int i = 0; i < n_layers; i++) {
        x = linear(b, x, i + 1 < n_layers ? hidden : out, at_index(at(w, "layers"), i));
        if (i + 1 < n_layers)
            x = activation(b, x, kind);
    }
    return x;
}

val mlp_block(builder *b, val x, int hidden, act kind, scope w)
{
    int width = shape_of(b, x).cols;
    return linear(b, activation(b, linear(b, x, hidden, at(w, "lin1")), kind), width, at(w, "lin2"));
}
