/* follow_motion on the CPU: boxes of objects and masks in parallel, then each object's filter. */
#include "cpu_rows.h"
#include "enlarged_extent.h"
#include "motion_filter.h"
#include "operands.h"

#include <assert.h>

static size_t scratch_bytes(const op_call *c)
{
    return (size_t)c->out[FOLLOWED_CHOICE].n * 12 * sizeof(float);
}

/* Box of one mask as the filter sees it. */
static void box_of(const op_call *c, int object, int mask, float *box)
{
    int h = c->attr->h, w = c->attr->w;
    const float *plane = element_at(&c->in[FOLLOW_MASKS], object, (size_t)mask * (size_t)h * (size_t)w);
    float score = *(const float *)tensor_at(&c->in[FOLLOW_SCORE], object);
    float least = *(const float *)tensor_at(&c->in[FOLLOW_LEAST_SCORE], object);
    extent e = {INT32_MAX, INT32_MAX, -1, -1};
    memset(box, 0, 4 * sizeof *box);
    if (!(score > least))
        return;
    for (int cy = -1; cy < h; cy++)
        for (int cx = -1; cx < w; cx++)
            extent_of_cell(&e, plane, h, w, c->attr->kernel, cx, cy);
    if (e.x1 < 0)
        return;
    box[0] = (float)e.x0, box[1] = (float)e.y0, box[2] = (float)e.x1, box[3] = (float)e.y1;
}

static int wants_several(const op_call *c, int object)
{
    return *(const int32_t *)tensor_at(&c->in[FOLLOW_MODE], object) & 1;
}

static void follow(const op_call *c, int object, const float *boxes)
{
    const tensor *filters = &c->in[FOLLOW_FILTERS];
    int32_t slot = *(const int32_t *)tensor_at(&c->in[FOLLOW_SLOT], object);
    const float *ious = tensor_at(&c->in[FOLLOW_IOUS], object);
    motion_filter f;
    motion_rule rule;
    int32_t choice = 0;
    float motion = 1.0f;
    assert(slot >= 0 && slot < filters->rows);
    memcpy(&f, element_at(filters, 0, (size_t)slot * FILTER_FLOATS), sizeof f);
    memcpy(&rule, tensor_at(&c->in[FOLLOW_RULE], object), sizeof rule);
    if (wants_several(c, object)) {
        if (*(const int32_t *)tensor_at(&c->in[FOLLOW_RESTART], object))
            f = (motion_filter){.stable = 0};
        choice = 1 + filter_step(&f, &rule, boxes, ious + 1, &motion);
    }
    *(int32_t *)tensor_at(&c->out[FOLLOWED_CHOICE], object) = choice;
    *(float *)tensor_at(&c->out[FOLLOWED_MOTION], object) = motion;
    memcpy(tensor_at(&c->out[FOLLOWED_FILTER], object), &f, sizeof f);
}

static void run(const op_call *c)
{
    float *boxes = c->scratch;
    int n = c->out[FOLLOWED_CHOICE].n;
#pragma omp parallel for num_threads(threads_for(c, tensor_count(&c->in[FOLLOW_MASKS]))) schedule(static)
    for (int i = 0; i < 3 * n; i++)
        if (wants_several(c, i / 3))
            box_of(c, i / 3, 1 + i % 3, boxes + 4 * i);
    for (int object = 0; object < n; object++)
        follow(c, object, boxes + 12 * object);
}

const op_cpu CPU_FN(follow_motion_cpu) = {.run = run, .scratch_bytes = scratch_bytes};
