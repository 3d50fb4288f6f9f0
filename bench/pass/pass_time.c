/* pass_time.c - see pass_time.h. */
#include "pass_time.h"

#include "host_share.h"

static sam_status on_frame(void *self, const pass_frame *f, sam_error *err)
{
    pass_time *t = self;
    t->decode_ms += f->decode_ms;
    if (!f->clip->session || f->dropped)
        return SAM_OK;
    if (!f->position) {
        t->prompt_ms = f->ms;
        return SAM_OK;
    }
    TRY(samples_add(&t->ms, f->ms, err));
    for (int k = 0; k < SAM_N_STAGES; k++)
        TRY(samples_add(&t->stages[k], f->stats.stage_ms[k], err));
    TRY(samples_add(&t->host, host_share_ms(&f->stats, f->ms), err));
    return samples_add(&t->device, host_share_device_ms(&f->stats), err);
}

pass_observer pass_time_observer(pass_time *t)
{
    return (pass_observer){.self = t, .frame = on_frame};
}

void pass_time_free(pass_time *t)
{
    samples_free(&t->ms);
    samples_free(&t->host);
    samples_free(&t->device);
    for (int k = 0; k < SAM_N_STAGES; k++)
        samples_free(&t->stages[k]);
}
