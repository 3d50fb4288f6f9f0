/* session.h - what is behind sam_session: one video's memory and the objects tracked in it. */
#ifndef SESSION_H
#define SESSION_H

#include "membank.h"
#include "model.h"
#include "resample.h"

/* Clicks and box corners given for one object on one frame, in pixels of the frame. */
typedef struct prompt_record {
    int64_t frame;
    int n_points;     /* 0: a mask prompt, or unused */
    int in_use;
    sam_point *points; /* max_points + 2; labels 2 and 3 are box corners and come first */
} prompt_record;

/* Frames passed over in one direction; from > to: none. */
typedef struct frame_range {
    int64_t from, to;
} frame_range;

typedef struct object {
    int in_use;
    int32_t id;
    membank bank;
    prompt_record *prompts; /* max_prompted_frames */
    frame_range tracked[2];  /* by sam_direction         */
    sam_direction direction; /* of the last tracking     */
    /* The result on the current frame. */
    int has_result, prompted, slot, pointer_slot;
    float iou, score;
    uint8_t *bits; /* [height, width] 0/1 */
} object;

/* Addresses of the model's states in this session, by name (sam2.h says what each is). */
typedef struct session_states {
    float *image, *mask_image, *points, *mask_prompt, *masks, *ious, *score, *low_res, *iou, *pointer;
    float *memory_logits, *memory_score, *pointer_bank, *pointer_ages;
    int32_t *labels, *n_tokens, *mode, *chosen, *binarise;
    int32_t *memory_slots, *memory_ages, *n_memories, *pointer_slots, *n_pointers;
    uint16_t *memory, *bank;
} session_states;

struct sam_session {
    sam_model *m;
    sam_session_options opt; /* defaults filled in */
    program programs[GRAPH_COUNT];
    void *state[MAX_STATES];
    session_states st;
    char *state_arena, *scratch_arena, *host_arena;
    size_t state_bytes, scratch_bytes, host_bytes;
    object *objects;         /* max_objects */
    float *logits_bank;      /* [max_objects * bank_slots, 16T] what the decoder chose on each kept frame */
    float *clean;            /* [16T] logits after hole filling                                            */
    float *plane;            /* [max_objects, 16T] in image mode: clamped logits                           */
    float *video_plane;      /* [width * height] of each object, only with no_overlap                      */
    void *components_scratch;
    resample *to_image;      /* frame -> image                  */
    resample *mask_to_image; /* mask prompt -> S x S            */
    resample *mask_to_low_res; /* S x S -> S/4 x S/4, antialiased */
    resample *to_video;      /* low-res logits -> frame         */
    float *video_mask;       /* [width * height] f32 of a mask prompt */
    uint8_t *image_bits[3];  /* image mode: one plane per returned mask */
    int64_t frame;           /* current frame; has_frame says whether there is one */
    int has_frame;
    sam_stats stats;
    tap tap;
};

/* Number of elements of a low-res plane. */
static inline size_t low_res_count(const sam_session *s)
{
    return 16 * (size_t)s->m->size.side * (size_t)s->m->size.side;
}

void session_forget(sam_session *s); /* objects and current frame */
void session_forget_object(const sam_session *s, object *o);

#endif
