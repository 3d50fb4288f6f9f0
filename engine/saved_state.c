/* A session's objects to a file and back: sam_state_save, sam_state_load.
 *
 *   "SAMSTATE", header (what it is a state of), objects one after another, checksum
 *
 * One function walks the session and either writes or reads each part, so that both sides have one layout. What is read is
 * checked before it is used: numbers of slots and counts lead into memory. */
#include "atomic_file.h"
#include "mapped_file.h"
#include "steps.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum { STATE_VERSION = 1, MAX_NAME = 64 };
static const char MAGIC[8] = "SAMSTATE";

/* All that must be the same. */
typedef struct state_header {
    char magic[8];
    uint32_t version, header_bytes, entry_bytes, object_bytes; /* of the structs as this build has them */
    uint64_t weights;                                          /* digest of the tensors */
    char model[MAX_NAME], tracker[MAX_NAME];
    int32_t image_px, width_px, height_px, max_objects, max_points, max_prompted, history, slots, pointer_slots;
    int32_t n_frames; /* where pointers' ages depend on it, else 0 */
    int32_t fill_hole_area, remove_speck_area, memory_tokens, memory_width, pointer_width, low_px, compute;
} state_header;

/* Digest of bytes, eight at a time; good against damage and mistakes, not against malice. */
static uint64_t digest(uint64_t h, const void *bytes, size_t n)
{
    const unsigned char *p = bytes;
    for (; n >= 8; n -= 8, p += 8) {
        uint64_t word;
        memcpy(&word, p, 8);
        h = (h ^ word) * UINT64_C(0x9E3779B97F4A7C15);
        h ^= h >> 29;
    }
    for (; n; n--, p++)
        h = (h ^ *p) * UINT64_C(0x100000001B3);
    return h;
}
#define DIGEST_START UINT64_C(0xCBF29CE484222325)

static uint64_t weights_digest(const sam_model *m)
{
    uint64_t h = DIGEST_START;
    for (size_t i = 0; i < m->file.n_tensors; i++) {
        const st_tensor *t = &m->file.tensors[i];
        h = digest(h, t->name, strlen(t->name));
        h = digest(h, t->data, t->n_bytes);
    }
    st_release_pages(&m->file);
    return h;
}

/* What is written of an object, beside banks, prompts and memories. */
typedef struct object_part {
    int32_t in_use, id, filter_began, filter_way, way, n_entries;
    int64_t filter_frame;
    distractor_memory distractors;
    frame_runs forgotten, forgotten_fit, lost_clicks;
} object_part;

static state_header header_of(const sam_session *s)
{
    const model_size *z = &s->m->size;
    state_header h;
    memset(&h, 0, sizeof h); /* the gaps, too: headers are compared and summed as bytes */
    memcpy(h.magic, MAGIC, sizeof h.magic);
    h.version = STATE_VERSION;
    h.header_bytes = sizeof h;
    h.entry_bytes = sizeof(bank_entry);
    h.object_bytes = sizeof(object_part);
    snprintf(h.model, sizeof h.model, "%s", s->m->name);
    snprintf(h.tracker, sizeof h.tracker, "%s", s->policy->name);
    h.image_px = z->side_px;
    h.width_px = s->opt.width_px;
    h.height_px = s->opt.height_px;
    h.max_objects = s->opt.max_objects;
    h.max_points = s->m->options.max_points;
    h.max_prompted = s->m->options.max_prompted_frames;
    h.history = s->opt.history;
    h.slots = s->bank.slots;
    h.pointer_slots = s->bank.pointer_slots;
    h.n_frames = s->opt.n_frames <= s->bank.recent_pointers ? s->opt.n_frames : 0;
    h.fill_hole_area = s->opt.fill_hole_area;
    h.remove_speck_area = s->opt.remove_speck_area;
    h.memory_tokens = z->memory_tokens;
    h.memory_width = z->memory_width;
    h.pointer_width = z->pointer_width;
    h.low_px = z->low_px;
    h.compute = (int32_t)s->m->options.compute;
    return h;
}

/* ---- a walk through the session ----------------------------------------------------------------------------------- */

/* Writing grows `bytes`; reading takes from it. The first fault sticks, and later steps do nothing. */
typedef struct state_io {
    sam_session *s;
    int writes;
    char *bytes;
    size_t n, at; /* there are, taken */
    size_t capacity;
    const char *fault; /* what is wrong with what is read, or "" for no memory */
} state_io;

