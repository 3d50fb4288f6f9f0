/* object_pass.h - one object of one video through a model from its first annotated mask on, timed frame by frame and
 * neither scored nor drawn: the unit of work that profile and edge measure. No frame or mask is kept. */
#ifndef OBJECT_PASS_H
#define OBJECT_PASS_H

#include "dataset.h"
#include "frame_store.h"
#include "frames.h"
#include "model_list.h"
#include "warm_model.h"

typedef struct pass_frame {
    int64_t index;
    int position;        /* 0: the prompted frame                                        */
    double start_ms, ms; /* from pixels to mask, by the monotonic clock                  */
    double decode_ms;    /* the decoding thread's time for it; 0 for a stored frame      */
    sam_stats stats;
    const sam_mask *mask;
} pass_frame;

typedef struct object_pass {
    dataset *set;
    int video, object;
    ask_kind ask;
    warm_model *model;
    int max_clip_frames, prefetch; /* 0: to the end; frames decoded ahead */
    const frame_store *store;      /* prepared frames instead of decoding; NULL: none */
    /* Called after every frame; nonzero ends the pass. */
    int (*on_frame)(void *user, const pass_frame *f);
    /* Called with the session before its first frame; NULL: not. */
    void (*on_session)(void *user, sam_session *s);
    void *user;
} object_pass;

typedef struct pass_result {
    int n_frames, width, height;
    int first, end;  /* frames of the video: [first, end)                          */
    double total_ms; /* all frames: waiting for the decoder, prompt and tracking   */
    double setup_ms; /* finding the prompt, opening frames and session             */
    int stopped;     /* on_frame asked for the end                                 */
} pass_result;

sam_status object_pass_run(const object_pass *p, pass_result *out, sam_error *err);

/* The first annotated mask that shows the object, and its frame: what every verb prompts with. SAM_E_FORMAT if all are
 * empty. */
sam_status object_pass_prompt(const object_pass *p, int *frame, image *mask, sam_error *err);

#endif
