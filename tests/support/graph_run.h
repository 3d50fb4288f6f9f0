/* graph_run.h - a handful of weights in a file, and graphs over them built, packed and run by hand. */
#ifndef GRAPH_RUN_H
#define GRAPH_RUN_H

#include "exec.h"
#include "temp_dir.h"

enum { RUN_OBJECTS = 2, RUN_ROWS = 20, RUN_COLS = 16, RUN_SIDE_H = 4, RUN_SIDE_W = 5, RUN_MOST = 20 * 64 };

typedef struct toy_weights {
    temp_dir dir;
    char path[300];
    st_file file;
    weights w;
    backend *cpu;
} toy_weights;

/* Names "a", "b", ...: scopes with random "weight" [rows, cols] and "bias" [1, rows]:
 *   a [32,16]  b [8,32]  c [16,2]  d [2,16]  e [16,16]  k [16,16]  m [32,8]  o [16,32];
 *   n: "weight", "bias" [1,16];  g: "weight" [1,16];  f: conv [16, 16*9];  t: depthwise conv [16, 9] */
void toy_weights_open(toy_weights *t);
void toy_weights_close(toy_weights *t);

typedef val (*toy_build)(builder *b, val x, val shared);

typedef struct toy_result {
    int n_nodes, n_out;
    float out[RUN_OBJECTS * RUN_MOST];
} toy_result;

/* Builds over the states "x" [N, 20, 16] and "shared" [1, 20, 16] (both random, cast to `act`), fuses if asked, runs for
 * two objects and returns the output as f32. Asserts. */
void toy_run(toy_weights *t, toy_build build, int with_fusion, dtype act, dtype matrix, toy_result *out);

#endif
