/* Opening and closing a session: every byte it will use is planned here, and taken once. */
#include "session.h"

#include "components.h"
#include "plan.h"

#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

static size_t aligned(size_t bytes)
{
    return (bytes + PLAN_ALIGN - 1) / PLAN_ALIGN * PLAN_ALIGN;
}

static sam_status fill_options(sam_session *s, const sam_session_options *opt, sam_error *err)
{
    sam_session_options *o = &s->opt;
    if (!opt)
        return fail(err, SAM_E_ARG, "session options: the frame size is required");
    *o = *opt;
    o->max_objects = o->max_objects ? o->max_objects : 1;
    if (o->width_px < 1 || o->height_px < 1 || o->width_px > 32768 || o->height_px > 32768)
        return fail(err, SAM_E_ARG, "frame size %d x %d: expected 1 to 32768 a side", o->width_px, o->height_px);
    if (o->max_objects < 1 || o->max_objects > 1024)
        return fail(err, SAM_E_ARG, "max_objects %d: expected 1 to 1024", o->max_objects);
    if (o->mode != SAM_VIDEO && o->mode != SAM_IMAGE)
        return fail(err, SAM_E_ARG, "mode %d: expected SAM_VIDEO or SAM_IMAGE", (int)o->mode);
    if (o->n_frames < 0)
        return fail(err, SAM_E_ARG, "n_frames %d: expected the length of the video, or 0", o->n_frames);
    if (o->fill_hole_area == 0)
        o->fill_hole_area = o->mode == SAM_VIDEO ? 8 : 0;
    if (o->fill_hole_area < 0)
        o->fill_hole_area = 0;
    return SAM_OK;
}

/* ---- the plan ----------------------------------------------------------------------------------------------------- */

static size_t state_tensor_bytes(const sam_session *s, int i)
{
    const state_def *d = &s->m->s.def[i];
    tensor t = d->t;
    t.n = t.n == N_OBJECTS || d->pool ? s->opt.max_objects : 1;
    return aligned(tensor_bytes(&t));
}

/* Host memory of a session: objects, their kept logits, results. One function hands out addresses and counts, so that
 * the plan and the allocation cannot differ: with base NULL it only counts. */
typedef struct carver {
    char *base;
    size_t used;
} carver;

static void *carve(carver *c, size_t bytes)
{
    void *p = c->base ? c->base + c->used : NULL;
    c->used += aligned(bytes);
    return p;
}

static void carve_object(sam_session *s, object *o, carver *c)
{
    const model_size *z = &s->m->size;
    const sam_model_options *mo = &s->m->options;
    bank_size size = {.max_prompted = mo->max_prompted_frames,
                      .slots = z->bank_slots,
                      .pointer_slots = z->pointer_slots,
                      .recent = s->m->config.num_maskmem - 1,
                      .recent_pointers = s->m->config.max_obj_ptrs - 1};
    bank_entry *entries = carve(c, (size_t)z->pointer_slots * sizeof *entries);
    prompt_record *prompts = carve(c, (size_t)mo->max_prompted_frames * sizeof *prompts);
    for (int i = 0; i < mo->max_prompted_frames; i++) {
        sam_point *points = carve(c, (size_t)(mo->max_points + 2) * sizeof *points);
        if (prompts)
            prompts[i] = (prompt_record){.points = points};
    }
    uint8_t *bits = carve(c, (size_t)s->opt.width_px * (size_t)s->opt.height_px);
    if (o) {
        *o = (object){.prompts = prompts, .bits = bits};
        bank_init(&o->bank, size, entries);
    }
}

static void carve_host(sam_session *s, carver *c)
{
    size_t frame = (size_t)s->opt.width_px * (size_t)s->opt.height_px, n = (size_t)s->opt.max_objects;
    int video = s->opt.mode == SAM_VIDEO, low = 4 * s->m->size.side;
    s->objects = carve(c, n * sizeof *s->objects);
    for (size_t i = 0; i < n; i++)
        carve_object(s, s->objects ? &s->objects[i] : NULL, c);
    s->clean = carve(c, low_res_count(s) * sizeof(float));
    s->components_scratch = carve(c, components_scratch_bytes(low, low));
    if (video) {
        s->logits_bank = carve(c, n * (size_t)s->m->size.bank_slots * low_res_count(s) * sizeof(float));
        s->video_mask = carve(c, frame * sizeof(float));
        s->video_plane = s->opt.no_overlap ? carve(c, n * frame * sizeof(float)) : NULL;
    } else {
        s->plane = carve(c, 3 * low_res_count(s) * sizeof(float));
        for (int i = 0; i < 3; i++)
            s->image_bits[i] = carve(c, frame);
    }
}

