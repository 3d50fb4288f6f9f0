/* select_mask on CUDA: which of the decoder's four masks is the answer.
 *   masks [n, 4, HW] f32    iou [n, 4] f32    score? [n] f32    tokens [n, 4, C]    mode [n|1] i32    choice? [n] i32
 *   least_score? [n] f32
 *   ->  logits [n, HW] f32    iou [n] f32    token [n, C] like tokens    index [n] i32
 *   grid (n, 8);   block 1024: an eighth of one object's mask;   shared 264 bytes
 *   Each block counts all of mask 0 (when it may be chosen), which is less than to wait for one block that does: 16 loads
 *   of 16 bytes a thread for 256 x 256 pixels, 7 of 8 times from L2; then it copies its part of the chosen one.
 *   traffic: mask 0 once, the chosen one once, the output once. Counts are integers, so their order does not matter. The
 *   choice never leaves the device. */
#include "elements.cuh"
#include "motion_filter.h"
#include "operands.h"

static const float NO_OBJECT = -1024.0f; /* sam2_base.py NO_OBJ_SCORE */

struct candidates {
    const float *masks, *iou, *score;
    const void *tokens;
    const int32_t *mode, *choice;
    const float *least;
    float *logits, *iou_out;
    void *token_out;
    int32_t *index_out;
    dtype token_type;
    size_t n_pixels;
    int n_cols;
    bool masks_shared, iou_shared, score_shared, tokens_shared, mode_shared, choice_shared, least_shared;
    float delta, threshold;
};

/* The same for all threads of the block. */
static __device__ bool is_stable(const float *mask, size_t n, float delta, float threshold)
{
    SHARED(unsigned, sCount, [2][32]);
    unsigned inner = 0, outer = 0;
    bool aligned = (uintptr_t)mask % 16 == 0;
    size_t n_vectors = aligned ? n / 4 : 0;
    UNROLL_BY(4)
    for (size_t i = threadIdx.x; i < n_vectors; i += 1024) {
        uint4 v = load_b128(mask + 4 * i);
        float m[4] = {__uint_as_float(v.x), __uint_as_float(v.y), __uint_as_float(v.z), __uint_as_float(v.w)};
        UNROLL
        for (int k = 0; k < 4; k++) {
            inner += m[k] > delta;
            outer += m[k] > -delta;
        }
    }
    for (size_t i = 4 * n_vectors + threadIdx.x; i < n; i += 1024) {
        inner += mask[i] > delta;
        outer += mask[i] > -delta;
    }
    for (int bits = 16; bits; bits /= 2) {
        inner += __shfl_xor_sync(0xFFFFFFFFu, inner, bits);
        outer += __shfl_xor_sync(0xFFFFFFFFu, outer, bits);
    }
    if (threadIdx.x % 32 == 0) {
        sCount[0][threadIdx.x / 32] = inner;
        sCount[1][threadIdx.x / 32] = outer;
    }
    __syncthreads();
    inner = outer = 0;
    for (int w = 0; w < 32; w++) {
        inner += sCount[0][w];
        outer += sCount[1][w];
    }
    return outer == 0 ? 1.0f >= threshold : __fdiv_rn((float)inner, (float)outer) >= threshold;
}

__global__ void __launch_bounds__(1024) select_object(candidates p)
{
    size_t object = blockIdx.x, t = threadIdx.x;
    const float *masks = p.masks + (p.masks_shared ? 0 : object) * 4 * p.n_pixels;
    const float *iou = p.iou + (p.iou_shared ? 0 : object) * 4;
    float score = p.score ? p.score[p.score_shared ? 0 : object] : 1.0f;
    int mode = p.mode[p.mode_shared ? 0 : object];
    float least = p.least ? p.least[p.least_shared ? 0 : object] : 0.0f;
    bool several = mode & 1, absent = (mode >> 1 & 1) && !(score > least);
    int chosen = 0;
    if (several && (mode & 4) && p.choice)
        chosen = p.choice[p.choice_shared ? 0 : object];
    else if (several || !is_stable(masks, p.n_pixels, p.delta, p.threshold))
        chosen = 1 + largest_of_three(iou + 1);
    const float *mask = masks + (size_t)chosen * p.n_pixels;
    float *logits = p.logits + object * p.n_pixels;
    size_t part = (p.n_pixels + gridDim.y - 1) / gridDim.y, end = min(p.n_pixels, part * (blockIdx.y + 1));
    UNROLL_BY(4)
    for (size_t i = part * blockIdx.y + t; i < end; i += 1024)
        logits[i] = absent ? NO_OBJECT : mask[i];
    if (blockIdx.y)
        return;
    size_t token = (p.tokens_shared ? 0 : object) * 4 + (several ? (size_t)chosen : 0);
    for (size_t i = t; i < (size_t)p.n_cols; i += 1024)
        store_one(p.token_out, p.token_type, object * (size_t)p.n_cols + i,
                  load_one(p.tokens, p.token_type, token * (size_t)p.n_cols + i));
    if (t == 0) {
        p.iou_out[object] = iou[chosen];
        p.index_out[object] = chosen;
    }
}

static const char *run(const op_call *c)
{
    const tensor *in = c->in, *out = c->out;
    candidates p = {(const float *)in[SELECT_MASKS].data,
                    (const float *)in[SELECT_IOUS].data,
                    (const float *)in[SELECT_SCORE].data,
                    in[SELECT_TOKENS].data,
                    (const int32_t *)in[SELECT_MODE].data,
                    in[SELECT_CHOICE].type ? (const int32_t *)in[SELECT_CHOICE].data : nullptr,
                    in[SELECT_LEAST_SCORE].type ? (const float *)in[SELECT_LEAST_SCORE].data : nullptr,
                    (float *)out[SELECTED_LOGITS].data,
                    (float *)out[SELECTED_IOU].data,
                    out[SELECTED_TOKEN].data,
                    (int32_t *)out[SELECTED_INDEX].data,
                    in[SELECT_TOKENS].type,
                    (size_t)in[SELECT_MASKS].cols,
                    in[SELECT_TOKENS].cols,
                    in[SELECT_MASKS].n == 1,
                    in[SELECT_IOUS].n == 1,
                    in[SELECT_SCORE].n == 1,
                    in[SELECT_TOKENS].n == 1,
                    in[SELECT_MODE].n == 1,
                    in[SELECT_CHOICE].n == 1,
                    in[SELECT_LEAST_SCORE].n == 1,
                    c->attr->scale,
                    c->attr->bias};
    return launch(select_object, dim3((unsigned)out[SELECTED_LOGITS].n, 8), 1024, 0, c->stream, p);
}

const op_cuda CUDA_FN(select_mask_cuda) = {run};
