/* give_prompt.h - what a --prompts file asks, to a session: on the frame that it holds, or on a picture. */
#ifndef GIVE_PROMPT_H
#define GIVE_PROMPT_H

#include "prompts.h"

typedef struct prompt_target {
    sam_model *model;
    sam_session *session; /* with prepared_frames, if a picture may have another size than the frames */
    int width, height;    /* of the session's frames */
} prompt_target;

/* Prompts object `id`. After a picture the session has no current frame. Failures name object and frame or picture. */
sam_status give_prompt(const prompt_target *to, int32_t id, const prompt *p, int multimask, sam_error *err);

/* What DIR/VIDEO.json, a --prompts file, has for an object of a data set, whose name is its number there: pictures, which
 * become its memories from before the clip. Nothing is given where there is no file, or the file lacks the object. A prompt on
 * a frame is SAM_E_FORMAT. */
sam_status give_priors(const prompt_target *to, const char *dir, const char *video, const char *object, int32_t id,
                       sam_error *err);

#endif
