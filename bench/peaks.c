/* peaks.c - see peaks.h. One operator with its memory, run on a backend of its own. */
#include "peaks.h"

#include "backend.h"
#include "clip.h"

#include <stdlib.h>

enum { DEFAULT_SIDE = 2048, DEFAULT_COPY = 256 << 20 };

typedef struct trial {
    backend *b;
    void *stream;
    op_id op;
    tensor in[OP_MAX_IN], out[OP_MAX_OUT];
    op_attr attr;
    op_call call;
    void *packed, *bound, *memory[3];
} trial;

static const char *take(trial *t, int i, tensor *x)
{
    t->memory[i] = t->b->api->alloc(t->b, tensor_bytes(x) + 64);
    x->data = t->memory[i];
    return x->data ? NULL : "no memory";
}

/* Memory and preparation as the executor does it; all operands are zero, which costs the same. */
static const char *prepare(trial *t)
{
    const backend_api *api = t->b->api;
    const char *wrong = api->stream_open(t->b, &t->stream);
    size_t took, scratch;
    for (int i = 0; i < 2 && !wrong; i++)
        wrong = t->in[i].type == DT_NONE ? NULL : take(t, i, &t->in[i]);
    wrong = wrong ? wrong : take(t, 2, &t->out[0]);
    t->call = (op_call){.in = t->in, .out = t->out, .attr = &t->attr, .stream = t->stream};
    wrong = wrong ? wrong : api->pack(t->b, t->op, &t->call, &t->packed, &took);
    t->call.packed = t->packed;
    if (wrong)
        return wrong;
    scratch = api->scratch_bytes(t->b, t->op, &t->call);
    t->call.scratch = scratch ? api->alloc(t->b, scratch) : NULL;
    if (scratch && !t->call.scratch)
        return "no memory";
    wrong = api->bind(t->b, t->op, &t->call, &t->bound);
    t->call.bound = t->bound;
    return wrong;
}

static void clean_up(trial *t)
{
    const backend_api *api = t->b->api;
    if (t->bound)
        api->unbind(t->b, t->op, t->bound);
    if (t->packed)
        api->unpack(t->b, t->op, t->packed);
    if (t->call.scratch)
        api->release(t->b, t->call.scratch);
    for (int i = 0; i < 3; i++)
        if (t->memory[i])
            api->release(t->b, t->memory[i]);
    api->stream_close(t->b, t->stream);
}

/* The best time of `runs`, after one that is not counted. */
static sam_status best_ms(trial *t, int runs, double *ms, sam_error *err)
{
    const backend_api *api = t->b->api;
    const char *wrong = prepare(t);
    *ms = 0;
    for (int i = 0; i <= runs && !wrong; i++) {
        double start = clock_ms(), took = 0;
        wrong = api->run_timed ? api->run_timed(t->b, t->op, &t->call, &took) : api->run(t->b, t->op, &t->call);
        wrong = wrong ? wrong : api->wait(t->b, t->stream);
        took = api->run_timed ? took : clock_ms() - start;
        if (i && (i == 1 || took < *ms))
            *ms = took;
    }
    clean_up(t);
    return wrong ? fail(err, SAM_E_DEVICE, "measuring the peak of %s: %s", op_table[t->op]->name, wrong) : SAM_OK;
}

static sam_status measure(const sam_model_options *o, backend *b, int runs, peaks *out, sam_error *err)
{
    /* On the CPU fp16 is computed in f32 from rounded weights, as the engine does it. */
    dtype type = o->compute == SAM_BF16 ? DT_BF16 : o->compute == SAM_F16 && o->backend == SAM_CUDA ? DT_F16 : DT_F32;
    trial product = {.b = b, .op = OP_linear};
    product.in[0] = product.in[1] = product.out[0] =
        (tensor){.type = type, .n = 1, .rows = out->side, .cols = out->side};
    trial copy = {.b = b, .op = OP_cast, .attr = {.type = DT_F32}};
    int rows = (int)(out->copy_bytes / 2 / 4096);
    copy.in[0] = copy.out[0] = (tensor){.type = DT_F32, .n = 1, .rows = rows, .cols = 1024};
    double ms, n = out->side;
    TRY(best_ms(&product, runs, &ms, err));
    out->gflop_s = 2 * n * n * n / ms / 1e6;
    TRY(best_ms(&copy, runs, &ms, err));
    out->gb_s = 2.0 * 4096 * rows / ms / 1e6;
    return SAM_OK;
}

sam_status peaks_measure(const sam_model_options *o, int side, size_t copy_bytes, int runs, peaks *out, sam_error *err)
{
    backend *b = NULL;
    *out = (peaks){.side = side ? side : DEFAULT_SIDE, .copy_bytes = copy_bytes ? copy_bytes : DEFAULT_COPY};
    TRY(backend_open(o, &b, err));
    sam_status status = measure(o, b, runs, out, err);
    b->api->close(b);
    return status;
}
