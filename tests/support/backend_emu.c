#include "backend_emu.h"

#include "images_device.h"

#include <stdlib.h>
#include <string.h>

const op_cuda *const *op_cuda_select_emu(void);

static sam_status emu_open(const sam_model_options *o, backend **out, sam_error *err)
{
    backend *b = calloc(1, sizeof *b);
    (void)o;
    *out = b;
    if (!b)
        return fail(err, SAM_E_MEMORY, "no memory");
    b->api = &backend_emu;
    return SAM_OK;
}

static void emu_close(backend *b)
{
    free(b);
}

static const char *emu_device(const backend *b)
{
    (void)b;
    return "emulator";
}

static const op_cuda *op_of(op_id op)
{
    return op_cuda_select_emu()[op];
}

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
    *packed = call.packed = backend_cpu.alloc(b, *n_bytes);
    return op_of(op)->pack(&call);
}

static void emu_unpack(backend *b, op_id op, void *packed)
{
    (void)op;
    backend_cpu.release(b, packed);
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
    (void)b;
    return op_of(op)->run(c);
}

static void *emu_alloc(backend *b, size_t n_bytes)
{
    return backend_cpu.alloc(b, n_bytes);
}

static void emu_release(backend *b, void *p)
{
    backend_cpu.release(b, p);
}

static const char *emu_stream_open(backend *b, void **stream)
{
    (void)b;
    *stream = NULL;
    return NULL;
}

static void emu_stream_close(backend *b, void *stream)
{
    (void)b;
    (void)stream;
}

static const char *emu_copy(backend *b, void *stream, void *to, const void *from, size_t n_bytes)
{
    (void)b;
    (void)stream;
    memcpy(to, from, n_bytes);
    return NULL;
}

static const char *emu_wait(backend *b, void *stream)
{
    (void)b;
    (void)stream;
    return NULL;
}

static const char *emu_replay(backend *b, void *stream, int key, int *done)
{
    (void)b;
    (void)stream;
    (void)key;
    *done = 0;
    return NULL;
}

static const char *emu_record(backend *b, void *stream, int key)
{
    (void)b;
    (void)stream;
    (void)key;
    return NULL;
}

/* ---- pictures ----------------------------------------------------------------------------------------------------- */

const char *preprocess_cuda_emu(const resample_axis *across, const resample_axis *down, const uint8_t *rgb,
                                size_t row_bytes, void *mid, float *out, void *stream);
const char *render_masks_cuda_emu(const resample_axis *across, const resample_axis *down, const float *const *planes,
                                  int n, int no_overlap, uint8_t *bits, void *stream);
const char *clean_logits_cuda_emu(float *const *logits, int n, int h, int w, int max_hole_area, float hole_value,
                                  int max_speck_area, float speck_value, void *scratch, void *stream);

static void *raw_stream(void *stream)
{
    return stream;
}

static sam_status emu_images_open(backend *b, const image_sizes *z, images **out, sam_error *err)
{
    static const image_launchers launch = {preprocess_cuda_emu, render_masks_cuda_emu, clean_logits_cuda_emu,
                                           raw_stream};
    return images_open_device(b, &launch, z, out, err);
}

const backend_api backend_emu = {.name = "emu",
                                 .host_memory = 0,
                                 .open = emu_open,
                                 .close = emu_close,
                                 .device = emu_device,
                                 .alloc = emu_alloc,
                                 .release = emu_release,
                                 .host_alloc = emu_alloc,
                                 .host_release = emu_release,
                                 .stream_open = emu_stream_open,
                                 .stream_close = emu_stream_close,
                                 .write = emu_copy,
                                 .read = emu_copy,
                                 .copy = emu_copy,
                                 .wait = emu_wait,
                                 .replay = emu_replay,
                                 .record = emu_record,
                                 .play = emu_record,
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
                                 .preprocess = preprocess_device,
                                 .render = render_device};
