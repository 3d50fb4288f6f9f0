/* The CUDA backend: kernels/<op>_cuda.cu on a device, through the CUDA runtime. One stream per session; repeated work
 * is captured into a CUDA graph and replayed. */
#include "backend.h"

#include "images_device.h"
#include "kernels_fit.h"

#include <cuda_runtime_api.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

typedef struct cuda {
    backend base;
    const op_cuda *const *ops;
    int device;
    size_t free_at_open;
    char name[128];
} cuda;

typedef struct cuda_stream {
    cudaStream_t stream;
    cudaGraphExec_t recorded[MAX_RECORDINGS];
    int recording;
} cuda_stream;

/* NULL, or what went wrong. The runtime forgets it: launches ask for the last error, and must not find another's. */
static const char *text(cudaError_t e)
{
    if (e == cudaSuccess)
        return NULL;
    cudaGetLastError();
    return cudaGetErrorString(e);
}

static cudaStream_t raw(void *stream)
{
    return stream ? ((cuda_stream *)stream)->stream : NULL;
}

static void *raw_of(void *stream)
{
    return raw(stream);
}

/* ---- the device --------------------------------------------------------------------------------------------------- */

static sam_status refuse(sam_error *err, const char *what, cudaError_t e)
{
    int driver = 0, runtime = 0;
    cudaDriverGetVersion(&driver);
    cudaRuntimeGetVersion(&runtime);
    int have = driver / 1000, have_minor = driver % 1000 / 10, need = runtime / 1000, need_minor = runtime % 1000 / 10;
    if (e == cudaErrorInsufficientDriver && !driver)
        return fail(err, SAM_E_DEVICE,
                    "no NVIDIA driver is installed; this build needs one for CUDA %d.%d, the CPU backend none", need,
                    need_minor);
    if (e == cudaErrorInsufficientDriver)
        return fail(
            err, SAM_E_DEVICE,
            "the NVIDIA driver is for CUDA %d.%d, this build needs %d.%d: update it; the CPU backend needs none", have,
            have_minor, need, need_minor);
    if (e == cudaErrorNoDevice)
        return fail(err, SAM_E_DEVICE,
                    "the NVIDIA driver finds no GPU, or CUDA_VISIBLE_DEVICES hides it; the CPU backend needs none");
    return fail(err, SAM_E_DEVICE, "%s: %s", what, text(e));
}

/* Of the present device; 0 if it does not say. */
static int device_attribute_of(enum cudaDeviceAttr which)
{
    int device = 0, value = 0;
    return cudaGetDevice(&device) == cudaSuccess && cudaDeviceGetAttribute(&value, which, device) == cudaSuccess ? value
                                                                                                                 : 0;
}

/* The best of some runs, since other work only adds. Before each, twice the L2 cache is written: in a model, operands come from
 * memory as often as the operator before leaves none of them in the cache. */
static double cuda_time(void *stream, way_enqueue *enqueue, void *what, const way *w)
{
    enum { RUNS = 12 };
    cudaEvent_t begin = NULL, end = NULL;
    void *flush = NULL;
    double best = -1;
    size_t n_flush = 2 * (size_t)device_attribute_of(cudaDevAttrL2CacheSize);
    int ok = cudaMalloc(&flush, n_flush ? n_flush : 1) == cudaSuccess && cudaEventCreate(&begin) == cudaSuccess &&
             cudaEventCreate(&end) == cudaSuccess;
    for (int run = -1; run < RUNS && ok; run++) { /* the first loads the kernel */
        float ms = 0;
        ok = cudaMemsetAsync(flush, run, n_flush, stream) == cudaSuccess &&
             cudaEventRecord(begin, stream) == cudaSuccess && !enqueue(what, w, stream) &&
             cudaEventRecord(end, stream) == cudaSuccess && cudaEventSynchronize(end) == cudaSuccess &&
             cudaEventElapsedTime(&ms, begin, end) == cudaSuccess;
        if (run >= 0 && ok && (best < 0 || (double)ms < best))
            best = (double)ms;
    }
    cudaEventDestroy(begin);
    cudaEventDestroy(end);
    cudaFree(flush);
    cudaGetLastError(); /* of a candidate that failed: no later launch may find it */
    return ok ? best : -1;
}