/* Room for n more bytes to write, or the n bytes that come next; NULL: there are none. */
static char *span(state_io *io, size_t n)
{
    if (io->fault)
        return NULL;
    if (!io->writes) {
        if (io->n - io->at < n) {
            io->fault = "it ends too early";
            return NULL;
        }
        io->at += n;
        return io->bytes + io->at - n;
    }
    if (io->capacity - io->n < n) {
        size_t capacity = 2 * io->capacity + n + 4096;
        char *bytes = realloc(io->bytes, capacity);
        if (!bytes) {
            io->fault = "";
            return NULL;
        }
        io->bytes = bytes;
        io->capacity = capacity;
    }
    io->n += n;
    return io->bytes + io->n - n;
}

static void host_part(state_io *io, void *part, size_t n)
{
    char *p = span(io, n);
    if (p && io->writes)
        memcpy(p, part, n);
    else if (p)
        memcpy(part, p, n);
}

static void demand(state_io *io, int ok, const char *fault)
{
    if (!ok && !io->fault)
        io->fault = fault;
}

/* n bytes of the backend's memory. A device waits for each: a state is small beside the time it is saved for. */
static sam_status backend_part(state_io *io, void *part, size_t n, sam_error *err)
{
    char *p = span(io, n);
    if (!p)
        return SAM_OK;
    if (io->writes)
        return fetch(io->s, p, part, n, err);
    TRY(put(io->s, part, p, n, err));
    return wait_for_all(io->s, "state", err);
}

static void runs_part(state_io *io, const frame_runs *r)
{
    demand(io, r->n >= 0 && r->n <= MAX_FRAME_RUNS, "a set of frames has no such size");
    for (int i = 0; i < r->n && !io->fault; i++)
        demand(io, r->run[i].from <= r->run[i].to && r->run[i].tag >= 0 && r->run[i].tag <= TRACKED_REVERSE,
               "a run of frames is none");
}

static void object_numbers(state_io *io, object *o)
{
    membank *b = &o->bank;
    object_part p;
    memset(&p, 0, sizeof p);
    p.in_use = o->in_use;
    p.id = o->id;
    p.filter_began = o->filter_began;
    p.filter_way = (int32_t)o->filter_way;
    p.filter_frame = o->filter_frame;
    p.way = (int32_t)b->way;
    p.n_entries = b->n_entries;
    p.distractors = o->distractors;
    p.forgotten = b->forgotten;
    p.forgotten_fit = b->forgotten_fit;
    p.lost_clicks = o->lost_clicks;
    host_part(io, &p, sizeof p);
    if (io->writes || io->fault)
        return;
    demand(io, p.n_entries >= 0 && p.n_entries <= b->size.pointer_slots, "more frames than there is room for");
    demand(io,
           p.way >= NOT_TRACKED && p.way <= TRACKED_REVERSE && p.filter_way >= NOT_TRACKED &&
               p.filter_way <= TRACKED_REVERSE,
           "a direction is none");
    demand(io, p.distractors.n_areas >= 0 && p.distractors.n_areas <= AREAS_KEPT, "more areas than are kept");
    runs_part(io, &p.forgotten);
    runs_part(io, &p.forgotten_fit);
    runs_part(io, &p.lost_clicks);
    if (io->fault)
        return;
    o->in_use = p.in_use != 0;
    o->id = p.id;
    o->filter_began = p.filter_began != 0;
    o->filter_way = (tracked_way)p.filter_way;
    o->filter_frame = p.filter_frame;
    o->distractors = p.distractors;
    o->lost_clicks = p.lost_clicks;
    b->way = (tracked_way)p.way;
    b->n_entries = p.n_entries;
    b->forgotten = p.forgotten;
    b->forgotten_fit = p.forgotten_fit;
}

/* That no two frames share a slot and all slots are the object's. */
static void check_entries(state_io *io, const membank *b)
{
    int n_prompted = 0;
    for (int i = 0; i < b->n_entries && !io->fault; i++) {
        const bank_entry *e = &b->entry[i];
        demand(io,
               e->slot >= -1 && e->slot < b->size.slots && e->pointer_slot >= 0 &&
                   e->pointer_slot < b->size.pointer_slots,
               "a frame has a slot that there is not");
        demand(io, e->slot >= 0 || (!e->prompted && !e->pending), "a prompted frame has no memory");
        demand(io,
               (e->prompted & ~1) == 0 && (e->pending & ~1) == 0 && e->tracked >= NOT_TRACKED &&
                   e->tracked <= TRACKED_REVERSE,
               "a frame is neither prompted nor not");
        n_prompted += e->prompted;
        for (int k = 0; k < i && !io->fault; k++) {
            const bank_entry *o = &b->entry[k];
            demand(io, o->pointer_slot != e->pointer_slot && (e->slot < 0 || o->slot != e->slot),
                   "two frames share a slot");
            demand(io, o->frame != e->frame || o->pending != e->pending, "a frame is there twice");
        }
    }
    demand(io, bank_prompted(b) <= b->size.max_prompted, "more prompted frames than there is room for");
    demand(io, n_prompted <= b->size.max_prompted + b->size.max_pending, "more prompts than there is room for");
}

