#include "backend.h"

#include <time.h>

const char *const NO_MEMORY = "no memory";

double now_ms(void)
{
    struct timespec t;
    clock_gettime(CLOCK_MONOTONIC, &t);
    return (double)t.tv_sec * 1e3 + (double)t.tv_nsec * 1e-6;
}

sam_status no_room(const backend *b, const char *what, size_t n_bytes, sam_error *err)
{
    device_memory m = {0};
    const char *wrong = b->api->memory(b, &m);
    double mib = (double)n_bytes / 0x1p20;
    if (wrong)
        return fail(err, SAM_E_DEVICE, "%s (%.1f MiB): %s", what, mib, wrong);
    if (!m.total_bytes)
        return fail(err, SAM_E_MEMORY, "no memory for %s (%.1f MiB)", what, mib);
    return fail(err, SAM_E_MEMORY,
                "no device memory for %s (%.1f MiB): %zu of %zu MiB are free; a smaller image size, fewer objects or a "
                "smaller model would fit",
                what, mib, m.free_bytes >> 20, m.total_bytes >> 20);
}

const char *backend_cast(backend *b, void *stream, size_t n_px, const void *from, dtype from_type, void *to,
                         dtype to_type)
{
    const tensor in[OP_MAX_IN] = {{(void *)from, from_type, 1, (int)n_px, 3}};
    tensor out[OP_MAX_OUT] = {{to, to_type, 1, (int)n_px, 3}};
    const op_attr attr = {.type = to_type};
    return b->api->run(b, OP_cast, &(op_call){.in = in, .out = out, .attr = &attr, .stream = stream});
}

sam_status backend_open(const sam_model_options *o, backend **out, sam_error *err)
{
    *out = NULL;
    if (o->backend == SAM_CPU)
        return backend_cpu.open(o, out, err);
    if (o->backend != SAM_CUDA)
        return fail(err, SAM_E_ARG, "backend %d: expected SAM_CPU or SAM_CUDA", (int)o->backend);
    if (!backend_cuda())
        return fail(err, SAM_E_DEVICE, "the CUDA backend is not part of this build; use the CPU backend");
    return backend_cuda()->open(o, out, err);
}
