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

/* sam_model_open on a backend of the caller's, for tests; opt->backend says how it counts for types. */
sam_status model_open_on(const backend_api *api, const char *path, const sam_model_options *opt, sam_model **out,
                         sam_error *err);

#endif
