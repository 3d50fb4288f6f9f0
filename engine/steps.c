#include "steps.h"

#include "components.h"

#include <math.h>
#include <stddef.h>
#include <stdio.h>
#include <string.h>

/* The first fault of a session is what it goes on saying. */
static sam_status session_fault(sam_session *s, const sam_error *why, sam_error *err)
{
    if (s->trying)
        return fail(err, SAM_E_DEVICE, "%s", why->text);
    if (!s->failed)
        s->failure = *why;
    s->failed = 1;
    return fail(err, SAM_E_DEVICE, "%s", s->failure.text);
}

sam_status device_status(sam_session *s, const char *what, const char *wrong, sam_error *err)
{
    sam_error why;
    if (!wrong)
        return SAM_OK;
    fail(&why, SAM_E_DEVICE, "frame %lld, %s: %s", (long long)s->frame, what, wrong);
    return session_fault(s, &why, err);
}

/* ---- time --------------------------------------------------------------------------------------------------------- */

sam_status mark(sam_session *s, void *stream, mark_id id, sam_error *err)
{
    s->marked |= 1u << id;
    return device_status(s, "timing", s->b->api->mark(s->b, stream, s->marks[id]), err);
}

void collect_times(sam_session *s)
{
    static const struct {
        mark_id from, to;
        sam_stage stage;
    } stages[] = {{MARK_ENCODE_0, MARK_ENCODED_0, SAM_ENCODE},          {MARK_ENCODE_1, MARK_ENCODED_1, SAM_ENCODE},
                  {MARK_ATTEND, MARK_ATTENDED, SAM_MEMORY_ATTENTION},   {MARK_ATTENDED, MARK_DECODED, SAM_MASK_DECODER},
                  {MARK_REMEMBER, MARK_REMEMBERED, SAM_MEMORY_ENCODER}, {MARK_SHOW, MARK_SHOWN, SAM_POST}};
    unsigned collected = 0;
    for (size_t i = 0; i < sizeof stages / sizeof *stages; i++) {
        unsigned both = 1u << stages[i].from | 1u << stages[i].to;
        double took;
        if ((s->marked & both) != both)
            continue;
        /* A time that cannot be had is not worth a session. */
        s->stats.stage_ms[stages[i].stage] +=
            s->b->api->elapsed(s->b, s->marks[stages[i].from], s->marks[stages[i].to], &took) ? NAN : took;
        collected |= both;
    }
    s->marked &= ~collected;
}

/* ---- work --------------------------------------------------------------------------------------------------------- */

void count_wait(sam_session *s, double from_ms)
{
    s->stats.wait_ms += s->b->api->host_memory ? 0 : now_ms() - from_ms;
}

sam_status wait_for_all(sam_session *s, const char *what, sam_error *err)
{
    double start = now_ms();
    const char *wrong = s->b->api->wait(s->b, s->stream);
    char text[300];
    s->stats.waits += !s->b->api->host_memory;
    count_wait(s, start);
    if (wrong && !s->opt.check_kernels) {
        snprintf(text, sizeof text, "%.200s (with check_kernels the operator is named)", wrong);
        wrong = text;
    }
    TRY(device_status(s, what, wrong, err));
    collect_times(s);
    return SAM_OK;
}

sam_status enqueue_read(sam_session *s, void *to_host, const void *from, size_t n_bytes, sam_error *err)
{
    return device_status(s, "reading back", s->b->api->read(s->b, s->stream, to_host, from, n_bytes), err);
}

sam_status fetch(sam_session *s, void *to_host, const void *from, size_t n_bytes, sam_error *err)
{
    TRY(enqueue_read(s, to_host, from, n_bytes, err));
    return wait_for_all(s, "reading back", err);
}

sam_status put(sam_session *s, void *to, const void *from_host, size_t n_bytes, sam_error *err)
{
    return device_status(s, "writing", s->b->api->write(s->b, s->stream, to, from_host, n_bytes), err);
}

sam_status write_controls(sam_session *s, sam_error *err)
{
    return put(s, s->state_arena, s->control_block, s->control_bytes, err);
}

