#include "backend_paper.h"

#include "images_device.h"
#include "model.h"

#include <stdlib.h>

static sam_status paper_open(const sam_model_options *o, backend **out, sam_error *err)
{
    (void)o;
    *out = calloc(1, sizeof **out);
    if (!*out)
        return fail(err, SAM_E_MEMORY, "no memory for a backend");
    (*out)->api = &backend_paper;
    return SAM_OK;
}

static void paper_close(backend *b)
{
    free(b);
}

static const char *paper_device(const backend *b)
{
    (void)b;
    return "planned without a device";
}

/* Addresses that nobody may follow. */
static void *paper_alloc(backend *b, size_t n_bytes)
{
    static char nowhere[256];
    (void)b;
    (void)n_bytes;
    return nowhere;
}

static void paper_release(backend *b, void *p)
{
    (void)b;
    (void)p;
}

static const char *paper_write(backend *b, void *stream, void *to, const void *from_host, size_t n_bytes)
{
    (void)b;
    (void)stream;
    (void)to;
    (void)from_host;
    (void)n_bytes;
    return NULL;
}

static const char *paper_wait(backend *b, void *stream)
{
    (void)b;
    (void)stream;
    return NULL;
}

/* NULL: no kernel for it, or no kernels in this build. */
static const op_cuda *kernel_of(op_id op)
{
    const op_cuda *const *all = op_cuda_select();
    return all ? all[op] : NULL;
}

static unsigned paper_in_packed(const backend *b, op_id op)
{
    const op_cuda *k = kernel_of(op);
    (void)b;
    return k && k->pack ? k->in_packed : 0;
}

static size_t paper_scratch_bytes(const backend *b, op_id op, const op_call *c)
{
    const op_cuda *k = kernel_of(op);
    (void)b;
    return k && k->scratch_bytes ? k->scratch_bytes(c) : 0;
}

static const char *paper_pack(backend *b, op_id op, const op_call *c, void **packed, size_t *n_bytes)
{
    const op_cuda *k = kernel_of(op);
    (void)b;
    *packed = NULL;
    *n_bytes = k && k->pack ? k->packed_bytes(c) : 0;
    return NULL;
}

static void paper_unpack(backend *b, op_id op, void *packed)
{
    (void)b;
    (void)op;
    (void)packed;
}

static void paper_unbind(backend *b, op_id op, void *bound)
{
    (void)b;
    (void)op;
    (void)bound;
}

const backend_api backend_paper = {.name = "cuda",
                                   .open = paper_open,
                                   .close = paper_close,
                                   .device = paper_device,
                                   .alloc = paper_alloc,
                                   .release = paper_release,
                                   .write = paper_write,
                                   .wait = paper_wait,
                                   .in_packed = paper_in_packed,
                                   .scratch_bytes = paper_scratch_bytes,
                                   .pack = paper_pack,
                                   .unpack = paper_unpack,
                                   .unbind = paper_unbind,
                                   .images_bytes = images_bytes_device};

sam_status paper_model_open(const char *path, const sam_model_options *opt, sam_model **out, sam_error *err)
{
    return model_open_on(&backend_paper, path, opt, out, err);
}
