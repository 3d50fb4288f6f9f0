/* Opening and closing a session: every byte it will use is planned here, and taken once. */
#include "session.h"

#include "address_space.h"
#include "components.h"
#include "plan.h"
#include "steps.h"

#include <assert.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

static size_t aligned(size_t bytes)
{
    return (bytes + PLAN_ALIGN - 1) / PLAN_ALIGN * PLAN_ALIGN;
}

enum { DEFAULT_HISTORY = 32, MAX_HISTORY = 100000 };

/* How much of the square input a frame covers: segment_anything/utils/transforms.py, get_preprocess_shape. */
static void cover_input(const sam_session *s, int w, int h, int covered[2])
{
    int side = s->m->size.side_px;
    double scale = (double)side / (w > h ? w : h);
    covered[0] = covered[1] = side;
    if (s->m->p->input[s->opt.mode].fit == FIT_STRETCH)
        return;
    covered[0] = (int)(w * scale + 0.5);
    covered[1] = (int)(h * scale + 0.5);
    for (int i = 0; i < 2; i++)
        covered[i] = covered[i] < 1 ? 1 : covered[i];
}

static sam_status fill_options(sam_session *s, const sam_session_options *opt, sam_error *err)
{
    sam_session_options *o = &s->opt;
    if (!opt)
        return fail(err, SAM_E_ARG, "session options: the frame size is required");
    *o = *opt;
    o->max_objects = o->max_objects ? o->max_objects : 1;
    o->overlap = o->overlap && o->mode == SAM_VIDEO && !s->b->api->host_memory;
    if (o->width_px < 1 || o->height_px < 1 || o->width_px > 32768 || o->height_px > 32768)
        return fail(err, SAM_E_ARG, "frame size %d x %d: expected 1 to 32768 a side", o->width_px, o->height_px);
    if (o->max_objects < 1 || o->max_objects > SESSION_OBJECTS)
        return fail(err, SAM_E_ARG, "max_objects %d: expected 1 to 1024", o->max_objects);
    if (o->mode != SAM_VIDEO && o->mode != SAM_IMAGE)
        return fail(err, SAM_E_ARG, "mode %d: expected SAM_VIDEO or SAM_IMAGE", (int)o->mode);
    if (!(s->m->p->modes >> o->mode & 1))
        return fail(err, SAM_E_ARG,
                    o->mode == SAM_VIDEO ? "%s: %s tracks no video, it takes single images; sam2_tiny does"
                                         : "%s: %s takes no single images; sam2_tiny does",
                    s->m->name, s->m->title);
    TRY(policy_find(o->tracker, &s->policy, err));
    o->tracker = s->policy->name;
    if (o->mode != SAM_VIDEO)
        s->policy = memory_policies;
    if (s->policy->by_motion && !s->m->p->steps[STEP_FOLLOW].n)
        return fail(err, SAM_E_ARG, "tracker \"%s\": %s does not choose by motion", o->tracker, s->m->title);
    if (o->n_frames < 0)
        return fail(err, SAM_E_ARG, "n_frames %d: expected the length of the video, or 0", o->n_frames);
    if (o->history < -1 || o->history > MAX_HISTORY)
        return fail(err, SAM_E_ARG, "history %d: expected up to %d frames, 0 for %d, or -1 for none", o->history,
                    MAX_HISTORY, DEFAULT_HISTORY);
    o->history = o->mode != SAM_VIDEO || o->history < 0 ? 0 : o->history ? o->history : DEFAULT_HISTORY;
    if (o->fill_hole_area == 0)
        o->fill_hole_area = o->mode == SAM_VIDEO ? 8 : 0;
    if (o->fill_hole_area < 0)
        o->fill_hole_area = 0;
    cover_input(s, o->width_px, o->height_px, s->n_covered);
    return SAM_OK;
}

/* ---- the plan ----------------------------------------------------------------------------------------------------- */

/* Without history the model's slots are enough for one pass and its corrections, one at a time. With it frames stay, and
 * several corrections may wait for tracking, at first in slots of their own. */
