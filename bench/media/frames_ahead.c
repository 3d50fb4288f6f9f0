#include "frames_ahead.h"

sam_status ahead_next(frames_ahead *a, const frame **out, sam_error *err)
{
    sam_status status = SAM_OK;
    *out = a->next;
    if (!a->asked)
        status = frames_next(a->frames, out, err);
    else if (a->status != SAM_OK)
        status = fail(err, a->status, "%s", a->failure.text);
    a->asked = 0;
    a->next = NULL;
    if (status == SAM_OK && *out && a->overlap) {
        a->asked = 1;
        a->status = frames_next(a->frames, &a->next, &a->failure);
        if (a->status != SAM_OK)
            a->next = NULL;
    }
    return status;
}

sam_status ahead_push(const frames_ahead *a, sam_session *s, sam_error *err)
{
    const frame *f = a->next;
    if (!f || f->index >= a->end || f->width != a->width || f->height != a->height)
        return SAM_OK;
    return sam_push_next(s, &f->input, err);
}

void ahead_close(frames_ahead *a)
{
    frames_release(a->frames, a->next);
    *a = (frames_ahead){0};
}
