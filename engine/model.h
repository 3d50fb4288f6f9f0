/* model.h - what is behind sam_model: the mapped file, the packed graphs, nothing that changes after open. */
#ifndef MODEL_H
#define MODEL_H

#include "exec.h"
#include "sam2.h"

struct sam_model {
    char *path;
    st_file file;
    model_config config;
    model_size size;
    sam_model_options options; /* defaults filled in */
    weights w;
    states s;
    compiled graphs[GRAPH_COUNT];
    backend *b;
    dtype act, matrix;   /* types of activations and of the weights of products */
    size_t weight_bytes; /* packed or converted; what is read in the mapped file is not counted */
    float *no_obj_ptr;   /* [d_model] */
};

#endif
