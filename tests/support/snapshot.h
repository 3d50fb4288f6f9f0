/* snapshot.h - an object's result on the current frame, copied so that two runs can be compared. */
#ifndef SNAPSHOT_H
#define SNAPSHOT_H

#include <stddef.h>
#include <stdint.h>

#include "sam.h"
#include "tiny_model.h"

enum { SNAPSHOT_LOGITS = 32 * 32, SNAPSHOT_POINTER = 32 };

typedef struct snapshot {
    int n_logits, prompted;
    float iou, presence, logits[SNAPSHOT_LOGITS], pointer[SNAPSHOT_POINTER];
    uint8_t bits[TINY_FRAME_PX * TINY_FRAME_PX];
    size_t n_bits;
} snapshot;

/* That words, bytes, box and area of a mask are of one mask. */
void check_mask(const sam_mask *m);
/* sam_get_mask of a session of width x height; must succeed, and be finite. */
void snapshot_take(sam_session *s, int32_t object, int width, int height, snapshot *out);
/* 1: bit by bit the same. */
int snapshot_same(const snapshot *a, const snapshot *b);
/* Largest of: relative L2 error of the logits, of the pointer, absolute error of score and quality. */
double snapshot_error(const snapshot *a, const snapshot *b);
size_t snapshot_bits_changed(const snapshot *a, const snapshot *b);
double relative_error(const float *a, const float *b, size_t n); /* |a - b| / |b|; infinite if not finite */

/* sam_prompt with one point, a box, a mask; must succeed. */
void prompt_point(sam_session *s, int32_t object, float x, float y, int label);
void prompt_box(sam_session *s, int32_t object, float x0, float y0, float x1, float y1);
void prompt_mask(sam_session *s, int32_t object, const uint8_t *mask);
void track(sam_session *s, sam_direction direction);

#endif
