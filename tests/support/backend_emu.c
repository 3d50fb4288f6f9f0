#define _DEFAULT_SOURCE /* MAP_ANONYMOUS */
#include "backend_emu.h"

#include "images_device.h"

#include <assert.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>

const op_cuda *const *op_cuda_select_emu(void);

emu_device emu;

/* ---- queued work -------------------------------------------------------------------------------------------------- */

typedef struct stream stream;

typedef struct mark {
    stream *on;
    long n_made, n_reached;
    double at_ms;
} mark;

typedef enum kind { COPY, OPERATOR, REPLAY, MARK, FOLLOW, PREPROCESS, RENDER, CLEAN } kind;

typedef struct command {
    kind kind;
    union {
        struct {
            void *to;
            const void *from;
            size_t n_bytes;
        } copy;
        struct {
            op_id op;
            op_call call;
            tensor in[OP_MAX_IN], out[OP_MAX_OUT];
        } run;
        int key;
        struct {
            mark *m;
            long made; /* which making of it; 0: it was recorded */
        } mark;
        struct {
            const resample_axis *across, *down;
            frame_pixels from;
            void *mid;
            float *out;
            int out_row_px;
        } preprocess;
        struct {
            const resample_axis *across, *down;
            const float *planes;
            int n, no_overlap, screens;
            mask_levels levels;
            packed_mask *masks;
        } render;
        struct {
            const float *const *logits;
            int n, h, w, max_hole_area, max_speck_area;
            float hole_value, speck_value, *out;
            void *scratch;
        } clean;
    };
} command;

typedef struct list {
    command *c;
    int n, capacity;
} list;

struct stream {
    list queue;
    int n_done;
    list recorded[MAX_RECORDINGS];
    unsigned char has[MAX_RECORDINGS];
    int recording; /* key + 1; 0: none */
    stream *next;
};

static stream *streams;
static const char *fault; /* sticky, as a device's: the first one */
static void (*on_work)(int begins);

void emu_on_work(void (*begins_or_ends)(int begins))
{
    on_work = begins_or_ends;
}

int emu_pending(void)
{
    int n = 0;
    for (const stream *s = streams; s; s = s->next)
        n += s->n_done < s->queue.n;
    return n;
}

/* ---- device memory ------------------------------------------------------------------------------------------------ */

static int countdown(long *n)
{
    return *n > 0 && --*n == 0;
}

#if defined(__SANITIZE_ADDRESS__)
static void *region_take(size_t n_bytes)
{
    return backend_cpu.alloc(NULL, n_bytes);
}

static void region_give(void *p)
{
    backend_cpu.release(NULL, p);
}

static void region_open(int open)
{
    (void)open;
}
#else
/* One stretch of addresses that the host cannot touch. It is given out from the front and forgotten when empty. */
enum { PAGE = 4096 };
static char *region;
static size_t region_used;
static int region_opened;

static void region_open(int open)
{
    region_opened += open ? 1 : -1;
    if (region_used && region_opened == (open ? 1 : 0)) {
        size_t n = (region_used + PAGE - 1) / PAGE * PAGE;
        int failed = mprotect(region, n, open ? PROT_READ | PROT_WRITE : PROT_NONE);
        assert(!failed);
        (void)failed;
    }
}

static void *region_take(size_t n_bytes)
{
    if (!region)
        region = mmap(NULL, EMU_BYTES, PROT_NONE, MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE, -1, 0);
    assert(region != MAP_FAILED);
    size_t need = (n_bytes / 256 + 1) * 256;
    if (EMU_BYTES - region_used < need)
        return NULL;
    void *p = region + region_used;
    region_used += need;
    region_open(1);
    memset(p, 0, need);
    region_open(0);
    return p;
}

static void region_give(void *p)
{
    (void)p;
    if (!emu.n_allocs)
        region_used = 0;
}
#endif

/* The size is kept beside the address: tests have few hundred. */
static struct {
    void *p;
    size_t n_bytes;
} taken[1 << 14];
static int n_taken;

