/* object_pass.h - one object of one video through a model or a baseline, from its first annotated mask to the end of the clip:
 * the unit of work of run, edge and profile, and the one place that says what a frame's time is. What else is done with
 * the frames is done by observers (pass_*.h), whose time does not count. No frame or mask is kept. */
#ifndef OBJECT_PASS_H
#define OBJECT_PASS_H

#include "dataset.h"
#include "frame_store.h"
#include "frames.h"
#include "model_list.h"
#include "pace.h"
#include "warm_model.h"

/* What is known before the first frame. Borrowed from the pass. */
typedef struct pass_clip {
    const dataset *set;
    int video, object;
    const dataset_video *v;
    const dataset_object *o;
    const model_entry *entry;
    sam_session *session;   /* NULL: a baseline */
    int prompt;             /* which of the object's annotations it is prompted with; those before it are empty */
    image shown;            /* that annotation, [height, width] u8 of 0 and 1             */
    sam_prompt_set prompts; /* made of it as entry->ask says; points to the two below    */
    sam_point point;
    sam_box box;
    int first, end; /* frames of the video: [first, end) */
    int width, height;
    double fps; /* that the video declares; 0: not known */
} pass_clip;

/* A frame's mask. */
typedef struct pass_mask {
    sam_mask model;       /* words NULL: it is a baseline's, and in bytes     */
    const uint8_t *bytes; /* [height, width] u8; NULL: nobody has asked yet   */
    uint8_t **room;       /* of the pass */
} pass_mask;

typedef struct pass_frame {
    const pass_clip *clip;
    const frame *pixels; /* NULL: a stored frame                                             */
    int64_t index;
    int position;        /* 0: the prompted frame                                            */
    int dropped;         /* it was not tracked, and the mask is still that of the frame before */
    double start_ms, ms; /* from pixels to mask, by the monotonic clock                      */
    double decode_ms;    /* the decoding thread's time for it; 0 for a stored frame          */
    sam_stats stats;     /* zero: a baseline                                                 */
    pass_mask *mask;
} pass_frame;

/* The mask as bytes [height, width] u8, nonzero is object; unpacked when first asked for. Valid as long as the frame. */
sam_status pass_mask_bytes(const pass_frame *f, const uint8_t **out, sam_error *err);

/* Sees the frames go by. Any function may be NULL; a failure ends the pass. */
typedef struct pass_observer {
    void *self;
    int wants_rgb;                                                       /* frames must have pixel->rgb */
    sam_status (*begin)(void *self, const pass_clip *c, sam_error *err); /* before the first frame */
    sam_status (*frame)(void *self, const pass_frame *f, sam_error *err);
    sam_status (*end)(void *self, const pass_clip *c,
                      sam_error *err); /* after the last one; not if stopped or failed */
} pass_observer;

typedef struct object_pass {
    const dataset *set;
    int video, object; /* after dataset_find_objects */
    const model_entry *entry;
    warm_model *model;              /* of a baseline: {0}                                       */
    int max_clip_frames, prefetch;  /* 0: to the end; frames decoded ahead                      */
    const frame_store *store;       /* prepared frames instead of decoding; NULL: none          */
    const char *priors;             /* folder with pictures of the objects (give_priors); NULL: none */
    double paced_fps;               /* frames come at this rate (pace.h); 0: as fast as they are tracked */
    const pass_observer *observers; /* called in this order */
    int n_observers;
    /* Called after every frame with how many are done and will be; nonzero stops the pass. NULL: nothing does. */
    int (*on_frame)(void *user, int n_done, int n_total);
    void *user;
} object_pass;

/* Filled in whatever happens, as far as it came. */
typedef struct pass_result {
    int n_frames, width, height; /* n_frames: tracked, with the prompted one */
    int first, end;              /* frames of the video: [first, end)                          */
    double total_ms;             /* all frames: waiting for the decoder, prompt and tracking   */
    double setup_ms;             /* finding the prompt, opening frames and session             */
    sam_stats stats;             /* of the last frame, or of the session if there was none     */
    double cold_ms;              /* age of the process when the first mask was there           */
    pace pace;                   /* of frames after the prompted one, with paced_fps           */
    int stopped;                 /* on_frame asked for the end                                 */
} pass_result;

/* After a failure the model has no session. */
sam_status object_pass_run(const object_pass *p, pass_result *out, sam_error *err);

/* The first annotated mask that shows the object, and which annotation it is: what every verb prompts with. SAM_E_FORMAT
 * if all are empty. */
sam_status object_pass_prompt(const dataset *set, int video, int object, int *annotation, image *mask, sam_error *err);

/* Frames from the first annotated one to the end of the clip; 0 if the file does not tell before it is read. */
int object_pass_planned(const dataset_video *v, const dataset_object *o, int max_clip_frames);

#endif