static sam_status plan(sam_session *s, sam_error *err)
{
    sam_model *m = s->m;
    for (int id = 0; id < GRAPH_COUNT; id++) {
        TRY(program_plan(&s->programs[id], &m->graphs[id], s->opt.max_objects, m->options.n_threads, err));
        if (s->programs[id].scratch_bytes > s->scratch_bytes)
            s->scratch_bytes = s->programs[id].scratch_bytes;
    }
    for (int i = 0; i < m->s.count; i++)
        s->state_bytes += state_tensor_bytes(s, i);
    carver count = {0};
    carve_host(s, &count);
    s->host_bytes = count.used;
    s->stats = (sam_stats){.weight_bytes = m->weight_bytes,
                           .state_bytes = s->state_bytes + s->host_bytes,
                           .scratch_bytes = s->scratch_bytes,
                           .backend = "cpu",
                           .device = m->variant};
    size_t total = s->stats.weight_bytes + s->stats.state_bytes + s->stats.scratch_bytes;
    if (s->opt.mem_limit && total > s->opt.mem_limit) {
        const char *largest = s->scratch_bytes >= s->stats.state_bytes && s->scratch_bytes >= m->weight_bytes ? "scratch"
                              : s->stats.state_bytes >= m->weight_bytes                                      ? "state"
                                                                                                             : "weights";
        return fail(err, SAM_E_MEMORY,
                    "the session needs %zu MiB (weights %zu, state %zu, scratch %zu; largest: %s), the limit is %zu MiB; "
                    "a smaller image size, fewer objects or a smaller model would fit",
                    total >> 20, m->weight_bytes >> 20, s->stats.state_bytes >> 20, s->scratch_bytes >> 20, largest,
                    s->opt.mem_limit >> 20);
    }
    return SAM_OK;
}

/* ---- taking it ---------------------------------------------------------------------------------------------------- */

static sam_status take(char **arena, size_t bytes, const char *what, sam_error *err)
{
    size_t size = aligned(bytes + 1);
    *arena = aligned_alloc(PLAN_ALIGN, size);
    if (!*arena)
        return fail(err, SAM_E_MEMORY, "no memory for the session's %s (%zu MiB)", what, size >> 20);
    memset(*arena, 0, size);
    return SAM_OK;
}

static void find_states(sam_session *s)
{
    const struct {
        const char *name;
        size_t offset;
    } fields[] = {
#define FIELD(f) {#f, offsetof(session_states, f)}
        FIELD(image),         FIELD(mask_image),   FIELD(points),       FIELD(mask_prompt),  FIELD(masks),
        FIELD(ious),          FIELD(score),        FIELD(low_res),      FIELD(iou),          FIELD(pointer),
        FIELD(memory_logits), FIELD(memory_score), FIELD(pointer_bank), FIELD(pointer_ages), FIELD(labels),
        FIELD(n_tokens),      FIELD(mode),         FIELD(chosen),       FIELD(binarise),     FIELD(memory_slots),
        FIELD(memory_ages),   FIELD(n_memories),   FIELD(pointer_slots), FIELD(n_pointers),  FIELD(memory),
        FIELD(bank)};
#undef FIELD
    for (int i = 0; i < s->m->s.count; i++)
        for (size_t k = 0; k < sizeof fields / sizeof *fields; k++)
            if (!strcmp(s->m->s.def[i].name, fields[k].name))
                memcpy((char *)&s->st + fields[k].offset, &s->state[i], sizeof(void *));
}