static void *emu_alloc(backend *b, size_t n_bytes)
{
    (void)b;
    emu.n_taken++;
    assert(n_taken < (int)(sizeof taken / sizeof *taken));
    void *p = countdown(&emu.fail_alloc) || fault ? NULL : region_take(n_bytes);
    if (p) {
        taken[n_taken].p = p;
        taken[n_taken++].n_bytes = n_bytes;
        emu.n_allocs++;
        emu.bytes += n_bytes;
    }
    return p;
}

static void emu_release(backend *b, void *p)
{
    (void)b;
    for (int i = n_taken - 1; p && i >= 0; i--)
        if (taken[i].p == p) {
            emu.bytes -= taken[i].n_bytes;
            taken[i] = taken[--n_taken];
            emu.n_allocs--;
            region_give(p);
            return;
        }
    assert(!p);
}

static void *emu_host_alloc(backend *b, size_t n_bytes)
{
    emu.n_taken++;
    void *p = countdown(&emu.fail_host_alloc) ? NULL : backend_cpu.alloc(b, n_bytes);
    emu.n_host_allocs += p != NULL;
    return p;
}

static void emu_host_release(backend *b, void *p)
{
    emu.n_host_allocs -= p != NULL;
    backend_cpu.release(b, p);
}

static const char *emu_memory(const backend *b, device_memory *out)
{
    (void)b;
    *out = (device_memory){.free_bytes = EMU_BYTES - emu.bytes, .total_bytes = EMU_BYTES, .used_bytes = emu.bytes};
    return fault;
}

/* ---- what the queue does ------------------------------------------------------------------------------------------ */

const char *preprocess_cuda_emu(const resample_axis *across, const resample_axis *down, const frame_pixels *from,
                                void *mid, float *out, int out_row_px, void *stream);
const char *render_masks_cuda_emu(const resample_axis *across, const resample_axis *down, const float *planes, int n,
                                  int no_overlap, const mask_levels *levels, packed_mask *masks, void *stream);
const char *clean_logits_cuda_emu(const float *const *logits, int n, int h, int w, int max_hole_area, float hole_value,
                                  int max_speck_area, float speck_value, float *out, void *scratch, void *stream);

static const op_cuda *op_of(op_id op)
{
    return op_cuda_select_emu()[op];
}

static void drain_until(stream *s, const mark *m, long made);

static const char *happen(stream *s, command *c)
{
    const char *wrong = NULL;
    switch (c->kind) {
    case COPY:
        memcpy(c->copy.to, c->copy.from, c->copy.n_bytes);
        return NULL;
    case OPERATOR:
        emu.n_happened++;
        if (countdown(&emu.fault))
            return "an illegal memory access was encountered";
        c->run.call.in = c->run.in;
        c->run.call.out = c->run.out;
        return op_of(c->run.op)->run(&c->run.call);
    case REPLAY:
        for (int i = 0; i < s->recorded[c->key].n && !wrong; i++)
            wrong = happen(s, &s->recorded[c->key].c[i]);
        return wrong;
    case MARK:
        c->mark.m->at_ms = now_ms();
        if (c->mark.made > c->mark.m->n_reached)
            c->mark.m->n_reached = c->mark.made;
        return NULL;
    case FOLLOW:
        drain_until(c->mark.m->on, c->mark.m, c->mark.made);
        return NULL;
    case PREPROCESS:
        return preprocess_cuda_emu(c->preprocess.across, c->preprocess.down, &c->preprocess.from, c->preprocess.mid,
                                   c->preprocess.out, c->preprocess.out_row_px, NULL);
    case RENDER:
        return render_masks_cuda_emu(c->render.across, c->render.down, c->render.planes, c->render.n,
                                     c->render.no_overlap, c->render.screens ? &c->render.levels : NULL,
                                     c->render.masks, NULL);
    case CLEAN:
        return clean_logits_cuda_emu(c->clean.logits, c->clean.n, c->clean.h, c->clean.w, c->clean.max_hole_area,
                                     c->clean.hole_value, c->clean.max_speck_area, c->clean.speck_value, c->clean.out,
                                     c->clean.scratch, NULL);
    }
    return NULL;
}

