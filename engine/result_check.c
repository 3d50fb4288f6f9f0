#include "result_check.h"

#include "finite.h"
#include "steps.h"

#include <math.h>
#include <stdio.h>
#include <string.h>

static st_dtype file_type(dtype t)
{
    return t == DT_F16 ? ST_F16 : t == DT_BF16 ? ST_BF16 : ST_F32;
}

/* Whether what a state holds, of its first object, is finite. It is read through s->plane, which is free between calls. */
static int state_is_finite(sam_session *s, int index)
{
    const tensor *t = &s->m->s.def[index].t;
    size_t width = dtype_bytes(t->type), plane = (size_t)s->m->size.low_px * (size_t)s->m->size.low_px * sizeof(float);
    size_t n_bytes = (size_t)t->rows * (size_t)t->cols * width;
    const char *from = s->state[index];
    for (size_t at = 0; at < n_bytes; at += plane) {
        size_t n = n_bytes - at < plane ? n_bytes - at : plane;
        if (s->b->api->read(s->b, s->stream, s->plane, from + at, n) || s->b->api->wait(s->b, s->stream))
            return 1; /* the device says so itself, later */
        if (first_not_finite(s->plane, file_type(t->type), (int64_t)(n / width)) >= 0)
            return 0;
    }
    return 1;
}

/* The first stage of the frame, in the order of their work, with a state that is not finite. */
static const char *stage_at_fault(sam_session *s)
{
    static const struct {
        const char *state, *stage;
    } stages[] = {{"image", "the input"},
                  {"features", "the image encoder"},
                  {"pix_feat", "the image encoder"},
                  {"high_res_0", "the image encoder"},
                  {"high_res_1", "the image encoder"},
                  {"image_src", "the image encoder"},
                  {"src", "memory attention"}};
    for (size_t k = 0; k < sizeof stages / sizeof *stages; k++)
        for (int i = 0; i < s->m->s.count; i++)
            if (s->state[i] && !strcmp(s->m->s.def[i].name, stages[k].state) && !state_is_finite(s, i))
                return stages[k].stage;
    return "the mask decoder";
}

static sam_status not_finite(sam_session *s, const char *whose, const char *what, sam_error *err)
{
    return fail(err, SAM_E_FORMAT, "frame %lld%s: %s not finite, from %s on%s", (long long)s->frame, whose, what,
                stage_at_fault(s),
                s->m->options.compute == SAM_F16 ? "; fp16 overflows above 65504: use bf16 or fp32"
                                                 : "; the weights may be damaged");
}

sam_status check_results(sam_session *s, sam_error *err)
{
    size_t n = (size_t)s->m->size.low_px * (size_t)s->m->size.low_px;
    for (int i = 0; i < s->opt.max_objects; i++) {
        const object *o = &s->objects[i];
        char whose[40];
        if (!o->in_use || !o->has_result)
            continue;
        int scores = isfinite(o->score) && isfinite(o->iou);
        if (scores && (!o->logits || first_not_finite(o->logits, ST_F32, (int64_t)n) < 0) &&
            (!o->pointer || first_not_finite(o->pointer, ST_F32, s->m->size.pointer_width) < 0))
            continue;
        snprintf(whose, sizeof whose, ", object %d", (int)o->id);
        return not_finite(s, whose, scores ? "its mask is" : "its scores are", err);
    }
    return SAM_OK;
}

sam_status check_values(sam_session *s, const char *what, const float *values, size_t n, sam_error *err)
{
    return first_not_finite(values, ST_F32, (int64_t)n) < 0 ? SAM_OK : not_finite(s, "", what, err);
}