/* A device of this machine that the kernels can run on, made the calling thread's. */
static sam_status choose_device(int device, struct cudaDeviceProp *properties, sam_error *err)
{
    int count = 0;
    cudaError_t e = cudaGetDeviceCount(&count);
    if (e != cudaSuccess)
        return refuse(err, "CUDA", e);
    if (device < 0 || device >= count)
        return fail(err, SAM_E_DEVICE, "CUDA device %d: this machine has %d", device, count);
    if ((e = cudaGetDeviceProperties(properties, device)) != cudaSuccess)
        return refuse(err, "asking the CUDA device", e);
    int major = properties->major, minor = properties->minor;
    if (major < 8)
        return fail(err, SAM_E_DEVICE, "%s has compute capability %d.%d; 8.0 (Ampere) or later is needed",
                    properties->name, major, minor);
    /* cudaFree makes the context. */
    if ((e = cudaSetDevice(device)) != cudaSuccess || (e = cudaFree(NULL)) != cudaSuccess)
        return refuse(err, "opening the CUDA device", e);
    const char *wrong = kernels_fit_cuda();
    if (wrong)
        return fail(err, SAM_E_DEVICE,
                    "%s: this build has no kernels for sm_%d%d (%s); build with -DCUDA_ARCHS=%d%d-real",
                    properties->name, major, minor, wrong, major, minor);
    return SAM_OK;
}

static sam_status cuda_open(const sam_model_options *o, backend **out, sam_error *err)
{
    struct cudaDeviceProp properties;
    size_t total;
    TRY(choose_device(o->device, &properties, err));
    cuda *b = calloc(1, sizeof *b);
    if (!b)
        return fail(err, SAM_E_MEMORY, "no memory for the CUDA backend");
    b->base.api = backend_cuda();
    b->ops = op_cuda_select();
    b->device = o->device;
    snprintf(b->name, sizeof b->name, "%.100s, sm_%d%d", properties.name, properties.major, properties.minor);
    cudaError_t e = cudaMemGetInfo(&b->free_at_open, &total); /* the context is not counted as used */
    if (e != cudaSuccess) {
        free(b);
        return refuse(err, "asking the CUDA device for its memory", e);
    }
    device_identity identity = {.name = b->name};
    cudaDriverGetVersion(&identity.driver);
    b->base.libraries = device_libraries_open(o, &identity, cuda_time);
    if (!b->base.libraries) {
        free(b);
        return fail(err, SAM_E_MEMORY, "no memory for the CUDA backend");
    }
    *out = &b->base;
    return SAM_OK;
}

static void cuda_close(backend *b)
{
    cudaSetDevice(((const cuda *)b)->device);
    device_libraries_close(b->libraries);
    free(b);
}

static const char *cuda_device(const backend *b)
{
    return ((const cuda *)b)->name;
}

/* ---- memory and streams ------------------------------------------------------------------------------------------- */

/* The runtime's current device is a property of the calling thread. */
static const char *use(const backend *b)
{
    return text(cudaSetDevice(((const cuda *)b)->device));
}

/* Kernels are asked for errors after their launch: one that has been dealt with must not be found there. */
static void *none(void)
{
    cudaGetLastError();
    return NULL;
}

static void *cuda_alloc(backend *b, size_t n_bytes)
{
    void *p = NULL;
    if (use(b) || cudaMalloc(&p, n_bytes ? n_bytes : 1) != cudaSuccess)
        return none();
    /* Waited for: the streams of sessions do not wait for the default one. */
    if (cudaMemset(p, 0, n_bytes) != cudaSuccess || cudaStreamSynchronize(NULL) != cudaSuccess) {
        cudaFree(p);
        return none();
    }
    return p;
}

static void cuda_release(backend *b, void *p)
{
    if (p && !use(b))
        cudaFree(p);
}

static const char *cuda_memory(const backend *b, device_memory *out)
{
    const cuda *c = (const cuda *)b;
    const char *wrong = use(b);
    *out = (device_memory){0};
    wrong = wrong ? wrong : text(cudaMemGetInfo(&out->free_bytes, &out->total_bytes));
    out->used_bytes = c->free_at_open > out->free_bytes ? c->free_at_open - out->free_bytes : 0;
    return wrong;
}

static void *cuda_host_alloc(backend *b, size_t n_bytes)
{
    void *p = NULL;
    if (use(b) || cudaHostAlloc(&p, n_bytes ? n_bytes : 1, cudaHostAllocDefault) != cudaSuccess)
        return none();
    memset(p, 0, n_bytes);
    return p;
}

static void cuda_host_release(backend *b, void *p)
{
    if (p && !use(b))
        cudaFreeHost(p);
}

static const char *cuda_stream_open(backend *b, void **stream)
{
    const char *wrong = use(b);
    cuda_stream *s = calloc(1, sizeof *s);
    none(); /* what a session that failed may have left */
    *stream = s;
    if (wrong || !s)
        return wrong ? wrong : NO_MEMORY;
    return text(cudaStreamCreateWithFlags(&s->stream, cudaStreamNonBlocking));
}