/* Lets what is queued happen, in order, until the mark is reached; NULL: all of it. */
static void drain_until(stream *s, const mark *m, long made)
{
    if (on_work)
        on_work(1);
    region_open(1);
    while (s->n_done < s->queue.n && !fault && !(m && m->n_reached >= made)) {
        const char *wrong = happen(s, &s->queue.c[s->n_done++]);
        fault = fault ? fault : wrong;
    }
    region_open(0);
    if (s->n_done == s->queue.n)
        s->n_done = s->queue.n = 0;
    if (on_work)
        on_work(0);
}

static void drain(stream *s)
{
    drain_until(s, NULL, 0);
}

/* Room for one more command of `s`, or of what it is recording. */
static command *add(stream *s, kind k)
{
    list *l = s->recording ? &s->recorded[s->recording - 1] : &s->queue;
    if (l->n == l->capacity) {
        l->capacity = l->capacity ? 2 * l->capacity : 64;
        l->c = realloc(l->c, (size_t)l->capacity * sizeof *l->c);
        assert(l->c);
    }
    l->c[l->n].kind = k;
    return &l->c[l->n++];
}

static const char *added(stream *s)
{
    if (emu.order == EMU_AT_ONCE && !s->recording)
        drain(s);
    return NULL;
}

/* ---- streams ------------------------------------------------------------------------------------------------------ */

static const char *emu_stream_open(backend *b, void **out)
{
    stream *s = calloc(1, sizeof *s);
    (void)b;
    *out = s;
    if (!s)
        return "no memory";
    s->next = streams;
    streams = s;
    return NULL;
}

static void emu_stream_close(backend *b, void *stream_)
{
    stream *s = stream_, **at = &streams;
    (void)b;
    if (!s)
        return;
    while (*at != s)
        at = &(*at)->next;
    *at = s->next;
    for (int i = 0; i < MAX_RECORDINGS; i++)
        free(s->recorded[i].c);
    free(s->queue.c);
    free(s);
}

/* The stream NULL is of no session: what is done there happens at once. */
static const char *emu_copy(backend *b, void *stream_, void *to, const void *from, size_t n_bytes)
{
    stream *s = stream_;
    (void)b;
    if (fault)
        return fault;
    if (!s) {
        region_open(1);
        memcpy(to, from, n_bytes);
        region_open(0);
        return NULL;
    }
    command *c = add(s, COPY);
    c->copy.to = to;
    c->copy.from = from;
    c->copy.n_bytes = n_bytes;
    return added(s);
}

static const char *emu_wait(backend *b, void *stream_)
{
    stream *s = stream_;
    (void)b;
    if (!s)
        return fault;
    if (s->recording)
        return "operation not permitted when stream is capturing";
    emu.n_waits++;
    for (stream *other = streams; other && emu.order == EMU_OTHERS_FIRST; other = other->next)
        if (other != s)
            drain(other);
    drain(s);
    return fault;
}

static const char *emu_replay(backend *b, void *stream_, int key, int *done)
{
    stream *s = stream_;
    (void)b;
    *done = s->has[key];
    if (!*done || fault)
        return fault;
    emu.n_replays++;
    add(s, REPLAY)->key = key;
    return added(s);
}

static const char *emu_record(backend *b, void *stream_, int key)
{
    stream *s = stream_;
    (void)b;
    assert(!s->recording && !s->has[key]);
    s->recording = key + 1;
    s->recorded[key].n = 0;
    return fault;
}

static const char *emu_play(backend *b, void *stream_, int key, int keep)
{
    stream *s = stream_;
    (void)b;
    assert(s->recording == key + 1);
    s->recording = 0;
    int refused = countdown(&emu.fail_record);
    if (!keep || refused) {
        s->recorded[key].n = 0;
        return refused ? "the recording is invalid" : NULL;
    }
    s->has[key] = 1;
    add(s, REPLAY)->key = key;
    return added(s);
}

/* ---- marks -------------------------------------------------------------------------------------------------------- */

static const char *emu_mark_open(backend *b, void **m)
{
    (void)b;
    *m = countdown(&emu.fail_mark) ? NULL : calloc(1, sizeof(mark));
    emu.n_marks += *m != NULL;
    return *m ? NULL : "out of memory";
}

static void emu_mark_close(backend *b, void *m)
{
    (void)b;
    emu.n_marks -= m != NULL;
    free(m);
}

