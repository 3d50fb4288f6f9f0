/* speed_run.h - one configuration of `sambench speed`: a model in a session of its own, on frames of noise with a moving
 * disc, with a full memory bank. */
#ifndef SPEED_RUN_H
#define SPEED_RUN_H

#include "open_model.h"
#include "samples.h"

typedef enum speed_part {
    SPEED_FRAME,          /* pixels to masks, as a user waits for it                                         */
    SPEED_IMAGE_ENCODER,  /* trunk, neck, the decoder's convolutions of the fine levels                      */
    SPEED_PROMPT_ENCODER, /* point tokens, dense prompt                                                      */
    SPEED_MASK_DECODER,
    SPEED_MEMORY_ATTENTION,
    SPEED_MEMORY_ENCODER,
    SPEED_RESIZE, /* the frame to the network's input                                                */
    SPEED_POST,   /* hole filling, masks at the frame's size                                         */
    N_SPEED_PARTS
} speed_part;

extern const char *const speed_part_names[N_SPEED_PARTS]; /* "frame", "image_encoder", ... */

typedef struct speed_run {
    /* What is asked. */
    const char *name;
    model_choice choice;
    int n_objects, width, height, warmup, runs;
    /* What is found. */
    samples ms[N_SPEED_PARTS];
    double flops[N_SPEED_PARTS]; /* of one frame; 0: none counted */
    sam_stats stats;
    char backend[32], device[96];
    double setup_ms, peak_rss_mib;
} speed_run;

/* `stop` is asked between frames. speed_run_free also after a failure. */
sam_status speed_measure(speed_run *r, int (*stop)(void), sam_error *err);
void speed_run_free(speed_run *r);

#endif