static void prompts_part(state_io *io, object *o)
{
    int most = io->s->m->options.max_points + 2;
    for (int k = 0; k < io->s->n_records && !io->fault; k++) {
        prompt_record *r = &o->prompts[k];
        int64_t numbers[3] = {r->in_use, r->in_use ? r->frame : 0, r->in_use ? r->n_points : 0};
        host_part(io, numbers, sizeof numbers);
        demand(io, (numbers[0] == 0 || numbers[0] == 1) && numbers[2] >= 0 && numbers[2] <= most,
               "more clicks than there is room for");
        if (io->fault)
            return;
        r->in_use = (int)numbers[0];
        r->frame = numbers[1];
        r->n_points = (int)numbers[2];
        host_part(io, r->points, (size_t)r->n_points * sizeof *r->points);
    }
}

/* What the bank's entries stand for. */
static sam_status memories_part(state_io *io, object *o, sam_error *err)
{
    sam_session *s = io->s;
    const model_size *z = &s->m->size;
    size_t i = (size_t)(o - s->objects), memory = (size_t)z->memory_tokens * (size_t)z->memory_width;
    size_t slots = (size_t)s->bank.slots, pointer_slots = (size_t)s->bank.pointer_slots, plane = low_res_count(s);
    if (s->policy->by_motion)
        TRY(backend_part(io, s->st.filters + i * (size_t)(1 + s->more_slots) * FILTER_FLOATS,
                         FILTER_FLOATS * sizeof(float), err));
    for (int k = 0; k < o->bank.n_entries && !io->fault; k++) {
        const bank_entry *e = &o->bank.entry[k];
        size_t pointer = i * pointer_slots + (size_t)e->pointer_slot;
        TRY(backend_part(io, s->st.pointer_bank + pointer * (size_t)z->pointer_width,
                         (size_t)z->pointer_width * sizeof(float), err));
        if (e->slot < 0)
            continue;
        size_t slot = i * slots + (size_t)e->slot;
        TRY(backend_part(io, s->st.logits_bank + slot * plane, plane * sizeof(float), err));
        TRY(backend_part(io, s->st.bank + slot * memory, memory * sizeof(uint16_t), err));
    }
    return SAM_OK;
}

static sam_status walk(state_io *io, sam_error *err)
{
    for (int i = 0; i < io->s->opt.max_objects && !io->fault; i++) {
        object *o = &io->s->objects[i];
        object_numbers(io, o);
        if (io->fault || !o->in_use)
            continue;
        host_part(io, o->bank.entry, (size_t)o->bank.n_entries * sizeof *o->bank.entry);
        if (!io->writes)
            check_entries(io, &o->bank);
        prompts_part(io, o);
        TRY(memories_part(io, o, err));
    }
    return SAM_OK;
}

/* ---- the two calls ------------------------------------------------------------------------------------------------ */

sam_status sam_state_save(sam_session *s, const char *path, sam_error *err)
{
    TRY(check_session(s, SAM_VIDEO, "sam_state_save", err));
    if (!path)
        return fail(err, SAM_E_ARG, "sam_state_save: no path");
    state_io io = {.s = s, .writes = 1};
    state_header h = header_of(s);
    h.weights = weights_digest(s->m);
    host_part(&io, &h, sizeof h);
    sam_status status = walk(&io, err);
    uint64_t sum = digest(DIGEST_START, io.bytes, io.n);
    host_part(&io, &sum, sizeof sum);
    if (status == SAM_OK && io.fault)
        status = fail(err, SAM_E_MEMORY, "%s: no memory for the state (%zu MiB so far)", path, io.n >> 20);
    if (status == SAM_OK)
        status = atomic_file_write(path, io.bytes, io.n, err);
    free(io.bytes);
    return status;
}

static sam_status other(const char *path, const char *what, long long was, long long is, sam_error *err)
{
    return fail(err, SAM_E_ARG, "%s: the state of a session with %s %lld, this one's is %lld", path, what, was, is);
}