static sam_status plan_bank(sam_session *s, sam_error *err)
{
    const model_size *z = &s->m->size;
    int history = s->opt.history, prompted = s->m->options.max_prompted_frames;
    s->more_slots = history + (history < prompted ? history : prompted);
    s->n_records = prompted + history + 1;
    s->bank = (bank_size){.max_prompted = prompted,
                          .max_pending = 1 + history,
                          .slots = z->bank_slots + s->more_slots,
                          .pointer_slots = z->pointer_slots + s->more_slots,
                          .recent = z->recent,
                          .recent_pointers = z->recent_pointers,
                          .rule = s->policy->bank};
    for (int i = 0; i < s->m->s.count; i++) {
        const state_def *d = &s->m->s.def[i];
        if (d->pool && pool_rows(d, s->opt.max_objects, s->more_slots) > INT32_MAX)
            return fail(err, SAM_E_ARG,
                        "%d objects with a history of %d frames: more rows of memory than can be counted; ask for less",
                        s->opt.max_objects, history);
    }
    return SAM_OK;
}

static size_t state_tensor_bytes(const sam_session *s, int i)
{
    const state_def *d = &s->m->s.def[i];
    tensor t = d->t;
    if (!s->uses[i])
        return 0;
    t.n = t.n == N_OBJECTS ? s->opt.max_objects : 1;
    if (d->pool)
        t.rows = (int)pool_rows(d, s->opt.max_objects, s->more_slots);
    return aligned(tensor_bytes(&t));
}

/* Host memory of a session: objects and what is copied for them. One function hands out addresses and counts, so that
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

static void carve_object(sam_session *s, object *o, packed_mask *mask, carver *c)
{
    int mirrored = !s->b->api->host_memory;
    bank_entry *entries = carve(c, (size_t)s->bank.pointer_slots * sizeof *entries);
    prompt_record *prompts = carve(c, (size_t)s->n_records * sizeof *prompts);
    for (int i = 0; i < s->n_records; i++) {
        sam_point *points = carve(c, (size_t)(s->m->options.max_points + 2) * sizeof *points);
        if (prompts)
            prompts[i] = (prompt_record){.points = points};
    }
    float *logits = mirrored ? carve(c, low_res_count(s) * sizeof *logits) : NULL;
    float *pointer = mirrored ? carve(c, (size_t)s->m->size.pointer_width * sizeof *pointer) : NULL;
    if (o) {
        *o = (object){.prompts = prompts, .mask = mask, .logits_mirror = logits, .pointer_mirror = pointer};
        bank_init(&o->bank, s->bank, entries);
    }
}

static void carve_host(sam_session *s, carver *c)
{
    size_t frame = (size_t)s->opt.width_px * (size_t)s->opt.height_px, n = (size_t)s->opt.max_objects;
    size_t side = (size_t)s->m->size.side_px, mask_bytes = packed_mask_bytes(s->opt.width_px, s->opt.height_px);
    int video = s->opt.mode == SAM_VIDEO, low = s->m->size.low_px;
    size_t n_masks = video ? n : 3 * n;
    if (!s->b->api->host_memory)
        s->control_block = carve(c, s->control_bytes);
    char *masks = carve(c, n_masks * mask_bytes);
    s->objects = carve(c, n * sizeof *s->objects);
    for (size_t i = 0; i < n; i++)
        carve_object(s, s->objects ? &s->objects[i] : NULL, masks && video ? (void *)(masks + i * mask_bytes) : NULL,
                     c);
    s->image_masks = carve(c, video ? 0 : n_masks * sizeof *s->image_masks);
    for (size_t i = 0; i < n_masks && masks && !video; i++)
        s->image_masks[i] = (void *)(masks + i * mask_bytes);
    s->host_scores = carve(c, 6 * n * sizeof(float));
    s->host_motion = carve(c, n * sizeof(float));
    s->other_masks =
        carve(c, s->policy->takes_anchors && !s->b->api->host_memory ? 4 * n * low_res_count(s) * sizeof(float) : 0);
    s->distractor_scratch = carve(c, s->policy->takes_anchors ? distractor_scratch_bytes(low) : 0);
    s->plane = carve(c, (video ? 1 : 3 * n) * low_res_count(s) * sizeof(float));
    s->mask_logits = carve(c, video ? 0 : n * low_res_count(s) * sizeof(float));
    s->components_scratch = carve(c, components_scratch_bytes(low, low));
    s->video_mask = carve(c, frame * sizeof(float));
    s->mask_image = carve(c, side * side * sizeof(float));
}

static image_sizes picture_sizes(const sam_session *s, int width, int height, const int covered[2])
{
    int video = s->opt.mode == SAM_VIDEO;
    const input_rule *rule = &s->m->p->input[s->opt.mode];
    return (image_sizes){.width = width,
                         .height = height,
                         .side_px = s->m->size.side_px,
                         .covered_across = covered[0],
                         .covered_down = covered[1],
                         .masks_by_input = rule->fit == FIT_LONGEST_SIDE,
                         .low_px = s->m->size.low_px,
                         .max_masks = (video ? 1 : 3) * s->opt.max_objects,
                         .to_input = rule->resize,
                         .no_overlap = video && s->opt.no_overlap,
                         .prepared = s->opt.prepared_frames,
                         .max_hole_area = s->opt.fill_hole_area,
                         .max_speck_area = s->opt.remove_speck_area,
                         .hole_value = video ? HOLE_VALUE : IMAGE_HOLE_VALUE,
                         .speck_value = video ? SPECK_VALUE : IMAGE_SPECK_VALUE,
                         .n_threads = s->m->options.n_threads};
}

static image_sizes own_picture_sizes(const sam_session *s)
{
    return picture_sizes(s, s->opt.width_px, s->opt.height_px, s->n_covered);
}

/* What resizing mask prompts takes, on the host on every backend: open_pictures. */
static size_t mask_prompt_bytes(const sam_session *s)
{
    int side = s->m->size.side_px, low = s->m->size.low_px;
    return resample_bytes(RESAMPLE_ANTIALIAS, s->opt.width_px, s->opt.height_px, s->n_covered[0], s->n_covered[1], 0) +
           resample_bytes(RESAMPLE_ANTIALIAS, side, side, low, low, 0);
}

