#include "memory_policy.h"

#include <math.h>
#include <stdio.h>
#include <string.h>

/* Sources: facebookresearch/sam2 modeling/sam2_base.py; yangchris11/samurai sam2/sam2/modeling/sam2_base.py and
 * configs/samurai/; the SAMURAI paper (arXiv 2411.11922), which has a filter on w instead of w / h and a threshold of 0.5 on
 * the motion; DAM4SAM (arXiv 2411.17576); facebookresearch/sam3 model/sam3_tracker_base.py, frame_filter.
 * What the public codes cannot do is done as they would: each object has a filter of its own, a pass in reverse is the
 * mirror image, and a pass may begin on any frame. */
const memory_policy memory_policies[] = {
    {.name = "sam2"},
    {.name = "samurai",
     .bank = {.kind = RECENT_FIT, .first_skipped = 1},
     .judges = 1,
     .iou_above = 0.5f,
     .by_motion = 1,
     .motion = {.stable_frames = 15, .stable_iou = 0.3f},
     .least_score = -1},
    {.name = "samurai-paper",
     .bank = {.kind = RECENT_FIT, .first_skipped = 1},
     .judges = 1,
     .iou_above = 0.5f,
     .motion_above = 0.5f,
     .by_motion = 1,
     .motion = {.weight = 0.15f, .stable_frames = 15, .stable_iou = 0.3f, .by_width = 1}},
    {.name = "dam4sam",
     .bank = {.kind = RECENT_SPACED, .spacing = 5, .max_anchors = 4, .pointers_need_object = 1},
     .needs_pixels = 1,
     .takes_anchors = 1},
    {.name = "sam3", .bank = {.kind = RECENT_FIT, .fit_pointers = 1}, .quality_above = 0.01f},
    {.name = NULL},
};

sam_status policy_find(const char *name, const memory_policy **out, sam_error *err)
{
    char known[200] = "";
    for (const memory_policy *p = memory_policies; p->name; p++) {
        if (!name || !*name || !strcmp(p->name, name)) {
            *out = p;
            return SAM_OK;
        }
        size_t n = strlen(known);
        snprintf(known + n, sizeof known - n, "%s%s", n ? ", " : "", p->name);
    }
    return fail(err, SAM_E_ARG, "tracker \"%.40s\": expected one of %s", name, known);
}

int policy_fit(const memory_policy *p, const bank_entry *e, int64_t area_px)
{
    float there = e->score > 0 ? 2 / (1 + expf(-e->score)) - 1 : 0;
    if (p->judges && !(e->iou > p->iou_above && e->score > p->score_above && e->motion > p->motion_above))
        return 0;
    if (p->quality_above > 0 && !(there * e->iou > p->quality_above))
        return 0;
    return !p->needs_pixels || area_px > 0;
}
