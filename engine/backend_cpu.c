/* The CPU backend: kernels/<op>_cpu.c, memory of the host, everything done when a call returns. */
#include "images_cpu.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

typedef struct cpu {
    backend base;
    const op_cpu *const *ops;
    int n_threads;
    char device[64];
} cpu;

#define ALIGN 256

static sam_status cpu_open(const sam_model_options *o, backend **out, sam_error *err)
{
    const char *variant = NULL;
    const op_cpu *const *ops = op_cpu_select(o->cpu_variant, &variant);
    if (!ops)
        return fail(err, SAM_E_DEVICE, "instruction set %s: not in this build, or not on this machine",
                    o->cpu_variant ? o->cpu_variant : "baseline");
    cpu *b = calloc(1, sizeof *b);
    if (!b)
        return fail(err, SAM_E_MEMORY, "no memory for the CPU backend");
    b->base.api = &backend_cpu;
    b->ops = ops;
    b->n_threads = o->n_threads;
    snprintf(b->device, sizeof b->device, "%s", variant);
    *out = &b->base;
    return SAM_OK;
}

static void cpu_close(backend *b)
{
    free(b);
}

static const char *cpu_device(const backend *b)
{
    return ((const cpu *)b)->device;
}

static void *cpu_alloc(backend *b, size_t n_bytes)
{
    size_t size = (n_bytes / ALIGN + 1) * ALIGN;
    void *p = aligned_alloc(ALIGN, size);
    (void)b;
    if (p)
        memset(p, 0, size);
    return p;
}

static void cpu_release(backend *b, void *p)
{
    (void)b;
    free(p);
}

static const char *cpu_memory(const backend *b, device_memory *out)
{
    (void)b;
    *out = (device_memory){0};
    return NULL;
}

/* A mark is the time at which it was made. */
static const char *cpu_mark_open(backend *b, void **m)
{
    (void)b;
    *m = calloc(1, sizeof(double));
    return *m ? NULL : NO_MEMORY;
}

static void cpu_mark_close(backend *b, void *m)
{
    (void)b;
    free(m);
}

static const char *cpu_mark(backend *b, void *stream, void *m)
{
    (void)b;
    (void)stream;
    *(double *)m = now_ms();
    return NULL;
}

static const char *cpu_follow(backend *b, void *stream, void *m)
{
    (void)b;
    (void)stream;
    (void)m;
    return NULL;
}

static const char *cpu_settle(backend *b, void *m, int *waits)
{
    (void)b;
    (void)m;
    (void)waits;
    return NULL;
}

static const char *cpu_elapsed(backend *b, void *from, void *to, double *ms)
{
    (void)b;
    *ms = *(double *)to - *(double *)from;
    return NULL;
}

static const char *cpu_stream_open(backend *b, void **stream)
{
    (void)b;
    *stream = NULL;
    return NULL;
}

static void cpu_stream_close(backend *b, void *stream)
{
    (void)b;
    (void)stream;
}

static const char *cpu_copy(backend *b, void *stream, void *to, const void *from, size_t n_bytes)
{
    (void)b;
    (void)stream;
    if (to != from)
        memcpy(to, from, n_bytes);
    return NULL;
}

static const char *cpu_wait(backend *b, void *stream)
{
    (void)b;
    (void)stream;
    return NULL;
}

static const op_cpu *op_of(const backend *b, op_id op)
{
    return ((const cpu *)b)->ops[op];
}

static unsigned cpu_in_packed(const backend *b, op_id op)
{
    return op_of(b, op)->pack ? op_of(b, op)->in_packed : 0;
}

/* The call with the backend's number of threads. */
static op_call threaded(const backend *b, const op_call *c)
{
    op_call t = *c;
    t.n_threads = ((const cpu *)b)->n_threads;
    return t;
}

static size_t cpu_scratch_bytes(const backend *b, op_id op, const op_call *c)
{
    op_call t = threaded(b, c);
    return op_of(b, op)->scratch_bytes ? op_of(b, op)->scratch_bytes(&t) : 0;
}

static const char *cpu_pack(backend *b, op_id op, const op_call *c, void **packed, size_t *n_bytes)
{
    op_call t = threaded(b, c);
    *packed = NULL;
    *n_bytes = 0;
    if (!op_of(b, op)->pack)
        return NULL;
    *packed = op_of(b, op)->pack(&t, n_bytes);
    return *packed ? NULL : NO_MEMORY;
}

static void cpu_unpack(backend *b, op_id op, void *packed)
{
    if (packed)
        op_of(b, op)->unpack(packed);
}

static const char *cpu_bind(backend *b, op_id op, const op_call *c, void **bound)
{
    op_call t = threaded(b, c);
    *bound = NULL;
    if (!op_of(b, op)->bind)
        return NULL;
    *bound = op_of(b, op)->bind(&t);
    return *bound ? NULL : "it could not be prepared";
}

static void cpu_unbind(backend *b, op_id op, void *bound)
{
    if (bound)
        op_of(b, op)->unbind(bound);
}

static const char *cpu_run(backend *b, op_id op, const op_call *c)
{
    op_call t = threaded(b, c);
    op_of(b, op)->run(&t);
    return NULL;
}

static const char *cpu_warm(backend *b, op_id op, const op_call *c)
{
    return op_of(b, op)->bind ? cpu_run(b, op, c) : NULL;
}

const backend_api backend_cpu = {.name = "cpu",
                                 .host_memory = 1,
                                 .open = cpu_open,
                                 .close = cpu_close,
                                 .device = cpu_device,
                                 .alloc = cpu_alloc,
                                 .release = cpu_release,
                                 .memory = cpu_memory,
                                 .host_alloc = cpu_alloc,
                                 .host_release = cpu_release,
                                 .stream_open = cpu_stream_open,
                                 .stream_close = cpu_stream_close,
                                 .write = cpu_copy,
                                 .read = cpu_copy,
                                 .copy = cpu_copy,
                                 .wait = cpu_wait,
                                 .mark_open = cpu_mark_open,
                                 .mark_close = cpu_mark_close,
                                 .mark = cpu_mark,
                                 .follow = cpu_follow,
                                 .settle = cpu_settle,
                                 .elapsed = cpu_elapsed,
                                 .in_packed = cpu_in_packed,
                                 .scratch_bytes = cpu_scratch_bytes,
                                 .pack = cpu_pack,
                                 .unpack = cpu_unpack,
                                 .bind = cpu_bind,
                                 .unbind = cpu_unbind,
                                 .run = cpu_run,
                                 .warm = cpu_warm,
                                 .images_open = images_open_cpu,
                                 .images_close = images_close_cpu,
                                 .images_bytes = images_bytes_cpu,
                                 .stage = stage_cpu,
                                 .preprocess = preprocess_cpu,
                                 .round_input = round_input_cpu,
                                 .render = render_cpu,
                                 .screen = screen_cpu,
                                 .bring = bring_cpu};
