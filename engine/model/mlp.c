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
