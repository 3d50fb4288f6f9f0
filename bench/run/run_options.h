/* run_options.h - the command line of the verb `run`. */
#ifndef RUN_OPTIONS_H
#define RUN_OPTIONS_H

#include "input_flags.h"
#include "metrics.h"
#include "old_flags.h"
#include "open_model.h"
#include "require.h"
#include "run_sweep.h"

typedef struct run_options {
    const char *split_dir, *split_name, *models, *weights_dir, *out_dir;
    const char *metric, *shard;
    const char *sizes, *precisions; /* lists */
    const char *format;             /* of the summary; NULL: table */
    const char *require;            /* NULL: nothing */
    const char *priors;             /* folder of VIDEO.json; NULL: none */
    requirements required;
    run_sweep sweep;
    old_flags old;
    metric_kind metric_kind;
    model_choice model; /* all but the weights, size and precision, which are of the sweep */
    int limit_videos, limit_objects, max_clip_frames, max_frames_in_mem;
    int split_given; /* split_name was on the command line */
    int shuffle_videos, seed, save_overlays, save_masks, save_frames, test_mode, resume, quiet;
    models_help help;
    char *default_out_dir; /* storage of out_dir when it was not given */
} run_options;

/* Reads the command line and settles defaults. `*help` as in flags.h. run_options_free also after a failure. */
sam_status run_options_parse(const verb *v, int argc, char **argv, run_options *out, int *help, sam_error *err);
void run_options_free(run_options *o);

#endif
