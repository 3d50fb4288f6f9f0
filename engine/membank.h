/* membank.h - which past frames an object keeps and which it attends to. Indices only; the tensors are elsewhere.
 *
 * SAM 2 attends to every prompted ("conditioning") frame and to the num_maskmem - 1 frames before the current one (after
 * it in reverse), and to the pointers of prompted and of max_obj_ptrs - 1 neighbouring frames
 * (facebookresearch/sam2 modeling/sam2_base.py, _prepare_memory_conditioned_features). The bank keeps what can still be
 * attended to: prompted frames, recent frames, and the frames that follow the earliest prompted one, which a reverse
 * pass from there needs. Its size does not depend on the length of the video. */
#ifndef MEMBANK_H
#define MEMBANK_H

#include <stdint.h>

typedef struct bank_entry {
    int64_t frame;
    int prompted; /* 1: conditioning frame                              */
    int slot;     /* memory and logits of the frame; -1: evicted        */
    int pointer_slot;
    float score, iou; /* object score logit, predicted quality              */
} bank_entry;

typedef struct bank_size {
    int max_prompted, slots, pointer_slots; /* slots >= max_prompted + 2 * recent + 1, likewise pointers */
    int recent, recent_pointers;            /* num_maskmem - 1, max_obj_ptrs - 1                         */
} bank_size;

typedef struct membank {
    bank_size size;
    int n_entries;
    bank_entry *entry; /* room for pointer_slots; caller's storage */
} membank;

void bank_init(membank *b, bank_size size, bank_entry *storage);
void bank_clear(membank *b);
bank_entry *bank_find(const membank *b, int64_t frame); /* NULL if not kept */
int bank_prompted(const membank *b);                    /* number of prompted frames */

/* The entry of `frame`, new or existing, with a slot and a pointer slot; makes room by dropping what is furthest from
 * `frame`. An existing prompted entry stays prompted. NULL: prompted, and max_prompted frames are already. */
bank_entry *bank_store(membank *b, int64_t frame, int prompted);

/* What the current frame attends to. Arrays have room for max_prompted + recent (pointers: + recent_pointers). */
typedef struct bank_selection {
    int n_memories, n_pointers;
    int32_t *slots, *ages; /* ages index maskmem_tpos_enc: 0 = previous frame, num_maskmem - 1 = prompted */
    int32_t *pointer_slots;
    float *pointer_ages; /* distance / (number of frames a pointer may be away) */
} bank_selection;

/* n_frames: length of the video, 0 if unknown. */
void bank_select(const membank *b, int64_t frame, int reverse, int64_t n_frames, bank_selection *out);

#endif
