/* select_mask on the CPU: objects in parallel. */
#include "cpu_rows.h"
#include "motion_filter.h"
#include "operands.h"

#include <assert.h>

#define NO_OBJECT (-1024.0f) /* sam2_base.py NO_OBJ_SCORE */

/* Of masks 1..3: the best by iou, or the one chosen elsewhere. */
static int choose(const op_call *c, int object, const float *iou, int mode)
{
    if (!(mode & 4) || c->in[SELECT_CHOICE].type == DT_NONE)
        return 1 + largest_of_three(iou + 1);
    int choice = *(const int32_t *)tensor_at(&c->in[SELECT_CHOICE], object);
    assert(choice >= 1 && choice <= 3);
    return choice;
}

static int is_stable(const float *mask, size_t n, float delta, float threshold)
{
    size_t inner = 0, outer = 0;
    for (size_t i = 0; i < n; i++) {
        inner += mask[i] > delta;
        outer += mask[i] > -delta;
    }
    return outer == 0 ? 1.0f >= threshold : (float)inner / (float)outer >= threshold;
}

static void select_one(const op_call *c, int object)
{
    const tensor *masks = &c->in[SELECT_MASKS], *tokens = &c->in[SELECT_TOKENS];
    size_t n = (size_t)masks->cols, width = (size_t)tokens->cols;
    const float *iou = tensor_at(&c->in[SELECT_IOUS], object);
    const float *score = c->in[SELECT_SCORE].type == DT_NONE ? NULL : tensor_at(&c->in[SELECT_SCORE], object);
    int mode = *(const int32_t *)tensor_at(&c->in[SELECT_MODE], object), several = mode & 1, gated = mode >> 1 & 1;
    const tensor *least = &c->in[SELECT_LEAST_SCORE];
    float least_score = least->type == DT_NONE ? 0 : *(const float *)tensor_at(least, object);
    float *logits = tensor_at(&c->out[SELECTED_LOGITS], object);
    int chosen = several ? choose(c, object, iou, mode) : 0;
    if (!several && !is_stable(tensor_at(masks, object), n, c->attr->scale, c->attr->bias))
        chosen = 1 + largest_of_three(iou + 1);
    if (gated && score && !(*score > least_score))
        for (size_t i = 0; i < n; i++)
            logits[i] = NO_OBJECT;
    else
        memcpy(logits, element_at(masks, object, (size_t)chosen * n), n * sizeof *logits);
    *(float *)tensor_at(&c->out[SELECTED_IOU], object) = iou[chosen];
    memcpy(tensor_at(&c->out[SELECTED_TOKEN], object), element_at(tokens, object, several ? (size_t)chosen * width : 0),
           width * dtype_bytes(tokens->type));
    *(int32_t *)tensor_at(&c->out[SELECTED_INDEX], object) = chosen;
}

static void run(const op_call *c)
{
#pragma omp parallel for num_threads(threads_for(c, tensor_count(&c->in[SELECT_MASKS]))) schedule(static)
    for (int object = 0; object < c->out[SELECTED_LOGITS].n; object++)
        select_one(c, object);
}

const op_cpu CPU_FN(select_mask_cpu) = {.run = run};
