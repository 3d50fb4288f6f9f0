/* pass_time.h - an observer of object_pass that keeps the times of tracked frames. Baselines have none: a column of speeds is
 * one of models. */
#ifndef PASS_TIME_H
#define PASS_TIME_H

#include "object_pass.h"
#include "samples.h"

/* The columns of a table with a field `stage_ms` [SAM_N_STAGES], which begins at `place` of the row. */
#define STAGE_COLUMNS(place)                                                                                           \
    {"encode_ms", CSV_NUMBER + 3, (place) + SAM_ENCODE * sizeof(double)},                                              \
        {"memory_attention_ms", CSV_NUMBER + 3, (place) + SAM_MEMORY_ATTENTION * sizeof(double)},                      \
        {"mask_decoder_ms", CSV_NUMBER + 3, (place) + SAM_MASK_DECODER * sizeof(double)},                              \
        {"memory_encoder_ms", CSV_NUMBER + 3, (place) + SAM_MEMORY_ENCODER * sizeof(double)},                          \
    {                                                                                                                  \
        "post_ms", CSV_NUMBER + 3, (place) + SAM_POST * sizeof(double)                                                 \
    }

/* Start with {0}. */
typedef struct pass_time {
    samples ms;                   /* of tracked frames, from pixels to mask         */
    samples stages[SAM_N_STAGES]; /* the same frames                                */
    samples host, device;         /* the same frames: host_share.h; NaN on the CPU  */
    double prompt_ms;             /* the prompted frame, which is not among them    */
    double decode_ms;             /* sum over all frames                            */
} pass_time;

pass_observer pass_time_observer(pass_time *t);
void pass_time_free(pass_time *t);

#endif
