/* synth_split.h - generated clips as a data set in SA-V layout.
 *
 *   ROOT/JPEGImages_24fps/<clip>/00000.jpg ...        <clip> is easy_0000, hard_0001, ...
 *   ROOT/Annotations_6fps/<clip>/<object>/00000.png   of every annotate_every-th frame
 *   ROOT/<split_name>.txt                             the clips' names; written last
 *
 * A clip depends on its number, difficulty, size and length and on the seed, not on the other clips. */
#ifndef SYNTH_SPLIT_H
#define SYNTH_SPLIT_H

#include "synth_scene.h"

typedef struct synth_options {
    int n_clips;
    synth_size size;
    const char *difficulty; /* one of synth_difficulty_names, or "mixed": each in turn */
    int annotate_every;     /* frames */
    uint64_t seed;
    /* Called after every frame; nonzero ends it (SAM_E_STATE). May be NULL. */
    int (*on_frame)(void *user, int n_done, int n_total);
    void *user;
} synth_options;

#define SYNTH_DIFFICULTIES "easy|medium|hard|mixed"

/* Writes below `root`, which is made if needed; files of the same names are replaced. */
sam_status synth_split_write(const char *root, const char *split_name, const synth_options *options, sam_error *err);

/* The same into a folder that is empty or not there yet, and that is there only when it is whole: until then the clips
 * are in ROOT.partial, which is removed after a failure or an interruption (and before, if a run that was killed has left
 * one). */
sam_status synth_split_create(const char *root, const char *split_name, const synth_options *options, sam_error *err);

#endif