sam_status step(sam_session *s, step_id id, int n_objects, sam_error *err)
{
    const step_graphs *graphs = &s->m->p->steps[id];
    sam_error why = {.status = SAM_OK}, frame;
    for (int i = 0; i < graphs->n && why.status == SAM_OK; i++)
        program_run(&s->programs[graphs->graph[i]], n_objects, session_listener(s), &why);
    if (why.status == SAM_OK)
        return SAM_OK;
    fail(&frame, SAM_E_DEVICE, "frame %lld, %.450s", (long long)s->frame, why.text);
    return session_fault(s, &frame, err);
}

void measure_memory(sam_session *s)
{
    device_memory m = {0};
    if (!s->b->api->memory(s->b, &m) && m.used_bytes > s->stats.device_bytes)
        s->stats.device_bytes = m.used_bytes;
}

/* Records the work under `key` and plays it. Nothing of it has happened when that fails, so it can be done again: a failure is
 * not yet a fault of the session, which goes on without recordings. */
static const char *record_work(sam_session *s, void *stream, int key, recorded_work *work, int arg)
{
    const backend_api *api = s->b->api;
    const char *wrong = api->record(s->b, stream, key);
    if (wrong)
        return wrong;
    sam_error err = {.status = SAM_OK};
    s->trying = 1;
    sam_status status = work(s, arg, &err);
    s->trying = 0;
    wrong = api->play(s->b, stream, key, status == SAM_OK);
    return status == SAM_OK || wrong ? wrong : "an operator cannot be recorded";
}

sam_status enqueue_recorded(sam_session *s, void *stream, int key, recorded_work *work, int arg, sam_error *err)
{
    const backend_api *api = s->b->api;
    const tap *t = session_listener(s);
    int done = 0;
    if (api->host_memory || key >= MAX_RECORDINGS || s->opt.check_kernels || s->opt.no_recording ||
        s->stats.recording_failed || (t && (t->see || t->timed || t->run)))
        return work(s, arg, err);
    if (t)
        t->span(t->user, "replay", 1);
    const char *wrong = api->replay(s->b, stream, key, &done);
    if (t)
        t->span(t->user, "replay", 0);
    TRY(device_status(s, "replaying", wrong, err));
    if (done)
        return SAM_OK;
    /* The first time as it is: modules are loaded and libraries take what they need, which a recording does not allow. */
    if (!s->ran_once[key]) {
        s->ran_once[key] = 1;
        TRY(work(s, arg, err));
        measure_memory(s);
        return SAM_OK;
    }
    s->stats.recording_failed = record_work(s, stream, key, work, arg);
    measure_memory(s);
    return s->stats.recording_failed ? work(s, arg, err) : SAM_OK;
}

void set_points(sam_session *s, int batch, const sam_point *points, int n, int padding)
{
    const model_size *z = &s->m->size;
    float *xy = s->controls.points + (size_t)batch * (size_t)z->max_prompt_tokens * 2;
    int32_t *label = s->controls.labels + (size_t)batch * (size_t)z->max_prompt_tokens;
    float w = (float)s->opt.width_px, h = (float)s->opt.height_px;
    float across = (float)s->n_covered[0], down = (float)s->n_covered[1];
    int count = 0;
    for (; count < n; count++) {
        xy[2 * count] = points[count].x_px / w * across;
        xy[2 * count + 1] = points[count].y_px / h * down;
        label[count] = points[count].label;
    }
    for (; padding > 0; padding--, count++) {
        xy[2 * count] = xy[2 * count + 1] = 0;
        label[count] = -1;
    }
    if (s->controls.n_tokens)
        s->controls.n_tokens[batch] = z->output_tokens + count;
    for (; count < z->max_prompt_tokens; count++) {
        xy[2 * count] = xy[2 * count + 1] = 0;
        label[count] = -2;
    }
}

static int object_index(const sam_session *s, const object *o)
{
    return (int)(o - s->objects);
}

int set_memories(sam_session *s, int batch, const object *o, int reverse)
{
    const model_size *z = &s->m->size;
    session_controls *c = &s->controls;
    size_t at_frames = (size_t)batch * (size_t)z->max_frames, at_pointers = (size_t)batch * (size_t)z->max_pointers;
    bank_selection pick = {.slots = c->memory_slots + at_frames,
                           .ages = c->memory_ages + at_frames,
                           .pointer_slots = c->pointer_slots + at_pointers,
                           .pointer_ages = c->pointer_ages + at_pointers};
    bank_select(&o->bank, s->frame, reverse, s->opt.n_frames, &pick);
    for (int i = 0; i < pick.n_memories; i++)
        pick.slots[i] += object_index(s, o) * s->bank.slots;
    for (int i = 0; i < pick.n_pointers; i++)
        pick.pointer_slots[i] += object_index(s, o) * s->bank.pointer_slots;
    c->n_memories[batch] = pick.n_memories;
    c->n_pointers[batch] = pick.n_pointers;
    return pick.incomplete;
}

