/* run_object.h - one row of the table: a model tracks one object of one video from its first annotated mask to the end of
 * the clip, and is scored, timed and drawn on the way. No frame or mask is kept. */
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

/* Frames from the first annotated one to the end of the clip; 0 if the file does not tell before it is read. */
int run_job_planned(const run_options *o, const dataset_video *v, const dataset_object *object);

/* Fills in the row, whatever happens: what went wrong is in row->status, and returned. `*fatal` is set if it was not this
 * object's fault and the next would fail alike: the output folder cannot be written. */
sam_status run_object(const run_job *job, result_row *row, int *fatal, sam_error *err);

#endif