/* That a state was made by such a session as this. */
static sam_status compare_headers(const char *path, const state_header *was, const state_header *is, sam_error *err)
{
    if (strncmp(was->model, is->model, MAX_NAME))
        return fail(err, SAM_E_ARG, "%s: the state of the model %.63s, this one is %.63s", path, was->model, is->model);
    if (was->weights != is->weights)
        return fail(err, SAM_E_ARG, "%s: the state of %.63s with other weights", path, was->model);
    if (strncmp(was->tracker, is->tracker, MAX_NAME))
        return fail(err, SAM_E_ARG, "%s: the state of the tracker %.63s, this session's is %.63s", path, was->tracker,
                    is->tracker);
    const struct {
        const char *what;
        int32_t was, is;
    } numbers[] = {{"image_px", was->image_px, is->image_px},
                   {"width_px", was->width_px, is->width_px},
                   {"height_px", was->height_px, is->height_px},
                   {"max_objects", was->max_objects, is->max_objects},
                   {"max_points", was->max_points, is->max_points},
                   {"max_prompted_frames", was->max_prompted, is->max_prompted},
                   {"history", was->history, is->history},
                   {"n_frames (which counts in short videos)", was->n_frames, is->n_frames},
                   {"compute", was->compute, is->compute},
                   {"fill_hole_area", was->fill_hole_area, is->fill_hole_area},
                   {"remove_speck_area", was->remove_speck_area, is->remove_speck_area}};
    for (size_t i = 0; i < sizeof numbers / sizeof *numbers; i++)
        if (numbers[i].was != numbers[i].is)
            return other(path, numbers[i].what, numbers[i].was, numbers[i].is, err);
    return memcmp(was, is, sizeof *was) ? fail(err, SAM_E_ARG, "%s: the state of another kind of session", path)
                                        : SAM_OK;
}

/* The header of a whole file of this version. */
static sam_status read_header(const char *path, const void *bytes, size_t n, state_header *was, sam_error *err)
{
    uint64_t sum;
    if (n < sizeof was->magic || memcmp(bytes, MAGIC, sizeof was->magic))
        return fail(err, SAM_E_FORMAT, "%s: no saved state of a session", path);
    if (n < sizeof *was + sizeof sum)
        return fail(err, SAM_E_FORMAT, "%s: a saved state that is cut short: %zu bytes", path, n);
    memcpy(was, bytes, sizeof *was);
    if (was->version != STATE_VERSION || was->header_bytes != sizeof *was || was->entry_bytes != sizeof(bank_entry) ||
        was->object_bytes != sizeof(object_part))
        return fail(err, SAM_E_FORMAT, "%s: a saved state of another version (%u, this build's is %d)", path,
                    (unsigned)was->version, STATE_VERSION);
    memcpy(&sum, (const char *)bytes + n - sizeof sum, sizeof sum);
    if (sum != digest(DIGEST_START, bytes, n - sizeof sum))
        return fail(err, SAM_E_FORMAT, "%s: a saved state that is damaged: its checksum does not match", path);
    was->model[MAX_NAME - 1] = was->tracker[MAX_NAME - 1] = 0;
    return SAM_OK;
}

sam_status sam_state_options(const char *path, sam_model_options *m, sam_session_options *o, sam_error *err)
{
    void *bytes = NULL;
    size_t n = 0;
    state_header h;
    const memory_policy *policy;
    if (!path || !m || !o)
        return fail(err, SAM_E_ARG, "sam_state_options: no %s", path ? "place for the result" : "path");
    TRY(file_map(path, &bytes, &n, err));
    sam_status status = read_header(path, bytes, n, &h, err);
    file_unmap(bytes, n);
    TRY(status);
    TRY(policy_find(h.tracker, &policy, err));
    m->image_px = h.image_px;
    m->compute = (sam_dtype)h.compute;
    m->max_points = h.max_points;
    m->max_prompted_frames = h.max_prompted;
    o->width_px = h.width_px;
    o->height_px = h.height_px;
    o->max_objects = h.max_objects;
    o->history = h.history ? h.history : -1;
    o->fill_hole_area = h.fill_hole_area ? h.fill_hole_area : -1;
    o->remove_speck_area = h.remove_speck_area;
    o->tracker = policy->name;
    return SAM_OK;
}

sam_status sam_state_load(sam_session *s, const char *path, sam_error *err)
{
    void *bytes = NULL;
    size_t n = 0;
    if (!path)
        return fail(err, SAM_E_ARG, "sam_state_load: no path");
    TRY(sam_session_reset(s, err));
    TRY(check_session(s, SAM_VIDEO, "sam_state_load", err));
    TRY(file_map(path, &bytes, &n, err));
    state_header is = header_of(s), was;
    sam_status status = read_header(path, bytes, n, &was, err);
    if (status == SAM_OK) {
        is.weights = weights_digest(s->m); /* reads all of them */
        status = compare_headers(path, &was, &is, err);
    }
    state_io io = {.s = s, .bytes = bytes, .n = n - (n < 8 ? n : 8), .at = sizeof is};
    if (status == SAM_OK)
        status = walk(&io, err);
    if (status == SAM_OK)
        demand(&io, io.at == io.n, "there is more than a state");
    if (status == SAM_OK && io.fault)
        status = fail(err, SAM_E_FORMAT, "%s: a saved state that is damaged: %s", path, io.fault);
    file_unmap(bytes, n);
    sam_error ignored;
    if (status != SAM_OK && !s->failed)
        sam_session_reset(s, &ignored);
    return status;
}
