/* run_object.h - one row of the table: an object_pass of one object of one video, scored, timed and drawn on the way. */
#ifndef RUN_OBJECT_H
#define RUN_OBJECT_H

#include "dataset.h"
#include "model_list.h"
#include "results.h"
#include "run_options.h"
#include "warm_model.h"

typedef struct run_job {
    const run_options *options;
    dataset *set;
    int video, object;
    int is_first; /* nothing of this video and model is in the table yet */
    const model_entry *entry;
    warm_model *model;
    /* Called after every frame with how many this job has done and will do; returns nonzero to interrupt it. */
    int (*on_frame)(void *user, int n_done, int n_total);
    void *user;
} run_job;

/* Fills in the row, whatever happens: what went wrong is in row->status, and returned. `*fatal` is set if it was not this
 * object's fault and the next would fail alike: the output folder cannot be written. */
sam_status run_object(const run_job *job, result_row *row, int *fatal, sam_error *err);

#endif