static sam_status check_limit(const sam_session *s, sam_error *err)
{
    const sam_stats *t = &s->stats;
    size_t weights = t->weight_bytes + t->table_bytes, total = sam_stats_bytes(t);
    if (!s->opt.mem_limit || total <= s->opt.mem_limit)
        return SAM_OK;
    const char *largest = t->scratch_bytes >= t->state_bytes && t->scratch_bytes >= weights ? "scratch"
                          : t->state_bytes >= weights                                       ? "state"
                                                                                            : "weights";
    return fail(err, SAM_E_MEMORY,
                "the session needs %zu MiB (weights %zu, state %zu, scratch %zu; largest: %s), the limit is %zu MiB; "
                "a smaller image size, fewer objects or a smaller model would fit",
                total >> 20, weights >> 20, t->state_bytes >> 20, t->scratch_bytes >> 20, largest,
                s->opt.mem_limit >> 20);
}

/* With overlap the encoder has scratch and outputs of its own. */
static void plan_overlap(sam_session *s)
{
    int encoder = session_encoder(s);
    const graph *g = &s->m->graphs[encoder].g;
    s->scratch_bytes = aligned(s->scratch_bytes);
    s->encode_scratch_bytes = s->programs[encoder].scratch_bytes;
    for (int v = 1; v < g->n_values; v++)
        for (int i = 0; i < g->n_nodes; i++)
            for (int k = 0; k < OP_MAX_OUT; k++)
                if (g->nodes[i].out[k] == v && g->values[v].storage == IN_STATE) {
                    assert(s->n_outputs < MAX_ENCODER_OUTPUTS);
                    int index = g->values[v].index;
                    s->outputs[s->n_outputs++] = (encoder_output){index, state_tensor_bytes(s, index), NULL};
                    s->state_bytes += state_tensor_bytes(s, index);
                }
}

/* What the session's mode needs of the model's states. */
static void note_states(sam_session *s, const graph *g)
{
    for (int v = 1; v < g->n_values; v++)
        if (g->values[v].storage == IN_STATE)
            s->uses[g->values[v].index] = 1;
}