static void cuda_stream_close(backend *b, void *stream)
{
    cuda_stream *s = stream;
    if (!s || use(b))
        return;
    cudaGraph_t half_recorded = NULL;
    if (s->recording)
        cudaStreamEndCapture(s->stream, &half_recorded);
    if (half_recorded)
        cudaGraphDestroy(half_recorded);
    for (int i = 0; i < MAX_RECORDINGS; i++)
        if (s->recorded[i])
            cudaGraphExecDestroy(s->recorded[i]);
    if (s->stream)
        cudaStreamDestroy(s->stream);
    free(s);
}

static const char *cuda_write(backend *b, void *stream, void *to, const void *from_host, size_t n_bytes)
{
    const char *wrong = use(b);
    return wrong ? wrong : text(cudaMemcpyAsync(to, from_host, n_bytes, cudaMemcpyHostToDevice, raw(stream)));
}

static const char *cuda_read(backend *b, void *stream, void *to_host, const void *from, size_t n_bytes)
{
    const char *wrong = use(b);
    return wrong ? wrong : text(cudaMemcpyAsync(to_host, from, n_bytes, cudaMemcpyDeviceToHost, raw(stream)));
}

static const char *cuda_copy(backend *b, void *stream, void *to, const void *from, size_t n_bytes)
{
    const char *wrong = use(b);
    return wrong ? wrong : text(cudaMemcpyAsync(to, from, n_bytes, cudaMemcpyDeviceToDevice, raw(stream)));
}

static const char *cuda_wait(backend *b, void *stream)
{
    const char *wrong = use(b);
    return wrong ? wrong : text(cudaStreamSynchronize(raw(stream)));
}

static const char *cuda_replay(backend *b, void *stream, int key, int *done)
{
    cuda_stream *s = stream;
    const char *wrong = use(b);
    *done = s->recorded[key] != NULL;
    return wrong || !*done ? wrong : text(cudaGraphLaunch(s->recorded[key], s->stream));
}

static const char *cuda_record(backend *b, void *stream, int key)
{
    cuda_stream *s = stream;
    const char *wrong = use(b);
    (void)key;
    wrong = wrong ? wrong : text(cudaStreamBeginCapture(s->stream, cudaStreamCaptureModeThreadLocal));
    s->recording = !wrong;
    return wrong;
}

static const char *cuda_play(backend *b, void *stream, int key, int keep)
{
    cuda_stream *s = stream;
    cudaGraph_t graph = NULL;
    (void)b;
    s->recording = 0;
    const char *wrong = text(cudaStreamEndCapture(s->stream, &graph));
    if (wrong || !keep) {
        if (graph)
            cudaGraphDestroy(graph);
        return wrong;
    }
    wrong = text(cudaGraphInstantiate(&s->recorded[key], graph, 0));
    cudaGraphDestroy(graph);
    return wrong ? wrong : text(cudaGraphLaunch(s->recorded[key], s->stream));
}

/* ---- marks -------------------------------------------------------------------------------------------------------- */

static const char *cuda_mark_open(backend *b, void **m)
{
    cudaEvent_t event = NULL;
    const char *wrong = use(b);
    wrong = wrong ? wrong : text(cudaEventCreate(&event));
    *m = event;
    return wrong;
}

static void cuda_mark_close(backend *b, void *m)
{
    if (m && !use(b))
        cudaEventDestroy(m);
}

static const char *cuda_mark(backend *b, void *stream, void *m)
{
    const cuda_stream *s = stream;
    const char *wrong = use(b);
    if (wrong)
        return wrong;
    /* External: a node that records the event each time the graph is launched. */
    return text(s->recording ? cudaEventRecordWithFlags(m, s->stream, cudaEventRecordExternal)
                             : cudaEventRecord(m, s->stream));
}

static const char *cuda_follow(backend *b, void *stream, void *m)
{
    const char *wrong = use(b);
    return wrong ? wrong : text(cudaStreamWaitEvent(raw(stream), m, 0));
}

static const char *cuda_settle(backend *b, void *m, int *waits)
{
    const char *wrong = use(b);
    cudaError_t e = wrong ? cudaSuccess : cudaEventQuery(m);
    if (wrong || e != cudaErrorNotReady)
        return wrong ? wrong : text(e);
    none();
    ++*waits;
    return text(cudaEventSynchronize(m));
}

static const char *cuda_elapsed(backend *b, void *from, void *to, double *ms)
{
    float took = 0;
    cudaError_t e = cudaEventElapsedTime(&took, from, to);
    (void)b;
    *ms = (double)took;
    return text(e);
}

/* ---- operators ---------------------------------------------------------------------------------------------------- */

static const op_cuda *op_of(const backend *b, op_id op)
{
    return ((const cuda *)b)->ops[op];
}

static unsigned cuda_in_packed(const backend *b, op_id op)
{
    const op_cuda *o = op_of(b, op);
    return o && o->pack ? o->in_packed : 0;
}

