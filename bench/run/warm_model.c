/* warm_model.c - see warm_model.h. */
#include "warm_model.h"

#include "clock.h"
#include "weights_search.h"

#include <string.h>

enum { FRAMES_THAT_COUNT = 16 }; /* of longer clips the model does not see the length */

static sam_status open_model(warm_model *w, sam_error *err)
{
    double start = clock_ms();
    TRY(model_open(w->verb, &w->choice, 0, 0, &w->model, err));
    w->model_ms = clock_ms() - start;
    return SAM_OK;
}

sam_status warm_open(warm_model *w, const char *verb, const model_choice *choice, const char *checkpoint,
                     sam_error *err)
{
    *w = (warm_model){.verb = verb, .choice = *choice};
    TRY(model_resolve(verb, choice->weights, w->path, sizeof w->path, err));
    if (checkpoint)
        TRY(weights_expect(choice->weights, w->path, checkpoint, err));
    w->choice.weights = w->path;
    nvtx_open(&w->ranges);
    return open_model(w, err);
}

sam_status warm_reopen(warm_model *w, sam_error *err)
{
    warm_drop_session(w);
    sam_model_close(w->model);
    w->model = NULL;
    return open_model(w, err);
}

void warm_drop_session(warm_model *w)
{
    if (w->session)
        session_say_recording(w->verb, w->session, &w->said_recording);
    sam_session_close(w->session);
    w->session = NULL;
}

sam_status warm_session(warm_model *w, int width, int height, int n_frames, int prepared_frames, sam_error *err)
{
    n_frames = n_frames < FRAMES_THAT_COUNT ? n_frames : 0;
    if (w->session && w->width == width && w->height == height && w->n_frames == n_frames &&
        w->prepared_frames == prepared_frames)
        return sam_session_reset(w->session, err);
    warm_drop_session(w);
    const sam_session_options o = {.width_px = width,
                                   .height_px = height,
                                   .n_frames = n_frames,
                                   .mem_limit = w->choice.mem_limit,
                                   .overlap = w->choice.overlap,
                                   .prepared_frames = prepared_frames,
                                   .history = session_history(&w->choice),
                                   .tracker = w->choice.tracker,
                                   .no_recording = w->choice.no_recording,
                                   .check_kernels = w->choice.check_kernels};
    double start = clock_ms();
    TRY(sam_session_open(w->model, &o, &w->session, err));
    w->session_ms = clock_ms() - start;
    if (!w->said_overlap)
        session_say_overlap(w->verb, &w->choice, w->session);
    w->said_overlap = 1;
    nvtx_watch(&w->ranges, w->session);
    w->width = width;
    w->height = height;
    w->n_frames = n_frames;
    w->prepared_frames = prepared_frames;
    return SAM_OK;
}

void warm_close(warm_model *w)
{
    warm_drop_session(w);
    sam_model_close(w->model);
    *w = (warm_model){0};
}