static sam_status plan(sam_session *s, sam_error *err)
{
    sam_model *m = s->m;
    TRY(plan_bank(s, err));
    for (int id = 0; id < m->p->n_graphs; id++) {
        program *p = &s->programs[id];
        if (!predictor_runs(m->p, s->opt.mode, s->policy->by_motion, id))
            continue;
        note_states(s, &m->graphs[id].g);
        TRY(program_plan(p, &m->graphs[id], s->opt.max_objects, err));
        p->check = s->opt.check_kernels;
        if (p->scratch_bytes > s->scratch_bytes && !(s->opt.overlap && id == session_encoder(s)))
            s->scratch_bytes = p->scratch_bytes;
    }
    if (s->opt.overlap)
        plan_overlap(s);
    for (int i = 0; i < m->s.count; i++) {
        s->state_bytes += state_tensor_bytes(s, i);
        s->control_bytes += m->s.def[i].control ? state_tensor_bytes(s, i) : 0;
    }
    carver count = {0};
    carve_host(s, &count);
    s->host_bytes = count.used;
    image_sizes pictures = own_picture_sizes(s);
    s->picture_bytes = s->b->api->images_bytes(s->b, &pictures) + mask_prompt_bytes(s);
    s->stats = (sam_stats){.weight_bytes = m->room.weights,
                           .table_bytes = m->room.tables,
                           .state_bytes = s->state_bytes + s->host_bytes + s->picture_bytes,
                           .scratch_bytes = s->scratch_bytes + s->encode_scratch_bytes,
                           .overlap = s->opt.overlap,
                           .backend = s->b->api->name,
                           .device = s->b->api->device(s->b)};
    return check_limit(s, err);
}

/* ---- taking it ---------------------------------------------------------------------------------------------------- */

static sam_status take(sam_session *s, char **arena, size_t bytes, const char *what, sam_error *err)
{
    *arena = s->b->api->alloc(s->b, bytes + 1);
    return *arena ? SAM_OK : no_room(s->b, what, bytes, err);
}

/* Controls first, in one block that is written at once. */
static void place_states(sam_session *s)
{
    char *at = s->state_arena;
    for (int controls = 1; controls >= 0; controls--)
        for (int i = 0; i < s->m->s.count; i++)
            if (s->uses[i] && s->m->s.def[i].control == controls) {
                s->state[i] = at;
                at += state_tensor_bytes(s, i);
            }
    for (int i = 0; i < s->n_outputs; i++) {
        s->outputs[i].ahead = at;
        at += s->outputs[i].bytes;
    }
    if (s->b->api->host_memory)
        s->control_block = s->state_arena;
}

/* Where a state's address is for who moves it: a control's on the host, else the backend's. */
static void *find_state(void *user, const char *name, int control)
{
    const sam_session *s = user;
    for (int i = 0; i < s->m->s.count; i++)
        if (s->uses[i] && s->m->s.def[i].control == control && !strcmp(s->m->s.def[i].name, name)) {
            char *p = s->state[i];
            return control ? s->control_block + (p - s->state_arena) : p;
        }
    return NULL;
}

static sam_status open_pictures(sam_session *s, sam_error *err)
{
    int side = s->m->size.side_px, low = s->m->size.low_px, w = s->opt.width_px, h = s->opt.height_px;
    image_sizes sizes = own_picture_sizes(s);
    TRY(s->b->api->images_open(s->b, &sizes, &s->pictures, err));
    s->mask_to_image = resample_open(RESAMPLE_ANTIALIAS, w, h, s->n_covered[0], s->n_covered[1]);
    s->mask_to_low_res = resample_open(RESAMPLE_ANTIALIAS, side, side, low, low);
    if (!s->mask_to_image || !s->mask_to_low_res)
        return fail(err, SAM_E_MEMORY, "no memory to resize %d x %d masks", w, h);
    return SAM_OK;
}

static sam_status open_streams(sam_session *s, sam_error *err)
{
    const backend_api *api = s->b->api;
    const char *wrong = api->stream_open(s->b, &s->stream);
    s->encode_stream = s->stream;
    if (!wrong && s->opt.overlap)
        wrong = api->stream_open(s->b, &s->encode_stream);
    for (int i = 0; i < MARK_COUNT && !wrong; i++)
        wrong = api->mark_open(s->b, &s->marks[i]);
    return wrong ? fail(err, SAM_E_DEVICE, "the session's streams: %s", wrong) : SAM_OK;
}

