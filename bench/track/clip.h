/* clip.h - takes the frames of a clip through a session in the order of the official predictors: every prompt given
 * "before" on its frame, then every frame from the start on, with the corrections ("tracked") of a frame after it. In a live
 * source, whose frames come once, prompts are given when their frame comes, and frames before the first prompt are passed over.
 *
 *   clip_open(&(clip){.session = s, ...}, &err); clip_prompt(&c, &err);
 *   while (clip_next(&c, &r, &err) == SAM_OK && r.frame) { sam_get_mask(...); clip_release(&c, &r); }
 *   clip_close(&c); */
#ifndef CLIP_H
#define CLIP_H

#include "alloc_count.h"
#include "frames_ahead.h"
#include "prompts.h"

/* The first nine fields are the caller's. */
typedef struct clip {
    sam_model *model;
    sam_session *session; /* with prepared_frames, where prompts_have_pictures */
    frame_source *frames; /* nothing taken from it yet; live ones are recognised */
    const prompt_file *prompts;
    int n_frames; /* of the clip, counted from frame 0 of the source    */
    int start;    /* first frame tracked                                */
    sam_direction direction;
    int count_allocations; /* 1: fill in clip_result.allocations        */
    int overlap;           /* 1: frames are handed to the session ahead */
    frames_ahead ahead;
    int64_t current; /* frame the session holds, -1: none         */
    int n_tracked;
    unsigned char *started; /* [n_objects] the object has been prompted */
} clip;

typedef struct clip_result {
    const frame *frame;       /* NULL: the clip is over                                                          */
    int position;             /* frames tracked before this one                                                  */
    int n_incomplete;         /* objects whose mask lacks memories that the session forgot: sam_mask.incomplete  */
    int encoded;              /* 0: the session held the frame already, from its prompts; not a frame to measure */
    double ms;                /* sam_push_frame and sam_track, by the clock                                      */
    double latency_ms;        /* live: from when the frame had been received until its masks could be read       */
    sam_stats stats;          /* of these two                                                                    */
    alloc_counts allocations; /* made in these two; -1: not counted                                        */
} clip_result;

/* The first frame to track: --start_frame or the file's, else the first prompted one. Everything about frames that the
 * prompts and flags say is checked here. `n_frames`: how many the clip has. resumes: 1: objects come from a saved state, too. */
sam_status clip_start(const prompt_file *p, int start_flag, int n_frames, int reverse, int resumes, const char *input,
                      int *start, sam_error *err);

/* Reads every mask that the prompts name; *n_empty is how many hold no object. */
sam_status clip_check_masks(const prompt_file *p, int *n_empty, sam_error *err);

/* 1: something is asked on frame `index`. Only reads `prompts`. */
int clip_prompts_on(const prompt_file *prompts, int64_t index);

sam_status clip_open(clip *c, sam_error *err);
sam_status clip_prompt(clip *c, sam_error *err);
sam_status clip_next(clip *c, clip_result *out, sam_error *err);
void clip_release(clip *c, clip_result *r);
void clip_close(clip *c);

#endif