static const char *emu_mark(backend *b, void *stream_, void *m_)
{
    stream *s = stream_;
    mark *m = m_;
    (void)b;
    if (fault)
        return fault;
    m->on = s;
    command *c = add(s, MARK);
    c->mark.m = m;
    c->mark.made = s->recording ? 0 : ++m->n_made;
    return added(s);
}

static const char *emu_follow(backend *b, void *stream_, void *m_)
{
    stream *s = stream_;
    mark *m = m_;
    (void)b;
    if (fault || !m->on)
        return fault;
    command *c = add(s, FOLLOW);
    c->mark.m = m;
    c->mark.made = m->n_made;
    return added(s);
}

static const char *emu_settle(backend *b, void *m_, int *waits)
{
    const mark *m = m_;
    (void)b;
    if (fault || m->n_reached >= m->n_made)
        return fault;
    ++*waits;
    emu.n_waits++;
    drain_until(m->on, m, m->n_made);
    return fault;
}

static const char *emu_elapsed(backend *b, void *from, void *to, double *ms)
{
    (void)b;
    *ms = ((mark *)to)->at_ms - ((mark *)from)->at_ms;
    return fault;
}

/* ---- operators ---------------------------------------------------------------------------------------------------- */

static unsigned emu_in_packed(const backend *b, op_id op)
{
    (void)b;
    return op_of(op) && op_of(op)->pack ? op_of(op)->in_packed : 0;
}

static size_t emu_scratch_bytes(const backend *b, op_id op, const op_call *c)
{
    (void)b;
    return op_of(op) && op_of(op)->scratch_bytes ? op_of(op)->scratch_bytes(c) : 0;
}

static const char *emu_pack(backend *b, op_id op, const op_call *c, void **packed, size_t *n_bytes)
{
    op_call call = *c;
    *packed = NULL;
    *n_bytes = 0;
    if (!op_of(op))
        return "there is no CUDA kernel for this operator";
    if (!op_of(op)->pack)
        return NULL;
    *n_bytes = op_of(op)->packed_bytes(c);
    *packed = call.packed = emu_alloc(b, *n_bytes);
    if (!*packed)
        return NO_MEMORY;
    region_open(1);
    const char *wrong = op_of(op)->pack(&call);
    region_open(0);
    return wrong;
}

static void emu_unpack(backend *b, op_id op, void *packed)
{
    (void)op;
    emu_release(b, packed);
}

static const char *emu_bind(backend *b, op_id op, const op_call *c, void **bound)
{
    (void)b;
    *bound = op_of(op)->bind ? op_of(op)->bind(c) : NULL;
    return NULL;
}

static void emu_unbind(backend *b, op_id op, void *bound)
{
    (void)b;
    if (bound)
        op_of(op)->unbind(bound);
}

static const char *emu_run(backend *b, op_id op, const op_call *c)
{
    stream *s = c->stream;
    (void)b;
    emu.n_runs++;
    if (fault)
        return fault;
    if (countdown(&emu.fail_run))
        return "invalid configuration argument";
    command *to = add(s, OPERATOR);
    to->run.op = op;
    to->run.call = *c;
    memcpy(to->run.in, c->in, sizeof to->run.in);
    memcpy(to->run.out, c->out, sizeof to->run.out);
    return added(s);
}

/* ---- pictures ----------------------------------------------------------------------------------------------------- */

static const char *queue_preprocess(const resample_axis *across, const resample_axis *down, const frame_pixels *from,
                                    void *mid, float *out, int out_row_px, void *stream_)
{
    command *c = add(stream_, PREPROCESS);
    c->preprocess.across = across;
    c->preprocess.down = down;
    c->preprocess.from = *from;
    c->preprocess.mid = mid;
    c->preprocess.out = out;
    c->preprocess.out_row_px = out_row_px;
    return added(stream_);
}

static const char *queue_render(const resample_axis *across, const resample_axis *down, const float *planes, int n,
                                int no_overlap, const mask_levels *levels, packed_mask *masks, void *stream_)
{
    command *c = add(stream_, RENDER);
    c->render.across = across;
    c->render.down = down;
    c->render.planes = planes;
    c->render.n = n;
    c->render.no_overlap = no_overlap;
    c->render.screens = levels != NULL;
    c->render.levels = levels ? *levels : (mask_levels){0, 0, 0};
    c->render.masks = masks;
    return added(stream_);
}

