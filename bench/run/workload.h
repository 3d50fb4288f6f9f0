/* workload.h - what the measuring verbs (profile, edge, speed) run: checkpoints by name, and the annotated videos of a
 * split or a generated one. */
#ifndef WORKLOAD_H
#define WORKLOAD_H

#include "dataset.h"
#include "input_flags.h"
#include "model_list.h"
#include "open_model.h"

enum { WORKLOAD_MAX_CHECKPOINTS = 16 };

#define WORKLOAD_MODELS "sam2_tiny_points,edgetam_points" /* unless --models says others */

typedef struct workload {
    /* The flags; the verb sets its defaults before parsing. */
    const char *split_dir, *split_name, *models, *weights_dir, *out_dir;
    model_choice model; /* all but the weights */
    int limit_videos, limit_objects, max_clip_frames, max_frames_in_mem, test_mode, quiet;
    models_help help;
    /* What they came to. */
    const char *verb;
    model_list list;
    struct {
        const char *name;
        char *weights;
    } checkpoints[WORKLOAD_MAX_CHECKPOINTS];
    int n_checkpoints, device_said;
    dataset set;
    char *test_split;
} workload;

enum { N_WORKLOAD_FLAGS = 10 + N_MODEL_FLAGS };
/* Writes the flags at `to`, which has room for N_WORKLOAD_FLAGS; returns how many. */
int workload_flags(workload *w, flag *to);

/* Checks the flags, makes out_dir, and opens models (by name) and split. With --test_mode both are made in
 * out_dir: a clip and, without --weights_dir, random weights (test_mode.h). workload_close also after a failure. */
sam_status workload_open(workload *w, const char *verb, sam_error *err);
void workload_close(workload *w);

/* The weights file of an entry of w->list. */
const char *workload_weights(const workload *w, const model_entry *e);

#endif