static size_t cuda_scratch_bytes(const backend *b, op_id op, const op_call *c)
{
    const op_cuda *o = op_of(b, op);
    return o && o->scratch_bytes && !use(b) ? o->scratch_bytes(c) : 0;
}

static const char *cuda_pack(backend *b, op_id op, const op_call *c, void **packed, size_t *n_bytes)
{
    const op_cuda *o = op_of(b, op);
    *packed = NULL;
    *n_bytes = 0;
    if (!o)
        return "there is no CUDA kernel for this operator";
    op_call call = *c;
    *n_bytes = o->pack ? o->packed_bytes(c) : 0;
    if (!*n_bytes)
        return NULL;
    *packed = call.packed = cuda_alloc(b, *n_bytes);
    if (!*packed)
        return NO_MEMORY;
    const char *wrong = o->pack(&call);
    return wrong ? wrong : cuda_wait(b, NULL);
}

static void cuda_unpack(backend *b, op_id op, void *packed)
{
    (void)op;
    cuda_release(b, packed);
}

static const char *cuda_bind(backend *b, op_id op, const op_call *c, void **bound)
{
    const op_cuda *o = op_of(b, op);
    op_call call = *c;
    call.stream = raw(c->stream);
    *bound = NULL;
    if (!o->bind)
        return NULL;
    const char *wrong = use(b);
    if (wrong)
        return wrong;
    *bound = o->bind(&call);
    return *bound ? NULL : "it could not be prepared";
}

static void cuda_unbind(backend *b, op_id op, void *bound)
{
    if (bound)
        op_of(b, op)->unbind(bound);
}

static const char *cuda_run(backend *b, op_id op, const op_call *c)
{
    op_call call = *c;
    const char *wrong = use(b);
    call.stream = raw(c->stream);
    return wrong ? wrong : op_of(b, op)->run(&call);
}

static const char *cuda_run_timed(backend *b, op_id op, const op_call *c, double *ms)
{
    cudaEvent_t begin = NULL, end = NULL;
    float took = 0;
    const char *wrong = use(b);
    wrong = wrong ? wrong : text(cudaEventCreate(&begin));
    wrong = wrong ? wrong : text(cudaEventCreate(&end));
    wrong = wrong ? wrong : text(cudaEventRecord(begin, raw(c->stream)));
    wrong = wrong ? wrong : cuda_run(b, op, c);
    wrong = wrong ? wrong : text(cudaEventRecord(end, raw(c->stream)));
    wrong = wrong ? wrong : text(cudaEventSynchronize(end));
    wrong = wrong ? wrong : text(cudaEventElapsedTime(&took, begin, end));
    if (begin)
        cudaEventDestroy(begin);
    if (end)
        cudaEventDestroy(end);
    *ms = (double)took;
    return wrong;
}

static sam_status cuda_images_open(backend *b, const image_sizes *z, images **out, sam_error *err)
{
    static const image_launchers launch = {preprocess_cuda, clean_logits_cuda, render_masks_cuda, raw_of};
    return images_open_device(b, &launch, z, out, err);
}

static const backend_api api = {.name = "cuda",
                                .host_memory = 0,
                                .open = cuda_open,
                                .close = cuda_close,
                                .device = cuda_device,
                                .alloc = cuda_alloc,
                                .release = cuda_release,
                                .memory = cuda_memory,
                                .host_alloc = cuda_host_alloc,
                                .host_release = cuda_host_release,
                                .stream_open = cuda_stream_open,
                                .stream_close = cuda_stream_close,
                                .write = cuda_write,
                                .read = cuda_read,
                                .copy = cuda_copy,
                                .wait = cuda_wait,
                                .replay = cuda_replay,
                                .record = cuda_record,
                                .play = cuda_play,
                                .mark_open = cuda_mark_open,
                                .mark_close = cuda_mark_close,
                                .mark = cuda_mark,
                                .follow = cuda_follow,
                                .settle = cuda_settle,
                                .elapsed = cuda_elapsed,
                                .in_packed = cuda_in_packed,
                                .scratch_bytes = cuda_scratch_bytes,
                                .pack = cuda_pack,
                                .unpack = cuda_unpack,
                                .bind = cuda_bind,
                                .unbind = cuda_unbind,
                                .run = cuda_run,
                                .run_timed = cuda_run_timed,
                                .images_open = cuda_images_open,
                                .images_close = images_close_device,
                                .images_bytes = images_bytes_device,
                                .stage = stage_device,
                                .preprocess = preprocess_device,
                                .round_input = round_input_device,
                                .render = render_device,
                                .screen = screen_device,
                                .bring = bring_device};

const backend_api *backend_cuda(void)
{
    return &api;
}