static sam_status bind_programs(sam_session *s, sam_error *err)
{
    void *ahead[MAX_STATES];
    memcpy(ahead, s->state, sizeof ahead);
    for (int i = 0; i < s->n_outputs; i++)
        ahead[s->outputs[i].state] = s->outputs[i].ahead;
    for (int id = 0; id < s->m->p->n_graphs; id++) {
        if (!predictor_runs(s->m->p, s->opt.mode, s->policy->by_motion, id))
            continue;
        int encoder = id == session_encoder(s);
        char *scratch = s->scratch_arena + (encoder && s->opt.overlap ? s->scratch_bytes : 0);
        TRY(program_bind(&s->programs[id], &s->m->w, &s->m->s, scratch, encoder ? ahead : s->state, s->opt.max_objects,
                         s->more_slots, encoder ? s->encode_stream : s->stream, err));
    }
    return SAM_OK;
}

/* What libraries keep is taken now. States are zero again afterwards. */
static sam_status warm_programs(sam_session *s, sam_error *err)
{
    if (!s->b->api->warm)
        return SAM_OK;
    for (int id = 0; id < s->m->p->n_graphs; id++)
        if (predictor_runs(s->m->p, s->opt.mode, s->policy->by_motion, id))
            TRY(program_warm(&s->programs[id], err));
    memset(s->state_arena, 0, s->state_bytes);
    return SAM_OK;
}

picture_source session_own_source(const sam_session *s)
{
    return (picture_source){.width_px = s->opt.width_px,
                            .height_px = s->opt.height_px,
                            .n_covered = {s->n_covered[0], s->n_covered[1]},
                            .pictures = s->pictures};
}

size_t session_plan_source(const sam_session *s, int width_px, int height_px, picture_source *out)
{
    assert(width_px <= s->opt.width_px && height_px <= s->opt.height_px);
    *out = (picture_source){.width_px = width_px, .height_px = height_px};
    cover_input(s, width_px, height_px, out->n_covered);
    const image_sizes sizes = picture_sizes(s, width_px, height_px, out->n_covered);
    return s->b->api->images_bytes(s->b, &sizes);
}

sam_status session_open_source(const sam_session *s, picture_source *source, sam_error *err)
{
    const image_sizes sizes = picture_sizes(s, source->width_px, source->height_px, source->n_covered);
    return s->b->api->images_open(s->b, &sizes, &source->pictures, err);
}

void session_close_source(const sam_session *s, picture_source *source)
{
    s->b->api->images_close(s->b, source->pictures);
    source->pictures = NULL;
}

void session_use_source(sam_session *s, const picture_source *source)
{
    s->opt.width_px = source->width_px;
    s->opt.height_px = source->height_px;
    memcpy(s->n_covered, source->n_covered, sizeof s->n_covered);
    s->pictures = source->pictures;
    s->has_frame = 0;
}

void session_forget_object(const sam_session *s, object *o)
{
    o->in_use = o->has_result = 0;
    bank_clear(&o->bank);
    o->lost_clicks.n = 0;
    o->filter_began = 0;
    distractor_forget(&o->distractors);
    for (int k = 0; k < s->n_records; k++)
        o->prompts[k].in_use = 0;
}

/* Objects and current frame. */
static void session_forget(sam_session *s)
{
    for (int i = 0; i < s->opt.max_objects; i++)
        session_forget_object(s, &s->objects[i]);
    s->has_frame = s->has_next = 0;
}

static sam_status open_session(sam_session *s, const sam_session_options *opt, sam_error *err)
{
    TRY(fill_options(s, opt, err));
    TRY(plan(s, err));
    if (s->b->api->host_memory)
        TRY(address_space_check(s->state_bytes + s->scratch_bytes + s->encode_scratch_bytes + s->host_bytes,
                                s->m->options.n_threads, "the session", err));
    TRY(take(s, &s->state_arena, s->state_bytes, "the session's state", err));
    TRY(take(s, &s->scratch_arena, s->scratch_bytes + s->encode_scratch_bytes, "the session's scratch", err));
    s->host_arena = s->b->api->host_alloc(s->b, s->host_bytes + 1);
    if (!s->host_arena)
        return fail(err, SAM_E_MEMORY, "no host memory for the session's objects (%zu MiB)", s->host_bytes >> 20);
    TRY(open_streams(s, err));
    carve_host(s, &(carver){.base = s->host_arena});
    place_states(s);
    host_states_find(&s->controls, &s->st, find_state, s);
    TRY(open_pictures(s, err));
    TRY(bind_programs(s, err));
    TRY(warm_programs(s, err));
    session_forget(s);
    measure_memory(s);
    return SAM_OK;
}

