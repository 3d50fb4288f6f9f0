/* distractor.h - when a tracked frame becomes an anchor: a memory that tells the object from another like it.
 *
 * The decoder gives three masks for a frame. Where one that was not chosen shows more than the chosen one, something apart from
 * it, the object may be taken for that something: the frame is worth remembering, if its mask is good and the object looks as
 * large as it has lately. DAM4SAM (arXiv 2411.17576, section 3.2), on logits of the decoder's size here. */
#ifndef DISTRACTOR_H
#define DISTRACTOR_H

#include <stddef.h>
#include <stdint.h>

enum { AREAS_KEPT = 10, AREAS_REACH = 300 }; /* areas whose median counts; how many frames they may lie back */

/* What is known of one object. Start with distractor_forget. */
typedef struct distractor_memory {
    int n_areas; /* of the latest tracked frames with a mask, oldest first */
    int64_t area[AREAS_KEPT], at[AREAS_KEPT];
    int has_anchor;
    int64_t anchor; /* frame of the latest, a prompted one or added */
} distractor_memory;

void distractor_forget(distractor_memory *d);
/* A prompted frame, which is an anchor. */
void distractor_begin(distractor_memory *d, int64_t frame);

size_t distractor_scratch_bytes(int side);
/* A tracked frame: ious [4] and masks [4, side, side] of the decoder, of which 1..3 compete, logits [side, side] of the answer.
 * Returns 1 if it becomes an anchor. */
int distractor_seen(distractor_memory *d, int64_t frame, const float *ious, const float *masks, const float *logits,
                    int side, void *scratch);

#endif
