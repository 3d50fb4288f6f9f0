/* follow_motion on CUDA: which of the decoder's masks 1..3 goes on with an object's motion, and the filter that says so.
 *   operands as in follow_motion.c    ->    choice [n] i32    motion [n] f32    filter [n, 24] f32
 *   grid  n;   block 1024: the cells of three masks, then one thread takes the filter's step;   shared 1536 bytes
 *   traffic: three masks once, each value four times from L1. The host waits for nothing: filters stay on the device. */
#include "elements.cuh"
#include "enlarged_extent.h"
#include "motion_filter.h"
#include "operands.h"

enum { WARPS = 32, EMPTY = 0x7FFFFFFF };

struct following {
    const float *masks, *ious, *score, *least, *filters, *rule;
    const int32_t *mode, *slot, *restart;
    int32_t *choice;
    float *motion, *filter;
    int h, w, k;
    bool masks_shared, ious_shared, score_shared, least_shared, rule_shared, mode_shared, slot_shared, restart_shared;
};

static __device__ __forceinline__ extent extent_of_warp(extent e)
{
    for (int bits = 16; bits; bits /= 2) {
        int x0 = __shfl_xor_sync(0xFFFFFFFFu, e.x0, bits), y0 = __shfl_xor_sync(0xFFFFFFFFu, e.y0, bits);
        int x1 = __shfl_xor_sync(0xFFFFFFFFu, e.x1, bits), y1 = __shfl_xor_sync(0xFFFFFFFFu, e.y1, bits);
        extent_add(&e, x0, y0, x1, y1);
    }
    return e;
}

/* Thread 0: the boxes of the warps joined, as the filter sees them. */
static __device__ __forceinline__ void join_boxes(const int (*of_warp)[WARPS][4], float *boxes)
{
    for (int m = 0; m < 3; m++) {
        extent e = {EMPTY, EMPTY, -1, -1};
        for (int i = 0; i < WARPS; i++)
            extent_add(&e, of_warp[m][i][0], of_warp[m][i][1], of_warp[m][i][2], of_warp[m][i][3]);
        bool empty = e.x1 < 0;
        boxes[4 * m] = empty ? 0.0f : (float)e.x0;
        boxes[4 * m + 1] = empty ? 0.0f : (float)e.y0;
        boxes[4 * m + 2] = empty ? 0.0f : (float)e.x1;
        boxes[4 * m + 3] = empty ? 0.0f : (float)e.y1;
    }
}

static __device__ __forceinline__ void take_step(const following &p, int object, bool several, const float *boxes)
{
    const float *from = p.filters + (size_t)p.slot[p.slot_shared ? 0 : object] * FILTER_FLOATS;
    const float *ious = p.ious + (p.ious_shared ? 0 : object) * 4;
    const float *r = p.rule + (p.rule_shared ? 0 : object) * RULE_FLOATS;
    motion_filter f;
    float *raw = (float *)&f, motion = 1.0f;
    motion_rule rule = {r[0], r[1], r[2], r[3]};
    int choice = 0;
    for (int i = 0; i < FILTER_FLOATS; i++)
        raw[i] = several && p.restart[p.restart_shared ? 0 : object] ? 0.0f : from[i];
    if (several)
        choice = 1 + filter_step(&f, &rule, boxes, ious + 1, &motion);
    p.choice[object] = choice;
    p.motion[object] = motion;
    for (int i = 0; i < FILTER_FLOATS; i++)
        p.filter[(size_t)object * FILTER_FLOATS + (size_t)i] = raw[i];
}

__global__ void __launch_bounds__(1024) follow_object(following p)
{
    SHARED(int, sExtent, [3][WARPS][4]);
    int object = (int)blockIdx.x, t = (int)threadIdx.x;
    bool several = p.mode[p.mode_shared ? 0 : object] & 1;
    bool present = p.score[p.score_shared ? 0 : object] > p.least[p.least_shared ? 0 : object]; /* a NaN is absent */
    const float *masks = p.masks + (size_t)(p.masks_shared ? 0 : object) * 4 * (size_t)(p.h * p.w);
    for (int m = 0; m < 3; m++) {
        extent e = {EMPTY, EMPTY, -1, -1};
        const float *mask = masks + (size_t)(m + 1) * (size_t)(p.h * p.w);
        for (int i = t; several && present && i < (p.h + 1) * (p.w + 1); i += 1024)
            extent_of_cell(&e, mask, p.h, p.w, p.k, i % (p.w + 1) - 1, i / (p.w + 1) - 1);
        e = extent_of_warp(e);
        if (t % 32 == 0) {
            int *to = sExtent[m][t / 32];
            to[0] = e.x0, to[1] = e.y0, to[2] = e.x1, to[3] = e.y1;
        }
    }
    __syncthreads();
    if (t != 0)
        return;
    float boxes[12];
    join_boxes(sExtent, boxes);
    take_step(p, object, several, boxes);
}

static const char *run(const op_call *c)
{
    const tensor *in = c->in;
    following p = {};
    p.masks = (const float *)in[FOLLOW_MASKS].data, p.masks_shared = in[FOLLOW_MASKS].n == 1;
    p.ious = (const float *)in[FOLLOW_IOUS].data, p.ious_shared = in[FOLLOW_IOUS].n == 1;
    p.score = (const float *)in[FOLLOW_SCORE].data, p.score_shared = in[FOLLOW_SCORE].n == 1;
    p.least = (const float *)in[FOLLOW_LEAST_SCORE].data, p.least_shared = in[FOLLOW_LEAST_SCORE].n == 1;
    p.mode = (const int32_t *)in[FOLLOW_MODE].data, p.mode_shared = in[FOLLOW_MODE].n == 1;
    p.filters = (const float *)in[FOLLOW_FILTERS].data;
    p.slot = (const int32_t *)in[FOLLOW_SLOT].data, p.slot_shared = in[FOLLOW_SLOT].n == 1;
    p.restart = (const int32_t *)in[FOLLOW_RESTART].data, p.restart_shared = in[FOLLOW_RESTART].n == 1;
    p.rule = (const float *)in[FOLLOW_RULE].data, p.rule_shared = in[FOLLOW_RULE].n == 1;
    p.choice = (int32_t *)c->out[FOLLOWED_CHOICE].data;
    p.motion = (float *)c->out[FOLLOWED_MOTION].data;
    p.filter = (float *)c->out[FOLLOWED_FILTER].data;
    p.h = c->attr->h, p.w = c->attr->w, p.k = c->attr->kernel;
    return launch(follow_object, dim3((unsigned)c->out[FOLLOWED_CHOICE].n), 1024, 0, c->stream, p);
}

const op_cuda CUDA_FN(follow_motion_cuda) = {run};