static sam_status open_resamplers(sam_session *s, sam_error *err)
{
    int side = s->m->size.side_px, w = s->opt.width_px, h = s->opt.height_px, video = s->opt.mode == SAM_VIDEO;
    s->to_image = resample_open(video ? RESAMPLE_PIL_BICUBIC : RESAMPLE_RGB_ANTIALIAS, w, h, side, side);
    s->to_video = resample_open(RESAMPLE_BILINEAR, side / 4, side / 4, w, h);
    if (video) {
        s->mask_to_image = resample_open(RESAMPLE_ANTIALIAS, w, h, side, side);
        s->mask_to_low_res = resample_open(RESAMPLE_ANTIALIAS, side, side, side / 4, side / 4);
    }
    if (!s->to_image || !s->to_video || (video && (!s->mask_to_image || !s->mask_to_low_res)))
        return fail(err, SAM_E_MEMORY, "no memory to resize %d x %d frames", w, h);
    return SAM_OK;
}

static sam_status open_session(sam_session *s, const sam_session_options *opt, sam_error *err)
{
    TRY(fill_options(s, opt, err));
    TRY(plan(s, err));
    TRY(take(&s->state_arena, s->state_bytes, "state", err));
    TRY(take(&s->scratch_arena, s->scratch_bytes, "scratch", err));
    TRY(take(&s->host_arena, s->host_bytes, "objects", err));
    char *at = s->state_arena;
    for (int i = 0; i < s->m->s.count; i++) {
        s->state[i] = at;
        at += state_tensor_bytes(s, i);
    }
    find_states(s);
    carve_host(s, &(carver){.base = s->host_arena});
    TRY(open_resamplers(s, err));
    for (int id = 0; id < GRAPH_COUNT; id++)
        TRY(program_bind(&s->programs[id], &s->m->w, &s->m->s, s->scratch_arena, s->state, s->opt.max_objects, err));
    session_forget(s);
    return SAM_OK;
}

sam_status sam_session_open(sam_model *m, const sam_session_options *opt, sam_session **out, sam_error *err)
{
    *out = NULL;
    sam_session *s = calloc(1, sizeof *s);
    if (!s)
        return fail(err, SAM_E_MEMORY, "no memory for a session");
    s->m = m;
    sam_status status = open_session(s, opt, err);
    if (status != SAM_OK) {
        sam_session_close(s);
        return status;
    }
    *out = s;
    return SAM_OK;
}

sam_status sam_session_plan(sam_model *m, const sam_session_options *opt, sam_stats *out, sam_error *err)
{
    sam_session s = {.m = m};
    sam_status status = fill_options(&s, opt, err);
    if (status == SAM_OK)
        status = plan(&s, err);
    for (int id = 0; id < GRAPH_COUNT; id++)
        program_free(&s.programs[id]);
    if (status == SAM_OK)
        *out = s.stats;
    return status;
}

void session_forget_object(const sam_session *s, object *o)
{
    o->in_use = o->has_result = 0;
    bank_clear(&o->bank);
    o->tracked[SAM_FORWARD] = o->tracked[SAM_REVERSE] = (frame_range){1, 0};
    o->direction = SAM_FORWARD;
    for (int k = 0; k < s->m->options.max_prompted_frames; k++)
        o->prompts[k].in_use = 0;
}

void session_forget(sam_session *s)
{
    for (int i = 0; i < s->opt.max_objects; i++)
        session_forget_object(s, &s->objects[i]);
    s->has_frame = 0;
}

sam_status sam_session_reset(sam_session *s, sam_error *err)
{
    (void)err;
    session_forget(s);
    return SAM_OK;
}

void sam_session_close(sam_session *s)
{
    if (!s)
        return;
    for (int id = 0; id < GRAPH_COUNT; id++)
        program_free(&s->programs[id]);
    resample_close(s->to_image);
    resample_close(s->to_video);
    resample_close(s->mask_to_image);
    resample_close(s->mask_to_low_res);
    free(s->state_arena);
    free(s->scratch_arena);
    free(s->host_arena);
    free(s);
}

sam_status sam_get_stats(const sam_session *s, sam_stats *out, sam_error *err)
{
    (void)err;
    *out = s->stats;
    return SAM_OK;
}

void session_tap(sam_session *s, tap t)
{
    s->tap = t;
}
