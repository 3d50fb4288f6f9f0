#include "backend.h"

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
