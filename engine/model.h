/* model.h - what is behind sam_model: the mapped file, the packed graphs, nothing that changes after open. */
#ifndef MODEL_H
#define MODEL_H

#include "exec.h"
#include "predictor.h"

struct sam_model {
    char *path;
    st_file file;
    char name[64];
    const predictor *p;
    const char *title; /* of the family, for messages */
    void *config;      /* the family's own numbers    */
    model_size size;
    sam_model_options options; /* defaults filled in */
    weights w;
    states s;
    compiled graphs[MAX_GRAPHS]; /* those that steps run */
    backend *b;
    dtype act, matrix;     /* types of activations and of the weights of products */
    weight_room room;      /* what is read in the mapped file is not counted */
    float *absent_pointer; /* [pointer_width], or NULL */
};

/* sam_model_open on a backend of the caller's, for tests; opt->backend says how it counts for types. */
sam_status model_open_on(const backend_api *api, const char *path, const sam_model_options *opt, sam_model **out,
                         sam_error *err);
/* The same with families of the caller's (families.c has the engine's); api NULL: what opt asks for. */
sam_status model_open_of(const model_family *rows, const backend_api *api, const char *path,
                         const sam_model_options *opt, sam_model **out, sam_error *err);

#endif