/* Launchers take the addresses with them; here they stay where they are for the next few calls. */
static const float *const *keep_addresses(const float *const *logits, int n)
{
    enum { LISTS = 8, LONGEST = 1024 };
    static const float *kept[LISTS][LONGEST];
    static int next;
    assert(n <= LONGEST);
    next = (next + 1) % LISTS;
    return memcpy(kept[next], logits, (size_t)n * sizeof *logits);
}

static const char *queue_clean(const float *const *logits, int n, int h, int w, int max_hole_area, float hole_value,
                               int max_speck_area, float speck_value, float *out, void *scratch, void *stream_)
{
    command *c = add(stream_, CLEAN);
    c->clean.logits = keep_addresses(logits, n);
    c->clean.n = n;
    c->clean.h = h;
    c->clean.w = w;
    c->clean.max_hole_area = max_hole_area;
    c->clean.hole_value = hole_value;
    c->clean.max_speck_area = max_speck_area;
    c->clean.speck_value = speck_value;
    c->clean.out = out;
    c->clean.scratch = scratch;
    return added(stream_);
}

static void *raw_stream(void *stream_)
{
    return stream_;
}

static sam_status emu_images_open(backend *b, const image_sizes *z, images **out, sam_error *err)
{
    static const image_launchers launch = {queue_preprocess, queue_clean, queue_render, raw_stream};
    return images_open_device(b, &launch, z, out, err);
}

/* ---- the backend -------------------------------------------------------------------------------------------------- */

/* Where everything is tuned, libraries win. */
static double emu_time(void *stream, way_enqueue *enqueue, void *what, const way *w)
{
    (void)stream;
    (void)enqueue;
    (void)what;
    return w->kind == WAY_OWN ? 2 : 1;
}

static sam_status emu_open(const sam_model_options *o, backend **out, sam_error *err)
{
    if (fault && emu.stays_lost)
        return fail(err, SAM_E_DEVICE, "opening the emulated device: %s", fault);
    backend *b = calloc(1, sizeof *b);
    *out = b;
    if (!b)
        return fail(err, SAM_E_MEMORY, "no memory");
    b->api = &backend_emu;
    fault = NULL;
    if (emu.cublaslt)
        b->libraries = device_libraries_open(
            o, &(device_identity){.name = "emulator", .driver = 13000, .cublaslt = emu.cublaslt, .cudnn = emu.cudnn},
            emu_time);
    return SAM_OK;
}

static void emu_close(backend *b)
{
    device_libraries_close(b->libraries);
    free(b);
}

static const char *emu_device_name(const backend *b)
{
    (void)b;
    return "emulator";
}

const backend_api backend_emu = {.name = "emu",
                                 .host_memory = 0,
                                 .open = emu_open,
                                 .close = emu_close,
                                 .device = emu_device_name,
                                 .alloc = emu_alloc,
                                 .release = emu_release,
                                 .memory = emu_memory,
                                 .host_alloc = emu_host_alloc,
                                 .host_release = emu_host_release,
                                 .stream_open = emu_stream_open,
                                 .stream_close = emu_stream_close,
                                 .write = emu_copy,
                                 .read = emu_copy,
                                 .copy = emu_copy,
                                 .wait = emu_wait,
                                 .replay = emu_replay,
                                 .record = emu_record,
                                 .play = emu_play,
                                 .mark_open = emu_mark_open,
                                 .mark_close = emu_mark_close,
                                 .mark = emu_mark,
                                 .follow = emu_follow,
                                 .settle = emu_settle,
                                 .elapsed = emu_elapsed,
                                 .in_packed = emu_in_packed,
                                 .scratch_bytes = emu_scratch_bytes,
                                 .pack = emu_pack,
                                 .unpack = emu_unpack,
                                 .bind = emu_bind,
                                 .unbind = emu_unbind,
                                 .run = emu_run,
                                 .images_open = emu_images_open,
                                 .images_close = images_close_device,
                                 .images_bytes = images_bytes_device,
                                 .stage = stage_device,
                                 .preprocess = preprocess_device,
                                 .round_input = round_input_device,
                                 .render = render_device,
                                 .screen = screen_device,
                                 .bring = bring_device};