void set_choice(sam_session *s, int batch, const object *o, int several, int restart)
{
    const memory_policy *p = s->policy;
    session_controls *c = &s->controls;
    c->mode[batch] = MODE_GATE | (several ? MODE_MULTIMASK : 0) | (p->by_motion ? MODE_CHOSEN : 0);
    if (c->least_score)
        c->least_score[batch] = p->least_score;
    if (!p->by_motion)
        return;
    motion_rule rule = p->motion;
    rule.weight = rule.weight > 0 ? rule.weight : s->m->size.motion_weight;
    memcpy(c->motion_rule + (size_t)batch * RULE_FLOATS, &rule, sizeof rule);
    c->filter_slot[batch] = object_index(s, o) * (1 + s->more_slots);
    c->filter_restart[batch] = restart;
}

void set_keep_slots(sam_session *s, int batch, const object *o, const bank_entry *e)
{
    s->controls.keep_slot[batch] = object_index(s, o) * s->bank.slots + e->slot;
    s->controls.keep_pointer_slot[batch] = object_index(s, o) * s->bank.pointer_slots + e->pointer_slot;
}

float *slot_logits(const sam_session *s, const object *o, int slot)
{
    return s->st.logits_bank + ((size_t)object_index(s, o) * (size_t)s->bank.slots + (size_t)slot) * low_res_count(s);
}

static float *slot_pointer(const sam_session *s, const object *o, int pointer_slot)
{
    size_t at = (size_t)object_index(s, o) * (size_t)s->bank.pointer_slots + (size_t)pointer_slot;
    return s->st.pointer_bank + at * (size_t)s->m->size.pointer_width;
}

void clean_low_res(const sam_session *s, float *logits)
{
    clean_logits(logits, s->m->size.low_px, s->m->size.low_px, s->opt.fill_hole_area, HOLE_VALUE,
                 s->opt.remove_speck_area, SPECK_VALUE, s->components_scratch);
}

sam_status enqueue_scores(sam_session *s, int n, sam_error *err)
{
    size_t bytes = (size_t)n * sizeof(float);
    if (s->st.score)
        TRY(enqueue_read(s, s->host_scores, s->st.score, bytes, err));
    if (s->policy->by_motion)
        TRY(enqueue_read(s, s->host_motion, s->st.motion, bytes, err));
    return enqueue_read(s, s->host_scores + s->opt.max_objects, s->st.iou, bytes, err);
}

/* Host view of backend memory: itself, or a mirror that is filled once `wait` returns. */
static const float *view(sam_session *s, const float *from, float *mirror, size_t count, const char **wrong)
{
    if (s->b->api->host_memory)
        return from;
    if (!*wrong)
        *wrong = s->b->api->read(s->b, s->stream, mirror, from, count * sizeof *mirror);
    return mirror;
}

sam_status show(sam_session *s, const object *only, sam_error *err)
{
    const float *planes[SESSION_OBJECTS];
    packed_mask *masks[SESSION_OBJECTS];
    const char *wrong = NULL;
    int n = 0;
    TRY(mark(s, s->stream, MARK_SHOW, err));
    for (int i = 0; i < s->opt.max_objects; i++) {
        object *o = &s->objects[i];
        const bank_entry *e = o->in_use && o->has_result ? bank_latest(&o->bank, s->frame) : NULL;
        if (!e || (only && only != o && !s->opt.no_overlap))
            continue;
        planes[n] = slot_logits(s, o, e->slot);
        masks[n++] = o->mask;
        o->logits = view(s, slot_logits(s, o, e->slot), o->logits_mirror, low_res_count(s), &wrong);
        o->pointer =
            view(s, slot_pointer(s, o, e->pointer_slot), o->pointer_mirror, (size_t)s->m->size.pointer_width, &wrong);
    }
    wrong = wrong ? wrong : s->b->api->render(s->pictures, s->stream, planes, n, masks);
    TRY(device_status(s, "masks", wrong, err));
    TRY(mark(s, s->stream, MARK_SHOWN, err));
    return wait_for_all(s, "masks", err);
}
