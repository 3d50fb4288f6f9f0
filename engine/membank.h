/* membank.h - which past frames an object keeps (membank.c) and which it attends to (bank_select.c). Indices only; the tensors
 * are elsewhere.
 *
 * SAM 2 attends to every prompted ("conditioning") frame and to the num_maskmem - 1 frames before the current one (after
 * it in reverse), and to the pointers of prompted and of max_obj_ptrs - 1 neighbouring frames
 * (facebookresearch/sam2 modeling/sam2_base.py, _prepare_memory_conditioned_features). The official predictor keeps every
 * frame; the bank keeps prompted frames, the frames near the current one, and those that follow the earliest prompted one,
 * which a reverse pass from there needs. Its size does not depend on the length of the video, and it knows what it forgot.
 *
 * The result of a prompt is pending until tracking goes on (sam2_video_predictor.py, propagate_in_video_preflight): until
 * then other frames see what was there before, and on a conditioning frame that has been tracked it never takes effect. */
#ifndef MEMBANK_H
#define MEMBANK_H

#include "frame_runs.h"

/* Which tracked frames are attended to, beside prompted ones: memory_policy.h says whose rule it is. */
typedef enum recent_kind {
    RECENT_NEAREST, /* the `recent` frames before the current one, whatever they are: SAM 2 */
    RECENT_FIT,     /* the one before, then the newest that are fit; ages are ranks: SAMURAI, SAM 3 */
    RECENT_SPACED /* the newest fit one, then fit frames whose number `spacing` divides; ages are ranks. Anchors are attended
                       beside them as prompted frames are, without age: DAM4SAM */
} recent_kind;
typedef struct bank_rule {
    recent_kind kind;
    int first_skipped; /* FIT: so many tracked frames after a pass's first prompted one are attended as the one before alone */
    int fit_pointers; /* FIT: pointers too, aged by rank, of the frames that memories could be of, but the oldest */
    int spacing, max_anchors; /* SPACED; max_anchors counts prompted frames                     */
    int pointers_need_object; /* SPACED: pointers only of frames with the object, score > 0      */
} bank_rule;

/* The way a frame was tracked last. */
typedef enum tracked_way { NOT_TRACKED, TRACKED_FORWARD, TRACKED_REVERSE } tracked_way;

typedef struct bank_entry {
    int64_t frame;
    int prompted; /* 1: conditioning frame                                               */
    int pending;  /* 1: of a prompt, not in effect yet                                   */
    int slot;     /* memory and logits of the frame; -1: evicted                         */
    int pointer_slot;
    tracked_way tracked;
    int incomplete;   /* 1: it, or one it follows from, lacked memories that were forgotten  */
    float score, iou; /* object score logit, predicted quality                               */
    float motion;     /* overlap with where the motion was expected; 1: not judged           */
    int fit;          /* 1: good enough to be attended, where the rule asks                  */
    int anchor;       /* 1: attended as long as there is room for anchors: RECENT_SPACED     */
} bank_entry;

typedef struct bank_size {
    int max_prompted, max_pending; /* conditioning frames; pending results of frames that have one in effect */
    int slots, pointer_slots;      /* slots >= max_prompted + 2 * recent + 2, likewise pointers              */
    int recent, recent_pointers;   /* num_maskmem - 1, max_obj_ptrs - 1                                      */
    bank_rule rule;
} bank_size;

typedef struct membank {
    bank_size size;
    int n_entries;
    bank_entry *entry;        /* room for pointer_slots; caller's storage              */
    frame_runs forgotten;     /* frames tracked whose entry is gone; tag: tracked_way  */
    frame_runs forgotten_fit; /* those of them whose loss may matter to the rule: bank_values */
    tracked_way way;          /* of the latest tracked frame                           */
} membank;

void bank_init(membank *b, bank_size size, bank_entry *storage);
void bank_clear(membank *b);

bank_entry *bank_find(const membank *b, int64_t frame);   /* what is in effect; NULL: not kept      */
bank_entry *bank_latest(const membank *b, int64_t frame); /* what is pending, else what is in effect */
int bank_prompted(const membank *b);                      /* number of prompted frames, with pending */
tracked_way bank_tracked(const membank *b, int64_t frame);

/* Whether bank_propose has room. */
typedef enum bank_room { BANK_ROOM, BANK_TOO_MANY_PROMPTED, BANK_TOO_MANY_PENDING } bank_room;
bank_room bank_room_for(const membank *b, int64_t frame, int prompted);

/* The pending entry of `frame`, new or existing, with slots. There must be room. Entries move: others' addresses are void. */
bank_entry *bank_propose(membank *b, int64_t frame, int prompted);

/* What is pending takes effect: tracking goes on. */
void bank_commit(membank *b);

/* The entry of `frame`, which is being tracked: new or existing, with slots; that of a prompted frame keeps its result.
 * Makes room by dropping what is furthest from `frame`. */
bank_entry *bank_track(membank *b, int64_t frame, tracked_way way);

/* What the current frame attends to. Arrays have room for max_prompted + recent (pointers: + recent_pointers). */
typedef struct bank_selection {
    int n_memories, n_pointers;
    int incomplete;        /* 1: what it attends to is incomplete, or the official predictor has more of it */
    int32_t *slots, *ages; /* ages index maskmem_tpos_enc: 0 = previous frame, num_maskmem - 1 = prompted; -1: none */
    int32_t *pointer_slots;
    float *pointer_ages; /* distance / (number of frames a pointer may be away) */
} bank_selection;

/* n_frames: length of the video, 0 if unknown. */
void bank_select(const membank *b, int64_t frame, int reverse, int64_t n_frames, bank_selection *out);

/* 1: the rule will attend to the memory of `e` (pointers: to its pointer) from frames after `frame` on, as far as one can know. */
int bank_wants(const membank *b, const bank_entry *e, int64_t frame, int pointers);
/* 1: losing `e` may make a later selection incomplete. */
int bank_values(const membank *b, const bank_entry *e);

#endif
