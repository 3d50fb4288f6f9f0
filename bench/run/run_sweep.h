/* run_sweep.h - `run --precision fp32,bf16 --imgsz 512,1024`: every model at every size and in every precision, each of which is
 * a model of its own to the rest of the run. */
#ifndef RUN_SWEEP_H
#define RUN_SWEEP_H

#include "model_list.h"

enum { SWEEP_MAX = 8 };

typedef struct run_sweep {
    int px[SWEEP_MAX], n_px; /* 0: what a model was made for */
    const char *precision[SWEEP_MAX];
    int n_precisions;
} run_sweep;

/* Reads the two lists, parted by commas; NULL: the default. SAM_E_ARG names what is wrong with which. */
sam_status run_sweep_parse(run_sweep *s, const char *sizes, int default_px, const char *precisions, sam_error *err);
int run_sweep_is_one(const run_sweep *s);

/* Replaces the entries by those of every size and precision; baselines, which have neither, stay as they are. */
sam_status run_sweep_apply(const run_sweep *s, model_list *l, sam_error *err);

/* The size that the model of an entry will have; 0: only its file says. */
int run_sweep_px(const model_entry *e);

#endif
