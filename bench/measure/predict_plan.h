/* predict_plan.h - `sambench plan --predict`: memory and time of a session on devices that are not here. */
#ifndef PREDICT_PLAN_H
#define PREDICT_PLAN_H

#include "open_model.h"

typedef struct predict_options {
    const char *devices; /* "all", or names with commas */
    const char *json;    /* NULL, a file, "-"           */
    int width, height, n_objects, max_points, max_prompted_frames;
    int history; /* as sam_session_options has it */
} predict_options;

sam_status predict_plan(const predict_options *o, const model_choice *choice, sam_error *err);

#endif
