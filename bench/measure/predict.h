/* predict.h - the time of a steady tracked frame on a GPU that is not here, from FLOPs, bytes and data sheets.
 *
 * An operator call takes the longest of: its FLOPs at the peak of the units it runs on, its bytes at the memory's rate, and
 * a launch. Two figures:
 *   floor     100 % of both peaks; intermediates of up to half the L2 cache never reach memory; overlapped launches
 *   expected  the shares below; every operand comes from and goes to memory (except that counts of a full bank hold); the
 *             gap to the next kernel of a graph is added
 * What lies between is the L2 cache's and the kernels' to win. */
#ifndef PREDICT_H
#define PREDICT_H

#include "devices.h"
#include "frame_calls.h"

/* The assumptions, by name; docs/performance.md says where each comes from. */
typedef struct predict_shares {
    double attention;   /* of the peak that mma.sync reaches: flash attention                    */
    double window;      /* attention within windows                                              */
    double product;     /* matrix products                                                       */
    double convolution; /* dense convolutions                                                    */
    double plain;       /* of the f32 peak of the ordinary units: everything else, and all of f32 */
    double memory;      /* of the memory's rate                                                  */
    double link;        /* of the link to the host                                               */
    double launch_us;   /* between two kernels of a CUDA graph                                   */
} predict_shares;
extern const predict_shares predict_expected;

enum predict_stage {
    STAGE_UPLOAD, /* the frame to the device, masks, logits and pointers back; where memory is shared, nothing moves */
    STAGE_PREPROCESS,
    STAGE_ENCODE,
    STAGE_ATTENTION,
    STAGE_DECODER,
    STAGE_REMEMBER,
    STAGE_POST,
    STAGE_DOWNLOAD,
    N_PREDICT_STAGES
};
extern const char *const predict_stage_names[N_PREDICT_STAGES];

/* A sum over calls. MB and GFLOP are 1e6 and 1e9. */
typedef struct predict_sum {
    enum predict_stage stage;
    const char *graph, *op; /* of an operator's sum */
    int calls;
    double flops, bytes, floor_us, expected_us;
    double compute_us, memory_us, launch_us; /* expected_us by what bounds each call */
} predict_sum;

enum { PREDICT_MAX_OPS = 8 * OP_COUNT };

typedef struct prediction {
    const gpu_device *device;
    int n_objects;
    predict_sum stages[N_PREDICT_STAGES];
    predict_sum ops[PREDICT_MAX_OPS];
    int n_ops;                    /* the longest expected first */
    double floor_us, expected_us; /* of the frame on the device, without the link */
} prediction;

/* The frame of `width` x `height` with n_objects on `device`. The model was opened for CUDA (backend_paper.h will do). */
sam_status predict_frame(prediction *p, const sam_model *m, const gpu_device *device, int n_objects, int width,
                         int height, sam_error *err);

#endif
