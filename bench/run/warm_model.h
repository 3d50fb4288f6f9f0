/* warm_model.h - an open model and its session, kept from one object to the next: a new session is only opened for
 * another frame size or kind, or for another length of a clip so short that the model cares (sam.h, n_frames). */
#ifndef WARM_MODEL_H
#define WARM_MODEL_H

#include "nvtx.h"
#include "open_model.h"

/* Start with {0}. Stays where it is: choice.weights points into it. */
typedef struct warm_model {
    sam_model *model;
    sam_session *session; /* NULL before warm_session, and after a failure */
    const char *verb;
    model_choice choice;         /* with the converted weights; its strings are the caller's but for those */
    char path[4096];             /* of the converted weights */
    int width, height, n_frames; /* of the session; n_frames 0: the clip is long */
    int prepared_frames;         /* it takes them */
    int said_overlap, said_recording;
    nvtx ranges;
    double model_ms, session_ms; /* what opening them took */
} warm_model;

/* `choice` says what and how, `checkpoint` which model the weights must be of (NULL: any). Conversion of official files, which is
 * done once and kept, is not part of model_ms. */
sam_status warm_open(warm_model *w, const char *verb, const model_choice *choice, const char *checkpoint,
                     sam_error *err);
/* After SAM_E_DEVICE: opens the model anew, with --device auto on the CPU if the GPU is gone, which is said. Fails if there
 * is nothing to go on with. */
sam_status warm_reopen(warm_model *w, sam_error *err);
/* A session without objects for a clip of n_frames of this size. */
sam_status warm_session(warm_model *w, int width, int height, int n_frames, int prepared_frames, sam_error *err);
/* Gives up the session: after a failure in the middle of a clip the next one starts from a new session. */
void warm_drop_session(warm_model *w);
void warm_close(warm_model *w);

#endif
