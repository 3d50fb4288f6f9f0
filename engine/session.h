/* session.h - what is behind sam_session: one video's memory and the objects tracked in it. */
#ifndef SESSION_H
#define SESSION_H

#include "distractor.h"
#include "host_states.h"
#include "memory_policy.h"
#include "model.h"

/* Clicks and box corners given for one object on one frame, in pixels of the frame. */
typedef struct prompt_record {
    int64_t frame;
    int n_points; /* 0: a mask prompt, or unused */
    int in_use;
    sam_point *points; /* max_points + 2; labels 2 and 3 are box corners and come first */
} prompt_record;

typedef struct object {
    int in_use;
    int32_t id;
    membank bank;
    prompt_record *prompts; /* n_records of the session */
    frame_runs lost_clicks; /* frames whose record made room for another's */
    /* The filter of a policy by motion: the frame it has followed to, and the way; not begun: filter_began 0. */
    int filter_began;
    int64_t filter_frame;
    tracked_way filter_way;
    distractor_memory distractors; /* of a policy that takes anchors */
    /* The result on the current frame; logits and pointer are read back with it. */
    int has_result, prompted, incomplete;
    float iou, score;
    const float *logits, *pointer;
    packed_mask *mask;    /* of the frame's size, host; those of all objects are neighbours */
    float *logits_mirror; /* host copies, where the backend's memory is not the host's */
    float *pointer_mirror;
} object;

/* Points in a session's work. Of the encoder's there are two, for the two places of a frame's pixels. */
typedef enum mark_id {
    MARK_ENCODE_0,
    MARK_ENCODE_1,
    MARK_ENCODED_0, /* also: the pixels have been read */
    MARK_ENCODED_1,
    MARK_TAKEN, /* what was encoded ahead has become the current frame's */
    MARK_ATTEND,
    MARK_ATTENDED,
    MARK_DECODED,
    MARK_REMEMBER,
    MARK_REMEMBERED,
    MARK_SHOW,
    MARK_SHOWN,
    MARK_COUNT
} mark_id;

/* What the encoder writes, where it runs ahead: beside the states, which get copies. */
typedef struct encoder_output {
    int state; /* index */
    size_t bytes;
    void *ahead;
} encoder_output;
enum { MAX_ENCODER_OUTPUTS = 8 };

enum { SESSION_OBJECTS = 1024 };

struct sam_session {
    sam_model *m;
    sam_session_options opt; /* defaults filled in */
    const memory_policy *policy;
    backend *b;
    void *stream;
    program programs[MAX_GRAPHS]; /* of the graphs that the mode runs */
    int n_covered[2];             /* pixels of the input that the frame covers: across, down */
    void *state[MAX_STATES];      /* NULL: no graph of the mode mentions it */
    unsigned char uses[MAX_STATES];
    session_states st;
    session_controls controls;
    images *pictures;
    void *marks[MARK_COUNT];
    unsigned marked;     /* bits of those made since times were collected  */
    void *encode_stream; /* `stream`; with overlap the encoder's own       */
    int place;           /* of the current frame's pixels: 0 or 1          */
    int has_next;        /* overlap: frame `next` has been encoded, or is */
    int64_t next;
    encoder_output outputs[MAX_ENCODER_OUTPUTS];
    int n_outputs;                     /* 0: no overlap */
    char *state_arena, *scratch_arena; /* the backend's; controls come first in the state arena */
    char *host_arena;
    char *control_block; /* host side of the controls */
    size_t control_bytes, state_bytes, scratch_bytes, encode_scratch_bytes, host_bytes, picture_bytes;
    bank_size bank;  /* of each object */
    int more_slots;  /* of the pools, for history: beyond the model's */
    int n_records;   /* prompts remembered per object */
    object *objects; /* max_objects */
    float *plane;    /* [L, L] logits on the host; image mode: [max_objects, 3, L, L] */
    float *
        host_scores; /* [max_objects] scores, then IoUs; then [max_objects, 4] IoUs of all masks, where they are asked for */
    float *host_motion; /* [max_objects] of follow_motion                                  */
    float *other_masks; /* [max_objects, 4, L, L] where a policy takes anchors and memory is not the host's */
    void *distractor_scratch;
    void *components_scratch;
    resample *mask_to_image;   /* mask prompt -> S x S            */
    resample *mask_to_low_res; /* S x S -> L x L, antialiased     */
    float *video_mask;         /* [width * height] of a mask prompt */
    float *mask_image;         /* [S, S] of a mask prompt           */
    float *mask_logits;        /* image mode: [max_objects, L, L] of mask prompts */
    packed_mask **image_masks; /* image mode: those returned */
    int64_t frame;             /* current frame; has_frame says whether there is one */
    int has_frame;
    int trying; /* work is being recorded: what goes wrong then can be done without recording */
    unsigned char ran_once[MAX_RECORDINGS]; /* by key of enqueue_recorded */
    int failed;                             /* after SAM_E_DEVICE; `failure` says why */
    sam_error failure;
    sam_stats stats;
    tap tap;
};

/* Number of elements of a low-res plane. */
static inline size_t low_res_count(const sam_session *s)
{
    return (size_t)s->m->size.low_px * (size_t)s->m->size.low_px;
}

/* The encoder's graph. */
static inline int session_encoder(const sam_session *s)
{
    return s->m->p->steps[STEP_ENCODE].graph[0];
}

/* The session's tap, or NULL if nobody listens. */
static inline const tap *session_listener(const sam_session *s)
{
    return s->tap.see || s->tap.timed || s->tap.span || s->tap.run ? &s->tap : NULL;
}

/* Pictures of another size than the session was opened for, no larger either way: crops. The session looks at one size at a
 * time; the one it was opened with is `pictures` until something else is chosen. */
typedef struct picture_source {
    int width_px, height_px;
    int n_covered[2];
    images *pictures;
} picture_source;

picture_source session_own_source(const sam_session *s);
/* Bytes that a source takes; *out is that of this size. */
size_t session_plan_source(const sam_session *s, int width_px, int height_px, picture_source *out);
sam_status session_open_source(const sam_session *s, picture_source *source, sam_error *err); /* as planned */
void session_close_source(const sam_session *s, picture_source *source); /* one with no pictures is a no-op */
/* What is pushed and predicted from now on is of this size. Its own source must be in use when a session is closed. */
void session_use_source(sam_session *s, const picture_source *source);

void session_forget_object(const sam_session *s, object *o);

#endif
