/* steps.h - the steps a frame is made of, on whatever backend: set controls, run graphs, keep, show. `batch` is an
 * object's place in the per-object states while a graph runs. Steps are enqueued: host memory they read or write belongs
 * to them until `show`, `fetch` or `wait_for_all` return. */
#ifndef STEPS_H
#define STEPS_H

#include "session.h"

#define PROMPT_LOGIT_LIMIT 32.0f /* of previous logits given back as a prompt */

/* What a backend call said (NULL: all is well) as a status; a fault of the device ends the session, which then goes on
 * saying what it was. */
sam_status device_status(sam_session *s, const char *what, const char *wrong, sam_error *err);

/* Runs a step's graphs for n_objects. Controls reach them by write_controls. */
sam_status write_controls(sam_session *s, sam_error *err);
sam_status step(sam_session *s, step_id id, int n_objects, sam_error *err);

/* Where a stage begins or ends. wait_for_all collects: adds to the statistics the times of what has been marked. */
sam_status mark(sam_session *s, void *stream, mark_id id, sam_error *err);
void collect_times(sam_session *s);

/* work(s, arg) on `stream`, the same each time under `key` (below MAX_RECORDINGS): a device records it and replays it,
 * unless somebody looks at its operators one by one. */
typedef sam_status recorded_work(sam_session *s, int arg, sam_error *err);
enum {
    INPUT_FORMS = 6,                /* of a frame's pixels: the formats, NV12 once for each matrix and range */
    KEY_ENCODE = 0,                 /* + 2 * form + place                                                    */
    KEY_TRACK = 2 * INPUT_FORMS - 1 /* + number of objects */
};
sam_status enqueue_recorded(sam_session *s, void *stream, int key, recorded_work *work, int arg, sam_error *err);

/* The device's memory as it is now into stats.device_bytes, if it is more. */
void measure_memory(sam_session *s);

/* That the session is of this mode and has not failed. */
sam_status check_session(const sam_session *s, sam_mode mode, const char *call, sam_error *err);

/* frame.c. A picture that is no frame becomes the current one, under a number below 0. */
sam_status push_picture(sam_session *s, const sam_frame *f, int64_t number, sam_error *err);

/* prompt.c. What every mode refuses of a prompt. */
sam_status check_prompt(const sam_session *s, const sam_prompt_set *p, sam_error *err);
/* Box corners, then points, as the official predictors order them. Returns how many. */
int list_points(const sam_prompt_set *p, sam_point *to);
/* The user's mask as the network's input has it, 0 or 1, in s->mask_image; *any is 1 if anything is inside. */
sam_status resize_mask(sam_session *s, const sam_prompt_set *p, int *any, sam_error *err);
/* The mask in s->mask_image as logits [L, L]: MASK_SCALE m + MASK_BIAS, antialiased. */
#define MASK_SCALE 20.0f
#define MASK_BIAS  (-10.0f)
void mask_to_logits(sam_session *s, float *logits);

/* A mask as the caller sees it; the rest of the fields are 0. */
sam_mask mask_of(const sam_session *s, const packed_mask *m, const float *logits);

/* Padding points after clicks: the official code adds PADDED to clicks and box corners, NO_CLICKS where the video
 * predictor has none, nothing where the image predictor has none. */
enum { PADDED = 1, NO_CLICKS = 2 };
void set_points(sam_session *s, int batch, const sam_point *points, int n, int padding);
/* Returns 1 if the official predictor would have more to attend to, or the same in a better state. */
int set_memories(sam_session *s, int batch, const object *o, int reverse);
/* How the answer is chosen for the object, by the policy: `several` masks or one. restart: its filter begins anew. */
void set_choice(sam_session *s, int batch, const object *o, int several, int restart);
void set_keep_slots(sam_session *s, int batch, const object *o, const bank_entry *e);

/* Backend address of what the bank keeps. */
float *slot_logits(const sam_session *s, const object *o, int slot);

/* Adds the time since `from_ms` (now_ms) to what the host waited for a device. */
void count_wait(sam_session *s, double from_ms);
/* Everything enqueued on `stream` so far has happened; counted as a wait on a device. */
sam_status wait_for_all(sam_session *s, const char *what, sam_error *err);

/* Host memory from and to the backend's; fetch waits. */
sam_status enqueue_read(sam_session *s, void *to_host, const void *from, size_t n_bytes, sam_error *err);
sam_status fetch(sam_session *s, void *to_host, const void *from, size_t n_bytes, sam_error *err);
sam_status put(sam_session *s, void *to, const void *from_host, size_t n_bytes, sam_error *err);

/* Hole filling and speck removal of a host plane. */
void clean_low_res(const sam_session *s, float *logits);

/* Scores, then IoUs, of the first n places into s->host_scores, and what else the policy judges by. */
sam_status enqueue_scores(sam_session *s, int n, sam_error *err);
/* Logits, pointers and masks of the objects with a result or, where masks do not depend on each other, of `only`; waits. */
sam_status show(sam_session *s, const object *only, sam_error *err);

#endif