static sam_status open_once(sam_model *m, const sam_session_options *opt, sam_session **out, sam_error *err)
{
    sam_session *s = calloc(1, sizeof *s);
    if (!s)
        return fail(err, SAM_E_MEMORY, "no memory for a session");
    s->m = m;
    s->b = m->b;
    sam_status status = open_session(s, opt, err);
    if (status != SAM_OK) {
        sam_session_close(s);
        return status;
    }
    *out = s;
    return SAM_OK;
}

/* Without overlap, for when there is no room for it. */
static sam_session_options one_after_the_other(const sam_session_options *opt)
{
    sam_session_options o = *opt;
    o.overlap = 0;
    return o;
}

sam_status sam_session_open(sam_model *m, const sam_session_options *opt, sam_session **out, sam_error *err)
{
    if (!out)
        return fail(err, SAM_E_ARG, "sam_session_open: nowhere to put the session");
    *out = NULL;
    if (!m)
        return fail(err, SAM_E_ARG, "sam_session_open: no model");
    sam_status status = open_once(m, opt, out, err);
    if (status != SAM_E_MEMORY || !opt->overlap)
        return status;
    const sam_session_options o = one_after_the_other(opt);
    return open_once(m, &o, out, err);
}

static sam_status plan_once(sam_model *m, const sam_session_options *opt, sam_stats *out, sam_error *err)
{
    sam_session s = {.m = m, .b = m->b};
    sam_status status = fill_options(&s, opt, err);
    if (status == SAM_OK)
        status = plan(&s, err);
    for (int id = 0; id < MAX_GRAPHS; id++)
        program_free(&s.programs[id]);
    if (status == SAM_OK)
        *out = s.stats;
    return status;
}

sam_status sam_session_plan(sam_model *m, const sam_session_options *opt, sam_stats *out, sam_error *err)
{
    if (!m || !out)
        return fail(err, SAM_E_ARG, "sam_session_plan: no %s", m ? "place for the result" : "model");
    sam_status status = plan_once(m, opt, out, err);
    if (status != SAM_E_MEMORY || !opt->overlap)
        return status;
    const sam_session_options o = one_after_the_other(opt);
    return plan_once(m, &o, out, err);
}

sam_status sam_session_reset(sam_session *s, sam_error *err)
{
    TRY(check_session(s, s ? s->opt.mode : SAM_VIDEO, "sam_session_reset", err));
    session_forget(s);
    return SAM_OK;
}

void sam_session_close(sam_session *s)
{
    if (!s)
        return;
    s->b->api->wait(s->b, s->encode_stream); /* nothing may be given back that is still at work */
    s->b->api->wait(s->b, s->stream);
    for (int id = 0; id < MAX_GRAPHS; id++)
        program_free(&s->programs[id]);
    s->b->api->images_close(s->b, s->pictures);
    resample_close(s->mask_to_image);
    resample_close(s->mask_to_low_res);
    s->b->api->release(s->b, s->state_arena);
    s->b->api->release(s->b, s->scratch_arena);
    if (s->encode_stream != s->stream)
        s->b->api->stream_close(s->b, s->encode_stream);
    s->b->api->stream_close(s->b, s->stream);
    for (int i = 0; i < MARK_COUNT; i++)
        s->b->api->mark_close(s->b, s->marks[i]);
    s->b->api->host_release(s->b, s->host_arena);
    free(s);
}

size_t sam_stats_bytes(const sam_stats *s)
{
    return s ? s->weight_bytes + s->table_bytes + s->state_bytes + s->scratch_bytes : 0;
}

const char *sam_stage_name(sam_stage stage)
{
    static const char *const names[SAM_N_STAGES] = {"encode", "memory_attention", "mask_decoder", "memory_encoder",
                                                    "post"};
    return (unsigned)stage < SAM_N_STAGES ? names[stage] : "";
}

sam_status sam_get_stats(const sam_session *s, sam_stats *out, sam_error *err)
{
    if (!s || !out)
        return fail(err, SAM_E_ARG, "sam_get_stats: no %s", s ? "place for the result" : "session");
    *out = s->stats;
    return SAM_OK;
}

void session_tap(sam_session *s, tap t)
{
    s->tap = t;
}
