/* memory_policy.h - what tracking chooses, by name: which memories a frame attends to, and which of the decoder's masks is the
 * answer. A policy is a row of numbers (memory_policy.c); the code that follows them knows no policy. */
#ifndef MEMORY_POLICY_H
#define MEMORY_POLICY_H

#include "error.h"
#include "membank.h"
#include "motion_filter.h"

typedef struct memory_policy {
    const char *name;
    bank_rule bank;
    /* A tracked frame is fit (bank_entry.fit) where all of these hold; 0: whatever it is. */
    int judges;
    float iou_above, score_above, motion_above;
    float quality_above; /* of (2 sigmoid(score) - 1) x IoU; 0 where the object is absent */
    int needs_pixels;    /* 1: its mask is not empty                                      */
    int takes_anchors;   /* 1: distractor.h chooses anchors from the decoder's other masks */
    /* The mask */
    int by_motion;      /* 1: kernels/follow_motion.c chooses */
    motion_rule motion; /* weight 0: the model's own */
    float least_score;  /* an object is there where its score is more */
} memory_policy;

extern const memory_policy memory_policies[]; /* a row without a name ends the list; the first is the default */

/* The policy called `name` (NULL or "": the default); SAM_E_ARG names those there are. */
sam_status policy_find(const char *name, const memory_policy **out, sam_error *err);

/* 1: the tracked frame of `e`, with area_px pixels of logits above 0, may be attended beside the one before. */
int policy_fit(const memory_policy *p, const bank_entry *e, int64_t area_px);

#endif
